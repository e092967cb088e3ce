//! What is allowed in a definition and still probably not meant. Nothing here forbids publishing.
//!
//! A finding says only what can be proved of the definition, whoever the partners are: where two
//! requirements cannot be compared, nothing is said. The one exception is named so: a name that
//! *looks* mistyped. What is wanted so is suppressed in the definition, with a reason; suppressed
//! findings are still listed.

mod benefits;
mod contradiction;
mod criteria;
mod implied;
mod interval;
mod losing;
mod names;
mod outcome;
mod range;
mod reach;
pub mod rules;
mod stricter;
mod suppress;
mod thresholds;
mod walk;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::program::definition::{ProgramDefinition, Track};
use rules::Rule;

/// How much weight a finding has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good practice says otherwise; often there is a reason for it.
    Advice,
    /// The definition hardly does what is meant: partners will see something that nobody wants.
    Warning,
}

impl Severity {
    /// As it is written: `warning` or `advice`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code of the rule, in UPPER_SNAKE.
    pub rule: &'static str,
    /// How much weight it has.
    pub severity: Severity,
    /// Path in the definition, such as `tracks[0].tiers[1].qualification`.
    pub field: String,
    /// What is so, in one sentence with names and numbers.
    pub message: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// Why it is wanted so, where the definition says that it is.
    pub suppressed: Option<String>,
}

/// Most findings of one definition; beyond them nothing more is looked for.
pub const MAX_FINDINGS: usize = 1_000;

/// The findings so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, rule: &'static Rule, field: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < MAX_FINDINGS {
            self.0.push(Finding {
                rule: rule.code,
                severity: rule.severity,
                field: field.into(),
                message: message.into(),
                why: rule.why,
                remedy: rule.remedy,
                suppressed: None,
            });
        }
    }
}

/// Every remark about a definition, in the order of its parts; suppressed ones are marked.
pub fn lint(definition: &ProgramDefinition) -> Vec<Finding> {
    let mut findings = Findings::default();
    for (at, track) in definition.tracks.iter().enumerate() {
        lint_track(&mut findings, &format!("tracks[{at}]"), track);
    }
    names::check(&mut findings, definition);
    suppress::apply(&mut findings, &definition.lint);
    findings.0
}

fn lint_track(findings: &mut Findings, path: &str, track: &Track) {
    losing::check_policy(findings, path, track);
    reach::check(findings, path, track);
    thresholds::check(findings, path, track);
    benefits::check(findings, path, track);
    losing::check_tiers(findings, path, track);
    criteria::check(findings, path, track);
}
