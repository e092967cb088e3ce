//! The evaluator on a real log: facts go in, standings come out, and replay agrees.

#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

mod beyond;
mod harness;
mod money;

use harness::{Harness, deal, enroll};
use jiff::civil::date;
use tierline_bus::Handler as _;
use tierline_domain::standing::StandingEvent;

/// Types of the decisions in a standing, without their prefix.
fn decisions(events: &[StandingEvent]) -> Vec<&'static str> {
    events
        .iter()
        .filter_map(|event| match event {
            StandingEvent::StandingOpened(_) => Some("opened"),
            StandingEvent::TierChanged(change) => match change.direction {
                tierline_domain::standing::Direction::Promotion => Some("up"),
                tierline_domain::standing::Direction::Demotion => Some("down"),
            },
            StandingEvent::DemotionNoticeIssued(_) => Some("notice"),
            StandingEvent::RemediationStarted(_) => Some("remediation"),
            StandingEvent::RecoveryRecorded(_) => Some("recovery"),
            StandingEvent::StandingClosed(_) => Some("closed"),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_won_deal_lifts_the_partner_at_the_second_quarter_end_and_losing_it_takes_the_tier() {
    let harness = Harness::sandbox(date(2018, 1, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    harness
        .record(deal("d1", "acme", date(2018, 2, 10), "120000", "USD"))
        .await;
    harness.settle().await;
    assert_eq!(decisions(&harness.standing("e1").await), ["opened"]);

    harness.clock_to(date(2018, 7, 1)).await;
    harness.settle().await;
    assert_eq!(decisions(&harness.standing("e1").await), ["opened", "up"]);

    // One long move: the timers on the way fire each on its own day.
    harness.clock_to(date(2020, 1, 1)).await;
    harness.settle().await;
    let events = harness.standing("e1").await;
    assert_eq!(
        decisions(&events),
        ["opened", "up", "notice", "remediation", "down"]
    );
    let days: Vec<String> = events
        .iter()
        .filter(|event| decisions(std::slice::from_ref(event)) != [""; 0])
        .map(|event| event.as_of().unwrap().to_string())
        .collect();
    // Below 75,000 at the ends of March and June 2019; 30 days of notice, 90 of remediation.
    assert_eq!(
        days,
        [
            "2018-01-01",
            "2018-07-01",
            "2019-07-01",
            "2019-07-31",
            "2019-10-29"
        ]
    );
    harness.replay_is_clean().await;
}

#[tokio::test]
async fn amounts_are_converted_at_the_rate_of_their_day_and_again_when_a_rate_comes_late() {
    let harness = Harness::sandbox(date(2018, 7, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    harness
        .record(deal("d1", "acme", date(2018, 3, 3), "100000", "EUR"))
        .await;
    harness.settle().await;
    assert_eq!(
        decisions(&harness.standing("e1").await),
        ["opened"],
        "no rate: unknown, not zero"
    );
    harness.rates(date(2018, 3, 2), &[("USD", "1.2312")]).await;
    harness.settle().await;
    assert_eq!(decisions(&harness.standing("e1").await), ["opened", "up"]);
    harness.replay_is_clean().await;
}

#[tokio::test]
async fn a_corrected_and_a_reversed_deal_change_the_past_and_the_verdict() {
    let harness = Harness::sandbox(date(2018, 7, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    harness
        .record(deal("d1", "acme", date(2018, 2, 1), "99999.99", "USD"))
        .await;
    harness.settle().await;
    assert_eq!(decisions(&harness.standing("e1").await), ["opened"]);
    harness
        .record(deal("d1", "acme", date(2018, 2, 1), "100000.00", "USD"))
        .await;
    harness.settle().await;
    assert_eq!(decisions(&harness.standing("e1").await), ["opened", "up"]);
    harness
        .record(deal("d1", "acme", date(2018, 2, 1), "1.00", "USD"))
        .await;
    harness.settle().await;
    assert_eq!(
        decisions(&harness.standing("e1").await),
        ["opened", "up", "notice"]
    );
    harness.replay_is_clean().await;
}

#[tokio::test]
async fn many_partners_with_history_before_their_enrollment_agree_with_replay() {
    let harness = Harness::sandbox(date(2019, 1, 1)).await;
    for n in 0..25 {
        let partner = format!("p{n}");
        harness.partner(&partner).await;
        for k in 0..12i8 {
            let amount = format!("{}.{:02}", 4_000 * (n + 1), k);
            let day = date(2018, k + 1, 1 + (n % 27) as i8);
            harness
                .record(deal(&format!("d{n}-{k}"), &partner, day, &amount, "USD"))
                .await;
        }
    }
    harness.settle().await;
    for n in 0..25 {
        harness
            .execute(enroll(&format!("e{n}"), &format!("p{n}"), date(2018, 1, 1)))
            .await;
    }
    harness.settle().await;
    for month in [2, 5, 8, 11] {
        harness.clock_to(date(2019, month, 1)).await;
    }
    harness.clock_to(date(2021, 1, 1)).await;
    harness.settle().await;
    let replayed = harness.replay_is_clean().await;
    assert_eq!(replayed.enrollments, 25);
    let ups = harness.count_events("TierChanged").await;
    assert!(ups >= 30, "{ups}");
}

#[tokio::test]
async fn starting_again_in_the_middle_changes_nothing() {
    let harness = Harness::sandbox(date(2018, 1, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    for n in 0..10 {
        let day = date(2018, 1, 2 + n);
        harness
            .record(deal(&format!("d{n}"), "acme", day, "11000", "USD"))
            .await;
        // Each settle is a consumer of its own that reads its state back from the database.
        harness.settle().await;
    }
    harness.clock_to(date(2018, 7, 1)).await;
    harness.settle().await;
    assert_eq!(decisions(&harness.standing("e1").await), ["opened", "up"]);
    harness.replay_is_clean().await;
}

#[tokio::test]
async fn a_tampered_decision_is_found_by_replay() {
    let harness = Harness::sandbox(date(2018, 7, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    harness
        .record(deal("d1", "acme", date(2018, 2, 1), "150000", "USD"))
        .await;
    harness.settle().await;
    harness.tamper("\"to\":\"silver\"", "\"to\":\"gold\"").await;
    let replayed = harness.replay().await;
    assert_eq!(
        replayed.differences[0].path, "TierChanged.to",
        "{replayed:?}"
    );
    assert_eq!(
        replayed.differences[0].recorded.as_deref(),
        Some("\"gold\"")
    );
}

#[tokio::test]
async fn an_ended_enrollment_is_closed_by_its_timer() {
    let harness = Harness::sandbox(date(2018, 1, 1)).await;
    harness.partner("acme").await;
    let mut command = enroll("e1", "acme", date(2018, 1, 1));
    command.end_date = Some(date(2018, 3, 31));
    harness.execute(command).await;
    harness.clock_to(date(2018, 3, 31)).await;
    harness.settle().await;
    assert_eq!(decisions(&harness.standing("e1").await), ["opened"]);
    harness.clock_to(date(2018, 4, 1)).await;
    harness.settle().await;
    assert_eq!(
        decisions(&harness.standing("e1").await),
        ["opened", "closed"]
    );
    harness.replay_is_clean().await;
}

#[tokio::test]
async fn what_is_let_go_at_rest_is_read_back() {
    let harness = Harness::sandbox(date(2018, 7, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    harness.rates(date(2018, 3, 2), &[("USD", "1.2312")]).await;
    let mut evaluator = harness.evaluator().await;
    let (partition, mut after) = (harness.partition("acme"), 0);
    for (n, expected) in [["opened", ""], ["opened", "up"]].iter().enumerate() {
        let won = deal(&format!("d{n}"), "acme", date(2018, 3, 3), "50000", "EUR");
        harness.record(won).await;
        let events = harness.events(partition, after).await;
        after = events.last().unwrap().partition_number;
        harness.give(&mut evaluator, &events).await;
        let expected: Vec<_> = expected.iter().filter(|one| !one.is_empty()).collect();
        let found = harness.standing("e1").await;
        assert_eq!(decisions(&found).iter().collect::<Vec<_>>(), expected);
        evaluator.rest();
    }
    harness.replay_is_clean().await;
}

#[tokio::test]
async fn a_partition_that_knows_newer_rates_than_another_has_them_after_a_restart_too() {
    let harness = Harness::sandbox(date(2018, 7, 1)).await;
    let name = |n: u8| format!("p{n}");
    let first = harness.partition(&name(0));
    let behind = (1..).map(name).find(|one| harness.partition(one) < first);
    let (ahead, behind) = (name(0), behind.unwrap());
    for (partner, enrollment) in [(&ahead, "e-ahead"), (&behind, "e-behind")] {
        harness.partner(partner).await;
        harness
            .execute(enroll(enrollment, partner, date(2018, 1, 1)))
            .await;
        let deal = deal(enrollment, partner, date(2018, 3, 3), "100000", "EUR");
        harness.record(deal).await;
    }
    harness.rates(date(2018, 3, 2), &[("USD", "1.2312")]).await;
    let (there, here) = (harness.partition(&behind), first);
    let of_behind = harness.events(there, 0).await;
    let of_ahead = harness.events(here, 0).await;
    let (before, [the_deal, the_rates]) = of_behind.split_last_chunk().unwrap();
    let mut evaluator = harness.evaluator().await;
    harness.give(&mut evaluator, before).await;
    harness.give(&mut evaluator, &of_ahead).await;
    assert_eq!(
        decisions(&harness.standing("e-ahead").await),
        ["opened", "up"]
    );

    let mut evaluator = harness.evaluator().await;
    harness
        .record(deal("d2", &ahead, date(2018, 3, 4), "1", "EUR"))
        .await;
    let mut both = vec![the_deal.clone()];
    let last = of_ahead.last().unwrap().partition_number;
    both.extend(harness.events(here, last).await);
    harness.give(&mut evaluator, &both).await;
    harness
        .give(&mut evaluator, std::slice::from_ref(the_rates))
        .await;
    for enrollment in ["e-ahead", "e-behind"] {
        let standing = harness.standing(enrollment).await;
        assert_eq!(decisions(&standing), ["opened", "up"], "{enrollment}");
    }
    harness.replay_is_clean().await;
}
