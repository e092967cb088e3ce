//! One partner with facts that have not happened, on a day to come.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tierline_domain::program::Transition;
use tierline_domain::rejection::Violations;
use tierline_domain::rules::{Fact, FactKind};
use tierline_domain::standing::in_force;
use tierline_domain::standing::trial::{Draft, Supposed, preview};
use tierline_domain::time::parse_date;
use tierline_domain::{Money, PartnerId, Rejection};
use tierline_eventstore::partition_of;
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::preview_partner_request::Rules;
use tierline_rpc::Caller;
use tierline_rpc::convert::{Reader, common};

use super::convert::comparison;
use super::request::{day, definition_of, drafted, published};
use crate::Query;
use crate::convert::tier_progress;
use crate::fault::Fault;
use crate::long::off_threads;
use crate::past::routing_key;

/// Most facts that are supposed.
const MAX_FACTS: usize = 1_000;

impl Query {
    pub(super) async fn partner_preview(
        &self,
        caller: &Caller,
        request: pb::PreviewPartnerRequest,
    ) -> Result<pb::PreviewPartnerResponse, Fault> {
        let partner = PartnerId::parse(request.partner_id)?;
        caller.check_partner(&partner)?;
        let facts = facts(request.facts)?;
        let position = self.settled().await?;
        let partition = partition_of(&routing_key(&caller.org, &partner));
        let (history, _) = self.org_history(&caller.org, partition, position).await?;
        let (past, events) = self
            .partner_history(&caller.org, &partner, position)
            .await?;
        if events == 0 {
            return Err(Rejection::not_found("partner", &partner).into());
        }
        let today = history.org().today(Timestamp::now());
        let supposed = Supposed {
            facts,
            facts_on_both_sides: false,
            effective: today,
            transition: Transition::Now,
            today,
            on: day("as_of_date", &request.as_of_date, today, today)?,
        };
        let drafts = match request.rules {
            Some(Rules::ProgramId(id)) => vec![published(&history, &id)?],
            Some(Rules::Draft(draft)) => vec![drafted(definition_of(Some(draft), "draft")?.0)?],
            None => past
                .programs()
                .into_iter()
                .map(|program| Draft {
                    program,
                    definition: None,
                })
                .collect(),
        };
        let names = [partner.clone()];
        let name = self.partner_names(&caller.org, &names).await?;
        let previews = off_threads(move || {
            let mut previews = Vec::new();
            for draft in drafts {
                let versions: Vec<_> = history.versions(&draft.program).cloned().collect();
                let live = in_force(&versions, supposed.on).map(|version| &version.definition);
                let definition = draft.definition.as_deref().or(live);
                for one in preview(&history, &past, &draft, &supposed, None, u64::MAX)? {
                    let track = definition.and_then(|found| found.track(&one.compared.track));
                    let progress = one.progress.iter().flat_map(|progress| &progress.tiers);
                    let name = name.get(one.compared.partner.as_str());
                    previews.push(pb::PartnerPreview {
                        program_id: draft.program.to_string(),
                        comparison: Some(comparison(&one.compared, name)),
                        progress: progress.map(|tier| tier_progress(tier, track)).collect(),
                    });
                }
            }
            Ok(previews)
        })
        .await?;
        Ok(pb::PreviewPartnerResponse {
            previews,
            log_position: position.unsigned_abs(),
        })
    }
}

fn facts(messages: Vec<pb::SupposedFact>) -> Result<Vec<Fact>, Rejection> {
    if messages.len() > MAX_FACTS {
        return Err(Rejection::invalid(
            "facts",
            format!(
                "has {} entries; at most {MAX_FACTS} are taken",
                messages.len()
            ),
        ));
    }
    let mut violations = Violations::default();
    let mut facts = Vec::new();
    for (at, message) in messages.into_iter().enumerate() {
        facts.extend(violations.take(&format!("facts[{at}]"), fact(at, message)));
    }
    violations.check()?;
    Ok(facts)
}

fn fact(at: usize, message: pb::SupposedFact) -> Result<Fact, Rejection> {
    let mut violations = Violations::default();
    let kind = message.kind.trim();
    if kind.is_empty() {
        violations.add("kind", "is required, such as deal");
    }
    let kind = FactKind::new(kind);
    let state = match message.state.trim() {
        "" => kind.usual_state(),
        state => state,
    };
    let amount = message.amount.map(|amount| {
        let read = Money::parse(&amount.amount, &amount.currency_code);
        violations.take("amount", read)
    });
    let mut dates = BTreeMap::new();
    for (name, text) in &message.dates {
        let read = violations.take("dates", parse_date(name, text));
        dates.extend(read.map(|date| (name.clone(), date)));
    }
    let mut reader = Reader::new();
    let quantity = match message.quantity.as_str() {
        "" => Some(None),
        text => reader
            .at("quantity", |reader| common::decimal(reader, text))
            .map(Some),
    };
    let fields = common::attributes(&mut reader, "fields", message.fields);
    let read = violations.take("", reader.finish(quantity.zip(fields)));
    violations.check()?;
    let (quantity, fields) = read.unwrap_or_default();
    Ok(Fact {
        state: state.to_owned(),
        kind,
        id: format!("supposed-{at}"),
        version: 1,
        amount: amount.flatten(),
        quantity,
        dates,
        fields,
        disqualified: None,
    })
}
