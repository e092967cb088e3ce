//! What is allowed in a definition and still probably not meant. Nothing here forbids publishing.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::program::definition::{DemotionMode, ProgramDefinition, Tier, Track};
use crate::rules::{Requirement, Threshold};

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code in UPPER_SNAKE.
    pub code: &'static str,
    /// Path in the definition, such as `tracks[0].tiers[1].qualification`.
    pub field: String,
    /// One sentence for a person.
    pub message: String,
}

/// Every remark about a definition, in the order of its parts.
pub fn lint(definition: &ProgramDefinition) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, track) in definition.tracks.iter().enumerate() {
        lint_track(&mut findings, &format!("tracks[{at}]"), track);
    }
    findings
}

fn lint_track(findings: &mut Vec<Finding>, path: &str, track: &Track) {
    if track.demotion.mode == DemotionMode::Never && track.tiers.len() > 1 {
        findings.push(Finding {
            code: "TIERS_NEVER_LOST",
            field: format!("{path}.demotion.mode"),
            message: format!(
                "tiers of track {} are never lost, whatever happens",
                track.id
            ),
        });
    }
    for (at, pair) in track.tiers.windows(2).enumerate() {
        let [higher, lower] = pair else { continue };
        let path = format!("{path}.tiers[{at}]");
        lint_benefits(findings, &path, higher, lower);
        lint_thresholds(findings, &path, higher, lower);
    }
}

fn lint_benefits(findings: &mut Vec<Finding>, path: &str, higher: &Tier, lower: &Tier) {
    if !higher.benefits.is_empty() && higher.benefits == lower.benefits {
        findings.push(Finding {
            code: "SAME_BENEFITS",
            field: format!("{path}.benefits"),
            message: format!("tier {} gives just what tier {} gives", higher.id, lower.id),
        });
    }
}

fn lint_thresholds(findings: &mut Vec<Finding>, path: &str, higher: &Tier, lower: &Tier) {
    let (Some(above), Some(below)) = (&higher.qualification, &lower.qualification) else {
        return;
    };
    let below = minima(below);
    let mut easier: Vec<&str> = Vec::new();
    let above = minima(above);
    let rises = above
        .iter()
        .any(|(id, (minimum, _))| below.get(id).is_none_or(|(lower, _)| minimum > lower));
    for (id, (minimum, name)) in &above {
        if below.get(id).is_some_and(|(lower, _)| minimum < lower) {
            easier.push(name);
        }
    }
    for name in easier {
        findings.push(Finding {
            code: "THRESHOLD_FALLS",
            field: format!("{path}.qualification"),
            message: format!(
                "\"{name}\" needs less for tier {} than for {}",
                higher.id, lower.id
            ),
        });
    }
    if !rises && !above.is_empty() && above.len() == below.len() {
        findings.push(Finding {
            code: "THRESHOLDS_DO_NOT_RISE",
            field: format!("{path}.qualification"),
            message: format!("tier {} asks for no more than tier {}", higher.id, lower.id),
        });
    }
}

/// The minimum and the name of every criterion that asks for one, by its identifier.
fn minima(requirement: &Requirement) -> BTreeMap<&str, (Decimal, &str)> {
    let mut found = BTreeMap::new();
    collect(requirement, &mut found);
    found
}

fn collect<'a>(requirement: &'a Requirement, found: &mut BTreeMap<&'a str, (Decimal, &'a str)>) {
    match requirement {
        Requirement::Criterion(criterion) => {
            if let Threshold::Gte(minimum) | Threshold::Gt(minimum) = criterion.needs {
                found.insert(&criterion.id, (minimum, &criterion.name));
            }
        }
        // What must not hold rises when its threshold falls, and what is only shown counts for
        // nothing.
        Requirement::Not(_) | Requirement::Information(_) => {}
        other => other.each_child(&mut |child| collect(child, found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::yaml::program_from_yaml;

    fn definition(gold: u32, silver: u32, mode: &str) -> ProgramDefinition {
        let tier = |id: &str, minimum: u32| {
            format!(
                "      - id: {id}\n        name: {id}\n        qualification:\n          criterion:\n\
                 \x20           id: deals\n            name: Deals\n            measure:\n\
                 \x20             count:\n                facts: {{kind: deal, date: closed, \
                 window: all_time}}\n            needs: {{gte: {minimum}}}\n        benefits:\n\
                 \x20         - {{name: Support, value: {id}}}\n"
            )
        };
        program_from_yaml(&format!(
            "slug: resale\nname: Resale\ncurrency: EUR\ntracks:\n  - id: main\n    name: Main\n    \
             demotion: {{mode: {mode}}}\n    tiers:\n{}{}      - id: member\n        name: Member\n",
            tier("gold", gold),
            tier("silver", silver),
        ))
        .unwrap()
    }

    fn codes(definition: &ProgramDefinition) -> Vec<&'static str> {
        lint(definition)
            .iter()
            .map(|finding| finding.code)
            .collect()
    }

    #[test]
    fn a_ladder_that_rises_has_no_remarks() {
        assert_eq!(codes(&definition(10, 5, "automatic")), [""; 0]);
    }

    #[test]
    fn a_higher_tier_that_asks_for_less_is_remarked() {
        let findings = lint(&definition(3, 5, "automatic"));
        assert_eq!(findings[0].code, "THRESHOLD_FALLS");
        assert_eq!(findings[0].field, "tracks[0].tiers[0].qualification");
        assert_eq!(findings[1].code, "THRESHOLDS_DO_NOT_RISE");
    }

    #[test]
    fn equal_thresholds_equal_benefits_and_endless_tiers_are_remarked() {
        assert_eq!(
            codes(&definition(5, 5, "automatic")),
            ["THRESHOLDS_DO_NOT_RISE"]
        );
        assert_eq!(codes(&definition(10, 5, "never")), ["TIERS_NEVER_LOST"]);
        let mut same = definition(10, 5, "automatic");
        same.tracks[0].tiers[1].benefits = same.tracks[0].tiers[0].benefits.clone();
        assert_eq!(codes(&same), ["SAME_BENEFITS"]);
    }
}
