//! What is asked: the rules that are tried, and the days that are compared.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tierline_domain::program::{ProgramDefinition, validate};
use tierline_domain::rejection::Violations;
use tierline_domain::standing::OrgHistory;
use tierline_domain::standing::trial::{Draft, Supposed};
use tierline_domain::time::{PeriodUnit, add_months, parse_date};
use tierline_domain::{OrgId, ProgramId, Rejection};
use tierline_proto::query::v1 as pb;
use tierline_rpc::Caller;
use tierline_rpc::convert::{DefinitionContent, Reader, common, transition};
use tierline_rpc::paging::Page;

use super::stream::{Kind, Trial};
use crate::Query;
use crate::fault::Fault;

/// Most periods of a backtest.
const MAX_PERIODS: u32 = 40;
/// Periods of a backtest that does not say how many.
const PERIODS: u32 = 4;
/// How far ahead a day may be, in months.
const MAX_AHEAD: i32 = 120;

/// Where a trial was broken off: the position of the log that it reads up to, and the partner that
/// was done last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resume {
    pub(super) position: i64,
    pub(super) after: (u8, String),
    pub(super) done: u64,
}

impl Query {
    pub(super) async fn preview_of(
        &self,
        caller: &Caller,
        request: pb::PreviewProgramRequest,
    ) -> Result<Trial, Fault> {
        let (definition, print) = definition_of(request.draft, "draft")?;
        let today = self.today(&caller.org).await?;
        let effective = day("effective_date", &request.effective_date, today, today)?;
        let on = day("as_of_date", &request.as_of_date, effective, today)?;
        let mut reader = Reader::new();
        let transition = transition(&mut reader, "transition", request.transition);
        let mut checked = Violations::default();
        checked.take("", reader.finish(Some(())));
        checked.take("", transition.check(&definition, effective));
        checked.check()?;
        let dates = format!(
            "{effective} {on} {transition:?} {}",
            request.include_unchanged
        );
        let binding = ["PreviewProgram", caller.org.as_str(), &print, &dates];
        let page = Page::<Resume>::new(0, &request.resume_token, &binding);
        let supposed = Supposed {
            facts: Vec::new(),
            facts_on_both_sides: true,
            effective,
            transition,
            today,
            on,
        };
        Ok(Trial {
            org: caller.org.clone(),
            draft: drafted(definition)?,
            kind: Kind::Preview(supposed),
            include_unchanged: request.include_unchanged,
            page: page.map_err(of_resume_token)?,
        })
    }

    pub(super) async fn backtest_of(
        &self,
        caller: &Caller,
        request: pb::BacktestProgramRequest,
    ) -> Result<Trial, Fault> {
        use pb::backtest_program_request::Rules;
        let history = self.org_wide(&caller.org).await?;
        let (draft, print) = match request.rules {
            None => return Err(Rejection::invalid("draft", "is required, or program_id").into()),
            Some(Rules::Draft(draft)) => {
                let (definition, print) = definition_of(Some(draft), "draft")?;
                (drafted(definition)?, print)
            }
            Some(Rules::ProgramId(id)) => {
                let draft = published(&history, &id)?;
                (draft, format!("published {id}"))
            }
        };
        let mut reader = Reader::new();
        let unit = reader.at("period", |reader| {
            let unit = common::optional_period_unit(reader, request.period)?;
            match unit.unwrap_or(PeriodUnit::Quarter) {
                PeriodUnit::ProgramYear | PeriodUnit::PartnershipYear => reader.wrong(
                    "must be a month, a quarter, half a year or a year, of the calendar or fiscal: \
                     the others differ from enrollment to enrollment",
                ),
                unit => Some(unit),
            }
        });
        let periods = match request.periods {
            0 => PERIODS,
            n => n,
        };
        if periods > MAX_PERIODS {
            let what = format!("must be at most {MAX_PERIODS}; 0 means {PERIODS}");
            reader.at("periods", |reader| reader.wrong::<()>(what));
        }
        let unit = reader.finish(unit)?;
        let org = history.org();
        let today = org.today(Timestamp::now());
        let mut days: Vec<Date> = unit
            .complete_before(today, periods, org.calendar())
            .iter()
            .map(|period| period.to)
            .collect();
        days.sort_unstable();
        let dates = format!("{days:?} {}", request.include_unchanged);
        let binding = ["BacktestProgram", caller.org.as_str(), &print, &dates];
        let page = Page::<Resume>::new(0, &request.resume_token, &binding);
        Ok(Trial {
            org: caller.org.clone(),
            draft,
            kind: Kind::Backtest(days),
            include_unchanged: request.include_unchanged,
            page: page.map_err(of_resume_token)?,
        })
    }

    /// What concerns the whole org, as far as the log has it now, but for exchange rates.
    pub(super) async fn org_wide(&self, org: &OrgId) -> Result<OrgHistory, Fault> {
        let position = self.inner.reader.heads().await?.position;
        let (history, _) = self.org_without_rates(org, 0, position).await?;
        Ok(history)
    }

    async fn today(&self, org: &OrgId) -> Result<Date, Fault> {
        let history = self.org_wide(org).await?;
        Ok(history.org().today(Timestamp::now()))
    }
}

/// The versions of a program as they were published.
pub(super) fn published(history: &OrgHistory, id: &str) -> Result<Draft, Fault> {
    let program = ProgramId::parse(id)?;
    if history.versions(&program).next().is_none() {
        return Err(Rejection::not_found("program with a published version", &program).into());
    }
    Ok(Draft {
        program,
        definition: None,
    })
}

/// A definition as the draft of its program.
pub(super) fn drafted(definition: ProgramDefinition) -> Result<Draft, Rejection> {
    Ok(Draft {
        program: ProgramId::parse(definition.slug.as_str())?,
        definition: Some(Box::new(definition)),
    })
}

/// A definition that could be published, and a short name for its content.
pub(super) fn definition_of(
    message: Option<pb::TrialDefinition>,
    field: &str,
) -> Result<(ProgramDefinition, String), Rejection> {
    use pb::trial_definition::Content;
    let content = match message.and_then(|message| message.content) {
        None => return Err(Rejection::invalid(field, "is required: yaml or definition")),
        Some(Content::Yaml(text)) => DefinitionContent::Yaml(text),
        Some(Content::Definition(message)) => DefinitionContent::Message(Box::new(message)),
    };
    let read = content.read().and_then(|definition| {
        validate(&definition)?;
        Ok(definition)
    });
    let definition = read.map_err(|wrong| {
        let mut violations = Violations::default();
        violations.take::<()>(field, Err(wrong));
        violations.into_rejection()
    })?;
    let json = serde_json::to_vec(&definition).unwrap_or_default();
    Ok((definition, hex::encode(Sha256::digest(&json))))
}

/// A day to come; `usual` when it is not given.
pub(super) fn day(field: &str, text: &str, usual: Date, today: Date) -> Result<Date, Rejection> {
    if text.is_empty() {
        return Ok(usual);
    }
    let day = parse_date(field, text)?;
    let last = add_months(today, MAX_AHEAD);
    if day < usual || day > last {
        return Err(Rejection::invalid(
            field,
            format!("must be between {usual} and {last}"),
        ));
    }
    Ok(day)
}

fn of_resume_token(_: Rejection) -> Rejection {
    Rejection::invalid(
        "resume_token",
        "must be that of a progress message of the same request; leave it empty to begin again",
    )
}
