//! Arbitrary requirements, facts and changes of facts, for properties.

use jiff::civil::Date;
use proptest::collection::vec;
use proptest::prelude::*;
use rust_decimal::Decimal;
use tierline_domain::Money;
use tierline_domain::rules::{
    Addend, After, Case, Condition, Criterion, Duration, Fact, FactKind, ForEach, Grouping, Growth,
    InForce, Measure, MostPer, OfWhich, Otherwise, Path, Per, Periods, Points, PointsEntry,
    RateTable, Requirement, Role, Roles, ScorePoint, ScoreStep, Selection, Sustained, Take, Taken,
    Test, Threshold, Validity, Value, Weight, When, WhenZero, Where, Window,
};
use tierline_domain::time::{PeriodUnit, add_days};

use crate::arbitrary_beyond::{any_beyond, any_tiers_held};
use crate::given::{currency, day, fact, number};

/// A few years of days, with leap days and month ends.
pub fn any_day() -> BoxedStrategy<Date> {
    (0..1500_i32)
        .prop_map(|days| add_days(day("2023-01-15"), days))
        .boxed()
}

/// A unit of time.
pub fn any_unit() -> BoxedStrategy<PeriodUnit> {
    prop_oneof![
        Just(PeriodUnit::Month),
        Just(PeriodUnit::Quarter),
        Just(PeriodUnit::HalfYear),
        Just(PeriodUnit::Year),
        Just(PeriodUnit::FiscalQuarter),
        Just(PeriodUnit::FiscalYear),
        Just(PeriodUnit::ProgramYear),
        Just(PeriodUnit::PartnershipYear),
    ]
    .boxed()
}

fn any_window() -> BoxedStrategy<Window> {
    prop_oneof![
        (1..30_u16).prop_map(Window::RollingMonths),
        (1..500_u16).prop_map(Window::RollingDays),
        any_unit().prop_map(Window::Current),
        (any_unit(), 1..5_u16).prop_map(|(unit, last)| Window::Complete { unit, last }),
        Just(Window::SinceEnrollment),
        Just(Window::AllTime),
    ]
    .boxed()
}

/// A text, often one that looks like something else.
pub fn text() -> BoxedStrategy<String> {
    prop_oneof![
        Just("Gold".to_owned()),
        Just(" gold".to_owned()),
        Just("won".to_owned()),
        Just("true".to_owned()),
        Just("1e3".to_owned()),
        Just("2026-01-01".to_owned()),
        Just("a: b # \"c\" 'd'".to_owned()),
        Just("straße – ÖL".to_owned()),
        "[a-zA-Z]{1,6}",
    ]
    .boxed()
}

fn decimal() -> BoxedStrategy<Decimal> {
    (-1_000_000..1_000_000_i64, 0..5_u32)
        .prop_map(|(digits, scale)| Decimal::new(digits, scale).normalize())
        .boxed()
}

/// A value of any type.
pub fn any_value() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => text().prop_map(Value::Text),
        2 => decimal().prop_map(Value::Number),
        1 => any::<bool>().prop_map(Value::Flag),
        1 => any_day().prop_map(Value::Date),
        2 => vec(text(), 0..3).prop_map(Value::List),
    ]
    .boxed()
}

pub fn any_test() -> BoxedStrategy<Test> {
    let value = any_value;
    prop_oneof![
        value().prop_map(Test::Equals),
        value().prop_map(Test::Gte),
        value().prop_map(Test::Lte),
        value().prop_map(Test::Gt),
        value().prop_map(Test::Lt),
        (proptest::option::of(value()), proptest::option::of(value()))
            .prop_map(|(from, to)| Test::Between { from, to }),
        vec(value(), 0..3).prop_map(Test::IncludesAny),
        vec(value(), 0..3).prop_map(Test::IncludesAll),
        any::<bool>().prop_map(Test::Exists),
    ]
    .boxed()
}

const FIELDS: [&str; 7] = [
    "state",
    "source",
    "customer",
    "level",
    "amount",
    "lines",
    "closed_date",
];

