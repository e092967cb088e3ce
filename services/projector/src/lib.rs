//! Keeps the read models: folds the log into the tables of schema `read`.
//!
//! A read model is a [`Model`]: a row type, the key of the row that an event concerns, and a pure
//! fold. Everything else is the same for all: a batch is folded per row in memory and written
//! with one statement, in the transaction that moves the checkpoint. A projection never refuses an
//! event: what it cannot show it skips and counts. What cannot be *read* is another matter; the
//! consumer parks it.
//!
//! [`consumers`] keeps the tables up to date, [`rebuild`] builds one afresh beside the old one and
//! swaps them, [`verify`] folds the log in memory and compares.

mod fold;
mod handler;
mod model;
mod models;
mod rebuild;
mod run;
mod table;
mod verify;

pub use model::{Effect, Keeps, Model};
pub use models::{
    Benefits, Forms, NAMES, Partners, Programs, Segments, Standings, Submissions, TierHistory,
};
pub use rebuild::{RebuildError, RebuildProgress, rebuild};
pub use run::{Projection, ProjectionError, consumers, outdated};
pub use verify::{Difference, Sample, VerifyError, VerifyReport, verify};

use tierline_eventstore::{Migration, Migrations};

/// The tables of the read models.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "projector",
    files: &[
        Migration {
            name: "0001_read.sql",
            sql: include_str!("../migrations/0001_read.sql"),
        },
        Migration {
            name: "0002_json.sql",
            sql: include_str!("../migrations/0002_json.sql"),
        },
        Migration {
            name: "0003_applications.sql",
            sql: include_str!("../migrations/0003_applications.sql"),
        },
        Migration {
            name: "0004_segments.sql",
            sql: include_str!("../migrations/0004_segments.sql"),
        },
        Migration {
            name: "0005_benefits.sql",
            sql: include_str!("../migrations/0005_benefits.sql"),
        },
    ],
};
