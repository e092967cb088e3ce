//! Arbitrary requirements, facts and changes of facts, for properties.

use jiff::civil::Date;
use proptest::collection::vec;
use proptest::prelude::*;
use rust_decimal::Decimal;
use tierline_domain::Money;
use tierline_domain::rules::{
    Addend, Condition, Criterion, Fact, FactKind, Measure, OfWhich, Periods, RateTable,
    Requirement, Selection, Test, Threshold, Value, Window,
};
use tierline_domain::time::{PeriodUnit, add_days};

use crate::given::{currency, day, fact, number};

/// A few years of days, with leap days and month ends.
pub fn any_day() -> BoxedStrategy<Date> {
    (0..1500_i32)
        .prop_map(|days| add_days(day("2023-01-15"), days))
        .boxed()
}

fn any_unit() -> BoxedStrategy<PeriodUnit> {
    prop_oneof![
        Just(PeriodUnit::Month),
        Just(PeriodUnit::Quarter),
        Just(PeriodUnit::Year),
        Just(PeriodUnit::FiscalQuarter),
        Just(PeriodUnit::FiscalYear),
    ]
    .boxed()
}

fn any_window() -> BoxedStrategy<Window> {
    prop_oneof![
        (1..30_u16).prop_map(Window::RollingMonths),
        (1..500_u16).prop_map(Window::RollingDays),
        any_unit().prop_map(Window::Current),
        Just(Window::SinceEnrollment),
        Just(Window::AllTime),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<String> {
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

fn any_test() -> BoxedStrategy<Test> {
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
    )
        .prop_map(|(kind, filter, date, window)| Selection {
            kind: FactKind::new(kind),
            filter,
            date: date.to_owned(),
            window,
        })
        .boxed()
}

fn any_measure() -> BoxedStrategy<Measure> {
    let field = "[a-z]{1,5}".prop_map(Addend::Field);
    let addend = prop_oneof![
        4 => Just(Addend::Amount),
        1 => Just(Addend::Quantity),
        1 => field,
        1 => Just(Addend::Field("amount".to_owned())),
    ];
    prop_oneof![
        any_selection().prop_map(|facts| Measure::Count { facts }),
        (any_selection(), proptest::sample::select(&FIELDS)).prop_map(|(facts, key)| {
            Measure::CountDistinct {
                facts,
                key: key.to_owned(),
            }
        }),
        (any_selection(), addend).prop_map(|(facts, of)| Measure::Sum { facts, of }),
        (any_condition(), 1..3_u32)
            .prop_map(|(filter, at_least)| Measure::PersonsCertified { filter, at_least }),
        Just(Measure::MonthsInProgram),
        Just(Measure::MonthsInTier),
        "[a-z]{1,5}".prop_map(|attribute| Measure::PartnerNumber { attribute }),
    ]
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
    )
        .prop_map(|(id, name, measure, needs, of_which, note)| {
            Requirement::Criterion(Box::new(Criterion {
                id,
                name,
                measure,
                needs,
                of_which,
                note,
            }))
        })
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
            prop_oneof![
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
        proptest::option::weighted(0.9, any_day()),
        proptest::option::weighted(0.9, any_day()),
        proptest::option::of(any_day()),
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
            for (name, date) in [
                ("closed", closed),
                ("awarded", awarded),
                ("expires", expires),
            ] {
                if let Some(date) = date {
                    made.dates.insert(name.to_owned(), date);
                }
            }
            made.fields = fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
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
