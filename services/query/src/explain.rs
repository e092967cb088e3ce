//! A decision with all of its evidence: what was recorded, and which facts counted, found again in
//! the log as it stood when the decision was made.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::types::Json;
use tierline_bus::decode;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::ids::TierId;
use tierline_domain::program::Track;
use tierline_domain::rules::{Context, Explanation, Requirement};
use tierline_domain::standing::replay::World;
use tierline_domain::standing::{Direction, Evidence, Standing, StandingEvent};
use tierline_domain::{Decide, EnrollmentId, Kind, OrgId, Rejection, StreamId};
use tierline_eventstore::LogEvent;
use tierline_proto::query::v1 as pb;
use tierline_proto::standing::v1 as standing;
use tierline_readmodel::{DecisionKind, DecisionRow};
use tierline_rpc::Caller;
use uuid::Uuid;

use crate::Query;
use crate::convert::{decision, instant};
use crate::evidence::{Facts, MODE, Writer, criteria};
use crate::fault::Fault;

/// A decision out of the read model: the row, the position of its event, the partner's name.
struct Found {
    row: DecisionRow,
    position: i64,
    partner_name: String,
}

impl Query {
    pub(crate) async fn explain(
        &self,
        caller: &Caller,
        request: pb::ExplainDecisionRequest,
    ) -> Result<pb::ExplainDecisionResponse, Fault> {
        let org = &caller.org;
        let found = self.decision_of(org, &request.decision_id).await?;
        caller.check_partner(&found.row.partner)?;
        let recorded = self.recorded_explanation(org, &found.row).await?;
        let explanation = match recorded {
            Some(tree) => Some(self.with_facts(org, &found, &tree).await?),
            None => None,
        };
        let triggers = self.triggers(org, &found.row).await?;
        let decision = Some(decision(&found.row, found.partner_name));
        Ok(pb::ExplainDecisionResponse {
            decision,
            explanation,
            triggers,
        })
    }

    /// The decision of an id: that of its event, or `{enrollment}/{sequence}`.
    async fn decision_of(&self, org: &OrgId, id: &str) -> Result<Found, Fault> {
        const COLUMNS: &str = "SELECT t.state, t.position, coalesce(p.name, '')
             FROM read.tier_history t
             LEFT JOIN read.partners p ON p.org_id = t.org_id AND p.key = t.partner_id
             WHERE t.org_id = $1";
        let row = if let Ok(event_id) = Uuid::parse_str(id) {
            sqlx::query(&format!("{COLUMNS} AND t.decision_id = $2"))
                .bind(org.as_str())
                .bind(event_id)
                .fetch_optional(self.pool())
                .await?
        } else {
            let (enrollment, sequence) = stream_place(id)?;
            sqlx::query(&format!("{COLUMNS} AND t.key = $2 AND t.sequence = $3"))
                .bind(org.as_str())
                .bind(enrollment.as_str())
                .bind(sequence)
                .fetch_optional(self.pool())
                .await?
        };
        let row = row.ok_or_else(|| Rejection::not_found("decision", id))?;
        let Json(state) = row.try_get(0)?;
        Ok(Found {
            row: state,
            position: row.try_get(1)?,
            partner_name: row.try_get(2)?,
        })
    }

    /// The tree that was recorded with the decision; `None` where a person decided.
    async fn recorded_explanation(
        &self,
        org: &OrgId,
        row: &DecisionRow,
    ) -> Result<Option<Explanation>, Fault> {
        let stream = StreamId::new(org, &row.enrollment);
        let before = u64::try_from(row.sequence)
            .unwrap_or_default()
            .saturating_sub(1);
        let events = self
            .inner
            .reader
            .read_stream("Standing", &stream, before, 1)
            .await?;
        let event = events
            .first()
            .filter(|event| event.event_id == row.decision);
        let event = event.ok_or_else(|| {
            let message = format!("decision {} is not in the log", row.decision);
            Rejection::new(Kind::DataLoss, "DECISION_NOT_IN_LOG", message)
        })?;
        match decode(&self.inner.codec, event)? {
            AnyEvent::Standing(event) => Ok(evidence(event).and_then(|e| e.explanation)),
            _ => Ok(None),
        }
    }

