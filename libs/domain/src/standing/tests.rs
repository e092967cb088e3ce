//! Given facts, when a day comes, then these events.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::Standing;
use super::assess::{Assessment, assess};
use super::events::{Basis, Cause, Direction, Ending, StandingEvent, TierSource};
use super::subject::{Pin, Terms, Verdict, Version};
use crate::ids::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use crate::money::Money;
use crate::program::{DemotionMode, ProgramDefinition, PromotionMode, Step, Transition};
use crate::rules::{Fact, FactKind, NaiveFacts, NoRates, Requirement, Value};
use crate::time::{Calendar, add_days};

/// Revenue over twelve months at two quarter ends: silver from 100,000, gold from 500,000; silver
/// is kept unless both quarter ends are below 75,000.
fn program() -> ProgramDefinition {
    let revenue = |least: &str| {
        serde_json::json!({"criterion": {
            "id": "revenue", "name": "Partner-sourced revenue, rolling 12 months",
            "measure": {"sum": {"of": "amount", "facts": {
                "kind": "deal", "date": "closed", "window": {"rolling_months": 12},
                "where": {"field": {"name": "state", "is": {"equals": "won"}}}}}},
            "needs": {"gte": least}}})
    };
    let periods = |quantifier: &str, least: &str| serde_json::json!({quantifier: {"unit": "quarter", "last": 2, "holds": revenue(least)}});
    let json = serde_json::json!({
        "slug": "three-tier", "name": "Three tiers", "currency": "USD",
        "tracks": [{"id": "resell", "name": "Resell",
            "demotion": {"step": "one"},
            "tiers": [
                {"id": "gold", "name": "Gold", "qualification": periods("every_period", "500000"),
                 "retention": periods("any_period", "500000")},
                {"id": "silver", "name": "Silver",
                 "qualification": periods("every_period", "100000"),
                 "retention": periods("any_period", "75000")},
                {"id": "bronze", "name": "Bronze"}]}]});
    serde_json::from_value(json).unwrap()
}

struct World {
    definition: ProgramDefinition,
    terms: Terms,
    facts: Vec<Fact>,
    standing: Standing,
    attributes: BTreeMap<String, Value>,
    transition: Transition,
}

fn tier(id: &str) -> TierId {
    TierId::parse(id).unwrap()
}

impl World {
    fn new() -> Self {
        Self {
            definition: program(),
            terms: Terms {
                enrollment: EnrollmentId::parse("e1").unwrap(),
                partner: PartnerId::parse("p1").unwrap(),
                program: ProgramId::parse("three-tier").unwrap(),
                track: TrackId::parse("resell").unwrap(),
                start: date(2024, 1, 1),
                end: None,
                placed: None,
                pin: None,
                verdict: None,
                terminated: None,
            },
            facts: Vec::new(),
            standing: Standing::default(),
            attributes: BTreeMap::new(),
            transition: Transition::Now,
        }
    }

    fn won(&mut self, closed: Date, amount: &str) -> &mut Self {
        self.facts.push(Fact {
            kind: FactKind::new("deal"),
            id: format!("d{}", self.facts.len()),
            version: 1,
            state: "won".to_owned(),
            amount: Some(Money::parse(amount, "USD").unwrap()),
            quantity: None,
            dates: BTreeMap::from([("closed".to_owned(), closed)]),
            fields: BTreeMap::new(),
            disqualified: None,
        });
        self
    }

    fn look(&self, as_of: Date) -> Assessment {
        let versions = [Version {
            number: 1,
            effective: date(2020, 1, 1),
            transition: self.transition,
            definition: self.definition.clone(),
        }];
        let facts = NaiveFacts {
            facts: &self.facts,
            attributes: &self.attributes,
            rates: &NoRates,
        };
        let calendar = Calendar::default();
        let basis = Basis::default();
        let done = assess(
            &self.standing,
            &self.terms,
            &versions,
            &calendar,
            &facts,
            as_of,
            &basis,
        );
        let again = assess(
            done.standing.as_ref().unwrap_or(&self.standing),
            &self.terms,
            &versions,
            &calendar,
            &facts,
            as_of,
            &basis,
        );
        assert_eq!(again.events, [], "an assessment is settled at once");
        let later = again.next_change.unwrap_or(Date::MAX) >= done.next_change.unwrap_or(Date::MAX);
        assert!(
            later,
            "what was decided on the way may only ask for an earlier look"
        );
        done
    }

