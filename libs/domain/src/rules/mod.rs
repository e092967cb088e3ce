//! Requirement logic: facts in, a verdict with its explanation out.

pub mod fact;
pub mod model;
pub mod value;

pub use fact::{Fact, FactKind};
pub use model::{
    Addend, Condition, Criterion, Measure, OfWhich, Periods, Requirement, Selection, Test,
    Threshold, Window,
};
pub use value::Value;
