//! Thresholds that do not rise with the tier.
//!
//! Criteria of two tiers are compared when they have the same id and measure, and are looked at
//! through the same periods, groups and places. What a criterion accepts is a stretch of numbers: a
//! threshold falls when the higher tier accepts all that the lower one accepts, and more. Of what
//! must not hold it is the other way round. A criterion that the lower tier has only as one of
//! several ways is not compared with one that the higher tier insists on.

use super::implied::implies;
use super::interval::Interval;
use super::outcome::{accepted, needs, never_met};
use super::range::range;
use super::stricter::{Asked, asked};
use super::{Findings, rules};
use crate::program::definition::{Tier, Track};

pub(super) fn check(findings: &mut Findings, path: &str, track: &Track) {
    let all: Vec<Vec<Asked<'_>>> = track
        .tiers
        .iter()
        .map(|tier| tier.qualification.as_ref().map(asked).unwrap_or_default())
        .collect();
    for (at, higher) in track.tiers.iter().enumerate() {
        let field = format!("{path}.tiers[{at}].qualification");
        let below = |id: &str| {
            let lower = track.tiers.iter().zip(&all).skip(at + 1);
            lower
                .flat_map(|(tier, criteria)| criteria.iter().map(move |one| (tier, one)))
                .find(|(_, one)| one.criterion.id == id)
        };
        for one in &all[at] {
            if let Some((lower, other)) = below(&one.criterion.id) {
                compare(findings, &field, higher, one, lower, other);
            }
        }
        if let Some(lower) = track.tiers.get(at + 1) {
            compare_whole(findings, &field, higher, lower);
        }
    }
}

fn compare_whole(findings: &mut Findings, field: &str, higher: &Tier, lower: &Tier) {
    let (Some(above), Some(below)) = (&higher.qualification, &lower.qualification) else {
        return;
    };
    if never_met(below).is_none() && implies(below, above) {
        let text = format!("tier {} asks for no more than tier {}", higher.id, lower.id);
        findings.add(&rules::THRESHOLDS_DO_NOT_RISE, field, text);
    }
}

fn compare(
    findings: &mut Findings,
    field: &str,
    higher: &Tier,
    one: &Asked<'_>,
    lower: &Tier,
    other: &Asked<'_>,
) {
    let alike = one.criterion.measure == other.criterion.measure
        && one.through == other.through
        && one.negated == other.negated
        && (other.mandatory || !one.mandatory || one.negated);
    if !alike {
        return;
    }
    let path = format!("{field}{}", one.path);
    let name = &one.criterion.name;
    if let Some((high, low)) = falls(one, other) {
        let text = format!(
            "\"{name}\" needs {high} for tier {} and {low} for tier {}",
            higher.id, lower.id
        );
        findings.add(&rules::THRESHOLD_FALLS, path, text);
        return;
    }
    if one.negated {
        return;
    }
    for part in &one.criterion.of_which {
        let same = other
            .criterion
            .of_which
            .iter()
            .find(|same| same.filter == part.filter);
        let Some(same) = same else { continue };
        let (above, below) = (Interval::of(part.needs), Interval::of(same.needs));
        if below.within(&above) && !above.within(&below) {
            let text = format!(
                "\"{name}\", {}, needs {} for tier {} and {} for tier {}",
                part.name,
                needs(part.needs),
                higher.id,
                needs(same.needs),
                lower.id
            );
            findings.add(&rules::THRESHOLD_FALLS, path.clone(), text);
        }
    }
}

/// The two thresholds in words, where the higher tier's is easier.
fn falls(one: &Asked<'_>, other: &Asked<'_>) -> Option<(String, String)> {
    let whole = range(&one.criterion.measure).whole;
    let exact = |numbers: Interval| if whole { numbers.whole() } else { numbers };
    let easier = |high: Interval, low: Interval| {
        let (high, low) = (exact(high), exact(low));
        match one.negated {
            false => low.within(&high) && !high.within(&low),
            true => high.within(&low) && !low.within(&high),
        }
    };
    let (above, below) = (&one.criterion.cases, &other.criterion.cases);
    let same = above.len() == below.len()
        && above
            .iter()
            .zip(below)
            .all(|(one, other)| one.filter == other.filter);
    let words = |high, low| (said(one, high), said(other, low));
    if same {
        let needs_of = |asked: &Asked<'_>| {
            let cases = asked.criterion.cases.iter().map(|case| case.needs);
            [asked.criterion.needs]
                .into_iter()
                .chain(cases)
                .collect::<Vec<_>>()
        };
        let pairs = needs_of(one).into_iter().zip(needs_of(other));
        let mut pairs = pairs.filter(|(high, low)| easier(Interval::of(*high), Interval::of(*low)));
        return pairs.next().map(|(high, low)| words(high, low));
    }
    let every =
        accepted(one.criterion).all(|high| accepted(other.criterion).all(|low| easier(high, low)));
    every.then(|| words(one.criterion.needs, other.criterion.needs))
}

fn said(asked: &Asked<'_>, threshold: crate::rules::Threshold) -> String {
    match asked.negated {
        false => needs(threshold),
        true => format!("not {}", needs(threshold)),
    }
}