    /// Assesses as of a day and keeps the result. Returns what was decided, without progress.
    fn on(&mut self, as_of: Date) -> Vec<StandingEvent> {
        let done = self.look(as_of);
        self.keep(done.standing);
        done.events
            .into_iter()
            .filter(StandingEvent::is_decision)
            .collect()
    }

    /// Lets time pass: assesses on every day on which the timer is due.
    fn until(&mut self, to: Date) -> Vec<StandingEvent> {
        let mut decided = Vec::new();
        let mut day = self.standing.last_as_of.max(self.terms.start);
        loop {
            let done = self.look(day);
            self.keep(done.standing);
            decided.extend(done.events.into_iter().filter(StandingEvent::is_decision));
            match done.next_change {
                Some(next) if next <= to => day = next,
                _ => return decided,
            }
        }
    }

    fn keep(&mut self, changed: Option<Standing>) {
        if let Some(standing) = changed {
            self.standing = standing;
        }
    }

    fn tier(&self) -> &str {
        self.standing.tier.as_ref().unwrap().as_str()
    }
}

fn names(events: &[StandingEvent]) -> Vec<String> {
    use cqrs_es::DomainEvent;
    events
        .iter()
        .map(|event| {
            event
                .event_type()
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

/// A partner who is silver on 2025-01-01 with 100,000 sold on 2024-07-15.
fn silver() -> World {
    let mut world = World::new();
    world.won(date(2024, 7, 15), "100000.00");
    world.until(date(2025, 1, 1));
    assert_eq!(world.tier(), "silver");
    world
}

#[test]
fn one_tier_at_a_time_goes_on_by_itself_when_the_months_in_the_tier_are_over() {
    let climb = |months: u16| {
        let mut world = World::new();
        world.definition.tracks[0].promotion.step = Step::One;
        world.definition.tracks[0].promotion.minimum_months_in_tier = months;
        // From the first of the two quarter ends to 2 June 2025 nothing else changes.
        world.won(date(2024, 6, 3), "600000.00");
        world
    };
    let mut at_once = climb(0);
    at_once.until(date(2024, 10, 1));
    assert_eq!(at_once.tier(), "silver");
    at_once.until(date(2024, 10, 2));
    assert_eq!(at_once.tier(), "gold");

    let mut later = climb(1);
    later.until(date(2024, 10, 31));
    assert_eq!(later.tier(), "silver");
    later.until(date(2024, 11, 1));
    assert_eq!(later.tier(), "gold");
}

#[test]
fn until_the_day_that_a_version_spares_tiers_no_demotion_begins_and_none_ends() {
    let mut spared = silver();
    spared.transition = Transition::NoLossUntil(date(2026, 3, 1));
    assert_eq!(names(&spared.until(date(2026, 2, 28))), [""; 0]);
    let begun = spared.until(date(2026, 3, 1));
    assert_eq!(names(&begun), ["DemotionNoticeIssued"]);

    let mut caught = silver();
    caught.until(date(2026, 2, 1));
    assert!(caught.standing.process.is_some());
    caught.transition = Transition::NoLossUntil(date(2026, 9, 1));
    caught.until(date(2026, 8, 31));
    assert_eq!(caught.tier(), "silver", "it would have been lost on 1 May");
    caught.until(date(2026, 9, 1));
    assert_eq!(caught.tier(), "bronze");
}

#[test]
fn what_a_version_gives_is_given_while_it_spares_tiers() {
    let mut world = World::new();
    world.transition = Transition::NoLossUntil(date(2027, 1, 1));
    world.won(date(2024, 7, 15), "100000.00");
    world.until(date(2025, 1, 1));
    assert_eq!(world.tier(), "silver");
}

#[test]
fn an_enrollment_begins_in_the_entry_tier() {
    let mut world = World::new();
    assert_eq!(names(&world.on(date(2024, 1, 1))), ["StandingOpened"]);
    assert_eq!(world.tier(), "bronze");
    assert_eq!(world.standing.source, TierSource::Entry);
}

#[test]
fn nothing_is_decided_before_the_first_day_and_the_timer_waits_for_it() {
    let world = World::new();
    let done = world.look(date(2023, 12, 1));
    assert_eq!(done.events, []);
    assert_eq!(done.next_change, Some(date(2024, 1, 1)));
}

#[test]
fn exactly_the_threshold_at_both_quarter_ends_reaches_silver_on_the_next_day() {
    let mut world = World::new();
    world.won(date(2024, 7, 15), "100000.00");
    world.until(date(2024, 12, 31));
    assert_eq!(world.tier(), "bronze");
    let events = world.on(date(2025, 1, 1));
    let [StandingEvent::TierChanged(change)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (change.from.as_str(), change.to.as_str()),
        ("bronze", "silver")
    );
    assert_eq!(
        (change.direction, change.cause),
        (Direction::Promotion, Cause::Qualified)
    );
    assert!(
        change
            .evidence
            .sentence
            .starts_with("Qualifies for Silver: "),
        "{change:?}"
    );
}

#[test]
fn a_cent_less_at_one_of_two_quarter_ends_does_not_qualify() {
    let mut world = World::new();
    world
        .won(date(2024, 7, 15), "99999.99")
        .won(date(2024, 11, 2), "0.01");
    world.until(date(2025, 1, 1));
    assert_eq!(world.tier(), "bronze");
    world.until(date(2025, 4, 1));
    assert_eq!(world.tier(), "silver", "and does at the next");
}

#[test]
fn below_the_retention_at_two_quarter_ends_gives_notice_and_then_demotes() {
    let mut world = silver();
    // The sale leaves the window on 2025-07-16: below at the ends of September and December.
    let events = world.until(date(2026, 1, 1));
    assert_eq!(names(&events), ["DemotionNoticeIssued"]);
    assert_eq!(world.standing.last_as_of, date(2026, 1, 1));
    let events = world.until(date(2026, 4, 30));
    assert_eq!(names(&events), ["RemediationStarted"]);
    let events = world.until(date(2026, 5, 1));
    assert_eq!(names(&events), ["TierChanged", "RequalificationPathOpened"]);
    assert_eq!(world.tier(), "bronze");
    let StandingEvent::RequalificationPathOpened(path) = &events[1] else {
        panic!()
    };
    assert_eq!(
        (path.tier.as_str(), path.until),
        ("silver", date(2026, 11, 1))
    );
}

#[test]
fn a_value_a_cent_below_gives_notice_and_exactly_the_threshold_does_not() {
    for (amount, expected) in [
        ("74999.99", vec!["DemotionNoticeIssued"]),
        ("75000.00", vec![]),
    ] {
        let mut world = silver();
        world.won(date(2025, 7, 20), amount);
        let events = world.until(date(2026, 1, 1));
        assert_eq!(names(&events), expected, "{amount}");
    }
}

/// The days of a process that began on 2026-01-01, the first of them being day 0, and what becomes
/// of a partner whose missing cent is sold on that day.
const DAYS_OF_RECOVERY: [(i32, &[&str]); 6] = [
    (29, &["RecoveryRecorded"]),
    (30, &["RecoveryRecorded"]),
    (31, &["RemediationStarted", "RecoveryRecorded"]),
    (119, &["RemediationStarted", "RecoveryRecorded"]),
    (120, LOST),
    (121, LOST),
];
const LOST: &[&str] = &[
    "RemediationStarted",
    "TierChanged",
    "RequalificationPathOpened",
];

#[test]
fn recovery_counts_up_to_day_119_and_from_day_120_on_is_too_late() {
    for (day, expected) in DAYS_OF_RECOVERY {
        let mut world = silver();
        world.won(date(2025, 7, 20), "74999.99");
        world.until(date(2026, 1, 1));
        let when = add_days(date(2026, 1, 1), day);
        let mut events = world.until(add_days(when, -1));
        world.won(when, "0.01");
        events.extend(world.until(when));
        assert_eq!(names(&events), expected, "day {day}");
        assert_eq!(world.tier(), if day < 120 { "silver" } else { "bronze" });
    }
}

#[test]
fn a_sale_of_the_last_day_that_becomes_known_on_the_day_after_is_in_time() {
    let mut world = silver();
    world.won(date(2025, 7, 20), "74999.99");
    world.until(date(2026, 4, 30));
    world.won(date(2026, 4, 30), "0.01");
    assert_eq!(names(&world.on(date(2026, 5, 1))), ["RecoveryRecorded"]);
    assert_eq!(world.tier(), "silver");
}

/// The same amounts, as of the day itself, to reach a tier and to keep it.
fn without_periods() -> World {
    let mut world = World::new();
    for tier in &mut world.definition.tracks[0].tiers {
        tier.retention = None;
        tier.qualification = match tier.qualification.take() {
            Some(Requirement::EveryPeriod(periods)) => Some(*periods.holds),
            other => other,
        };
    }
    world
}

#[test]
fn recovered_on_the_last_day_and_short_again_on_the_next_gets_a_new_notice() {
    let mut world = without_periods();
    world.won(date(2025, 1, 1), "100000");
    world.until(date(2026, 4, 30));
    // Within the twelve months up to the last day, and no longer on the day after.
    world.won(date(2025, 5, 1), "100000");
    let events = world.on(date(2026, 5, 1));
    assert_eq!(names(&events), ["RecoveryRecorded", "DemotionNoticeIssued"]);
    assert_eq!(world.tier(), "silver");
}

#[test]
fn who_qualifies_on_the_day_of_the_demotion_loses_the_tier_and_regains_it() {
    let mut world = without_periods();
    world.won(date(2025, 1, 1), "100000");
    world.until(date(2026, 4, 30));
    assert_eq!(world.tier(), "silver");
    world.won(date(2026, 5, 1), "100000");
    let events = world.on(date(2026, 5, 1));
    assert_eq!(
        names(&events),
        ["TierChanged", "RequalificationPathOpened", "TierChanged"]
    );
    let StandingEvent::TierChanged(lost) = &events[0] else {
        panic!()
    };
    let sentence = &lost.evidence.sentence;
    assert!(
        sentence.contains("0.00 USD of at least 100,000.00 USD"),
        "{sentence}"
    );
    assert!(sentence.contains("to 2026-04-30"), "{sentence}");
    assert_eq!(world.tier(), "silver");
    assert_eq!(world.standing.tier_since, date(2026, 5, 1));
}

#[test]
fn a_recommended_demotion_is_withdrawn_on_any_day_before_a_person_decides() {
    let mut world = silver();
    world.definition.tracks[0].demotion.mode = DemotionMode::Recommend;
    world.won(date(2025, 7, 20), "74999.99");
    world.until(date(2026, 5, 1));
    assert!(world.standing.recommended.is_some());
    world.won(date(2026, 5, 3), "0.01");
    let events = world.on(date(2026, 5, 3));
    assert_eq!(
        names(&events),
        ["RecoveryRecorded", "RecommendationWithdrawn"]
    );
    assert_eq!(world.tier(), "silver");
}

#[test]
fn a_recovered_partner_is_not_given_notice_again_for_the_same_quarters() {
    let mut world = silver();
    world.won(date(2025, 7, 20), "74999.99");
    world.until(date(2026, 1, 1));
    world.won(date(2026, 1, 20), "0.01");
    assert_eq!(names(&world.on(date(2026, 1, 20))), ["RecoveryRecorded"]);
    assert_eq!(names(&world.until(date(2026, 7, 19))), [""; 0]);
}

#[test]
fn a_pin_holds_against_the_facts_until_its_last_day() {
    let mut world = silver();
    world.terms.pin = Some(Pin {
        tier: tier("gold"),
        until: Some(date(2025, 3, 31)),
        reason: "strategic".to_owned(),
    });
    assert_eq!(names(&world.on(date(2025, 2, 1))), ["TierChanged"]);
    assert_eq!(
        (world.tier(), world.standing.source),
        ("gold", TierSource::Pin)
    );
    let events = world.until(date(2025, 4, 1));
    assert_eq!(names(&events), ["PinReleased", "TierChanged"]);
    assert_eq!(
        (world.tier(), world.standing.source),
        ("silver", TierSource::Automatic)
    );
}

#[test]
fn a_late_sale_counts_where_it_belongs() {
    let mut world = World::new();
    world.until(date(2025, 2, 1));
    assert_eq!(world.tier(), "bronze");
    world.won(date(2024, 7, 15), "600000");
    world.on(date(2025, 2, 1));
    assert_eq!(world.tier(), "gold");
}

#[test]
fn one_step_at_a_time_goes_up_rung_by_rung() {
    let mut world = World::new();
    world.definition.tracks[0].promotion.step = Step::One;
    world.definition.tracks[0].promotion.minimum_months_in_tier = 3;
    world.won(date(2024, 7, 15), "600000");
    world.until(date(2025, 1, 1));
    assert_eq!(world.tier(), "silver");
    world.until(date(2025, 3, 31));
    assert_eq!(world.tier(), "silver");
    world.until(date(2025, 4, 1));
    assert_eq!(world.tier(), "gold");
}

#[test]
fn a_recommended_promotion_waits_for_a_person() {
    let mut world = World::new();
    world.definition.tracks[0].promotion.mode = PromotionMode::Recommend;
    world.won(date(2024, 7, 15), "150000");
    assert_eq!(
        names(&world.until(date(2025, 1, 1))),
        ["StandingOpened", "PromotionRecommended"]
    );
    assert_eq!(world.tier(), "bronze");
    world.terms.verdict = Some(Verdict {
        recommendation: 1,
        approved: true,
    });
    assert_eq!(names(&world.on(date(2025, 1, 9))), ["TierChanged"]);
    assert_eq!(
        (world.tier(), world.standing.source),
        ("silver", TierSource::Approved)
    );
}

#[test]
fn a_refused_promotion_is_not_recommended_again_while_its_reason_lasts() {
    let mut world = World::new();
    world.definition.tracks[0].promotion.mode = PromotionMode::Recommend;
    world.won(date(2024, 7, 15), "150000");
    world.until(date(2025, 1, 1));
    world.terms.verdict = Some(Verdict {
        recommendation: 1,
        approved: false,
    });
    assert_eq!(
        names(&world.on(date(2025, 1, 9))),
        ["RecommendationWithdrawn"]
    );
    // The sale leaves the window in July; then the refusal is forgotten.
    assert_eq!(names(&world.until(date(2025, 9, 30))), [""; 0]);
    assert_eq!(
        names(&world.until(date(2025, 10, 1))),
        ["RecommendationWithdrawn"]
    );
}

#[test]
fn an_enrollment_closes_after_its_last_day_and_stays_closed() {
    let mut world = World::new();
    world.terms.end = Some(date(2024, 6, 30));
    let events = world.until(date(2026, 1, 1));
    assert_eq!(names(&events), ["StandingOpened", "StandingClosed"]);
    assert_eq!(world.standing.last_as_of, date(2024, 7, 1));
    assert_eq!(world.standing.closed, Some(Ending::Expired));
    assert_eq!(world.look(date(2026, 1, 1)).next_change, None);
}

#[test]
fn a_program_without_demotion_never_takes_a_tier() {
    let mut world = silver();
    world.definition.tracks[0].demotion.mode = DemotionMode::Never;
    assert_eq!(names(&world.until(date(2027, 1, 1))), [""; 0]);
    assert_eq!(world.tier(), "silver");
}

fn day() -> impl Strategy<Value = Date> {
    (0..900i32).prop_map(|days| add_days(date(2024, 1, 1), days))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The verdict depends on the facts, not on the order in which they became known.
    #[test]
    fn facts_in_any_order_give_the_same_standing(
        sales in prop::collection::vec((day(), 1..400_000u32), 0..8),
        as_of in day(),
    ) {
        let mut forward = World::new();
        let mut backward = World::new();
        for (closed, amount) in &sales {
            forward.won(*closed, &amount.to_string());
        }
        for (closed, amount) in sales.iter().rev() {
            backward.won(*closed, &amount.to_string());
        }
        for fact in &mut backward.facts {
            fact.id = format!("d{}", sales.len() - 1 - fact.id[1..].parse::<usize>().unwrap());
        }
        prop_assert_eq!(forward.until(as_of), backward.until(as_of));
        prop_assert_eq!(forward.standing, backward.standing);
    }

    /// Looking more often than the timers ask for changes no decision.
    #[test]
    fn looking_every_day_decides_the_same_as_looking_when_due(
        sales in prop::collection::vec((day(), 1..400_000u32), 0..4),
    ) {
        let mut timed = World::new();
        let mut daily = World::new();
        for (closed, amount) in &sales {
            timed.won(*closed, &amount.to_string());
            daily.won(*closed, &amount.to_string());
        }
        let last = date(2026, 6, 30);
        let by_timers = timed.until(last);
        let mut by_days = Vec::new();
        let mut today = date(2024, 1, 1);
        while today <= last {
            by_days.extend(daily.on(today));
            today = today.tomorrow().unwrap();
        }
        prop_assert_eq!(by_timers, by_days);
        prop_assert_eq!(timed.standing.tier, daily.standing.tier);
    }
}
