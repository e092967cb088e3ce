//! What tiers give, compared with each other and with what they ask for.
//!
//! A program that says nothing about benefits is not asked about them: the rules speak of a track
//! as soon as one of its tiers names one. Values are texts, so that only equal and different can
//! be told, not better and worse. The entry tier may give something; it should not give as much as
//! a tier that has to be earned.

use std::collections::{BTreeMap, BTreeSet};

use super::implied::implies;
use super::outcome::{never_met, never_unmet};
use super::{Findings, rules};
use crate::program::definition::{Tier, Track};

/// Fewer changes than this between neighbours are too few.
const ENOUGH: usize = 3;

/// Benefits by name, in the form that is compared.
type Given = BTreeMap<String, String>;

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
    let folded = |text: &str| text.trim().to_lowercase();
    let pairs = tier.benefits.iter();
    pairs
        .map(|benefit| (folded(&benefit.name), folded(&benefit.value)))
        .collect()
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
            let more = lower.benefits.iter().find(|benefit| {
                !tier
                    .benefits
                    .iter()
                    .any(|own| own.name.eq_ignore_ascii_case(&benefit.name))
            });
            let more = more.map(|benefit| format!(", and also \"{}\"", benefit.name));
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
    if tier.benefits.is_empty() || never_met(asks).is_some() {
        return;
    }
    let count = tier.benefits.len();
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
    let (own, below) = (benefits(tier), benefits(lower));
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
