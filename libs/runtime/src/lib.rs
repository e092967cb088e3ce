//! What every Tierline process needs around the business: where its data lives, the PostgreSQL it
//! may bring along, its configuration, its health page, its keys, and an orderly end.
//!
//! Nothing here knows a partner, a tier or an event; it does not depend on the domain.

pub mod config;
pub mod connections;
pub mod data_dir;
pub mod disk;
pub mod health;
pub mod keys;
pub mod nats;
pub mod ports;
pub mod postgres;
pub mod shutdown;
pub mod targets;
