//! What looks beyond one partner: at what is supplied, and at nothing else.

use tierline_domain::rules::{
    Beyond, Explanation, Measure, Mode, Outcome, Requirement, WithBeyond, beyond_of, evaluate,
    number_of,
};

use crate::given::{Partner, day, number, requirement, won};

fn criterion(measure: &str, needs: &str) -> Requirement {
    requirement(&format!(
        "criterion: {{id: c, name: C, measure: {measure}, needs: {needs}}}"
    ))
}

fn beyond(yaml: &str) -> Beyond {
    let beyond: Beyond = serde_saphyr::from_str(yaml).unwrap();
    beyond.check("beyond").unwrap();
    beyond
}

fn partner(states: &str) -> Partner {
    Partner {
        beyond: Some(beyond(states)),
        ..Partner::with([won(1, "60000", "2026-03-01")])
    }
}

const REVENUE: &str = "{sum: {of: amount, facts: {kind: deal, date: closed, \
                       window: {rolling_months: 12}}}}";

const GROUP: &str = "
- from: 2026-01-01
  held:
    - {program: cloud, track: services, tier: gold, since: 2025-06-30, fields: {region: EMEA}}
  related:
    - company: south
      relation: child
      held: [{program: cloud, track: services, tier: platinum, since: 2020-01-01}]
      numbers: {revenue: 40000}
    - company: owner
      relation: parent
      held: []
      numbers: {revenue: 0}
    - {company: cousin, relation: group, numbers: {revenue: 7}}";

#[test]
fn a_tier_held_elsewhere_counts_by_whom_where_and_since_when() {
    let partner = partner(GROUP);
    let outcome = |measure: &str, as_of: &str| {
        let measure = format!("{{tiers_held: {measure}}}");
        partner
            .explain(&criterion(&measure, "{gte: 1}"), as_of)
            .outcome
    };
    let year = |as_of| {
        outcome(
            "{program: cloud, tiers: [gold], held_for: {months: 12}}",
            as_of,
        )
    };
    assert_eq!(year("2026-06-29"), Outcome::Unmet);
    assert_eq!(year("2026-06-30"), Outcome::Met);
    for (measure, expected) in [
        ("{tiers: [gold, platinum]}", Outcome::Met),
        ("{tiers: [platinum]}", Outcome::Unmet),
        ("{tiers: [platinum], by: [child]}", Outcome::Met),
        ("{tiers: [platinum], by: [parent]}", Outcome::Unmet),
        ("{tiers: [gold], by: [child]}", Outcome::Unmet),
        ("{tiers: [gold], track: resale}", Outcome::Unmet),
        ("{tiers: [gold], program: apps}", Outcome::Unmet),
        // What the cousin holds was not supplied: enough is enough, and too few is not known.
        ("{tiers: [platinum], by: [group]}", Outcome::Met),
        ("{tiers: [gold], by: [group]}", Outcome::Unknown),
        ("{tiers: [gold], by: [sibling]}", Outcome::Unmet),
        (
            "{tiers: [gold], where: {field: {name: region, is: {equals: emea}}}}",
            Outcome::Met,
        ),
        (
            "{tiers: [gold], where: {field: {name: region, is: {equals: apac}}}}",
            Outcome::Unmet,
        ),
        // Of which market the tier is was not supplied.
        (
            "{tiers: [gold], where: {field: {name: market, is: {equals: retail}}}}",
            Outcome::Unknown,
        ),
    ] {
        assert_eq!(outcome(measure, "2026-06-30"), expected, "{measure}");
    }
}

#[test]
fn the_numbers_of_related_companies_are_added_and_each_is_shown() {
    let partner = partner(GROUP);
    let tree = |with: &str, needs: &str| {
        let measure = format!("{{across: {{id: revenue, of: {REVENUE}, with: {with}}}}}");
        partner.explain(&criterion(&measure, needs), "2026-06-30")
    };
    assert_eq!(tree("[child]", "{gte: 100000}").outcome, Outcome::Met);
    assert_eq!(tree("[child]", "{gt: 100000}").outcome, Outcome::Unmet);
    assert_eq!(
        tree("[child, parent]", "{gte: 100000.01}").outcome,
        Outcome::Unmet
    );
    assert_eq!(tree("[group]", "{gte: 100007}").outcome, Outcome::Met);
    assert_eq!(tree("[sibling]", "{gte: 60000}").outcome, Outcome::Met);
    assert_eq!(
        tree("[child]", "{gte: 100000}").sentence(),
        "C: 100,000.00 USD of at least 100,000.00 USD (itself: 60,000.00 USD; south (child): \
         40,000.00 USD)."
    );
}

#[test]
fn a_number_that_was_not_supplied_makes_the_sum_unknown_and_never_less() {
    let partner = partner("[{from: 2026-01-01, related: [{company: a, relation: child}]}]");
    let measure = format!("{{across: {{id: revenue, of: {REVENUE}, with: [child]}}}}");
    for needs in ["{gte: 1}", "{gte: 100000}", "{lte: 5}"] {
        let tree = partner.explain(&criterion(&measure, needs), "2026-06-30");
        assert_eq!(tree.outcome, Outcome::Unknown, "{needs}");
        assert!(tree.sentence().contains("a (child): not supplied"));
    }
}

