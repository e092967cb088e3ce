//! What the tests of every crate share: databases to throw away, a server of one's own, and waiting
//! for a condition instead of sleeping.
//!
//! Everything here panics with an instruction when the surroundings are not as a test needs them: a
//! missing server is a failure, never a skipped test. The one exception is data that does not
//! ship with the project, see [`real_data`].

mod cluster;
mod database;
mod leaks;
mod nats;
pub mod otlp;
mod program;
mod real_data;
mod wait;

pub use cluster::{Cluster, ClusterBuilder};
pub use database::{TEST_DATABASE_URL, TestDatabase};
pub use leaks::{Canary, leaks};
pub use nats::{NATS_SERVERS, Nats};
pub use program::program;
pub use real_data::{REAL_DATA, real_data};
pub use wait::{eventually, eventually_some};
