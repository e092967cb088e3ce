//! Arbitrary definitions of programs, for properties.

use jiff::civil::date;
use proptest::collection::vec;
use proptest::prelude::*;
use tierline_domain::program::{
    BadgeName, Benefit, Catalogue, Color, DemotionMode, DemotionPolicy, ProgramDefinition,
    PromotionPolicy, Step, Suppression, Tier, Track,
};
use tierline_domain::{BenefitId, Currency, TierId, TrackId};

use crate::arbitrary::{any_requirement, any_unit, text};

/// A definition of any shape, with what its linter knows.
pub fn any_definition() -> BoxedStrategy<ProgramDefinition> {
    let benefit = (
        proptest::sample::select(&["Fee", "Fund", "Manager"]),
        proptest::sample::select(&["yes", "5 %", "10 %"]),
    );
    let id = proptest::option::of(proptest::sample::select(&["fee", "fund"]));
    let benefit = (benefit, id, proptest::option::of(text()));
    let benefit = benefit.prop_map(|((name, value), id, earned_by)| Benefit {
        name: if id.is_none() { name } else { "" }.to_owned(),
        id: id.map(|id| BenefitId::parse(id).unwrap()),
        value: value.to_owned(),
        earned_by,
    });
    let asks = || proptest::option::weighted(0.8, any_requirement());
    let tier = (
        asks(),
        proptest::option::of(any_requirement()),
        vec(benefit, 0..4),
    );
    let mode = proptest::sample::select(&[
        DemotionMode::Never,
        DemotionMode::Recommend,
        DemotionMode::Automatic,
    ]);
    let step = prop_oneof![Just(Step::Qualified), Just(Step::One)];
    let policy = (mode, step, proptest::option::of(any_unit()), 0..2_u16);
    let track = (policy, vec(tier, 1..4)).prop_map(|((mode, step, review, days), tiers)| {
        let tiers = tiers.into_iter().enumerate();
        let tiers = tiers.map(|(at, (qualification, retention, benefits))| Tier {
            id: TierId::parse(format!("t{at}")).unwrap(),
            name: format!("T{at}"),
            color: Color::default(),
            badge: (at == 0).then(|| BadgeName::of(b"image")),
            qualification,
            retention,
            benefits,
        });
        Track {
            id: TrackId::parse("main").unwrap(),
            name: "Main".to_owned(),
            promotion: PromotionPolicy {
                step,
                ..PromotionPolicy::default()
            },
            demotion: DemotionPolicy {
                mode,
                review,
                notice_days: days,
                remediation_days: days,
                ..DemotionPolicy::default()
            },
            tiers: tiers.collect(),
        }
    });
    let names = || vec(prop_oneof![text(), Just("state".to_owned())], 0..4);
    let fields = proptest::collection::btree_map(
        proptest::sample::select(&["deal", "review"]).prop_map(str::to_owned),
        names(),
        0..2,
    );
    let catalogue =
        (names(), names(), fields).prop_map(|(certifications, partner_attributes, fact_fields)| {
            Catalogue {
                certifications,
                partner_attributes,
                fact_fields,
            }
        });
    let suppression = (
        proptest::sample::select(tierline_domain::program::lint::rules::RULES),
        proptest::option::of(Just("tracks[0].tiers[0]".to_owned())),
    );
    let suppression = suppression.prop_map(|(rule, at)| Suppression {
        rule: rule.code.to_owned(),
        at,
        reason: "So.".to_owned(),
    });
    let date = || proptest::option::of((2020_i16..2030).prop_map(|year| date(year, 2, 28)));
    (
        vec(track, 1..3),
        proptest::option::of(catalogue),
        vec(suppression, 0..3),
        (date(), date()),
    )
        .prop_map(|(tracks, catalogue, lint, dates)| ProgramDefinition {
            slug: "p".to_owned(),
            name: "P".to_owned(),
            description: String::new(),
            start_date: dates.0,
            end_date: dates.1,
            currency: Currency::USD,
            program_year_start: 1,
            fixed_rates: Vec::new(),
            tracks,
            catalogue,
            lint,
        })
        .boxed()
}
