//! One file per subcommand.

pub mod application;
pub mod audit;
pub mod bench;
pub mod clock;
pub mod config;
pub mod database;
pub mod demo;
pub mod direct;
pub mod doctor;
pub mod enroll;
pub mod explain;
pub mod import;
pub mod key;
pub mod migrate;
pub mod org;
pub mod partners;
pub mod program;
pub mod ready;
pub mod rebuild;
pub mod serve;
pub mod show;
pub mod standing;
pub mod targets;
pub mod token;
pub mod up;
pub mod verify;
