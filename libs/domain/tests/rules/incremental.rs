//! Properties: kept up to date fact by fact or computed from scratch, in whatever order the facts
//! arrive, the verdict is the same; and time alone changes nothing before the day that is named.

use proptest::collection::vec;
use proptest::prelude::*;
use tierline_domain::TierId;
use tierline_domain::money::Currency;
use tierline_domain::rules::{
    Fact, FactKind, FactSource, IndexedFacts, Mode, NaiveFacts, NoRates, Outcome, Requirement,
    Series, Tally, contribution, kinds_of, series_of,
};
use tierline_domain::time::{DateRange, add_days, next_day, previous_day};

use crate::arbitrary::{any_day, any_fact, any_requirement, rates};
use crate::arbitrary_beyond::beyond;
use crate::given::{Partner, day, fact, measured};

fn partner(facts: Vec<Fact>) -> Partner {
    let mut partner = Partner::with([]);
    for fact in facts {
        match partner
            .facts
            .iter_mut()
            .find(|known| (&known.kind, &known.id) == (&fact.kind, &fact.id))
        {
            Some(known) => *known = fact,
            None => partner.facts.push(fact),
        }
    }
    partner.rates = rates();
    partner.beyond = Some(beyond());
    partner.calendar.fiscal_year_start = 4;
    partner.since = day("2024-02-29");
    partner.calendar = partner.calendar.of_enrollment(2, partner.since);
    let tier = |id: &str, since| (TierId::parse(id).unwrap(), day(since));
    partner.tiers = vec![
        tier("bronze", "2024-02-29"),
        tier("silver", "2024-05-01"),
        tier("gold", "2025-07-15"),
    ];
    partner
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::AtPeriodEnds), Just(Mode::AsOfToday)]
}

/// A change of one fact: a new version of it, or its removal.
fn any_change() -> impl Strategy<Value = (Fact, bool)> {
    (any_fact(), proptest::bool::weighted(0.85))
}

fn naive_tally(partner: &Partner, spec: &tierline_domain::rules::SeriesSpec<'_>) -> Tally {
    let source = NaiveFacts {
        facts: &partner.facts,
        attributes: &partner.attributes,
        rates: &partner.rates,
    };
    let ever = DateRange {
        from: day("1900-01-01"),
        to: day("2199-12-31"),
    };
    source.tally(spec, ever).unwrap()
}