/// A condition of any shape.
pub fn any_condition() -> BoxedStrategy<Condition> {
    let field =
        (proptest::sample::select(&FIELDS), any_test()).prop_map(|(name, test)| Condition::Field {
            name: name.to_owned(),
            test,
        });
    let usual = Just(Condition::Field {
        name: "state".to_owned(),
        test: Test::Equals(Value::text("won")),
    });
    prop_oneof![field, usual, Just(Condition::default())]
        .prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(Condition::All),
                vec(inner.clone(), 0..3).prop_map(Condition::Any),
                inner.prop_map(|part| Condition::Not(Box::new(part))),
            ]
        })
        .boxed()
}

fn any_selection() -> BoxedStrategy<Selection> {
    (
        proptest::sample::select(&["deal", "certification", "review"]),
        any_condition(),
        proptest::sample::select(&["closed", "awarded"]),
        any_window(),
        proptest::option::weighted(0.2, any_after()),
        proptest::option::weighted(0.3, Just("customer".to_owned())),
    )
        .prop_map(|(kind, filter, date, window, after, same)| Selection {
            kind: FactKind::new(kind),
            filter,
            date: date.to_owned(),
            window,
            after,
            same,
        })
        .boxed()
}

fn any_after() -> BoxedStrategy<After> {
    let unless = proptest::option::of(Just("expires".to_owned()));
    (1..8_u16, unless)
        .prop_map(|(months, unless)| After { months, unless })
        .boxed()
}

fn any_addend() -> BoxedStrategy<Addend> {
    prop_oneof![
        4 => Just(Addend::Amount),
        1 => Just(Addend::Quantity),
        1 => "[a-z]{1,5}".prop_map(Addend::Field),
        1 => Just(Addend::Field("amount".to_owned())),
    ]
    .boxed()
}

fn any_grouping() -> BoxedStrategy<Grouping> {
    let key = proptest::sample::select(&["customer", "level", "state"]);
    (any_selection(), key, proptest::option::of(any_addend()))
        .prop_map(|(facts, by, of)| Grouping {
            facts,
            by: by.to_owned(),
            of,
        })
        .boxed()
}

fn any_validity() -> BoxedStrategy<Vec<Validity>> {
    let line = (proptest::option::of(any_day()), 1..40_u16);
    let line = line.prop_map(|(awarded_from, months)| Validity {
        awarded_from,
        months,
    });
    vec(line, 0..3).boxed()
}

fn any_points() -> BoxedStrategy<Points> {
    let per = (1..500_i64, any_addend(), any::<bool>()).prop_map(|(each, of, whole)| Per {
        each: each.into(),
        of,
        whole,
    });
    let cap = decimal().prop_map(|most| MostPer {
        key: "customer".to_owned(),
        most: most.abs(),
    });
    let entry = (
        text(),
        any_selection(),
        decimal(),
        proptest::option::of(per),
        proptest::option::of(1..4_u32),
        proptest::option::of(cap),
        proptest::option::of(decimal()),
    );
    let entry = entry.prop_map(
        |(name, facts, points, per, first, most_per, most)| PointsEntry {
            name,
            facts: Selection {
                same: None,
                ..facts
            },
            points,
            per,
            first,
            most_per: most_per.filter(|_| first.is_none()),
            most,
        },
    );
    let taken = prop_oneof![Just(Taken::First), Just(Taken::Every)];
    (vec(entry, 1..4), taken, proptest::option::of(decimal()))
        .prop_map(|(table, take, most)| Points { table, take, most })
        .boxed()
}

fn any_in_force() -> BoxedStrategy<InForce> {
    let when = prop_oneof![
        Just(When::Now),
        any_window().prop_map(When::Within),
        any_window().prop_map(When::Before),
        any_window().prop_map(When::Throughout),
    ];
    (
        proptest::sample::select(&["deal", "certification"]),
        any_condition(),
        when,
        proptest::option::of(any_window()),
        proptest::option::of(any_addend()),
        proptest::option::of(Just("customer".to_owned())),
    )
        .prop_map(|(kind, filter, when, began, of, same)| InForce {
            kind: FactKind::new(kind),
            filter,
            from: "awarded".to_owned(),
            until: "expires".to_owned(),
            when,
            began,
            of,
            same,
        })
        .boxed()
}

