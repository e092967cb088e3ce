//! Tiers that nobody qualifies for, or that everybody skips.

use super::implied::implies;
use super::outcome::never_met;
use super::{Findings, rules};
use crate::program::definition::{Step, Tier, Track};

pub(super) fn check(findings: &mut Findings, path: &str, track: &Track) {
    for (at, tier) in track.tiers.iter().enumerate() {
        let Some(qualification) = &tier.qualification else {
            continue;
        };
        let field = format!("{path}.tiers[{at}].qualification");
        if let Some(why) = never_met(qualification) {
            let text = format!("nobody can qualify for tier {}: {}", tier.id, why.because);
            findings.add(&rules::TIER_UNREACHABLE, field, text);
        } else if let Some(higher) = skipped_for(track, at) {
            let text = format!(
                "whoever qualifies for tier {} also qualifies for {} and goes there",
                tier.id, higher.id
            );
            findings.add(&rules::TIER_ALWAYS_SKIPPED, field, text);
        }
    }
}

/// The next higher tier that everybody reaches who reaches this one, where promotions go to the
/// highest tier that is reached.
fn skipped_for(track: &Track, at: usize) -> Option<&Tier> {
    if track.promotion.step != Step::Qualified {
        return None;
    }
    let own = track.tiers.get(at)?.qualification.as_ref()?;
    let mut higher = track.tiers.get(..at)?.iter().rev();
    higher.find(|tier| {
        tier.qualification
            .as_ref()
            .is_some_and(|asks| implies(own, asks))
    })
}
