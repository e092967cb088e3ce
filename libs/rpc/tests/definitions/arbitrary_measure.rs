//! Measures of every form.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tierline_domain::rules::{
    Across, Addend, After, Company, Condition, Criterion, FactKind, Grouping, Growth, InForce,
    Line, Measure, MostPer, Per, Points, PointsEntry, Rank, RankForm, Requirement, Role, Roles,
    ScorePoint, ScoreStep, Selection, Take, Taken, TiersHeld, Validity, Weight, When, WhenZero,
    Window,
};

use crate::arbitrary::{condition, day, duration, number, partner, text, threshold, unit};

pub fn window() -> BoxedStrategy<Window> {
    prop_oneof![
        any::<u16>().prop_map(Window::RollingMonths),
        any::<u16>().prop_map(Window::RollingDays),
        unit().prop_map(Window::Current),
        (unit(), any::<u16>()).prop_map(|(unit, last)| Window::Complete { unit, last }),
        Just(Window::SinceEnrollment),
        Just(Window::AllTime),
    ]
    .boxed()
}

fn kind() -> impl Strategy<Value = FactKind> {
    text().prop_map(FactKind::new)
}

fn selection() -> BoxedStrategy<Selection> {
    let after =
        (any::<u16>(), option::of(text())).prop_map(|(months, unless)| After { months, unless });
    let head = (kind(), condition(), text(), window());
    (head, option::of(after), option::of(text()))
        .prop_map(|((kind, filter, date, window), after, same)| Selection {
            kind,
            filter,
            date,
            window,
            after,
            same,
        })
        .boxed()
}

fn addend() -> BoxedStrategy<Addend> {
    prop_oneof![
        Just(Addend::Amount),
        Just(Addend::Quantity),
        text().prop_map(Addend::Field)
    ]
    .boxed()
}

pub fn grouping() -> BoxedStrategy<Grouping> {
    (selection(), text(), option::of(addend()))
        .prop_map(|(facts, by, of)| Grouping { facts, by, of })
        .boxed()
}

fn when_zero() -> impl Strategy<Value = WhenZero> {
    prop::sample::select(vec![WhenZero::NotApplicable, WhenZero::Zero, WhenZero::One])
}

fn points() -> BoxedStrategy<Measure> {
    let per =
        (number(), addend(), any::<bool>()).prop_map(|(each, of, whole)| Per { each, of, whole });
    let most_per = (text(), number()).prop_map(|(key, most)| MostPer { key, most });
    let head = (text(), selection(), number(), option::of(per));
    let caps = (
        option::of(any::<u32>()),
        option::of(most_per),
        option::of(number()),
    );
    let entry = (head, caps).prop_map(|((name, facts, points, per), (first, most_per, most))| {
        PointsEntry {
            name,
            facts,
            points,
            per,
            first,
            most_per,
            most,
        }
    });
    let take = prop::sample::select(vec![Taken::First, Taken::Every]);
    (vec(entry, 0..3), take, option::of(number()))
        .prop_map(|(table, take, most)| Measure::Points(Points { table, take, most }))
        .boxed()
}

fn groups() -> BoxedStrategy<Measure> {
    let take = prop_oneof![
        Just(Take::Minimum),
        Just(Take::Maximum),
        Just(Take::Median),
        Just(Take::Mean),
        any::<u8>().prop_map(Take::Percentile),
    ];
    prop_oneof![
        (grouping(), take, when_zero()).prop_map(|(groups, take, when_none)| Measure::Groups {
            groups,
            take,
            when_none
        }),
        (grouping(), threshold()).prop_map(|(groups, each)| Measure::CountGroups { groups, each }),
    ]
    .boxed()
}

fn persons() -> BoxedStrategy<Measure> {
    let validity = (option::of(day()), any::<u16>()).prop_map(|(awarded_from, months)| Validity {
        awarded_from,
        months,
    });
    let validity = vec(validity, 0..3).boxed();
    let role = (text(), any::<u32>(), condition()).prop_map(|(name, seats, filter)| Role {
        name,
        seats,
        filter,
    });
    prop_oneof![
        (
            condition(),
            any::<u32>(),
            vec(condition(), 0..3),
            validity.clone(),
            option::of(text())
        )
            .prop_map(|(filter, at_least, holding, validity, same)| {
                Measure::PersonsCertified {
                    filter,
                    at_least,
                    holding,
                    validity,
                    same,
                }
            }),
        (vec(role, 0..3), any::<u32>(), validity).prop_map(|(roles, per_person, validity)| {
            Measure::Roles(Roles {
                roles,
                per_person,
                validity,
            })
        }),
    ]
    .boxed()
}

fn in_force() -> BoxedStrategy<Measure> {
    let when = prop_oneof![
        Just(When::Now),
        window().prop_map(When::Within),
        window().prop_map(When::Before),
        window().prop_map(When::Throughout),
    ];
    let head = (kind(), condition(), text(), text());
    let rest = (
        when,
        option::of(window()),
        option::of(addend()),
        option::of(text()),
    );
    (head, rest)
        .prop_map(|((kind, filter, from, until), (when, began, of, same))| {
            Measure::InForce(InForce {
                kind,
                filter,
                from,
                until,
                when,
                began,
                of,
                same,
            })
        })
        .boxed()
}

