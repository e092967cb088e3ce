//! A program definition is the same after a trip through its message, and wrong messages are
//! refused by the path of what is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod arbitrary;
mod arbitrary_measure;
mod depth;
mod refusals;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;
use tierline_domain::program::{
    BadgeName, Benefit, Catalogue, Color, DemotionMode, DemotionPolicy, ProgramDefinition,
    PromotionMode, PromotionPolicy, Step, Suppression, Tier, Track,
};
use tierline_domain::rules::FixedRates;
use tierline_domain::{BenefitId, Currency, TierId, TrackId};
use tierline_proto::program::v1 as pb;
use tierline_rpc::convert::{definition, definition_message};

use crate::arbitrary::{day, number, requirement, text, unit};

fn tier() -> impl Strategy<Value = Tier> {
    let color = prop::sample::select(vec![
        Color::Amber,
        Color::Blue,
        Color::Purple,
        Color::Green,
        Color::Orange,
        Color::Red,
        Color::Slate,
        Color::Neutral,
    ]);
    let in_library = option::of("[a-z0-9]{1,8}".prop_map(|id| BenefitId::parse(id).unwrap()));
    let benefit = (in_library, text(), text(), option::of(text()));
    let benefit = benefit.prop_map(|(id, name, value, earned_by)| Benefit {
        id,
        name,
        value,
        earned_by,
    });
    let id = "[a-z0-9]{1,8}".prop_map(|id| TierId::parse(id).unwrap());
    let (first, second) = (option::of(requirement()), option::of(requirement()));
    let badge = option::of(text().prop_map(|image| BadgeName::of(image.as_bytes())));
    let badge = (color, badge);
    (id, text(), badge, first, second, vec(benefit, 0..3)).prop_map(
        |(id, name, (color, badge), qualification, retention, benefits)| Tier {
            id,
            name,
            color,
            badge,
            qualification,
            retention,
            benefits,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop::sample::select(vec![Step::Qualified, Step::One])
}

fn promotion() -> impl Strategy<Value = PromotionPolicy> {
    let mode = prop::sample::select(vec![PromotionMode::Automatic, PromotionMode::Recommend]);
    (mode, step(), option::of(unit()), any::<u16>()).prop_map(|(mode, step, review, months)| {
        PromotionPolicy {
            mode,
            step,
            review,
            minimum_months_in_tier: months,
        }
    })
}

fn demotion() -> impl Strategy<Value = DemotionPolicy> {
    let mode = prop::sample::select(vec![
        DemotionMode::Never,
        DemotionMode::Recommend,
        DemotionMode::Automatic,
    ]);
    (
        mode,
        step(),
        option::of(unit()),
        any::<u16>(),
        any::<u16>(),
        any::<u16>(),
    )
        .prop_map(
            |(mode, step, review, notice_days, remediation_days, requalification_months)| {
                DemotionPolicy {
                    mode,
                    step,
                    review,
                    notice_days,
                    remediation_days,
                    requalification_months,
                }
            },
        )
}

fn program() -> impl Strategy<Value = ProgramDefinition> {
    let id = "[a-z0-9]{1,8}".prop_map(|id| TrackId::parse(id).unwrap());
    let track = (id, text(), promotion(), demotion(), vec(tier(), 0..3)).prop_map(
        |(id, name, promotion, demotion, tiers)| Track {
            id,
            name,
            promotion,
            demotion,
            tiers,
        },
    );
    let currency = prop::sample::select(vec!["EUR", "USD", "JPY"])
        .prop_map(|code| Currency::parse(code).unwrap());
    let currency = currency.boxed();
    let amounts = btree_map(currency.clone(), number(), 0..3);
    let rates = (day(), option::of(day()), amounts);
    let rates = rates.prop_map(|(from, until, equal)| FixedRates { from, until, equal });
    let dates = (option::of(day()), option::of(day()));
    let head = (text(), text(), text(), currency, dates);
    let rates = (1i8..=12, vec(rates, 0..3));
    let remarks = (option::of(catalogue()), vec(suppression(), 0..3));
    (head, rates, vec(track, 0..3), remarks).prop_map(|(head, rates, tracks, remarks)| {
        let (slug, name, description, currency, (start_date, end_date)) = head;
        let (program_year_start, fixed_rates) = rates;
        let (catalogue, lint) = remarks;
        ProgramDefinition {
            slug,
            name,
            description,
            start_date,
            end_date,
            currency,
            program_year_start,
            fixed_rates,
            tracks,
            catalogue,
            lint,
        }
    })
}

fn catalogue() -> impl Strategy<Value = Catalogue> {
    let names = || vec(text(), 0..3);
    (names(), names(), btree_map(text(), names(), 0..3)).prop_map(
        |(certifications, partner_attributes, fact_fields)| Catalogue {
            certifications,
            partner_attributes,
            fact_fields,
        },
    )
}

fn suppression() -> impl Strategy<Value = Suppression> {
    (text(), option::of(text()), text()).prop_map(|(rule, at, reason)| Suppression {
        rule,
        at,
        reason,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_definition_is_the_same_after_a_trip_through_bytes(given in program()) {
        let bytes = definition_message(&given).encode_to_vec();
        let message = pb::ProgramDefinition::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(definition(message).unwrap(), given);
    }

    #[test]
    fn the_message_and_the_json_form_say_the_same(given in program()) {
        let json = serde_json::to_string(&given).unwrap();
        let read: ProgramDefinition = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(definition_message(&read), definition_message(&given));
    }
}

#[test]
fn what_a_message_leaves_out_has_the_defaults_of_the_domain() {
    let message = pb::ProgramDefinition {
        slug: "p".to_owned(),
        currency_code: "EUR".to_owned(),
        tracks: vec![pb::Track {
            id: "main".to_owned(),
            demotion: Some(pb::DemotionPolicy::default()),
            tiers: vec![pb::Tier {
                id: "entry".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let read = definition(message).unwrap();
    assert_eq!(read.program_year_start, 1);
    assert_eq!(read.tracks[0].promotion, PromotionPolicy::default());
    assert_eq!(read.tracks[0].demotion, DemotionPolicy::default());
    assert_eq!(read.tracks[0].tiers[0].color, Color::Neutral);
}

#[test]
fn every_wrong_field_is_named_by_its_path() {
    let criterion = pb::Criterion {
        needs: Some(pb::Threshold {
            kind: Some(pb::threshold::Kind::Gte("1e5".to_owned())),
        }),
        measure: Some(Box::new(pb::Measure {
            kind: Some(pb::measure::Kind::Count(pb::Count {
                facts: Some(pb::Selection {
                    window: Some(pb::Window {
                        kind: Some(pb::window::Kind::RollingMonths(70_000)),
                    }),
                    ..Default::default()
                }),
            })),
        })),
        ..Default::default()
    };
    let all = pb::RequirementList {
        items: vec![
            pb::Requirement { kind: None },
            pb::Requirement {
                kind: Some(pb::requirement::Kind::Criterion(Box::new(criterion))),
            },
        ],
    };
    let message = pb::ProgramDefinition {
        currency_code: "euro".to_owned(),
        tracks: vec![pb::Track {
            id: "Main Track".to_owned(),
            tiers: vec![pb::Tier {
                id: "gold".to_owned(),
                color: 99,
                qualification: Some(pb::Requirement {
                    kind: Some(pb::requirement::Kind::All(all)),
                }),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let refusal = definition(message).unwrap_err();
    let fields: Vec<_> = refusal
        .violations
        .iter()
        .map(|v| v.field.as_str())
        .collect();
    let tier = "tracks[0].tiers[0]";
    assert_eq!(
        fields,
        [
            "currency_code".to_owned(),
            "tracks[0].id".to_owned(),
            format!("{tier}.color"),
            format!("{tier}.qualification.all.items[0]"),
            format!(
                "{tier}.qualification.all.items[1].criterion.measure.count.facts.window\
                 .rolling_months"
            ),
            format!("{tier}.qualification.all.items[1].criterion.needs.gte"),
        ]
    );
}
