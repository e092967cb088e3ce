//! The tier evaluator: facts in, standings out.
//!
//! A consumer of the log. For a batch of events it updates its facts, finds the enrollments they
//! touch, assesses each once and appends to the Standing streams, all in the transaction that
//! moves its checkpoint. It is the only writer of Standing streams.
//!
//! What requirements ask of others than the partner is observed by surveys of the whole org and
//! appended to Surroundings streams, which come in like every other event.
//!
//! Time is an input. The business date of an org moves with the clock of a sandbox, or with the
//! recorded time of what happens in it and, when nothing happens, with the real clock. Each
//! assessment says on which day it has to be looked at again; nothing is recomputed every night.

mod batch;
mod handler;
mod org;
mod partner;
mod store;
mod survey;

pub use handler::{Clock, Evaluator};
pub use survey::{Surveyed, Surveyor, Unsurveyed};

use tierline_eventstore::{Migration, Migrations};

/// The tables of the evaluator.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "tier-evaluator",
    files: &[
        Migration {
            name: "0001_eval.sql",
            sql: include_str!("../migrations/0001_eval.sql"),
        },
        Migration {
            name: "0002_storage.sql",
            sql: include_str!("../migrations/0002_storage.sql"),
        },
        Migration {
            name: "0003_surroundings.sql",
            sql: include_str!("../migrations/0003_surroundings.sql"),
        },
    ],
};
