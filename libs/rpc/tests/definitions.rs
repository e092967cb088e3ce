//! A program definition is the same after a trip through its message, and wrong messages are
//! refused by the path of what is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;
use rust_decimal::Decimal;
use tierline_domain::program::{
    Benefit, Color, DemotionMode, DemotionPolicy, ProgramDefinition, PromotionMode,
    PromotionPolicy, Step, Tier, Track,
};
use tierline_domain::rules::{
    Addend, Condition, Criterion, FactKind, Measure, OfWhich, Periods, Requirement, Selection,
    Test, Threshold, Value, Window,
};
use tierline_domain::time::PeriodUnit;
use tierline_domain::{Currency, TierId, TrackId};
use tierline_proto::program::v1 as pb;
use tierline_rpc::convert::{definition, definition_message};

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Zäß0-9 ]{0,12}"
}

fn number() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0u32..10).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

fn unit() -> impl Strategy<Value = PeriodUnit> {
    prop::sample::select(vec![
        PeriodUnit::Month,
        PeriodUnit::Quarter,
        PeriodUnit::Year,
        PeriodUnit::FiscalQuarter,
        PeriodUnit::FiscalYear,
    ])
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::Text),
        number().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Flag),
        (1900i16..=2199, 1i8..=12, 1i8..=28)
            .prop_map(|(year, month, day)| Value::Date(jiff::civil::date(year, month, day))),
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

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = (text(), test()).prop_map(|(name, test)| Condition::Field { name, test });
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Condition::All),
            vec(inner.clone(), 0..3).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        any::<u16>().prop_map(Window::RollingMonths),
        any::<u16>().prop_map(Window::RollingDays),
        unit().prop_map(Window::Current),
        Just(Window::SinceEnrollment),
        Just(Window::AllTime),
    ]
}

fn selection() -> impl Strategy<Value = Selection> {
    (text(), condition(), text(), window()).prop_map(|(kind, filter, date, window)| Selection {
        kind: FactKind::new(kind),
        filter,
        date,
        window,
    })
}

fn measure() -> impl Strategy<Value = Measure> {
    let addend = prop_oneof![
        Just(Addend::Amount),
        Just(Addend::Quantity),
        text().prop_map(Addend::Field)
    ];
    prop_oneof![
        selection().prop_map(|facts| Measure::Count { facts }),
        (selection(), text()).prop_map(|(facts, key)| Measure::CountDistinct { facts, key }),
        (selection(), addend).prop_map(|(facts, of)| Measure::Sum { facts, of }),
        (condition(), any::<u32>())
            .prop_map(|(filter, at_least)| Measure::PersonsCertified { filter, at_least }),
        Just(Measure::MonthsInProgram),
        Just(Measure::MonthsInTier),
        text().prop_map(|attribute| Measure::PartnerNumber { attribute }),
    ]
}

fn threshold() -> impl Strategy<Value = Threshold> {
    prop_oneof![
        number().prop_map(Threshold::Gte),
        number().prop_map(Threshold::Gt),
        number().prop_map(Threshold::Lte),
        number().prop_map(Threshold::Lt),
        number().prop_map(Threshold::Equals),
        (number(), number()).prop_map(|(from, to)| Threshold::Between { from, to }),
    ]
}

fn criterion() -> impl Strategy<Value = Criterion> {
    let part = (text(), condition(), threshold()).prop_map(|(name, filter, needs)| OfWhich {
        name,
        filter,
        needs,
    });
    (
        text(),
        text(),
        measure(),
        threshold(),
        vec(part, 0..3),
        option::of(text()),
    )
        .prop_map(|(id, name, measure, needs, of_which, note)| Criterion {
            id,
            name,
            measure,
            needs,
            of_which,
            note,
        })
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let leaf = prop_oneof![
        criterion().prop_map(|criterion| Requirement::Criterion(Box::new(criterion))),
        (text(), text(), condition()).prop_map(|(id, name, filter)| Requirement::Partner {
            id,
            name,
            filter
        }),
    ];
    leaf.prop_recursive(4, 8, 3, |inner| {
        let periods = (unit(), any::<u32>(), inner.clone())
            .prop_map(|(unit, last, holds)| Periods {
                unit,
                last,
                holds: Box::new(holds),
            })
            .boxed();
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Requirement::All),
            vec(inner.clone(), 0..3).prop_map(Requirement::Any),
            (any::<u32>(), vec(inner.clone(), 0..3))
                .prop_map(|(count, of)| Requirement::AtLeast { count, of }),
            inner.prop_map(|inner| Requirement::Not(Box::new(inner))),
            periods.clone().prop_map(Requirement::EveryPeriod),
            periods.prop_map(Requirement::AnyPeriod),
        ]
    })
}

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
    let benefit = (text(), text()).prop_map(|(name, value)| Benefit { name, value });
    let id = "[a-z0-9]{1,8}".prop_map(|id| TierId::parse(id).unwrap());
    let (first, second) = (option::of(requirement()), option::of(requirement()));
    (id, text(), color, first, second, vec(benefit, 0..3)).prop_map(
        |(id, name, color, qualification, retention, benefits)| Tier {
            id,
            name,
            color,
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
    (text(), text(), text(), currency, vec(track, 0..3)).prop_map(
        |(slug, name, description, currency, tracks)| ProgramDefinition {
            slug,
            name,
            description,
            currency,
            tracks,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

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
        measure: Some(pb::Measure {
            kind: Some(pb::measure::Kind::Count(pb::Count {
                facts: Some(pb::Selection {
                    window: Some(pb::Window {
                        kind: Some(pb::window::Kind::RollingMonths(70_000)),
                    }),
                    ..Default::default()
                }),
            })),
        }),
        ..Default::default()
    };
    let all = pb::RequirementList {
        items: vec![
            pb::Requirement { kind: None },
            pb::Requirement {
                kind: Some(pb::requirement::Kind::Criterion(criterion)),
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

#[test]
fn the_deepest_requirement_that_the_domain_takes_fits_into_a_message() {
    let mut filter = Condition::All(Vec::new());
    for _ in 0..tierline_domain::rules::model::MAX_DEPTH {
        filter = Condition::All(vec![filter]);
    }
    let mut requirement = Requirement::Partner {
        id: "x".to_owned(),
        name: "x".to_owned(),
        filter,
    };
    for _ in 0..tierline_domain::rules::model::MAX_DEPTH {
        requirement = Requirement::All(vec![requirement]);
    }
    let tier = Tier {
        id: TierId::parse("gold").unwrap(),
        name: "Gold".to_owned(),
        color: Color::Amber,
        qualification: Some(requirement),
        retention: None,
        benefits: Vec::new(),
    };
    let given = ProgramDefinition {
        slug: "p".to_owned(),
        name: "P".to_owned(),
        description: String::new(),
        currency: Currency::EUR,
        tracks: vec![Track {
            id: TrackId::parse("main").unwrap(),
            name: "Main".to_owned(),
            promotion: PromotionPolicy::default(),
            demotion: DemotionPolicy::default(),
            tiers: vec![tier],
        }],
    };
    let request = pb::ApplyProgramRequest {
        content: Some(pb::apply_program_request::Content::Definition(
            definition_message(&given),
        )),
        ..Default::default()
    };
    let bytes = request.encode_to_vec();
    let read = pb::ApplyProgramRequest::decode(bytes.as_slice()).unwrap();
    let Some(pb::apply_program_request::Content::Definition(message)) = read.content else {
        panic!("the definition is gone");
    };
    assert_eq!(definition(message).unwrap(), given);
}