#[test]
fn a_rank_is_met_at_its_last_place_and_not_at_the_next() {
    let at = |place: u32, form: &str, needs: &str| {
        let yaml = format!("[{{from: 2026-01-01, ranking: {{r: {{place: {place}, of: 120}}}}}}]");
        let measure = format!("{{rank: {{id: r, of: {REVENUE}, as: {form}}}}}");
        partner(&yaml).explain(&criterion(&measure, needs), "2026-06-30")
    };
    assert_eq!(at(10, "place", "{lte: 10}").outcome, Outcome::Met);
    assert_eq!(at(11, "place", "{lte: 10}").outcome, Outcome::Unmet);
    assert_eq!(at(6, "percent", "{lte: 5}").outcome, Outcome::Met);
    assert_eq!(at(7, "percent", "{lte: 5}").outcome, Outcome::Unmet);
    assert_eq!(
        at(11, "place", "{lte: 10}").sentence(),
        "C: place 11, needs place 10 or better (own value: 60,000.00 USD; place: 11 of 120 \
         enrollments); 1 place too much."
    );
}

#[test]
fn a_seat_is_taken_by_the_first_in_line() {
    let at = |place: u32| {
        let yaml = format!("[{{from: 2026-01-01, line: {{top: {{place: {place}, of: 5}}}}}}]");
        let measure = format!("{{line: {{id: top, by: {REVENUE}, per: region}}}}");
        partner(&yaml).explain(&criterion(&measure, "{lte: 3}"), "2026-06-30")
    };
    assert_eq!(at(3).outcome, Outcome::Met);
    assert_eq!(at(4).outcome, Outcome::Unmet);
    assert!(
        at(4)
            .sentence()
            .contains("4 of 5 in line with the same region")
    );
}

const EVERY_FORM: [&str; 4] = [
    "{tiers_held: {tiers: [gold], by: [itself, group]}}",
    "{across: {id: a, of: months_in_program, with: [group]}}",
    "{rank: {id: a, of: months_in_program}}",
    "{line: {id: a, by: months_in_program}}",
];

#[test]
fn what_was_not_supplied_is_unknown_whatever_is_asked() {
    let without = Partner::with([]);
    let empty = partner("[]");
    let early = partner("[{from: 2026-07-01, held: [], related: []}]");
    let silent = partner("[{from: 2026-01-01}]");
    for measure in EVERY_FORM {
        // One that is held already may not be taken for fewer than none.
        for needs in ["{gte: 1}", "{lte: 10}", "{equals: 0}"] {
            for partner in [&without, &empty, &early, &silent] {
                let tree = partner.explain(&criterion(measure, needs), "2026-06-30");
                assert_eq!(tree.outcome, Outcome::Unknown, "{measure} {needs}");
                assert!(
                    tree.sentence().contains("not supplied"),
                    "{}",
                    tree.sentence()
                );
            }
        }
    }
}

#[test]
fn another_state_counts_from_its_day_on() {
    let states = "
- {from: 2026-01-01, ranking: {r: {place: 12, of: 40}}}
- {from: 2026-04-01, ranking: {r: {place: 9, of: 40}}}";
    let partner = partner(states);
    let rank = criterion("{rank: {id: r, of: months_in_tier}}", "{lte: 10}");
    let at = |as_of: &str| partner.evaluate(&rank, as_of);
    assert_eq!(at("2026-03-31").explanation.outcome, Outcome::Unmet);
    assert_eq!(at("2026-03-31").next_change, Some(day("2026-04-01")));
    assert_eq!(at("2026-04-01").explanation.outcome, Outcome::Met);
    let at_ends = requirement(
        "every_period: {unit: quarter, last: 2, holds: {criterion: {id: c, name: C, \
         needs: {lte: 10}, measure: {rank: {id: r, of: months_in_tier}}}}}",
    );
    assert_eq!(
        partner.explain(&at_ends, "2026-07-01").outcome,
        Outcome::Unmet
    );
    assert_eq!(
        partner.explain(&at_ends, "2026-10-01").outcome,
        Outcome::Met
    );
}

#[test]
fn evidence_names_what_was_used_and_only_that() {
    let rank = criterion("{rank: {id: r, of: months_in_tier}}", "{lte: 10}");
    let state = |source: &str, place: u32, of_others: u32| {
        let yaml = format!(
            "[{{from: 2026-01-01, source: {source}, ranking: {{r: {{place: {place}, of: 40}}, \
             s: {{place: {of_others}, of: 40}}}}}}]"
        );
        partner(&yaml).explain(&rank, "2026-06-30")
    };
    let tree = state("one", 3, 5);
    let used = |tree: &Explanation| tree.value.clone().unwrap().beyond.unwrap();
    assert_eq!(used(&tree).source.as_deref(), Some("one"));
    assert_eq!(used(&tree).from, day("2026-01-01"));
    let stored = serde_json::to_string(&tree).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&stored).unwrap(), tree);
    let unused = state("two", 3, 6);
    assert!(tree.same_values(&unused) && used(&tree).digest == used(&unused).digest);
    let other = state("one", 4, 5);
    assert!(!tree.same_values(&other) && used(&tree).digest != used(&other).digest);
}

