//! Where an enrollment stands, and how that is decided.
//!
//! [`assess()`] is the pure function behind live evaluation, replay, audit and what-if: the same
//! inputs give the same events, today and in ten years.

pub mod aggregate;
pub mod assess;
pub mod events;
mod past;
pub mod replay;
pub mod subject;
#[cfg(test)]
mod tests;
pub mod trial;

pub use aggregate::{NoCommand, Process, Recommended, Standing};
pub use assess::{Assessment, assess, explain};
pub use events::{
    Basis, Cause, CriterionProgress, Direction, Ending, Evidence, Progress, StandingEvent,
    TierChange, TierProgress, TierSource,
};
pub use past::{OrgHistory, PartnerHistory, Place};
pub use subject::{Pin, Terms, Verdict, Version, in_force};
