//! `read.standings`: a row per enrollment, with its progress.

use tierline_bus::ConsumerId;
use tierline_domain::Decide;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::enrollment::EnrollmentEvent;
use tierline_domain::standing::{StandingEvent, Terms};
use tierline_eventstore::LogEvent;
use tierline_readmodel::{STANDINGS, StandingColumns, StandingRow};

use crate::model::{Effect, Model, subject_of};

/// The standings table.
pub struct Standings;

impl Model for Standings {
    type Row = StandingRow;
    type Columns<'a> = StandingColumns<'a>;

    const NAME: &'static str = "standings";
    const CONSUMER: ConsumerId = STANDINGS;
    const BUILDER: ConsumerId = ConsumerId {
        name: "projector-standings-build",
        version: STANDINGS.version,
    };
    const READS: &'static [&'static str] = &["Enrollment", "Standing"];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("partner_id", "text"),
        ("program", "text"),
        ("track", "text"),
        ("tier", "text"),
        ("tier_name", "text"),
        ("tier_rank", "integer"),
        ("tier_since", "date"),
        ("source", "text"),
        ("pinned", "text"),
        ("at_risk", "boolean"),
        ("recommended", "text"),
        ("closed", "boolean"),
        ("evaluated", "date"),
        ("version", "bigint"),
        ("update_time", "timestamptz"),
    ];

    fn key(event: &LogEvent, _content: &AnyEvent) -> Option<String> {
        subject_of(event).map(str::to_owned)
    }

    fn fold(row: &mut Option<StandingRow>, event: &LogEvent, content: &AnyEvent) -> Effect {
        let effect = match content {
            AnyEvent::Enrollment(change) => enrollment(row, event, change),
            AnyEvent::Standing(change) => standing(row, event, change),
            _ => Effect::Unchanged,
        };
        if let (Effect::Changed, Some(row)) = (effect, row) {
            row.update_time = event.recorded_at;
        }
        effect
    }

    fn columns(row: &StandingRow) -> StandingColumns<'_> {
        row.columns()
    }
}

fn enrollment(row: &mut Option<StandingRow>, event: &LogEvent, change: &EnrollmentEvent) -> Effect {
    match (row.as_mut(), change) {
        (_, EnrollmentEvent::Unknown { .. }) => return Effect::Skipped("event_unknown"),
        (None, EnrollmentEvent::Enrolled(enrolled)) => {
            *row = Some(StandingRow::new(Terms::of(enrolled), event.recorded_at));
        }
        (None, _) => return Effect::Skipped("enrollment_unknown"),
        (Some(row), change) => row.terms.evolve(change),
    }
    Effect::Changed
}

fn standing(row: &mut Option<StandingRow>, event: &LogEvent, change: &StandingEvent) -> Effect {
    let Some(row) = row else {
        return Effect::Skipped("enrollment_unknown");
    };
    row.version = event.sequence;
    row.standing.evolve(change);
    if let Some(basis) = change.basis() {
        row.program_version = basis.program_version;
    }
    match change {
        StandingEvent::StandingOpened(opened) => {
            row.tier_name.clone_from(&opened.tier_name);
            row.rank = opened.rank;
            row.decision = Some(event.event_id);
        }
        StandingEvent::TierChanged(change) => {
            row.tier_name.clone_from(&change.to_name);
            row.rank = change.rank;
            row.decision = Some(event.event_id);
        }
        _ => {}
    }
    Effect::Changed
}
