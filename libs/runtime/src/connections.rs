//! One budget for the database connections of a process: computed from its targets, printed at the
//! start, and checked against what the server allows before the first request needs one.

use std::fmt;

use sqlx::PgConnection;

use crate::targets::{Target, Targets};

/// What a group of connections is for. Each group is one pool; nothing takes a connection of one
/// group while it asks for another of the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Loading aggregates and appending events for callers.
    Commands,
    /// The sequencer and the jobs that look after the log.
    Log,
    /// Publishing the log to NATS.
    Relay,
    /// The tier evaluator.
    Evaluator,
    /// Surveys of what lies beyond each partner of an org.
    Surveys,
    /// The read models.
    Projector,
    /// Reading the log for all consumers.
    Feeds,
    /// Answers to questions.
    Queries,
    /// Consumers that answer events with commands.
    Reactions,
    /// Heartbeats of leases, which must get through when everything else is busy.
    Heartbeat,
    /// Health checks and start-up.
    Housekeeping,
}

impl Purpose {
    const ALL: [Self; 11] = [
        Self::Commands,
        Self::Log,
        Self::Relay,
        Self::Evaluator,
        Self::Surveys,
        Self::Projector,
        Self::Feeds,
        Self::Queries,
        Self::Reactions,
        Self::Heartbeat,
        Self::Housekeeping,
    ];

    /// Its name, in lists and numbers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Log => "log",
            Self::Relay => "relay",
            Self::Evaluator => "tier-evaluator",
            Self::Surveys => "surveys",
            Self::Projector => "projector",
            Self::Feeds => "feeds",
            Self::Queries => "queries",
            Self::Reactions => "reactions",
            Self::Heartbeat => "heartbeats",
            Self::Housekeeping => "housekeeping",
        }
    }
}

/// The sizes that configuration may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSizes {
    /// Connections for commands.
    pub commands: u32,
    /// Connections for queries.
    pub queries: u32,
    /// Connections for each consumer of the log.
    pub consumers: u32,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self {
            commands: 8,
            queries: 6,
            consumers: 4,
        }
    }
}

/// What the server allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max_connections`.
    pub max_connections: u32,
    /// Connections that the server keeps for superusers.
    pub reserved: u32,
    /// Sessions of other clients at this moment.
    pub others: u32,
}

impl Limits {
    /// Asks the server.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let (max_connections, reserved, others): (i32, i32, i64) = sqlx::query_as(
            "SELECT current_setting('max_connections')::int, \
             current_setting('superuser_reserved_connections')::int, \
             (SELECT count(*) FROM pg_stat_activity \
              WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            max_connections: max_connections.unsigned_abs(),
            reserved: reserved.unsigned_abs(),
            others: u32::try_from(others).unwrap_or(u32::MAX),
        })
    }

    /// Connections that ordinary clients may have in all.
    pub fn available(&self) -> u32 {
        self.max_connections.saturating_sub(self.reserved)
    }
}

/// The process wants more connections than there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process needs {needed} database connections ({list}), and the server allows {} \
     (max_connections {}, {} reserved); raise max_connections there, or lower \
     --command-connections, --query-connections or --consumer-connections",
    .limits.available(), .limits.max_connections, .limits.reserved
)]
pub struct TooManyConnections {
    /// Connections in all.
    pub needed: u32,
    /// Which ones.
    pub list: String,
    /// What the server allows.
    pub limits: Limits,
}

/// The connections of one process, by purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    counts: [u32; Purpose::ALL.len()],
}

impl Budget {
    /// Computes what a process with these targets may open at most.
    pub fn new(targets: &Targets, sizes: PoolSizes) -> Self {
        let if_any = |on: bool, count: u32| if on { count } else { 0 };
        let counts = Purpose::ALL.map(|purpose| match purpose {
            Purpose::Commands => if_any(targets.any(Target::takes_commands), sizes.commands),
            // One numbers, one listens to those who append elsewhere, one is for upkeep.
            Purpose::Log => if_any(targets.has(Target::Relay), 3),
            Purpose::Relay => if_any(targets.has(Target::Relay), 2),
            Purpose::Evaluator => if_any(targets.has(Target::TierEvaluator), sizes.consumers),
            Purpose::Surveys => if_any(targets.has(Target::TierEvaluator), 1),
            Purpose::Projector => if_any(targets.has(Target::Projector), sizes.consumers),
            Purpose::Feeds => if_any(targets.any(Target::follows_the_log), 2),
            Purpose::Queries => if_any(targets.has(Target::Query), sizes.queries),
            Purpose::Reactions => if_any(targets.has(Target::Enrollment), 2),
            Purpose::Heartbeat => if_any(targets.any(Target::follows_the_log), 1),
            Purpose::Housekeeping => 1,
        });
        Self { counts }
    }

    /// Size of the pool for a purpose; 0 when no target of this process has it.
    pub fn of(&self, purpose: Purpose) -> u32 {
        self.counts[purpose as usize]
    }

    /// Connections in all.
    pub fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Holds the budget against what the server allows.
    ///
    /// # Errors
    /// When it does not fit; the text says what to change.
    pub fn check(&self, limits: Limits) -> Result<(), TooManyConnections> {
        if self.total() <= limits.available() {
            return Ok(());
        }
        Err(TooManyConnections {
            needed: self.total(),
            list: self.to_string(),
            limits,
        })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = Purpose::ALL
            .into_iter()
            .filter(|purpose| self.of(*purpose) > 0);
        let parts: Vec<String> = used
            .map(|purpose| format!("{} {}", purpose.name(), self.of(purpose)))
            .collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::MAX_CONNECTIONS;

    fn limits(max_connections: u32) -> Limits {
        Limits {
            max_connections,
            reserved: 3,
            others: 0,
        }
    }

    #[test]
    fn everything_in_one_process_fits_the_embedded_server_with_room_for_a_second() {
        let budget = Budget::new(&Targets::all(), PoolSizes::default());
        assert!(
            budget.total() * 2 <= limits(MAX_CONNECTIONS).available(),
            "{budget}"
        );
        assert_eq!(budget.of(Purpose::Commands), 8);
    }

    #[test]
    fn a_process_pays_only_for_what_it_runs() {
        let budget = Budget::new(&"query".parse().unwrap(), PoolSizes::default());
        assert_eq!(budget.to_string(), "queries 6, housekeeping 1");
        assert_eq!(budget.total(), 7);
    }

    #[test]
    fn a_budget_that_does_not_fit_names_the_numbers_and_the_flags() {
        let budget = Budget::new(&Targets::all(), PoolSizes::default());
        assert!(budget.check(limits(budget.total() + 3)).is_ok());
        let error = budget
            .check(limits(budget.total() + 2))
            .unwrap_err()
            .to_string();
        for part in ["commands 8", "max_connections", "--command-connections"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
