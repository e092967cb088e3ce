//! `read.tier_history`: a row per decision about a standing. Rows are only ever added.

use tierline_bus::ConsumerId;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::ids::TierId;
use tierline_domain::standing::events::{Opened, Recommendation};
use tierline_domain::standing::{Direction, Ending, StandingEvent, TierSource};
use tierline_eventstore::LogEvent;
use tierline_readmodel::{DecisionCause, DecisionColumns, DecisionKind, DecisionRow, TIER_HISTORY};

use crate::model::{Effect, Keeps, Model, PROGRESS, subject_of};

/// The history of tiers.
pub struct TierHistory;

impl Model for TierHistory {
    type Row = DecisionRow;
    type Columns<'a> = DecisionColumns<'a>;

    const NAME: &'static str = "tier_history";
    const CONSUMER: ConsumerId = TIER_HISTORY;
    const BUILDER: ConsumerId = ConsumerId {
        name: "projector-tier-history-build",
        version: TIER_HISTORY.version,
    };
    const READS: &'static [&'static str] = &["Standing"];
    const PASSES_OVER: &'static [&'static str] = &[PROGRESS];
    const KEEPS: Keeps = Keeps::Every;
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("decision_id", "uuid"),
        ("partner_id", "text"),
        ("program", "text"),
        ("track", "text"),
        ("kind", "text"),
        ("from_tier", "text"),
        ("tier", "text"),
        ("direction", "text"),
        ("cause", "text"),
        ("source", "text"),
        ("as_of", "date"),
        ("record_time", "timestamptz"),
    ];

    fn key(event: &LogEvent, _content: &AnyEvent) -> Option<String> {
        subject_of(event).map(str::to_owned)
    }

    fn fold(row: &mut Option<DecisionRow>, event: &LogEvent, content: &AnyEvent) -> Effect {
        let AnyEvent::Standing(change) = content else {
            return Effect::Unchanged;
        };
        if let StandingEvent::Unknown { .. } = change {
            return Effect::Skipped("event_unknown");
        }
        match (row.as_mut(), change) {
            (_, StandingEvent::ProgressRecomputed(_)) => Effect::Unchanged,
            (None, StandingEvent::StandingOpened(opened)) => {
                *row = Some(first(opened, event));
                Effect::Changed
            }
            (None, _) => Effect::Skipped("standing_unknown"),
            (Some(row), change) => {
                next(row, event);
                decide(row, change);
                Effect::Changed
            }
        }
    }

    fn columns(row: &DecisionRow) -> DecisionColumns<'_> {
        row.columns()
    }
}

fn first(opened: &Opened, event: &LogEvent) -> DecisionRow {
    let sentence = match opened.source {
        TierSource::Placed => format!("Placed in {} at the enrollment.", opened.tier_name),
        _ => format!("Enrolled; begins in {}.", opened.tier_name),
    };
    DecisionRow {
        decision: event.event_id,
        sequence: event.sequence,
        kind: DecisionKind::Opened,
        enrollment: opened.enrollment.clone(),
        partner: opened.partner.clone(),
        program: opened.program.clone(),
        track: opened.track.clone(),
        from: None,
        to: opened.tier.clone(),
        direction: None,
        cause: None,
        source: opened.source,
        held: opened.tier.clone(),
        held_name: opened.tier_name.clone(),
        as_of: opened.as_of,
        record_time: event.recorded_at,
        sentence,
        basis: opened.basis.clone(),
    }
}

/// Begins the row of the next decision with what stays the same.
fn next(row: &mut DecisionRow, event: &LogEvent) {
    row.decision = event.event_id;
    row.sequence = event.sequence;
    row.record_time = event.recorded_at;
    row.from = None;
    row.direction = None;
    row.cause = None;
}