fn any_roles() -> BoxedStrategy<Roles> {
    let role = (text(), 1..3_u32, any_condition()).prop_map(|(name, seats, filter)| Role {
        name,
        seats,
        filter,
    });
    (vec(role, 1..4), 1..3_u32, any_validity())
        .prop_map(|(roles, per_person, validity)| Roles {
            roles,
            per_person,
            validity,
        })
        .boxed()
}

fn any_take() -> BoxedStrategy<Take> {
    prop_oneof![
        Just(Take::Minimum),
        Just(Take::Maximum),
        Just(Take::Median),
        Just(Take::Mean),
        (1..101_u8).prop_map(Take::Percentile),
    ]
    .boxed()
}

fn when_zero() -> BoxedStrategy<WhenZero> {
    prop_oneof![
        Just(WhenZero::NotApplicable),
        Just(WhenZero::Zero),
        Just(WhenZero::One),
    ]
    .boxed()
}

fn any_simple_measure() -> BoxedStrategy<Measure> {
    let persons = (
        any_condition(),
        1..3_u32,
        vec(any_condition(), 0..2),
        any_validity(),
        proptest::option::weighted(0.2, Just("level".to_owned())),
    );
    prop_oneof![
        3 => any_selection().prop_map(|facts| Measure::Count { facts }),
        2 => (any_selection(), proptest::sample::select(&FIELDS)).prop_map(|(facts, key)| {
            Measure::CountDistinct {
                facts,
                key: key.to_owned(),
            }
        }),
        3 => (any_selection(), any_addend()).prop_map(|(facts, of)| Measure::Sum { facts, of }),
        2 => any_points().prop_map(Measure::Points),
        1 => (any_grouping(), any_take(), when_zero()).prop_map(|(groups, take, when_none)| {
            Measure::Groups {
                groups,
                take,
                when_none,
            }
        }),
        1 => (any_grouping(), any_threshold())
            .prop_map(|(groups, each)| Measure::CountGroups { groups, each }),
        2 => persons.prop_map(|(filter, at_least, holding, validity, same)| {
            Measure::PersonsCertified {
                filter,
                at_least,
                holding,
                validity,
                same,
            }
        }),
        1 => any_roles().prop_map(Measure::Roles),
        2 => any_in_force().prop_map(Measure::InForce),
        1 => any_selection().prop_map(|facts| Measure::DaysSince { facts }),
        1 => Just(Measure::MonthsInProgram),
        1 => Just(Measure::MonthsInTier),
        1 => any_unit().prop_map(|unit| Measure::PeriodsInTier {
            tiers: vec!["silver".to_owned(), "gold".to_owned()],
            unit,
        }),
        1 => "[a-z]{1,5}".prop_map(|attribute| Measure::PartnerNumber { attribute }),
        1 => any_tiers_held().prop_map(Measure::TiersHeld),
    ]
    .boxed()
}

fn any_measure() -> BoxedStrategy<Measure> {
    any_simple_measure()
        .prop_recursive(2, 6, 3, |inner| {
            let boxed = || inner.clone().prop_map(Box::new);
            let several = || vec(inner.clone(), 1..4);
            let step = (decimal(), decimal()).prop_map(|(from, gives)| ScoreStep { from, gives });
            let point = (decimal(), decimal()).prop_map(|(at, gives)| ScorePoint { at, gives });
            let weight = (text(), 1..9_i64, inner.clone()).prop_map(|(name, weight, of)| Weight {
                name,
                weight: weight.into(),
                of,
            });
            let growth = (boxed(), 1..25_u16, proptest::option::of(1..50_i64));
            let gate = any_condition().prop_map(|filter| Requirement::Partner {
                id: "gate".to_owned(),
                name: "Gate".to_owned(),
                filter,
            });
            prop_oneof![
                any_beyond(boxed().boxed()),
                (boxed(), boxed(), when_zero()).prop_map(|(of, to, when_zero)| Measure::Ratio {
                    of,
                    to,
                    when_zero
                }),
                growth.prop_map(|(of, months, step)| Measure::Growth(Growth {
                    of,
                    months,
                    minimum_base: Decimal::ONE,
                    step: step.map(Decimal::from),
                })),
                several().prop_map(Measure::Total),
                (boxed(), boxed()).prop_map(|(of, less)| Measure::Difference { of, less }),
                (boxed(), decimal()).prop_map(|(of, by)| Measure::Times { of, by }),
                several().prop_map(Measure::Least),
                several().prop_map(Measure::Greatest),
                (boxed(), vec(step, 1..4)).prop_map(|(of, mut table)| {
                    table.sort_by_key(|line| line.from);
                    Measure::Steps { of, table }
                }),
                (boxed(), vec(point, 1..4)).prop_map(|(of, mut table)| {
                    table.sort_by_key(|line| line.at);
                    table.dedup_by_key(|line| line.at);
                    Measure::Linear { of, table }
                }),
                vec(weight, 1..4).prop_map(Measure::Weighted),
                (gate, boxed()).prop_map(|(when, of)| Measure::Gate {
                    when: Box::new(when),
                    of,
                }),
            ]
        })
        .boxed()
}

