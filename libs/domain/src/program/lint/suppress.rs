//! Findings that the definition says are wanted so.

use super::{Findings, rules};
use crate::program::remarks::Suppression;

/// Marks what is suppressed; of several suppressions the first counts. One that suppresses nothing
/// is a finding itself.
pub(super) fn apply(findings: &mut Findings, suppressions: &[Suppression]) {
    let mut used = vec![false; suppressions.len()];
    for finding in &mut findings.0 {
        for (one, used) in suppressions.iter().zip(&mut used) {
            if one.rule == finding.rule && one.covers(&finding.field) {
                *used = true;
                finding.suppressed.get_or_insert_with(|| one.reason.clone());
            }
        }
    }
    for (at, (one, _)) in suppressions
        .iter()
        .zip(used)
        .enumerate()
        .filter(|(_, (_, used))| !used)
    {
        let place = one
            .at
            .as_deref()
            .map(|at| format!(" at {at}"))
            .unwrap_or_default();
        let text = format!(
            "nothing is found by {}{place}, so nothing is suppressed",
            one.rule
        );
        findings.add(&rules::UNUSED_SUPPRESSION, format!("lint[{at}]"), text);
    }
}
