//! From the log to its consumers.
//!
//! A consumer reads its partitions in order, applies a batch and moves its checkpoint in one
//! transaction, fenced by the epoch of its lease. So an event may be delivered twice and still
//! takes effect once. What cannot be applied is parked with everything later of the same routing
//! key, and the rest goes on.
//!
//! Feeds are interchangeable: the [`LogFeed`] reads the log itself, woken by the sequencer; the
//! feed of [`jetstream`] takes what the relay published and reads the log where something is
//! missing. What is deliberately absent: any state of a feed that the log could not restore.

mod applier;
mod behind;
mod checkpoint;
pub mod cloudevent;
mod consumer;
mod decode;
mod feed;
mod history;
pub mod jetstream;
mod lease;
mod lookout;
mod membership;
pub mod parked;
mod waiting;

pub use behind::Distance;
pub use checkpoint::{Checkpoints, Lag};
pub use consumer::{Consumer, ConsumerError, Handler, HandlerError, Options};
pub use decode::decode;
pub use feed::{Events, Feed, LogFeed, Positions, SharedLog, Source};
pub use history::{Mismatch, Sighting};
pub use jetstream::RELAY;
pub use lease::{BEAT, LEASE_TIME, Leases};
pub use lookout::Places;
pub use membership::Membership;
pub use waiting::{Behind, Progress, Waiter};

use tierline_eventstore::{Migration, Migrations};

/// The tables of this crate.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "bus",
    files: &[
        Migration {
            name: "0001_bus.sql",
            sql: include_str!("../migrations/0001_bus.sql"),
        },
        Migration {
            name: "0002_given_up.sql",
            sql: include_str!("../migrations/0002_given_up.sql"),
        },
        Migration {
            name: "0003_members.sql",
            sql: include_str!("../migrations/0003_members.sql"),
        },
        Migration {
            name: "0010_operators.sql",
            sql: include_str!("../migrations/0010_operators.sql"),
        },
    ],
};

/// The permanent name of a consumer, and the version of what it builds. A changed consumer gets a
/// new version and starts from the beginning beside the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerId {
    /// Permanent name.
    pub name: &'static str,
    /// Version of what it builds.
    pub version: i32,
}

/// The tier evaluator: reads facts, writes standings.
pub const TIER_EVALUATOR: ConsumerId = ConsumerId {
    name: "tier-evaluator",
    version: 1,
};

impl std::fmt::Display for ConsumerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-v{}", self.name, self.version)
    }
}