fn decide(row: &mut DecisionRow, change: &StandingEvent) {
    if let (Some(as_of), Some(basis)) = (change.as_of(), change.basis()) {
        row.as_of = as_of;
        row.basis = basis.clone();
    }
    match change {
        StandingEvent::TierChanged(change) => {
            row.from = Some(change.from.clone());
            row.direction = Some(change.direction);
            row.cause = Some(DecisionCause::Change(change.cause));
            row.source = change.source;
            row.held = change.to.clone();
            row.held_name.clone_from(&change.to_name);
            about(
                row,
                DecisionKind::TierChanged,
                &change.to,
                change.evidence.sentence.clone(),
            );
        }
        StandingEvent::PromotionRecommended(event) => {
            recommend(
                row,
                DecisionKind::PromotionRecommended,
                Direction::Promotion,
                event,
            );
        }
        StandingEvent::DemotionRecommended(event) => {
            recommend(
                row,
                DecisionKind::DemotionRecommended,
                Direction::Demotion,
                event,
            );
        }
        StandingEvent::RecommendationWithdrawn(event) => {
            let why = if event.refused {
                "was refused"
            } else {
                "was withdrawn, because the facts no longer support it"
            };
            let sentence = format!("The recommended change to {} {why}.", event.to);
            about(
                row,
                DecisionKind::RecommendationWithdrawn,
                &event.to,
                sentence,
            );
        }
        StandingEvent::DemotionNoticeIssued(event) => {
            let sentence = event.evidence.sentence.clone();
            about(row, DecisionKind::NoticeIssued, &event.tier, sentence);
        }
        StandingEvent::RecoveryRecorded(event) => {
            let sentence = event.evidence.sentence.clone();
            about(row, DecisionKind::RecoveryRecorded, &event.tier, sentence);
        }
        _ => step(row, change),
    }
}

/// The decisions without evidence of their own.
fn step(row: &mut DecisionRow, change: &StandingEvent) {
    match change {
        StandingEvent::RemediationStarted(event) => {
            let sentence = format!(
                "The notice ended without recovery; the remediation of {} runs until {}.",
                name(row, &event.tier),
                event.ends
            );
            about(row, DecisionKind::RemediationStarted, &event.tier, sentence);
        }
        StandingEvent::RequalificationPathOpened(event) => {
            let sentence = format!(
                "{} may be earned again until {}.",
                name(row, &event.tier),
                event.until
            );
            about(
                row,
                DecisionKind::RequalificationOpened,
                &event.tier,
                sentence,
            );
        }
        StandingEvent::PinReleased(event) => {
            row.source = TierSource::Automatic;
            let sentence = format!(
                "The pin on {} no longer holds; the facts decide again.",
                name(row, &event.tier)
            );
            about(row, DecisionKind::PinReleased, &event.tier, sentence);
        }
        StandingEvent::StandingClosed(event) => {
            row.cause = Some(DecisionCause::End(event.cause));
            let how = match event.cause {
                Ending::Terminated => "was terminated",
                Ending::Expired => "reached its end date",
            };
            let sentence = format!(
                "The enrollment {how}; the tier at the end was {}.",
                row.held_name
            );
            about(row, DecisionKind::Closed, &event.tier, sentence);
        }
        // The others were handled before; progress is no decision.
        _ => {}
    }
}

fn about(row: &mut DecisionRow, kind: DecisionKind, tier: &TierId, sentence: String) {
    row.kind = kind;
    row.to = tier.clone();
    row.sentence = sentence;
}

fn recommend(
    row: &mut DecisionRow,
    kind: DecisionKind,
    direction: Direction,
    event: &Recommendation,
) {
    row.from = Some(event.from.clone());
    row.direction = Some(direction);
    about(row, kind, &event.to, event.evidence.sentence.clone());
}

/// The name of a tier, which is known of the one that is held; of others the identifier.
fn name(row: &DecisionRow, tier: &TierId) -> String {
    if row.held == *tier {
        row.held_name.clone()
    } else {
        tier.to_string()
    }
}
