//! The API keys of an org: created, given new texts, revoked, and looked at.
//!
//! What a key opens is decided at the gate, in `libs/rpc`; here its life is kept. The text of a key
//! is shown once, in the answer to the request that made it, and is in no event, no receipt, no log
//! and no table.

mod convert;
mod service;
mod uses;

use tierline_eventstore::{Migration, Migrations};

pub use service::{ApiKeyService, api_key_server};
pub use uses::note_uses;

/// The table of uses.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "access",
    files: &[Migration {
        name: "0001_access.sql",
        sql: include_str!("../migrations/0001_access.sql"),
    }],
};
