//! What tiers give, compared with each other and with what they ask for.
//!
//! A program that says nothing about benefits is not asked about them: the rules speak of a track
//! as soon as one of its tiers names one. Of two values only equal and different can be told, not
//! better and worse: more days of protection are better, more days until an answer are not. The
//! entry tier may give something; it should not give as much as a tier that has to be earned.

use std::collections::{BTreeMap, BTreeSet};

use super::implied::implies;
use super::outcome::{never_met, never_unmet};
use super::{Findings, rules};
use crate::benefit::BenefitValue;
use crate::program::definition::{Benefit, Tier, Track};

/// Fewer changes than this between neighbours are too few.
const ENOUGH: usize = 3;

/// Benefits by identifier or name, with their values, in the form that is compared. What has the
/// value `no` is not given.
type Given = BTreeMap<(bool, String), String>;

pub(super) fn check(findings: &mut Findings, path: &str, track: &Track) {
    let given: Vec<Given> = track.tiers.iter().map(benefits).collect();
    if given.iter().all(BTreeMap::is_empty) {
        return;
    }
    for (at, tier) in track.tiers.iter().enumerate() {
        let path = format!("{path}.tiers[{at}].benefits");
        compare(findings, &path, track, &given, at);
        free(findings, &path, track, at);
        let Some(lower) = track.tiers.get(at + 1) else {
            continue;
        };
        let changed = changes(&given[at], &given[at + 1]);
        // Two tiers that give the same are found by another rule, unless both give nothing.
        if changed < ENOUGH && (changed > 0 || given[at].is_empty()) {
            let names = if changed == 1 {
                "benefit differs"
            } else {
                "benefits differ"
            };
            let text = format!(
                "{changed} {names} between tier {} and {}",
                tier.id, lower.id
            );
            findings.add(&rules::FEW_NEW_BENEFITS, path.clone(), text);
        }
    }
}

fn benefits(tier: &Tier) -> Given {
    let pairs = tier.benefits.iter().filter_map(|benefit| {
        let value = BenefitValue::told_by(&benefit.value);
        let pair = (key(benefit), value.to_string().to_lowercase());
        value.is_given().then_some(pair)
    });
    pairs.collect()
}

fn key(benefit: &Benefit) -> (bool, String) {
    let key = benefit.key().trim().to_lowercase();
    (benefit.id.is_some(), key)
}

/// How many benefits only one of two tiers has, or both with another value.
fn changes(one: &Given, other: &Given) -> usize {
    let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name))
        .count()
}

fn includes(one: &Given, other: &Given) -> bool {
    other
        .iter()
        .all(|(name, value)| one.get(name) == Some(value))
}

/// The tier with all that are below it.
fn compare(findings: &mut Findings, path: &str, track: &Track, given: &[Given], at: usize) {
    let tier = &track.tiers[at];
    let mut fell = false;
    for (below, lower) in track.tiers.iter().enumerate().skip(at + 1) {
        if given[at] == given[below] {
            if !given[at].is_empty() {
                let text = format!(
                    "tier {} gives just what tier {} gives, {} in number",
                    tier.id,
                    lower.id,
                    given[at].len()
                );
                findings.add(&rules::SAME_BENEFITS, path, text);
            }
        } else if !fell && includes(&given[below], &given[at]) {
            fell = true;
            let (own, theirs) = (&given[at], &given[below]);
            let more = lower.benefits.iter().find(|benefit| {
                let key = key(benefit);
                theirs.contains_key(&key) && !own.contains_key(&key)
            });
            let more = more.map(|benefit| format!(", and also \"{}\"", benefit.key()));
            let entry = below + 1 == track.tiers.len() && lower.qualification.is_none();
            let word = if entry { "the entry tier" } else { "tier" };
            let text = format!(
                "{word} {} gives everything that tier {} gives{}",
                lower.id,
                tier.id,
                more.unwrap_or_default()
            );
            findings.add(&rules::BENEFITS_FALL, path, text);
        }
    }
}

/// Benefits that nothing is asked for.
fn free(findings: &mut Findings, path: &str, track: &Track, at: usize) {
    let tier = &track.tiers[at];
    let Some(asks) = &tier.qualification else {
        return;
    };
    let own = benefits(tier);
    if own.is_empty() || never_met(asks).is_some() {
        return;
    }
    let count = own.len();
    let are = if count == 1 {
        "benefit is"
    } else {
        "benefits are"
    };
    if never_unmet(asks) {
        let text = format!(
            "{count} {are} given by tier {}, whose qualification is never unmet",
            tier.id
        );
        findings.add(&rules::BENEFITS_WITHOUT_REQUIREMENT, path, text);
        return;
    }
    let Some(lower) = track.tiers.get(at + 1) else {
        return;
    };
    let no_more = lower
        .qualification
        .as_ref()
        .is_some_and(|below| implies(below, asks));
    let below = benefits(lower);
    let new = own
        .iter()
        .filter(|(name, value)| below.get(*name) != Some(value))
        .count();
    if no_more && new > 0 {
        let text = format!(
            "tier {} asks for no more than tier {}, and {new} of its benefits are others",
            tier.id, lower.id
        );
        findings.add(&rules::BENEFITS_WITHOUT_REQUIREMENT, path, text);
    }
}

#[cfg(test)]
mod tests {
    use crate::program::lint::lint;
    use crate::program::validate::tests::sample;
    use crate::program::{Benefit, ProgramDefinition};

    fn with(gold: &[(&str, &str)], entry: &[(&str, &str)]) -> ProgramDefinition {
        let of_library = |list: &[(&str, &str)]| -> Vec<Benefit> {
            list.iter()
                .map(|(id, value)| Benefit {
                    id: Some(crate::BenefitId::parse(*id).unwrap()),
                    name: String::new(),
                    value: (*value).to_owned(),
                    earned_by: None,
                })
                .collect()
        };
        let mut definition = sample();
        let tiers = &mut definition.tracks[0].tiers;
        tiers[0].benefits = of_library(gold);
        tiers[1].benefits = of_library(entry);
        definition
    }

    fn rules(definition: &ProgramDefinition) -> Vec<&'static str> {
        let found = lint(definition).into_iter().map(|one| one.rule);
        found.filter(|rule| rule.contains("BENEFIT")).collect()
    }

    #[test]
    fn benefits_of_the_library_are_compared_by_identifier_and_value() {
        let same = with(
            &[("protection", "30 days"), ("discount", "15 %")],
            &[("discount", "15.0%"), ("protection", "30 days")],
        );
        assert_eq!(rules(&same), ["SAME_BENEFITS"]);
        let few = with(&[("protection", "60 days")], &[("protection", "30 days")]);
        assert_eq!(rules(&few), ["FEW_NEW_BENEFITS"]);
    }

    #[test]
    fn what_is_not_given_is_no_benefit() {
        let none = with(&[("training", "no")], &[]);
        assert_eq!(rules(&none), [""; 0]);
        let falls = with(
            &[("training", "no"), ("discount", "5 %")],
            &[("training", "yes"), ("discount", "5 %")],
        );
        assert!(rules(&falls).contains(&"BENEFITS_FALL"));
    }
}
