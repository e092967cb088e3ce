//! The linter on definitions of any shape: it ends, says the same twice, and is never wrong about
//! what it says can or cannot be met.

use proptest::collection::vec;
use proptest::prelude::*;
use tierline_domain::program::lint::{Finding, lint};
use tierline_domain::program::{ProgramDefinition, Tier, program_from_yaml, program_to_yaml};
use tierline_domain::rules::{Fact, Mode, Outcome, Requirement};

use crate::arbitrary::{any_day, any_fact, any_requirement, rates};
use crate::arbitrary_definition::any_definition;
use crate::given::Partner;

/// Two requirements that may have to do with each other.
fn related() -> BoxedStrategy<(Requirement, Requirement)> {
    (any_requirement(), any_requirement(), 0..9_u8)
        .prop_map(|(one, other, form)| {
            let all = || Requirement::All(vec![one.clone(), other.clone()]);
            let any = || Requirement::Any(vec![other.clone(), one.clone()]);
            let turned = || Requirement::All(vec![other.clone(), one.clone()]);
            let not = |part: &Requirement| Requirement::Not(Box::new(part.clone()));
            match form {
                0 => (one.clone(), one.clone()),
                1 => (one.clone(), all()),
                2 => (any(), one.clone()),
                3 => (any(), all()),
                4 => (turned(), all()),
                5 => (all(), one.clone()),
                6 => (
                    Requirement::All(vec![one.clone(), not(&one), other.clone()]),
                    not(&other),
                ),
                7 => (
                    Requirement::All(vec![turned(), Requirement::Information(Box::new(all()))]),
                    all(),
                ),
                _ => (one, other),
            }
        })
        .boxed()
}

/// Facts in states that facts of their kind can have.
fn possible(fact: Fact) -> Fact {
    let states: &[&str] = match fact.kind.as_str() {
        "deal" => &["won", "lost", "approved"],
        "certification" => &["valid", "revoked"],
        _ => &["recorded", "retracted"],
    };
    let known = states.contains(&fact.state.as_str());
    let state = if known {
        fact.state
    } else {
        states[0].to_owned()
    };
    Fact { state, ..fact }
}

fn says(findings: &[Finding], rule: &str, field: &str) -> bool {
    findings
        .iter()
        .any(|one| one.rule == rule && one.field == field)
}

/// A definition whose tiers ask for these.
fn asking(definition: &ProgramDefinition, asks: &[&Requirement]) -> ProgramDefinition {
    let mut definition = definition.clone();
    let track = &mut definition.tracks[0];
    track.demotion = Default::default();
    track.promotion = Default::default();
    let entry = track.tiers.last().cloned().unwrap();
    track.tiers = asks
        .iter()
        .map(|asks| Tier {
            qualification: Some((*asks).clone()),
            retention: None,
            ..entry.clone()
        })
        .collect();
    track.tiers.push(Tier {
        qualification: None,
        retention: None,
        ..entry
    });
    definition
}

proptest! {
    #[test]
    fn a_definition_with_catalogue_and_suppressions_is_the_same_after_yaml(
        definition in any_definition(),
    ) {
        let written = program_to_yaml(&definition).unwrap();
        prop_assert_eq!(program_from_yaml(&written).unwrap(), definition);
    }

    #[test]
    fn the_linter_ends_and_says_the_same_twice(definition in any_definition()) {
        prop_assert_eq!(lint(&definition), lint(&definition));
    }

    #[test]
    fn what_it_says_of_outcomes_is_so(
        definition in any_definition(),
        (higher, lower) in related(),
        facts in vec(any_fact().prop_map(possible), 0..16),
        as_of in any_day(),
        today in any::<bool>(),
    ) {
        let findings = lint(&asking(&definition, &[&higher, &lower]));
        let partner = Partner { rates: rates(), ..Partner::with(facts) };
        let mode = if today { Mode::AsOfToday } else { Mode::AtPeriodEnds };
        let outcome = |asks: &Requirement| partner.naive(asks, as_of, mode).explanation.outcome;
        let (high, low) = (outcome(&higher), outcome(&lower));
        for (at, outcome) in [high, low].into_iter().enumerate() {
            let field = format!("tracks[0].tiers[{at}].qualification");
            if says(&findings, "TIER_UNREACHABLE", &field) {
                prop_assert_ne!(outcome, Outcome::Met, "{:#?}", findings);
            }
            if says(&findings, "RETENTION_NEVER_FAILS", &field) {
                prop_assert_ne!(outcome, Outcome::Unmet, "{:#?}", findings);
            }
        }
        let skipped = says(&findings, "TIER_ALWAYS_SKIPPED", "tracks[0].tiers[1].qualification");
        let level = says(&findings, "THRESHOLDS_DO_NOT_RISE", "tracks[0].tiers[0].qualification");
        if (skipped || level) && low == Outcome::Met {
            prop_assert_eq!(high, Outcome::Met, "{:#?}", findings);
        }
    }
}
