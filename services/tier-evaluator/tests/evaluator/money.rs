//! Rates and currencies: whatever changes, what was decided stays, and what is now is shown anew.

use jiff::civil::{Date, date};
use tierline_domain::Currency;
use tierline_domain::rules::Outcome;
use tierline_domain::standing::StandingEvent;

use crate::decisions;
use crate::harness::{Harness, PROGRAM, deal};

/// The day and the values of the criterion in the last progress: measured and required, by tier;
/// that which keeps the tier last.
fn shown(events: &[StandingEvent]) -> Vec<(Outcome, String, String)> {
    let progress = events.iter().rev().find_map(|event| match event {
        StandingEvent::ProgressRecomputed(progress) => Some(progress),
        _ => None,
    });
    let progress = progress.unwrap();
    let tiers = progress.tiers.iter().chain(&progress.retention);
    let criteria = tiers.filter_map(|tier| tier.criteria.last());
    let shown = criteria.map(|one| {
        let measured = one.measured.clone().unwrap_or_default();
        (one.outcome, measured, one.required.clone())
    });
    shown.collect()
}

fn measured(events: &[StandingEvent]) -> Vec<String> {
    shown(events)
        .into_iter()
        .map(|(_, found, _)| found)
        .collect()
}

/// The events that the standing had before are still there, as they were.
async fn nothing_was_rewritten(harness: &Harness, before: &[StandingEvent]) -> Vec<StandingEvent> {
    let after = harness.standing("e1").await;
    assert_eq!(after[..before.len()], *before);
    harness.replay_is_clean().await;
    after
}

/// A partner that is silver by 120,000 US dollars of February.
async fn silver(day: Date) -> Harness {
    let harness = Harness::sandbox(date(2018, 7, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    harness
        .record(deal("d1", "acme", day, "120000", "USD"))
        .await;
    harness.settle().await;
    assert_eq!(decisions(&harness.standing("e1").await), ["opened", "up"]);
    harness
}

#[tokio::test]
async fn rates_for_another_base_than_the_euro_are_taken_as_such() {
    let harness = Harness::sandbox(date(2018, 7, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    let day = date(2018, 3, 2);
    harness
        .rates_per(Currency::USD, day, &[("EUR", "0.8"), ("JPY", "100")])
        .await;
    harness
        .record(deal("d1", "acme", day, "40000", "EUR"))
        .await;
    harness
        .record(deal("d2", "acme", day, "5000000", "JPY"))
        .await;
    harness.settle().await;
    let standing = harness.standing("e1").await;
    assert_eq!(decisions(&standing), ["opened", "up"]);
    assert_eq!(measured(&standing)[0], "100,000.00 USD");
    harness.replay_is_clean().await;
}

#[tokio::test]
async fn a_corrected_rate_shows_now_and_leaves_what_was_decided() {
    let harness = Harness::sandbox(date(2018, 7, 1)).await;
    harness.member("e1", "acme", date(2018, 1, 1)).await;
    let day = date(2018, 3, 2);
    harness.rates(day, &[("USD", "1.2312")]).await;
    harness
        .record(deal("d1", "acme", day, "100000", "EUR"))
        .await;
    harness.settle().await;
    let before = harness.standing("e1").await;
    assert_eq!(decisions(&before), ["opened", "up"]);
    assert_eq!(measured(&before)[0], "123,120.00 USD");

    harness.rates(day, &[("USD", "0.8")]).await;
    harness.settle().await;
    let after = nothing_was_rewritten(&harness, &before).await;
    assert_eq!(decisions(&after), ["opened", "up"], "80,000 keeps silver");
    assert_eq!(measured(&after)[0], "80,000.00 USD");
}

#[tokio::test]
async fn a_program_in_another_currency_measures_anew_from_its_first_day_and_decides_nothing_again()
{
    let day = date(2018, 2, 10);
    let harness = silver(day).await;
    let before = harness.standing("e1").await;
    assert_eq!(measured(&before)[0], "120,000.00 USD");

    // Rates come first, then a version in euros that begins with the next quarter.
    harness.rates(date(2018, 2, 9), &[("USD", "1.25")]).await;
    let euros = PROGRAM
        .replacen("currency: USD", "currency: EUR", 1)
        .replace("gte: 100000 }", "gte: 96000 }")
        .replace("gte: 75000 }", "gte: 95000 }");
    let euros = euros.split("\ntests:").next().unwrap();
    harness
        .publish(euros, date(2018, 10, 1), date(2018, 7, 1))
        .await;
    harness.settle().await;
    let still = nothing_was_rewritten(&harness, &before).await;
    assert_eq!(
        measured(&still)[0],
        "120,000.00 USD",
        "before its first day"
    );

    harness.clock_to(date(2018, 10, 1)).await;
    harness.settle().await;
    let after = nothing_was_rewritten(&harness, &still).await;
    assert_eq!(
        decisions(&after),
        ["opened", "up"],
        "96,000 euros are enough"
    );
    for (_, measured, _) in shown(&after) {
        assert_eq!(measured, "96,000.00 EUR");
    }
    let required: Vec<_> = shown(&after)
        .into_iter()
        .map(|(_, _, needs)| needs)
        .collect();
    assert!(required[0].contains("500,000.00 EUR"), "{required:?}");
    assert!(required[1].contains("96,000.00 EUR"), "{required:?}");
    assert!(required[2].contains("95,000.00 EUR"), "{required:?}");
}

#[tokio::test]
async fn without_a_rate_a_new_currency_makes_progress_unknown_and_takes_no_tier() {
    let harness = silver(date(2018, 2, 10)).await;
    let before = harness.standing("e1").await;
    let euros = PROGRAM.replacen("currency: USD", "currency: EUR", 1);
    let euros = euros.split("\ntests:").next().unwrap();
    harness
        .publish(euros, date(2018, 7, 1), date(2018, 7, 1))
        .await;
    harness.settle().await;
    let after = nothing_was_rewritten(&harness, &before).await;
    assert_eq!(decisions(&after), ["opened", "up"]);
    let unknown = shown(&after);
    assert!(
        unknown
            .iter()
            .all(|(outcome, _, _)| *outcome == Outcome::Unknown),
        "{unknown:?}"
    );

    // Too few euros in a rate that comes late: now it is known, and a notice begins.
    harness.rates(date(2018, 2, 9), &[("USD", "2")]).await;
    harness.settle().await;
    let known = nothing_was_rewritten(&harness, &after).await;
    assert_eq!(decisions(&known), ["opened", "up", "notice"]);
    assert_eq!(measured(&known)[0], "60,000.00 EUR");
}
