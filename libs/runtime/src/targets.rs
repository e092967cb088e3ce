//! The parts of Tierline that one process can run: all of them, or any subset.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One part that a process can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// Commands on orgs, their API keys, programs and rates.
    Program,
    /// Commands on partners.
    Partner,
    /// Commands on enrollments.
    Enrollment,
    /// Commands on deals, certifications and other facts.
    Activity,
    /// Commands on forms and submissions.
    Application,
    /// Turns facts into standings.
    TierEvaluator,
    /// Numbers committed events into the log, and publishes it.
    Relay,
    /// Keeps the read models.
    Projector,
    /// Answers questions from the read models.
    Query,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 9] = [
        Self::Program,
        Self::Partner,
        Self::Enrollment,
        Self::Activity,
        Self::Application,
        Self::TierEvaluator,
        Self::Relay,
        Self::Projector,
        Self::Query,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Partner => "partner",
            Self::Enrollment => "enrollment",
            Self::Activity => "activity",
            Self::Application => "application",
            Self::TierEvaluator => "tier-evaluator",
            Self::Relay => "relay",
            Self::Projector => "projector",
            Self::Query => "query",
        }
    }

    /// What it does, in one line.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Program => "gRPC: orgs and their API keys, programs, tiers, requirements, rates",
            Self::Partner => "gRPC: create, edit, tag and suspend partners",
            Self::Enrollment => "gRPC: enroll, pin, terminate",
            Self::Activity => "gRPC: deals, certifications and other facts, one by one or in bulk",
            Self::Application => "gRPC: application forms, submissions and their review",
            Self::TierEvaluator => "follows the log, assesses enrollments, writes their standings",
            Self::Relay => {
                "gives every committed event its number in the log, and publishes the log to NATS"
            }
            Self::Projector => "follows the log, keeps the read models",
            Self::Query => "gRPC: partners, standings, history, explanations, submissions",
        }
    }

    /// Whether it takes commands and writes events for callers.
    pub const fn takes_commands(self) -> bool {
        matches!(
            self,
            Self::Program | Self::Partner | Self::Enrollment | Self::Activity | Self::Application
        )
    }

    /// Whether it writes events, for callers or by itself.
    pub const fn appends(self) -> bool {
        self.takes_commands() || matches!(self, Self::TierEvaluator)
    }

    /// Whether it follows the log with checkpoints and leases.
    pub const fn follows_the_log(self) -> bool {
        matches!(
            self,
            Self::TierEvaluator | Self::Projector | Self::Enrollment | Self::Relay
        )
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The targets of one process; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets(BTreeSet<Target>);

impl Targets {
    /// Everything in one process.
    pub fn all() -> Self {
        Self(Target::ALL.into())
    }

    /// Whether this process runs `target`.
    pub fn has(&self, target: Target) -> bool {
        self.0.contains(&target)
    }

    /// Whether this process runs a target for which `test` holds.
    pub fn any(&self, test: impl Fn(Target) -> bool) -> bool {
        self.0.iter().any(|target| test(*target))
    }

    /// Those that follow what the relay publishes, as one name: processes of the same name do the
    /// same work.
    pub fn followers(&self) -> String {
        let follow = |target: &Target| target.follows_the_log() && *target != Target::Relay;
        let names: Vec<&str> = self.iter().filter(follow).map(Target::name).collect();
        names.join("-")
    }

    /// The targets, in the order of [`Target::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Target> + '_ {
        self.0.iter().copied()
    }
}

impl From<Target> for Targets {
    fn from(target: Target) -> Self {
        Self(BTreeSet::from([target]))
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == Target::ALL.len() {
            return f.write_str("all");
        }
        let names: Vec<&str> = self.iter().map(Target::name).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut targets = BTreeSet::new();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if name == "all" {
                targets.extend(Target::ALL);
                continue;
            }
            let target = Target::ALL.into_iter().find(|target| target.name() == name);
            targets.insert(target.ok_or_else(|| {
                let names = Target::ALL.map(Target::name).join(", ");
                format!("there is no target `{name}`; allowed are all, {names}")
            })?);
        }
        if targets.is_empty() {
            return Err("name at least one target, or all".to_owned());
        }
        Ok(Self(targets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_the_targets_that_follow_the_log() {
        let name = |targets: &str| targets.parse::<Targets>().unwrap().followers();
        assert_eq!(name("relay,projector"), "projector");
        assert_eq!(name("query,activity"), "");
        assert_eq!(name("all"), "enrollment-tier-evaluator-projector");
    }

    #[test]
    fn all_and_lists_are_read_and_shown_again() {
        assert_eq!("all".parse::<Targets>().unwrap(), Targets::all());
        assert_eq!(Targets::all().to_string(), "all");
        let some: Targets = "projector, tier-evaluator,projector".parse().unwrap();
        assert_eq!(some.to_string(), "tier-evaluator,projector");
        assert!(some.has(Target::Projector) && !some.has(Target::Query));
        for target in Target::ALL {
            assert!(target.name().parse::<Targets>().unwrap().has(target));
        }
    }

    #[test]
    fn a_name_nobody_knows_is_answered_with_the_list() {
        let error = "projecter".parse::<Targets>().unwrap_err();
        assert!(
            error.contains("projecter") && error.contains("projector"),
            "{error}"
        );
        assert!(" , ".parse::<Targets>().is_err());
    }
}