#[test]
fn the_digest_of_what_was_used_is_pinned_because_it_is_stored() {
    let states = "[{from: 2026-01-01, ranking: {r: {place: 3, of: 40}}}]";
    let rank = criterion("{rank: {id: r, of: months_in_tier}}", "{lte: 10}");
    let tree = partner(states).explain(&rank, "2026-06-30");
    let digest = tree.value.unwrap().beyond.unwrap().digest.to_string();
    assert_eq!(
        digest,
        "2c5a4625cfacf061ee8fe69804cd86718d1fba7c5abb8b991c8cf236f43a6e81"
    );
}

#[test]
fn what_has_to_be_supplied_is_listed_and_measured_like_the_own_number() {
    let across = format!("{{across: {{id: revenue, of: {REVENUE}, with: [child]}}}}");
    let both = requirement(&format!(
        "all: [{{criterion: {{id: a, name: A, measure: {across}, needs: {{gte: 1}}}}}}, \
         {{criterion: {{id: b, name: B, measure: {{total: [{across}]}}, needs: {{gte: 1}}}}}}]"
    ));
    let needed = beyond_of(&both);
    let [Measure::Across(across)] = needed.as_slice() else {
        panic!("{needed:?}");
    };
    let partner = partner(GROUP);
    let index = partner.indexed(&both);
    let context = partner.context(day("2026-06-30"), Mode::AtPeriodEnds);
    assert_eq!(
        number_of(&across.of, &context, &index),
        Some(number("60000"))
    );
    let growth = requirement(
        "criterion: {id: c, name: C, needs: {gte: 1}, measure: {growth: {of: {count: {facts: \
         {kind: deal, date: closed, window: {rolling_months: 12}}}}}}}",
    );
    let Requirement::Criterion(growth) = growth else {
        panic!()
    };
    let nothing = number_of(&growth.measure, &context, &partner.indexed(&both));
    assert_eq!(nothing, None, "a series that is not kept is not zero");
    let from_facts = WithBeyond {
        facts: &index,
        beyond: partner.beyond.as_ref().unwrap(),
    };
    let outcome = evaluate(&both, &context, &from_facts).explanation.outcome;
    assert_eq!(outcome, Outcome::Met);
}

#[test]
fn what_cannot_be_supplied_is_refused() {
    let checked = |yaml: &str| -> Vec<String> {
        let found = requirement(yaml).check();
        let violations = found.err().map(|wrong| wrong.violations);
        violations
            .into_iter()
            .flatten()
            .map(|it| it.field)
            .collect()
    };
    let of = |measure: &str| {
        format!("criterion: {{id: c, name: C, needs: {{gte: 1}}, measure: {measure}}}")
    };
    for measure in EVERY_FORM {
        assert_eq!(checked(&of(measure)), [""; 0]);
        let inside = format!("{{across: {{id: b, of: {measure}, with: [child]}}}}");
        assert_eq!(checked(&of(&inside)).len(), 1, "{inside}");
        let each = format!(
            "for_each: {{groups: {{facts: {{kind: deal, date: closed, window: all_time}}, \
             by: customer}}, holds: {{{}}}}}",
            of(measure)
        );
        assert_eq!(checked(&each).len(), 1, "{each}");
    }
    for (measure, fields) in [
        (
            "{tiers_held: {tiers: [], by: []}}",
            ["tiers_held.by", "tiers_held.tiers"],
        ),
        (
            "{across: {id: A B, of: months_in_tier, with: [itself]}}",
            ["across.with", "across.id"],
        ),
        (
            "{rank: {id: A, of: months_in_tier, per: \"\"}}",
            ["rank.per", "rank.id"],
        ),
    ] {
        let fields = fields.map(|field| format!("criterion.measure.{field}"));
        assert_eq!(checked(&of(measure)), fields);
    }
}

#[test]
fn states_follow_each_other_and_places_are_places() {
    let wrong = |yaml: &str| -> Vec<String> {
        let beyond: Beyond = serde_saphyr::from_str(yaml).unwrap();
        let found = beyond.check("beyond").unwrap_err();
        found.violations.into_iter().map(|it| it.field).collect()
    };
    let states = "
- {from: 2026-01-01, ranking: {r: {place: 0, of: 3}}, line: {l: {place: 4, of: 3}}}
- from: 2026-01-01
  related: [{company: a, relation: child}, {company: a, relation: parent}]";
    assert_eq!(
        wrong(states),
        [
            "beyond[1].from",
            "beyond[0].ranking.r.place",
            "beyond[0].line.l.place",
            "beyond[1].related[1].company",
        ]
    );
}
