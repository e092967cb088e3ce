//! The event store: aggregates of cqrs-es on PostgreSQL, with one global order.
//!
//! - [`Runner`] carries out commands: load, decide, append, answer.
//! - [`EventStore`] holds what one process shares: writers, loaders, cache.
//! - [`append_in`] writes events inside a transaction of the caller.
//! - [`Sequencer`] numbers committed events into the log; [`LogReader`] reads them.
//! - [`Migrations`] brings schemas up to date, ours ([`MIGRATIONS`]) and those of other crates.
//!
//! Of cqrs-es the store uses `Aggregate`, `DomainEvent`, `EventSink` and the upcasters, of
//! postgres-es the table layout. It deliberately uses neither their snapshots nor their replay:
//! tests in `tests/` show what goes wrong there.

mod append;
pub mod bell;
mod cache;
mod codec;
pub mod crowd;
mod epoch;
mod error;
mod instant;
mod keys;
mod lineage;
mod load;
pub mod maintenance;
mod migrate;
mod pool;
mod queue;
mod reader;
mod runner;
mod sequencer;
#[cfg(feature = "stock")]
pub mod stock;
mod store;
mod turns;
mod vitals;

pub use append::{
    AppendFailure, AppendInError, AppendItem, NewEvent, NewReceipt, StoredReceipt, append_in,
};
pub use codec::{Codec, Decoded, RawEvent, RawRef};
pub use cqrs_es::persist::{EventUpcaster, SemanticVersionEventUpcaster};
pub use epoch::{Epoch, VoidRange};
pub use error::CommandError;
pub use keys::{PARTITIONS, event_id, leaf_hash, partition_of, routing_hash, routing_key};
pub use lineage::generation;
pub use migrate::{Migration, MigrationError, Migrations};
pub use pool::{DbError, connect, connect_relaxed, end_standing_still, process_id};
pub use reader::{LogEvent, LogReader, MAX_READ, Place, ReadError};
pub use runner::{
    BulkItem, CommandContext, Committed, ConsistencyPoint, Outcome, RequestKey, Runner,
};
pub use sequencer::{DEFAULT_BATCH, Heads, Sequencer};
pub use store::{EventStore, Loaded, StoreOptions};
pub use vitals::Vitals;

/// The schema of the event store.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "eventstore",
    files: &[
        Migration {
            name: "0001_log.sql",
            sql: include_str!("../migrations/0001_log.sql"),
        },
        Migration {
            name: "0002_numbers_on_disk.sql",
            sql: include_str!("../migrations/0002_numbers_on_disk.sql"),
        },
        Migration {
            name: "0003_log_epochs.sql",
            sql: include_str!("../migrations/0003_log_epochs.sql"),
        },
        Migration {
            name: "0010_statistics.sql",
            sql: include_str!("../migrations/0010_statistics.sql"),
        },
    ],
};