    /// The recorded tree with the facts behind each criterion.
    async fn with_facts(
        &self,
        org: &OrgId,
        found: &Found,
        tree: &Explanation,
    ) -> Result<standing::Explanation, Fault> {
        let row = &found.row;
        let partition = u8::try_from(row.basis.partition).unwrap_or_default();
        let (org_history, _) = self.org_history(org, partition, found.position).await?;
        let (history, _) = self
            .partner_history(org, &row.partner, found.position)
            .await?;
        let mut world = World::new(&org_history, &history);
        world.advance_to(row.basis.number)?;
        let mut before = Standing::default();
        let sequence = u64::try_from(row.sequence).unwrap_or_default();
        for (_, event) in history
            .recorded(&row.enrollment)
            .iter()
            .filter(|(s, _)| *s < sequence)
        {
            before.evolve(event);
        }
        let versions = world
            .versions
            .get(&row.program)
            .map_or(&[][..], Vec::as_slice);
        let version = versions
            .iter()
            .find(|v| v.number == row.basis.program_version);
        let terms = world.terms.get(&row.enrollment);
        let requirement = version
            .and_then(|version| version.definition.track(&row.track))
            .and_then(|track| deciding(track, row));
        let rates = world.rates();
        let calendar = version.zip(terms).map(|(version, terms)| {
            let start = version.definition.program_year_start;
            world.org.calendar().of_enrollment(start, terms.start)
        });
        let facts = version
            .zip(terms)
            .zip(requirement)
            .zip(calendar.as_ref())
            .map(|(((version, terms), requirement), calendar)| {
                let context = Context {
                    as_of: row.as_of,
                    calendar,
                    enrolled_since: terms.start,
                    tier_since: before.tier_since,
                    tiers: &before.tiers,
                    currency: version.definition.currency,
                    fixed: &version.definition.fixed_rates,
                    mode: MODE,
                };
                Facts {
                    criteria: criteria(requirement),
                    facts: world.facts(),
                    rates: &rates,
                    context,
                }
            });
        Ok(Writer::new(facts).explanation(tree))
    }

    /// The events that gave rise to the decision.
    async fn triggers(&self, org: &OrgId, row: &DecisionRow) -> Result<Vec<pb::Trigger>, Fault> {
        let partition = u8::try_from(row.basis.partition).unwrap_or_default();
        let mut triggers = Vec::with_capacity(row.basis.triggers.len());
        for number in &row.basis.triggers {
            let before = i64::try_from(*number).unwrap_or_default() - 1;
            let events = self.inner.reader.read(&[(partition, before)], 1, 1).await?;
            // The number comes from an event of this org; that the other one is of it, too, is
            // checked nevertheless.
            triggers.extend(
                events
                    .iter()
                    .filter(|event| event.org_id == org.as_str())
                    .map(trigger),
            );
        }
        Ok(triggers)
    }
}

fn stream_place(id: &str) -> Result<(EnrollmentId, i64), Rejection> {
    id.rsplit_once('/')
        .and_then(|(enrollment, sequence)| {
            Some((
                EnrollmentId::parse(enrollment).ok()?,
                sequence.parse().ok()?,
            ))
        })
        .ok_or_else(|| {
            let description = "must be the id of a decision, or its enrollment and sequence \
                               written as enrollment/3";
            Rejection::invalid("decision_id", description)
        })
}

fn evidence(event: StandingEvent) -> Option<Evidence> {
    match event {
        StandingEvent::TierChanged(event) => Some(event.evidence),
        StandingEvent::PromotionRecommended(event) | StandingEvent::DemotionRecommended(event) => {
            Some(event.evidence)
        }
        StandingEvent::DemotionNoticeIssued(event) => Some(event.evidence),
        StandingEvent::RecoveryRecorded(event) => Some(event.evidence),
        _ => None,
    }
}

/// The requirement that decided: the qualification of the tier that was reached, or what keeps the
/// tier that was lost or at risk.
fn deciding<'t>(track: &'t Track, row: &DecisionRow) -> Option<&'t Requirement> {
    let tier = |id: &TierId| track.tiers.iter().find(|tier| tier.id == *id);
    match (row.kind, row.direction) {
        (
            DecisionKind::TierChanged | DecisionKind::PromotionRecommended,
            Some(Direction::Promotion),
        ) => tier(&row.to)?.qualification.as_ref(),
        (DecisionKind::TierChanged | DecisionKind::DemotionRecommended, _) => {
            tier(row.from.as_ref()?)?.keeps()
        }
        _ => tier(&row.to)?.keeps(),
    }
}

fn trigger(event: &LogEvent) -> pb::Trigger {
    let id = event
        .aggregate_id
        .split_once('/')
        .map_or(event.aggregate_id.as_str(), |(_, id)| id);
    let metadata: BTreeMap<String, String> =
        serde_json::from_str(&event.metadata).unwrap_or_default();
    pb::Trigger {
        event_type: event.event_type.clone(),
        event_id: event.event_id.to_string(),
        subject: format!("{}/{id}", event.aggregate_type),
        actor: metadata.get("actor").cloned().unwrap_or_default(),
        record_time: instant(event.recorded_at),
    }
}
