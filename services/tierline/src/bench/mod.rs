//! Measurements of a running Tierline against what the same PostgreSQL does without it.
//!
//! A figure is a file in `figures/`. Raw limits (`raw.rs`) are taken in the same round, on the
//! same server, and every figure that has one is given as a ratio to it. What is deliberately
//! absent: any use of these numbers by the product, and any test that asserts a time.

mod deals;
mod figures;
mod load;
mod machine;
mod nats;
mod node;
mod process;
mod raw;
mod report;
mod run;
mod server;
mod world;

pub use figures::{FIGURES, Figure};
pub use machine::Machine;
pub use report::{Report, Sample, progress};
pub use run::{Plan, Run};
pub use server::Server;