fn any_threshold() -> BoxedStrategy<Threshold> {
    let bound = || decimal().prop_map(|number| number.abs());
    prop_oneof![
        3 => (0..5_i64).prop_map(|least| Threshold::Gte(least.into())),
        1 => bound().prop_map(Threshold::Gte),
        1 => bound().prop_map(Threshold::Gt),
        1 => bound().prop_map(Threshold::Lte),
        1 => bound().prop_map(Threshold::Lt),
        1 => (bound(), bound()).prop_map(|(from, to)| Threshold::Between { from, to }),
        1 => bound().prop_map(Threshold::Equals),
    ]
    .boxed()
}

fn any_criterion() -> BoxedStrategy<Requirement> {
    let part =
        (text(), any_condition(), any_threshold()).prop_map(|(name, filter, needs)| OfWhich {
            name,
            filter,
            needs,
        });
    (
        "[a-z]{1,4}",
        text(),
        any_measure(),
        any_threshold(),
        vec(part, 0..3),
        proptest::option::of(text()),
        vec(any_case(), 0..2),
    )
        .prop_map(|(id, name, measure, needs, of_which, note, cases)| {
            Requirement::Criterion(Box::new(Criterion {
                id,
                name,
                measure,
                needs,
                cases,
                of_which,
                note,
            }))
        })
        .boxed()
}

fn any_case() -> BoxedStrategy<Case> {
    let field = proptest::sample::select(&["current_tier", "months_in_program", "months_in_tier"]);
    let filter = (field, any_test()).prop_map(|(name, test)| Condition::Field {
        name: name.to_owned(),
        test,
    });
    (filter, any_threshold())
        .prop_map(|(filter, needs)| Case { filter, needs })
        .boxed()
}

/// A requirement of any shape.
pub fn any_requirement() -> BoxedStrategy<Requirement> {
    let partner = ("[a-z]{1,4}", text(), any_condition())
        .prop_map(|(id, name, filter)| Requirement::Partner { id, name, filter });
    prop_oneof![5 => any_criterion(), 1 => partner]
        .prop_recursive(3, 10, 3, |inner| {
            let periods =
                (any_unit(), 1..5_u32, inner.clone()).prop_map(|(unit, last, holds)| Periods {
                    unit,
                    last,
                    holds: Box::new(holds),
                });
            let periods = periods.boxed();
            let held = || inner.clone().prop_map(Box::new);
            let duration = prop_oneof![
                (1..60_u16).prop_map(Duration::Days),
                (1..5_u16).prop_map(Duration::Months),
            ];
            let sustained = (duration, any::<bool>(), held());
            let streak = (1..4_u32, any_unit(), 1..6_u32, held());
            let each = (
                any_grouping(),
                proptest::option::of(any_threshold()),
                proptest::option::of(1..3_u32),
                held(),
            );
            let path = (text(), inner.clone()).prop_map(|(name, holds)| Path { name, holds });
            let otherwise = prop_oneof![Just(Otherwise::NotApplicable), Just(Otherwise::Unmet)];
            let place = (
                any_case(),
                proptest::option::of(any_day()),
                proptest::option::of(any_day()),
                held(),
                otherwise,
            );
            let days = prop_oneof![
                (1..90_u16).prop_map(Window::RollingDays),
                Just(Window::Current(PeriodUnit::Quarter)),
                Just(Window::Complete {
                    unit: PeriodUnit::Month,
                    last: 2
                }),
            ];
            prop_oneof![
                sustained.prop_map(|(duration, longer, holds)| {
                    Requirement::Sustained(Sustained {
                        duration,
                        longer,
                        holds,
                    })
                }),
                streak.prop_map(|(count, unit, last, holds)| Requirement::Streak {
                    count,
                    unit,
                    last,
                    holds,
                }),
                (days, held()).prop_map(|(window, holds)| Requirement::AnyDay { window, holds }),
                each.prop_map(|(groups, having, greatest, holds)| {
                    Requirement::ForEach(ForEach {
                        groups,
                        having,
                        greatest,
                        holds,
                    })
                }),
                vec(path, 1..3).prop_map(Requirement::BestOf),
                place.prop_map(|(case, from, until, holds, otherwise)| {
                    Requirement::Where(Where {
                        filter: case.filter,
                        from,
                        until,
                        holds,
                        otherwise,
                    })
                }),
                held().prop_map(Requirement::Information),
                vec(inner.clone(), 0..4).prop_map(Requirement::All),
                vec(inner.clone(), 0..4).prop_map(Requirement::Any),
                (0..4_u32, vec(inner.clone(), 0..4))
                    .prop_map(|(count, of)| Requirement::AtLeast { count, of }),
                inner.prop_map(|part| Requirement::Not(Box::new(part))),
                periods.clone().prop_map(Requirement::EveryPeriod),
                periods.prop_map(Requirement::AnyPeriod),
            ]
        })
        .boxed()
}

