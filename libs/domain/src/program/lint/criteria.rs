//! Criteria that stand for the same in two tiers, and do not look so.

use super::stricter::{Asked, asked};
use super::{Findings, rules};
use crate::program::definition::{Tier, Track};
use crate::rules::When;
use crate::rules::model::{Measure, Window};

pub(super) fn check(findings: &mut Findings, path: &str, track: &Track) {
    let all: Vec<Vec<Asked<'_>>> = track
        .tiers
        .iter()
        .map(|tier| tier.qualification.as_ref().map(asked).unwrap_or_default())
        .collect();
    for (at, higher) in track.tiers.iter().enumerate() {
        let field = format!("{path}.tiers[{at}].qualification");
        for one in &all[at] {
            let mut below = track.tiers.iter().zip(&all).skip(at + 1);
            let same = below.find_map(|(tier, criteria)| {
                let known = criteria
                    .iter()
                    .find(|other| other.criterion.id == one.criterion.id);
                known.map(|other| (tier, other))
            });
            let place = format!("{field}{}", one.path);
            match (same, track.tiers.get(at + 1).zip(all.get(at + 1))) {
                (Some((lower, other)), _) => {
                    compare(findings, &place, (higher, one), (lower, other))
                }
                (None, Some((lower, criteria))) => {
                    let taken = |id: &str| all[at].iter().any(|own| own.criterion.id == id);
                    let twin = criteria.iter().find(|other| {
                        folded(&other.criterion.name) == folded(&one.criterion.name)
                            && other.criterion.measure == one.criterion.measure
                            && !taken(&other.criterion.id)
                    });
                    if let Some(twin) = twin {
                        let text = format!(
                            "\"{}\" has the id \"{}\" in tier {} and \"{}\" in tier {}",
                            one.criterion.name,
                            one.criterion.id,
                            higher.id,
                            twin.criterion.id,
                            lower.id
                        );
                        findings.add(&rules::CRITERION_ID_DIFFERS, place, text);
                    }
                }
                (None, None) => {}
            }
        }
    }
}

fn compare(
    findings: &mut Findings,
    place: &str,
    (higher, one): (&Tier, &Asked<'_>),
    (lower, other): (&Tier, &Asked<'_>),
) {
    let (one, other) = (one.criterion, other.criterion);
    if folded(&one.name) != folded(&other.name) {
        let text = format!(
            "criterion \"{}\" is called \"{}\" in tier {} and \"{}\" in tier {}",
            one.id, one.name, higher.id, other.name, lower.id
        );
        findings.add(&rules::CRITERION_NAME_DIFFERS, place, text);
    }
    if one.measure != other.measure && timeless(&one.measure) != timeless(&other.measure) {
        let text = format!(
            "criterion \"{}\" measures something else in tier {} than in tier {}",
            one.id, higher.id, lower.id
        );
        findings.add(&rules::CRITERION_MEASURE_DIFFERS, place, text);
    }
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// The measure with all its windows alike: how far back one looks may differ from tier to tier.
fn timeless(measure: &Measure) -> Measure {
    let mut measure = measure.clone();
    forget_windows(&mut measure);
    measure
}

fn forget_windows(measure: &mut Measure) {
    const ANY: Window = Window::AllTime;
    match measure {
        Measure::Count { facts }
        | Measure::CountDistinct { facts, .. }
        | Measure::Sum { facts, .. }
        | Measure::DaysSince { facts } => facts.window = ANY,
        Measure::Groups { groups, .. } | Measure::CountGroups { groups, .. } => {
            groups.facts.window = ANY;
        }
        Measure::Points(points) => {
            points
                .table
                .iter_mut()
                .for_each(|entry| entry.facts.window = ANY);
        }
        Measure::InForce(facts) => {
            facts.began = facts.began.map(|_| ANY);
            facts.when = match facts.when {
                When::Now => When::Now,
                When::Within(_) => When::Within(ANY),
                When::Before(_) => When::Before(ANY),
                When::Throughout(_) => When::Throughout(ANY),
            };
        }
        _ => {}
    }
    measure.each_child_mut(&mut forget_windows);
}