proptest! {
    #[test]
    fn after_any_changes_the_index_says_what_the_facts_say(
        requirement in any_requirement(),
        changes in vec(any_change(), 0..24),
        as_of in any_day(),
        mode in mode(),
    ) {
        let mut partner = partner(Vec::new());
        let mut index = partner.indexed(&requirement);
        for (fact, stays) in changes {
            let same = |known: &Fact| (&known.kind, &known.id) == (&fact.kind, &fact.id);
            let at = partner.facts.iter().position(same);
            let old = at.map(|at| partner.facts.remove(at));
            let new = stays.then_some(fact);
            index.replace(old.as_ref(), new.as_ref(), &partner.rates);
            partner.facts.extend(new);
        }
        let context = partner.context(as_of, mode);
        let incremental = partner.evaluate_on(&requirement, &context, &index);
        let naive = partner.naive(&requirement, as_of, mode);
        prop_assert_eq!(
            serde_json::to_string(&incremental.explanation).unwrap(),
            serde_json::to_string(&naive.explanation).unwrap()
        );
        prop_assert_eq!(incremental, naive);
        prop_assert_eq!(index, partner.indexed(&requirement));
    }

    #[test]
    fn the_order_in_which_facts_arrive_does_not_matter(
        requirement in any_requirement(),
        (facts, shuffled) in vec(any_fact(), 0..16).prop_map(|facts| partner(facts).facts)
            .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
        as_of in any_day(),
    ) {
        let first = partner(facts);
        let second = partner(shuffled);
        prop_assert_eq!(
            first.naive(&requirement, as_of, Mode::AtPeriodEnds),
            second.naive(&requirement, as_of, Mode::AtPeriodEnds)
        );
        prop_assert_eq!(first.indexed(&requirement), second.indexed(&requirement));
    }

    #[test]
    fn nothing_changes_before_the_day_of_the_next_change(
        requirement in any_requirement(),
        facts in vec(any_fact(), 0..12),
        as_of in any_day(),
        mode in mode(),
    ) {
        let partner = partner(facts);
        let index = partner.indexed(&requirement);
        let at = |day| partner.evaluate_on(&requirement, &partner.context(day, mode), &index);
        let now = at(as_of);
        if let Some(next) = now.next_change {
            prop_assert!(next > as_of);
        }
        let end = now.next_change.unwrap_or(add_days(as_of, 800)).min(add_days(as_of, 800));
        let mut ahead = 1;
        let mut later = next_day(as_of);
        while later < end {
            let then = at(later);
            prop_assert!(
                now.explanation.same_values(&then.explanation),
                "{} differs from {}:\n{:#?}\n{:#?}", later, as_of, then, now
            );
            // The question may be asked on any day: what was announced does not move away.
            if let Some(next) = now.next_change {
                prop_assert!(then.next_change.is_some_and(|then| then <= next));
            }
            ahead = ahead * 3 / 2 + 1;
            let last = previous_day(end);
            later = if later < last { add_days(later, ahead).min(last) } else { end };
        }
    }

    #[test]
    fn stored_days_read_back_to_the_same_index(
        requirement in any_requirement(),
        facts in vec(any_fact(), 0..16),
    ) {
        let partner = partner(facts);
        let index = partner.indexed(&requirement);
        let mut restored = IndexedFacts::new();
        for (spec, _, series) in index.series() {
            let mut read = Series::default();
            for (day, tally) in series.days() {
                let stored = serde_json::to_string(tally).unwrap();
                read.set_day(day, serde_json::from_str(&stored).unwrap());
            }
            restored.keep_stored(spec.clone(), read);
        }
        for fact in &partner.facts {
            if fact.kind.as_str() == "certification" {
                restored.set_certificate(fact.clone());
            }
        }
        for kind in kinds_of(&requirement) {
            restored.keep_whole(kind, &partner.facts);
        }
        prop_assert_eq!(restored, index);
    }

    #[test]
    fn the_days_that_changed_are_named(
        requirement in any_requirement(),
        facts in vec(any_fact(), 0..8),
        change in any_fact(),
    ) {
        let partner = partner(facts);
        let before = partner.indexed(&requirement);
        let mut after = before.clone();
        let same = |known: &&Fact| (&known.kind, &known.id) == (&change.kind, &change.id);
        let old = partner.facts.iter().find(same);
        let touched = after.replace(old, Some(&change), &partner.rates);
        for (spec, key, series) in after.series() {
            let (_, _, earlier) = before.series().find(|(known, _, _)| *known == spec).unwrap();
            let days = series.days().chain(earlier.days()).map(|(day, _)| day);
            for day in days {
                if series.day(day) != earlier.day(day) {
                    prop_assert!(touched.contains(&(key.clone(), day)));
                }
            }
        }
    }

    #[test]
    fn taking_a_fact_out_is_the_inverse_of_taking_it_in(
        requirement in any_requirement(),
        facts in vec(any_fact(), 0..8),
        extra in any_fact(),
    ) {
        let partner = partner(facts);
        for spec in series_of(&requirement, Currency::USD) {
            let before = naive_tally(&partner, &spec);
            let mut tally = before.clone();
            let contribution = contribution(&spec, &extra, &partner.rates);
            tally.insert(&contribution);
            tally.remove(&contribution);
            prop_assert_eq!(&tally, &before);
            let mut more = Tally::default();
            more.insert(&contribution);
            tally.merge(&more);
            tally.subtract(&more);
            prop_assert_eq!(&tally, &before);
        }
    }

    #[test]
    fn new_rates_revalue_to_what_a_fresh_index_says(
        requirement in any_requirement(),
        facts in vec(any_fact(), 0..12),
    ) {
        let partner = partner(facts);
        let mut index = IndexedFacts::new();
        for spec in series_of(&requirement, Currency::USD) {
            index.keep(spec, &partner.facts, &NoRates);
        }
        index.revalue(&partner.facts, &NoRates, &partner.rates);
        let mut fresh = IndexedFacts::new();
        for spec in series_of(&requirement, Currency::USD) {
            fresh.keep(spec, &partner.facts, &partner.rates);
        }
        prop_assert_eq!(index, fresh);
    }

    #[test]
    fn one_more_qualifying_fact_never_lowers_a_sum_or_a_count(
        facts in vec(any_fact(), 0..12),
        extra in any_fact(),
        as_of in any_day(),
        least in 0..2_000_000_i64,
    ) {
        let sum = crate::given::requirement(&format!(
            "criterion: {{id: s, name: S, needs: {{gte: {least}}}, measure: {{sum: {{facts:
             {{kind: deal, where: {{field: {{name: state, is: {{equals: won}}}}}}, date: closed,
             window: {{rolling_months: 12}}}}, of: amount}}}}}}"
        ));
        let count = crate::given::requirement(
            "every_period: {unit: quarter, last: 2, holds: {criterion: {id: c, name: C,
             needs: {gte: 2}, measure: {count: {facts: {kind: deal, date: closed,
             window: {rolling_months: 12}}}}}}}",
        );
        let mut extra = extra;
        extra.id = "extra".to_owned();
        extra.amount = extra.amount.map(|mut money| { money.amount = money.amount.abs(); money });
        let before = partner(facts.clone());
        let after = partner(facts.into_iter().chain([extra]).collect());
        let rank = |outcome| match outcome {
            Outcome::Unmet => 0,
            Outcome::Unknown => 1,
            Outcome::Met => 2,
            Outcome::NotApplicable => 3,
        };
        for requirement in [sum, count] as [Requirement; 2] {
            let less = before.naive(&requirement, as_of, Mode::AtPeriodEnds).explanation;
            let more = after.naive(&requirement, as_of, Mode::AtPeriodEnds).explanation;
            prop_assert!(rank(more.outcome) >= rank(less.outcome));
            prop_assert!(measured(&more) >= measured(&less));
        }
    }
}

#[test]
fn what_no_requirement_needs_any_more_is_not_kept() {
    let kinds = [FactKind::new("customer"), FactKind::new("contract")];
    let facts = [
        fact("customer", 1),
        fact("contract", 1),
        fact("contract", 2),
    ];
    let mut index = IndexedFacts::new();
    for kind in kinds.clone() {
        index.keep_whole(kind, &facts);
    }
    assert_eq!(index.kept_whole(), 3);
    index.keep_only(&[], &kinds[..1]);
    assert!(index.keeps_whole(&kinds[0]) && !index.keeps_whole(&kinds[1]));
    assert_eq!(index.kept_whole(), 1);
}