fn of_facts() -> BoxedStrategy<Measure> {
    prop_oneof![
        selection().prop_map(|facts| Measure::Count { facts }),
        (selection(), text()).prop_map(|(facts, key)| Measure::CountDistinct { facts, key }),
        (selection(), addend()).prop_map(|(facts, of)| Measure::Sum { facts, of }),
        points(),
        groups(),
        persons(),
        in_force(),
        selection().prop_map(|facts| Measure::DaysSince { facts }),
        Just(Measure::MonthsInProgram),
        Just(Measure::MonthsInTier),
        (vec(text(), 0..3), unit())
            .prop_map(|(tiers, unit)| Measure::PeriodsInTier { tiers, unit }),
        tiers_held(),
        text().prop_map(|attribute| Measure::PartnerNumber { attribute }),
    ]
    .boxed()
}

fn company() -> impl Strategy<Value = Company> {
    prop::sample::select(vec![
        Company::Itself,
        Company::Parent,
        Company::Child,
        Company::Sibling,
        Company::Group,
    ])
}

fn tiers_held() -> BoxedStrategy<Measure> {
    let filter = prop_oneof![Just(Condition::default()), condition()];
    let rest = (filter, option::of(duration()));
    let place = (option::of(text()), option::of(text()), vec(text(), 0..3));
    // None at all is the same as the partner itself.
    (vec(company(), 1..4), place, rest)
        .prop_map(|(by, (program, track, tiers), (filter, held_for))| {
            Measure::TiersHeld(TiersHeld {
                by,
                program,
                track,
                tiers,
                filter,
                held_for,
            })
        })
        .boxed()
}

fn beyond(inner: BoxedStrategy<Measure>) -> BoxedStrategy<Measure> {
    let of = inner.prop_map(Box::new).boxed();
    let form = prop::sample::select(vec![RankForm::Place, RankForm::Percent]);
    prop_oneof![
        (text(), of.clone(), vec(company(), 0..4))
            .prop_map(|(id, of, with)| Measure::Across(Across { id, of, with })),
        (text(), of.clone(), option::of(text()), form)
            .prop_map(|(id, of, per, form)| Measure::Rank(Rank { id, of, per, form })),
        (text(), of, option::of(text())).prop_map(|(id, by, per)| Measure::Line(Line {
            id,
            by,
            per
        })),
    ]
    .boxed()
}

pub fn measure() -> BoxedStrategy<Measure> {
    of_facts()
        .prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                of_two(inner.clone()),
                of_several(inner.clone()),
                beyond(inner.clone()),
                of_one(inner)
            ]
        })
        .boxed()
}

fn of_two(inner: BoxedStrategy<Measure>) -> BoxedStrategy<Measure> {
    let one = inner.prop_map(Box::new).boxed();
    prop_oneof![
        (one.clone(), one.clone(), when_zero()).prop_map(|(of, to, when_zero)| Measure::Ratio {
            of,
            to,
            when_zero
        }),
        (one.clone(), one).prop_map(|(of, less)| Measure::Difference { of, less }),
    ]
    .boxed()
}

fn of_several(inner: BoxedStrategy<Measure>) -> BoxedStrategy<Measure> {
    let weight = (text(), number(), inner.clone()).prop_map(|(name, weight, of)| Weight {
        name,
        weight,
        of,
    });
    prop_oneof![
        vec(inner.clone(), 0..3).prop_map(Measure::Total),
        vec(inner.clone(), 0..3).prop_map(Measure::Least),
        vec(inner, 0..3).prop_map(Measure::Greatest),
        vec(weight, 0..3).prop_map(Measure::Weighted),
    ]
    .boxed()
}

fn of_one(inner: BoxedStrategy<Measure>) -> BoxedStrategy<Measure> {
    let of = inner.clone().prop_map(Box::new).boxed();
    let step = (number(), number()).prop_map(|(from, gives)| ScoreStep { from, gives });
    let point = (number(), number()).prop_map(|(at, gives)| ScorePoint { at, gives });
    let growth = (of.clone(), any::<u16>(), number(), option::of(number())).prop_map(
        |(of, months, minimum_base, step)| Growth {
            of,
            months,
            minimum_base,
            step,
        },
    );
    prop_oneof![
        growth.prop_map(Measure::Growth),
        (of.clone(), number()).prop_map(|(of, by)| Measure::Times { of, by }),
        (of.clone(), vec(step, 0..3)).prop_map(|(of, table)| Measure::Steps { of, table }),
        (of.clone(), vec(point, 0..3)).prop_map(|(of, table)| Measure::Linear { of, table }),
        (gate(inner), of).prop_map(|(when, of)| Measure::Gate {
            when: Box::new(when),
            of
        }),
    ]
    .boxed()
}

fn gate(inner: BoxedStrategy<Measure>) -> BoxedStrategy<Requirement> {
    let criterion = (text(), text(), inner, threshold()).prop_map(|(id, name, measure, needs)| {
        Requirement::Criterion(Box::new(Criterion {
            id,
            name,
            measure,
            needs,
            cases: Vec::new(),
            of_which: Vec::new(),
            note: None,
        }))
    });
    prop_oneof![criterion, partner()].boxed()
}