/// A deal, a certification or a review, of one of a few ids, with anything missing.
pub fn any_fact() -> BoxedStrategy<Fact> {
    let head = (
        proptest::sample::select(&["deal", "certification", "review"]),
        0..6_u8,
        1..5_u64,
        proptest::sample::select(&["won", "won", "valid", "lost", "revoked", "retracted"]),
        proptest::option::weighted(0.1, Just("duplicate".to_owned())),
    );
    let body = (
        proptest::option::weighted(
            0.9,
            (
                decimal(),
                proptest::sample::select(&["USD", "USD", "EUR", "JPY", "ISK"]),
            ),
        ),
        proptest::option::of(decimal()),
        (any::<bool>(), proptest::option::weighted(0.9, any_day())),
        (any::<bool>(), proptest::option::weighted(0.9, any_day())),
        (any::<bool>(), proptest::option::of(any_day())),
        proptest::collection::btree_map(
            proptest::sample::select(&["source", "customer", "level", "lines"]),
            any_value(),
            0..4,
        ),
        proptest::option::weighted(0.9, proptest::sample::select(&["ann", "Bob", "bob "])),
        proptest::option::weighted(0.9, proptest::sample::select(&["core", "Cloud"])),
    );
    (head, body)
        .prop_map(|((kind, id, version, state, disqualified), body)| {
            let (amount, quantity, closed, awarded, expires, fields, person, certification) = body;
            let mut made = fact(kind, id);
            made.version = version;
            made.state = state.to_owned();
            made.disqualified = disqualified;
            made.amount = amount.map(|(amount, code)| Money::new(amount, currency(code)));
            made.quantity = quantity;
            made.fields = fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            for (name, (attribute, date)) in [
                ("closed", closed),
                ("awarded", awarded),
                ("expires", expires),
            ] {
                match date {
                    Some(date) if attribute => {
                        made.fields.insert(name.to_owned(), Value::Date(date));
                    }
                    Some(date) => {
                        made.dates.insert(name.to_owned(), date);
                    }
                    None => {}
                }
            }
            for (name, value) in [("person", person), ("certification", certification)] {
                if let Some(text) = value {
                    made.fields.insert(name.to_owned(), Value::text(text));
                }
            }
            made
        })
        .boxed()
}

/// Rates for the euro and the yen on every third day, none for the Icelandic krona.
pub fn rates() -> RateTable {
    let mut table = RateTable::default();
    for step in 0..500_i32 {
        let rate = Decimal::new(11_000 + i64::from(step), 4);
        let rates = [(currency("USD"), rate), (currency("JPY"), number("163.21"))];
        table.publish(1, add_days(day("2023-01-15"), step * 3), &rates.into());
    }
    table
}
