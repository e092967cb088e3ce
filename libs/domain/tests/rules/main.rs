//! Requirement logic, by example and by property.
#![allow(
    clippy::unwrap_used,
    reason = "a test that can not go on says so by failing"
)]

mod arbitrary;
mod arbitrary_beyond;
mod arbitrary_definition;
mod beyond;
mod criteria;
mod explanations;
mod given;
mod incremental;
mod lint;
mod measures;
mod periods;
mod standard;
mod yaml;
