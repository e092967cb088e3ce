//! Arbitrary measures that look beyond one partner, and something for them to find.

use proptest::collection::vec;
use proptest::prelude::*;
use tierline_domain::rules::{
    Across, Beyond, Company, Condition, Duration, Line, Measure, Rank, RankForm, TiersHeld,
};

use crate::arbitrary::any_test;

fn any_companies() -> BoxedStrategy<Vec<Company>> {
    let company = proptest::sample::select(&[
        Company::Parent,
        Company::Child,
        Company::Sibling,
        Company::Group,
    ]);
    vec(company, 1..3).boxed()
}

/// Tiers held elsewhere.
pub fn any_tiers_held() -> BoxedStrategy<TiersHeld> {
    let held_for = prop_oneof![
        (1..400_u16).prop_map(Duration::Days),
        (1..30_u16).prop_map(Duration::Months),
    ];
    let filter = any_test().prop_map(|test| Condition::Field {
        name: "region".to_owned(),
        test,
    });
    (
        prop_oneof![Just(vec![Company::Itself]), any_companies()],
        proptest::option::of(Just("cloud".to_owned())),
        proptest::option::of(Just("services".to_owned())),
        prop_oneof![Just(Condition::default()), filter],
        proptest::option::of(held_for),
    )
        .prop_map(|(by, program, track, filter, held_for)| TiersHeld {
            by,
            program,
            track,
            tiers: vec!["gold".to_owned(), "silver".to_owned()],
            filter,
            held_for,
        })
        .boxed()
}

/// A measure that looks beyond the partner, of another.
pub fn any_beyond(of: BoxedStrategy<Box<Measure>>) -> BoxedStrategy<Measure> {
    let per = || proptest::option::of(Just("region".to_owned()));
    let form = proptest::sample::select(&[RankForm::Place, RankForm::Percent]);
    let id = || proptest::sample::select(&["known", "unknown"]).prop_map(str::to_owned);
    prop_oneof![
        (id(), of.clone(), any_companies()).prop_map(|(id, of, with)| Measure::Across(Across {
            id,
            of,
            with
        })),
        (id(), of.clone(), per(), form)
            .prop_map(|(id, of, per, form)| { Measure::Rank(Rank { id, of, per, form }) }),
        (id(), of, per()).prop_map(|(id, by, per)| Measure::Line(Line { id, by, per })),
    ]
    .boxed()
}

/// Something beyond the partner in each of a few years, with anything missing.
pub fn beyond() -> Beyond {
    let yaml = "
        - {from: 2023-06-01}
        - from: 2024-02-29
          held: [{program: cloud, track: services, tier: gold, since: 2022-01-31}]
          related: [{company: north, relation: child, numbers: {known: 12.5}}]
          ranking: {known: {place: 3, of: 40}}
          line: {known: {place: 2, of: 3}}
        - from: 2025-07-01
          source: second
          held:
            - {program: cloud, track: resale, tier: silver, since: 2024-08-31,
               fields: {region: north}}
            - {program: apps, track: services, tier: gold, since: 2026-01-15}
          related:
            - {company: north, relation: child, numbers: {known: 0},
               held: [{program: cloud, track: services, tier: gold, since: 2025-07-01}]}
            - {company: east, relation: parent}
          ranking: {known: {place: 1, of: 40}}
          line: {known: {place: 2, of: 2}}";
    serde_saphyr::from_str(yaml).unwrap()
}
