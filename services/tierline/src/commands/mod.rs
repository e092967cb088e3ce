//! One file per subcommand.

pub mod config;
pub mod migrate;
pub mod serve;
pub mod targets;
pub mod up;
