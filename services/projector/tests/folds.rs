//! The folds by themselves: no order of events makes them fail.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{basis, closed, created, day, enrolled, notice, opened, progress, tier, to_silver};
use jiff::Timestamp;
use tierline_domain::ProgramId;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::enrollment::EnrollmentEvent;
use tierline_domain::partner::{PartnerChanges, PartnerEvent};
use tierline_domain::program::ProgramEvent;
use tierline_domain::standing::StandingEvent;
use tierline_domain::standing::events::Withdrawn;
use tierline_eventstore::LogEvent;
use tierline_projector::{Effect, Model, Partners, Programs, Standings, TierHistory};
use uuid::Uuid;

/// The events of one partner, in the order in which they happened.
fn story() -> Vec<(LogEvent, AnyEvent)> {
    let renamed = PartnerChanges {
        name: Some("New name".to_owned()),
        ..Default::default()
    };
    let contents = vec![
        AnyEvent::Partner(created("p-1")),
        AnyEvent::Enrollment(EnrollmentEvent::Enrolled(enrolled("p-1", "e-1"))),
        AnyEvent::Standing(opened("p-1", "e-1")),
        AnyEvent::Standing(progress("2025-03-01", 60)),
        AnyEvent::Partner(PartnerEvent::PartnerEdited {
            changes: Box::new(renamed),
        }),
        AnyEvent::Standing(to_silver("2025-04-01")),
        AnyEvent::Enrollment(EnrollmentEvent::TierPinned {
            tier: tier("silver"),
            reason: "agreed".to_owned(),
            until: None,
            date: day("2025-05-01"),
        }),
        AnyEvent::Standing(notice("2026-04-01")),
        AnyEvent::Standing(StandingEvent::RecommendationWithdrawn(Withdrawn {
            as_of: day("2026-04-02"),
            basis: basis(),
            to: tier("gold"),
            refused: true,
        })),
        AnyEvent::Standing(closed("2026-05-01")),
        AnyEvent::Standing(StandingEvent::Unknown {
            event_type: "tierline.standing.v1.FromTheFuture".to_owned(),
            payload: serde_json::Value::Null,
        }),
    ];
    contents
        .into_iter()
        .enumerate()
        .map(|(at, content)| (event(at, &content), content))
        .collect()
}

fn event(at: usize, content: &AnyEvent) -> LogEvent {
    let (kind, id) = match content {
        AnyEvent::Partner(_) => ("Partner", "p-1"),
        AnyEvent::Enrollment(_) => ("Enrollment", "e-1"),
        AnyEvent::Program(_) => ("Program", "resale"),
        _ => ("Standing", "e-1"),
    };
    let number = i64::try_from(at).unwrap() + 1;
    LogEvent {
        position: number,
        partition: 3,
        partition_number: number,
        org_id: "acme".to_owned(),
        routing_key: "acme/p-1".to_owned(),
        aggregate_type: kind.to_owned(),
        aggregate_id: format!("acme/{id}"),
        sequence: number,
        event_type: String::new(),
        event_version: String::new(),
        payload: String::new(),
        metadata: String::new(),
        event_id: Uuid::from_u128(at as u128 + 1),
        recorded_at: Timestamp::from_second(number).unwrap(),
        leaf_hash: Vec::new(),
    }
}

fn fold<M: Model>(events: &[(LogEvent, AnyEvent)]) -> (Option<M::Row>, Vec<Effect>) {
    let mut row = None;
    let effects = events
        .iter()
        .filter(|(event, _)| M::READS.contains(&event.aggregate_type.as_str()))
        .map(|(event, content)| M::fold(&mut row, event, content))
        .collect();
    (row, effects)
}

fn any_order<M: Model>() {
    let mut events = story();
    for _ in 0..events.len() {
        events.rotate_left(1);
        let (row, _) = fold::<M>(&events);
        assert!(row.is_some(), "{} of a rotated story", M::NAME);
    }
    events.reverse();
    fold::<M>(&events);
    // Without the first event nothing can be shown, and nothing fails.
    let begins = |content: &AnyEvent| {
        matches!(
            content,
            AnyEvent::Partner(PartnerEvent::PartnerCreated(_))
                | AnyEvent::Enrollment(EnrollmentEvent::Enrolled(_))
                | AnyEvent::Standing(StandingEvent::StandingOpened(_))
        )
    };
    events.retain(|(_, content)| !begins(content));
    let (row, effects) = fold::<M>(&events);
    assert!(row.is_none(), "{}", M::NAME);
    assert!(
        effects.iter().all(|effect| *effect != Effect::Changed),
        "{}: {effects:?}",
        M::NAME
    );
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Skipped(_))),
        "{}",
        M::NAME
    );
}

#[test]
fn events_out_of_turn_are_skipped_and_never_fail() {
    any_order::<Partners>();
    any_order::<Standings>();
    any_order::<TierHistory>();
}

#[test]
fn a_story_in_order_leads_to_the_rows_that_people_expect() {
    let (partner, _) = fold::<Partners>(&story());
    let partner = partner.unwrap();
    assert_eq!(partner.profile.name, "New name");
    assert!(partner.shown().is_none(), "a closed standing shows no tier");
    let (standing, _) = fold::<Standings>(&story());
    let standing = standing.unwrap();
    assert_eq!(standing.tier_name, "Silver");
    assert_eq!(standing.terms.pin.unwrap().tier, tier("silver"));
    assert!(standing.standing.closed.is_some());
    let (decision, effects) = fold::<TierHistory>(&story());
    let decision = decision.unwrap();
    assert_eq!(decision.held_name, "Silver");
    assert_eq!(
        decision.sentence,
        "The enrollment was terminated; the tier at the end was Silver."
    );
    assert_eq!(
        effects
            .iter()
            .filter(|effect| **effect == Effect::Changed)
            .count(),
        5
    );
}

#[test]
fn a_restored_program_is_no_longer_archived() {
    let contents = [
        ProgramEvent::ProgramCreated {
            program: ProgramId::parse("resale").unwrap(),
            name: "Resale".to_owned(),
        },
        ProgramEvent::ProgramArchived {},
        ProgramEvent::ProgramRestored {},
        ProgramEvent::ProgramDraftDiscarded {},
    ];
    let events: Vec<_> = contents
        .into_iter()
        .map(AnyEvent::Program)
        .enumerate()
        .map(|(at, content)| (event(at, &content), content))
        .collect();
    let (row, _) = fold::<Programs>(&events[..2]);
    assert!(row.unwrap().archived);
    let (row, effects) = fold::<Programs>(&events);
    assert!(!row.unwrap().archived);
    assert_eq!(effects.last(), Some(&Effect::Unchanged));
}
