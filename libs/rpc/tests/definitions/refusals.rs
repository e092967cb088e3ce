//! What is wrong with a message is named by its path.

use tierline_proto::common::v1 as common;
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::measure::Kind as M;
use tierline_proto::program::v1::requirement::Kind as R;
use tierline_rpc::convert::definition;

/// A definition whose only requirement is this one.
fn program(requirement: pb::Requirement) -> pb::ProgramDefinition {
    pb::ProgramDefinition {
        currency_code: "EUR".to_owned(),
        tracks: vec![pb::Track {
            id: "main".to_owned(),
            tiers: vec![pb::Tier {
                id: "gold".to_owned(),
                qualification: Some(requirement),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The fields that are wrong, below `place`.
fn wrong(message: pb::ProgramDefinition, place: &str) -> Vec<String> {
    let refusal = definition(message).unwrap_err();
    let fields = refusal.violations.iter().map(|violation| {
        let field = violation.field.as_str();
        let below = field.strip_prefix(place).unwrap_or(field);
        below.trim_start_matches('.').to_owned()
    });
    fields.collect()
}

fn wrong_requirement(kind: R) -> Vec<String> {
    let requirement = pb::Requirement { kind: Some(kind) };
    wrong(program(requirement), "tracks[0].tiers[0].qualification")
}

fn wrong_measure(kind: M) -> Vec<String> {
    let criterion = pb::Criterion {
        measure: Some(Box::new(pb::Measure { kind: Some(kind) })),
        needs: Some(pb::Threshold {
            kind: Some(pb::threshold::Kind::Gte("1".to_owned())),
        }),
        ..Default::default()
    };
    let requirement = pb::Requirement {
        kind: Some(R::Criterion(Box::new(criterion))),
    };
    wrong(
        program(requirement),
        "tracks[0].tiers[0].qualification.criterion.measure",
    )
}

fn months() -> Option<Box<pb::Measure>> {
    Some(Box::new(pb::Measure {
        kind: Some(M::MonthsInTier(pb::MonthsInTier {})),
    }))
}

fn all_time() -> Option<pb::Window> {
    Some(pb::Window {
        kind: Some(pb::window::Kind::AllTime(pb::AllTime {})),
    })
}

fn deals() -> Option<pb::Selection> {
    Some(pb::Selection {
        kind: "deal".to_owned(),
        date: "closed".to_owned(),
        window: all_time(),
        ..Default::default()
    })
}

#[test]
fn what_a_requirement_lacks_is_named() {
    let cases = [
        (
            R::Streak(Default::default()),
            vec!["streak.unit", "streak.holds"],
        ),
        (
            R::Sustained(Default::default()),
            vec!["sustained.duration", "sustained.holds"],
        ),
        (
            R::AnyDay(Default::default()),
            vec!["any_day.window", "any_day.holds"],
        ),
        (
            R::ForEach(Default::default()),
            vec!["for_each.groups", "for_each.holds"],
        ),
        (
            R::BestOf(pb::BestOf {
                items: vec![pb::Path::default()],
            }),
            vec!["best_of.items[0].holds"],
        ),
        (R::Where(Default::default()), vec!["where.holds"]),
        (R::Information(Default::default()), vec!["information"]),
    ];
    for (kind, expected) in cases {
        let text = format!("{kind:?}");
        assert_eq!(wrong_requirement(kind), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_in_a_requirement_is_named() {
    let sustained = pb::Sustained {
        duration: Some(pb::Duration {
            kind: Some(pb::duration::Kind::Months(70_000)),
        }),
        ..Default::default()
    };
    assert_eq!(
        wrong_requirement(R::Sustained(Box::new(sustained))),
        ["sustained.duration.months", "sustained.holds"]
    );
    let no_duration = pb::Sustained {
        duration: Some(pb::Duration { kind: None }),
        ..Default::default()
    };
    assert_eq!(
        wrong_requirement(R::Sustained(Box::new(no_duration))),
        ["sustained.duration", "sustained.holds"]
    );
    let place = pb::Where {
        filter: Some(pb::Condition { kind: None }),
        from_date: "1 May 2026".to_owned(),
        until_date: "2026-02-30".to_owned(),
        otherwise: 7,
        ..Default::default()
    };
    assert_eq!(
        wrong_requirement(R::Where(Box::new(place))),
        [
            "where.filter",
            "where.from_date",
            "where.until_date",
            "where.holds",
            "where.otherwise"
        ]
    );
    let each = pb::ForEach {
        groups: Some(pb::Grouping {
            facts: deals(),
            of: Some(pb::Addend { kind: None }),
            ..Default::default()
        }),
        having: Some(pb::Threshold { kind: None }),
        ..Default::default()
    };
    assert_eq!(
        wrong_requirement(R::ForEach(Box::new(each))),
        ["for_each.groups.of", "for_each.having", "for_each.holds"]
    );
    let criterion = pb::Criterion {
        cases: vec![pb::Case::default()],
        ..Default::default()
    };
    assert_eq!(
        wrong_requirement(R::Criterion(Box::new(criterion))),
        [
            "criterion.measure",
            "criterion.needs",
            "criterion.cases[0].filter",
            "criterion.cases[0].needs"
        ]
    );
}

#[test]
fn what_a_measure_lacks_is_named() {
    let cases = [
        (
            M::Groups(Default::default()),
            vec!["groups.groups", "groups.take"],
        ),
        (
            M::CountGroups(Default::default()),
            vec!["count_groups.groups", "count_groups.each"],
        ),
        (
            M::Roles(pb::Roles {
                roles: vec![pb::Role::default()],
                ..Default::default()
            }),
            vec!["roles.roles[0].filter"],
        ),
        (M::DaysSince(Default::default()), vec!["days_since.facts"]),
        (M::Across(Default::default()), vec!["across.of"]),
        (M::Rank(Default::default()), vec!["rank.of"]),
        (M::Line(Default::default()), vec!["line.by"]),
        (
            M::TiersHeld(pb::TiersHeld {
                by: vec![pb::Company::Child.into(), 0, 9],
                held_for: Some(pb::Duration { kind: None }),
                ..Default::default()
            }),
            vec![
                "tiers_held.by[1]",
                "tiers_held.by[2]",
                "tiers_held.held_for",
            ],
        ),
        (
            M::PeriodsInTier(Default::default()),
            vec!["periods_in_tier.unit"],
        ),
        (M::Ratio(Default::default()), vec!["ratio.of", "ratio.to"]),
        (M::Growth(Default::default()), vec!["growth.of"]),
        (
            M::Difference(Default::default()),
            vec!["difference.of", "difference.less"],
        ),
        (M::Times(Default::default()), vec!["times.of", "times.by"]),
        (M::Steps(Default::default()), vec!["steps.of"]),
        (M::Linear(Default::default()), vec!["linear.of"]),
        (
            M::Weighted(pb::Weighted {
                items: vec![pb::Weight::default()],
            }),
            vec!["weighted.items[0].weight", "weighted.items[0].of"],
        ),
        (M::Gate(Default::default()), vec!["gate.when", "gate.of"]),
    ];
    for (kind, expected) in cases {
        let text = format!("{kind:?}");
        assert_eq!(wrong_measure(kind), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_in_points_is_named() {
    let entry = pb::PointsEntry {
        per: Some(pb::Per::default()),
        most_per: Some(pb::MostPer::default()),
        most: "many".to_owned(),
        ..Default::default()
    };
    let points = pb::Points {
        table: vec![entry],
        take: 7,
        most: "1e5".to_owned(),
    };
    assert_eq!(
        wrong_measure(M::Points(points)),
        [
            "points.table[0].facts",
            "points.table[0].points",
            "points.table[0].per.each",
            "points.table[0].per.of",
            "points.table[0].most_per.most",
            "points.table[0].most",
            "points.take",
            "points.most"
        ]
    );
}

#[test]
fn what_is_wrong_in_numbers_of_groups_is_named() {
    let groups = |take| pb::Groups {
        groups: Some(pb::Grouping {
            facts: deals(),
            ..Default::default()
        }),
        take: Some(pb::Take { kind: take }),
        when_none: 7,
    };
    assert_eq!(
        wrong_measure(M::Groups(groups(None))),
        ["groups.take", "groups.when_none"]
    );
    assert_eq!(
        wrong_measure(M::Groups(groups(Some(pb::take::Kind::Percentile(300))))),
        ["groups.take.percentile", "groups.when_none"]
    );
}

#[test]
fn what_is_wrong_about_persons_and_what_lasts_is_named() {
    let persons = pb::PersonsCertified {
        holding: vec![pb::Condition { kind: None }],
        validity: vec![pb::Validity {
            awarded_from_date: "2026".to_owned(),
            months: 70_000,
        }],
        ..Default::default()
    };
    assert_eq!(
        wrong_measure(M::PersonsCertified(persons)),
        [
            "persons_certified.holding[0]",
            "persons_certified.validity[0].awarded_from_date",
            "persons_certified.validity[0].months"
        ]
    );
    let in_force = |when| pb::InForce {
        when: Some(pb::When { kind: when }),
        ..Default::default()
    };
    assert_eq!(wrong_measure(M::InForce(in_force(None))), ["in_force.when"]);
    let throughout = pb::when::Kind::Throughout(pb::Window { kind: None });
    assert_eq!(
        wrong_measure(M::InForce(in_force(Some(throughout)))),
        ["in_force.when.throughout"]
    );
}

#[test]
fn what_is_wrong_in_numbers_of_numbers_is_named() {
    let growth = pb::Growth {
        of: months(),
        months: Some(70_000),
        minimum_base: "some".to_owned(),
        step: "-".to_owned(),
    };
    assert_eq!(
        wrong_measure(M::Growth(Box::new(growth))),
        ["growth.months", "growth.minimum_base", "growth.step"]
    );
    let steps = pb::Steps {
        of: months(),
        table: vec![pb::ScoreStep::default()],
    };
    assert_eq!(
        wrong_measure(M::Steps(Box::new(steps))),
        ["steps.table[0].from", "steps.table[0].gives"]
    );
    let linear = pb::Linear {
        of: months(),
        table: vec![pb::ScorePoint::default()],
    };
    assert_eq!(
        wrong_measure(M::Linear(Box::new(linear))),
        ["linear.table[0].at", "linear.table[0].gives"]
    );
    let ratio = pb::Ratio {
        of: months(),
        to: Some(Box::new(pb::Measure { kind: None })),
        when_zero: 7,
    };
    assert_eq!(
        wrong_measure(M::Ratio(Box::new(ratio))),
        ["ratio.to", "ratio.when_zero"]
    );
    let total = pb::MeasureList {
        items: vec![*months().unwrap(), pb::Measure { kind: None }],
    };
    assert_eq!(wrong_measure(M::Total(total)), ["total.items[1]"]);
    let gate = pb::Gate {
        when: Some(Box::new(pb::Requirement { kind: None })),
        of: months(),
    };
    assert_eq!(wrong_measure(M::Gate(Box::new(gate))), ["gate.when"]);
}

#[test]
fn what_is_wrong_in_a_selection_is_named() {
    let complete = pb::CompletePeriods {
        unit: common::PeriodUnit::Unspecified.into(),
        last: 70_000,
    };
    let facts = pb::Selection {
        window: Some(pb::Window {
            kind: Some(pb::window::Kind::Complete(complete)),
        }),
        after: Some(pb::After {
            months: 70_000,
            unless: None,
        }),
        ..Default::default()
    };
    let count = M::Count(pb::Count { facts: Some(facts) });
    assert_eq!(
        wrong_measure(count),
        [
            "count.facts.window.complete.unit",
            "count.facts.window.complete.last",
            "count.facts.after.months"
        ]
    );
}

#[test]
fn a_month_that_is_none_is_named() {
    let message = pb::ProgramDefinition {
        currency_code: "EUR".to_owned(),
        program_year_start: Some(1_000),
        ..Default::default()
    };
    assert_eq!(wrong(message, ""), ["program_year_start"]);
}

#[test]
fn what_is_wrong_in_fixed_rates_is_named() {
    let equal = [("EUR", "much"), ("euro", "75"), ("USD", "100")];
    let table = pb::FixedRates {
        from_date: String::new(),
        until_date: "soon".to_owned(),
        equal: equal
            .into_iter()
            .map(|(code, amount)| (code.to_owned(), amount.to_owned()))
            .collect(),
    };
    let message = pb::ProgramDefinition {
        currency_code: "EUR".to_owned(),
        fixed_rates: vec![table],
        ..Default::default()
    };
    assert_eq!(
        wrong(message, "fixed_rates[0]"),
        ["from_date", "until_date", "equal.EUR", "equal.euro"]
    );
}

#[test]
fn what_a_requirement_leaves_out_has_the_defaults_of_the_domain() {
    use tierline_domain::rules::{Measure, Requirement};

    let read = |kind| {
        let criterion = pb::Criterion {
            measure: Some(Box::new(pb::Measure { kind: Some(kind) })),
            needs: Some(pb::Threshold {
                kind: Some(pb::threshold::Kind::Gte("1".to_owned())),
            }),
            ..Default::default()
        };
        let message = program(pb::Requirement {
            kind: Some(R::Criterion(Box::new(criterion))),
        });
        let tier = definition(message)
            .unwrap()
            .tracks
            .remove(0)
            .tiers
            .remove(0);
        match tier.qualification {
            Some(Requirement::Criterion(criterion)) => criterion.measure,
            other => panic!("{other:?}"),
        }
    };
    let yaml = |text: &str| serde_json::from_str::<Measure>(text).unwrap();
    let growth = pb::Growth {
        of: months(),
        ..Default::default()
    };
    assert_eq!(
        read(M::Growth(Box::new(growth))),
        yaml(r#"{"growth": {"of": "months_in_tier"}}"#)
    );
    assert_eq!(
        read(M::Roles(pb::Roles::default())),
        yaml(r#"{"roles": {"roles": []}}"#)
    );
    assert_eq!(
        read(M::Points(pb::Points::default())),
        yaml(r#"{"points": {"table": []}}"#)
    );
    assert_eq!(
        read(M::PersonsCertified(pb::PersonsCertified::default())),
        yaml(r#"{"persons_certified": {}}"#)
    );
    assert_eq!(
        read(M::InForce(pb::InForce::default())),
        yaml(r#"{"in_force": {"kind": "", "from": "", "until": ""}}"#)
    );
}
