//! Requirements of every form, whether or not they make sense.

use jiff::civil::Date;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rust_decimal::Decimal;
use tierline_domain::rules::{
    Case, Condition, Criterion, Duration, ForEach, OfWhich, Otherwise, Path, Periods, Requirement,
    Sustained, Test, Threshold, Value, Where,
};
use tierline_domain::time::PeriodUnit;

use crate::arbitrary_measure::{grouping, measure, window};

pub fn text() -> impl Strategy<Value = String> {
    "[a-zA-Zäß0-9 ]{0,12}"
}

pub fn number() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0u32..10).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

pub fn day() -> impl Strategy<Value = Date> {
    (1900i16..=2199, 1i8..=12, 1i8..=28)
        .prop_map(|(year, month, day)| jiff::civil::date(year, month, day))
}

pub fn unit() -> impl Strategy<Value = PeriodUnit> {
    prop::sample::select(vec![
        PeriodUnit::Month,
        PeriodUnit::Quarter,
        PeriodUnit::HalfYear,
        PeriodUnit::Year,
        PeriodUnit::FiscalQuarter,
        PeriodUnit::FiscalYear,
        PeriodUnit::ProgramYear,
        PeriodUnit::PartnershipYear,
    ])
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::Text),
        number().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Flag),
        day().prop_map(Value::Date),
        vec(text(), 0..3).prop_map(Value::List),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        value().prop_map(Test::Equals),
        value().prop_map(Test::Gte),
        value().prop_map(Test::Lte),
        value().prop_map(Test::Gt),
        value().prop_map(Test::Lt),
        (option::of(value()), option::of(value()))
            .prop_map(|(from, to)| Test::Between { from, to }),
        vec(value(), 0..3).prop_map(Test::IncludesAny),
        vec(value(), 0..3).prop_map(Test::IncludesAll),
        any::<bool>().prop_map(Test::Exists),
    ]
}

pub fn condition() -> BoxedStrategy<Condition> {
    let leaf = (text(), test()).prop_map(|(name, test)| Condition::Field { name, test });
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Condition::All),
            vec(inner.clone(), 0..3).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

pub fn threshold() -> impl Strategy<Value = Threshold> {
    prop_oneof![
        number().prop_map(Threshold::Gte),
        number().prop_map(Threshold::Gt),
        number().prop_map(Threshold::Lte),
        number().prop_map(Threshold::Lt),
        number().prop_map(Threshold::Equals),
        (number(), number()).prop_map(|(from, to)| Threshold::Between { from, to }),
    ]
}

fn criterion() -> BoxedStrategy<Criterion> {
    let part = (text(), condition(), threshold()).prop_map(|(name, filter, needs)| OfWhich {
        name,
        filter,
        needs,
    });
    let case = (condition(), threshold()).prop_map(|(filter, needs)| Case { filter, needs });
    (
        (text(), text(), option::of(text())),
        measure(),
        threshold(),
        vec(case, 0..3),
        vec(part, 0..3),
    )
        .prop_map(
            |((id, name, note), measure, needs, cases, of_which)| Criterion {
                id,
                name,
                measure,
                needs,
                cases,
                of_which,
                note,
            },
        )
        .boxed()
}

pub fn partner() -> impl Strategy<Value = Requirement> {
    (text(), text(), condition()).prop_map(|(id, name, filter)| Requirement::Partner {
        id,
        name,
        filter,
    })
}

pub fn requirement() -> BoxedStrategy<Requirement> {
    let leaf = prop_oneof![
        criterion().prop_map(|criterion| Requirement::Criterion(Box::new(criterion))),
        partner(),
    ];
    leaf.prop_recursive(4, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Requirement::All),
            vec(inner.clone(), 0..3).prop_map(Requirement::Any),
            (any::<u32>(), vec(inner.clone(), 0..3))
                .prop_map(|(count, of)| Requirement::AtLeast { count, of }),
            inner
                .clone()
                .prop_map(|part| Requirement::Not(Box::new(part))),
            inner
                .clone()
                .prop_map(|part| Requirement::Information(Box::new(part))),
            vec((text(), inner.clone()), 0..3).prop_map(best_of),
            through_time(inner.clone()),
            place(inner.clone()).prop_map(Requirement::Where),
            for_each(inner).prop_map(Requirement::ForEach),
        ]
    })
    .boxed()
}

fn best_of(ways: Vec<(String, Requirement)>) -> Requirement {
    let ways = ways.into_iter().map(|(name, holds)| Path { name, holds });
    Requirement::BestOf(ways.collect())
}

pub fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<u16>().prop_map(Duration::Days),
        any::<u16>().prop_map(Duration::Months),
    ]
}

fn through_time(inner: BoxedStrategy<Requirement>) -> BoxedStrategy<Requirement> {
    let holds = inner.prop_map(Box::new).boxed();
    let periods = (unit(), any::<u32>(), holds.clone())
        .prop_map(|(unit, last, holds)| Periods { unit, last, holds })
        .boxed();
    let streak = (any::<u32>(), unit(), any::<u32>(), holds.clone()).prop_map(
        |(count, unit, last, holds)| Requirement::Streak {
            count,
            unit,
            last,
            holds,
        },
    );
    let sustained =
        (duration(), any::<bool>(), holds.clone()).prop_map(|(duration, longer, holds)| {
            Sustained {
                duration,
                longer,
                holds,
            }
        });
    prop_oneof![
        periods.clone().prop_map(Requirement::EveryPeriod),
        periods.prop_map(Requirement::AnyPeriod),
        streak,
        sustained.prop_map(Requirement::Sustained),
        (window(), holds).prop_map(|(window, holds)| Requirement::AnyDay { window, holds }),
    ]
    .boxed()
}

fn place(inner: BoxedStrategy<Requirement>) -> BoxedStrategy<Where> {
    let otherwise = prop::sample::select(vec![Otherwise::NotApplicable, Otherwise::Unmet]);
    let filter = prop_oneof![Just(Condition::default()), condition()];
    let (from, until) = (option::of(day()), option::of(day()));
    (filter, from, until, inner, otherwise)
        .prop_map(|(filter, from, until, holds, otherwise)| Where {
            filter,
            from,
            until,
            holds: Box::new(holds),
            otherwise,
        })
        .boxed()
}

fn for_each(inner: BoxedStrategy<Requirement>) -> BoxedStrategy<ForEach> {
    let having = option::of(threshold());
    (grouping(), having, option::of(any::<u32>()), inner)
        .prop_map(|(groups, having, greatest, holds)| ForEach {
            groups,
            having,
            greatest,
            holds: Box::new(holds),
        })
        .boxed()
}
