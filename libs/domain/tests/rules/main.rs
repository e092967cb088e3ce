//! Requirement logic, by example and by property.

mod arbitrary;
mod criteria;
mod explanations;
mod given;
mod incremental;
mod periods;
mod standard;
mod yaml;
