//! The language of requirements: a typed tree.
//!
//! A tree can be checked, explained node by node, drawn as progress bars, compared between
//! versions and kept up to date incrementally. It is written in YAML exactly as the serde form of
//! these types, and sent over gRPC as the messages of the same names.

mod beyond;
mod condition;
mod measure;
mod requirement;
mod selection;

pub use beyond::{Across, Company, Line, Rank, RankForm, TiersHeld};
pub use condition::{Condition, Test};
pub use measure::{
    Grouping, Growth, InForce, Measure, MostPer, Per, Points, PointsEntry, Role, Roles, ScorePoint,
    ScoreStep, Take, Taken, Threshold, Validity, Weight, When, WhenZero,
};
pub use requirement::{
    Case, Criterion, Duration, ForEach, OfWhich, Otherwise, Path, Periods, Requirement, Sustained,
    Where,
};
pub use selection::{Addend, After, Selection, Window};

/// Deepest nesting of a requirement or condition.
pub const MAX_DEPTH: usize = 16;
/// Most nodes of one requirement tree, conditions included.
pub const MAX_NODES: usize = 500;

/// For serde: what is as by default is not written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
