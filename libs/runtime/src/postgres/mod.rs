//! A PostgreSQL of our own: found on the machine, initialised in the data folder, started, watched
//! and stopped by this process.
//!
//! The server listens on 127.0.0.1 only, with a generated password, on a port that is remembered
//! and given up for another one when somebody else took it. It runs in a process group of its own,
//! so that Ctrl-C reaches Tierline alone and the two end in the right order. Root cannot run
//! PostgreSQL; then an unprivileged account does, and owns `<data>/postgres` and nothing else.
//!
//! What it deliberately does not do: download a server, touch a server that the system runs, or
//! upgrade a cluster of another major version.

mod account;
mod binaries;
mod cluster;
mod error;
mod server;

pub use binaries::{Binaries, MIN_MAJOR};
pub use error::PostgresError;
pub use server::{EmbeddedPostgres, PostgresOptions, Stopped, last_url};

/// `max_connections` of the embedded server.
pub const MAX_CONNECTIONS: u32 = 72;
