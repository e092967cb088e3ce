//! One file per subcommand.

pub mod clock;
pub mod config;
pub mod demo;
pub mod enroll;
pub mod migrate;
pub mod org;
pub mod program;
pub mod serve;
pub mod targets;
pub mod token;
pub mod up;
