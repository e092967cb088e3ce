//! What a change of a program would do, before it is made: with the same assessment that decides
//! tiers, on what the log says of a partner.
//!
//! - [`preview()`] takes every standing as it was recorded and asks what follows when the draft
//!   comes into force.
//! - [`backtest()`] plays the past again as if the draft had been in force from the beginning, and
//!   compares with what was recorded, on days of the past.

mod backtest;
mod compare;
mod course;
mod preview;

use jiff::civil::Date;
use serde::Serialize;

use crate::ids::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use crate::program::ProgramDefinition;

pub use backtest::backtest;
pub use preview::{Previewed, Supposed, preview};

/// A definition that is tried for a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The program.
    pub program: ProgramId,
    /// What it would say. Absent: the versions that were published, each from its date.
    pub definition: Option<Box<ProgramDefinition>>,
}

/// Where an enrollment stands on a day, on one side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stand {
    /// The tier.
    pub tier: TierId,
    /// Its name.
    pub name: String,
    /// Its place on the ladder of its side: 0 is the highest; absent: not on that ladder.
    pub rank: Option<usize>,
    /// The day on which the tier is lost if nothing changes, while a demotion process runs.
    pub at_risk_until: Option<Date>,
    /// The tier that a person is asked to decide about.
    pub recommended: Option<TierId>,
}

/// What differs between the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// A higher tier.
    Promoted,
    /// A lower tier.
    Demoted,
    /// The same tier, and a person is asked for a higher one.
    PromotionRecommended,
    /// The same tier, and a person is asked for a lower one.
    DemotionRecommended,
    /// The same tier, and a demotion process runs that does not run on the other side.
    PutAtRisk,
    /// The same tier, and no demotion process where one runs on the other side.
    NoLongerAtRisk,
    /// The same.
    Unchanged,
}

/// A criterion that decided, and how far it is from what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deciding {
    /// Identifier of the criterion.
    pub id: String,
    /// What a person reads.
    pub name: String,
    /// The number measured; absent: not known.
    pub measured: Option<String>,
    /// What is asked for.
    pub required: String,
    /// How much is wanting, or too much.
    pub gap: Option<String>,
}

/// One enrollment on one day: as it is, and as it would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The partner.
    pub partner: PartnerId,
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// The track.
    pub track: TrackId,
    /// The day.
    pub on: Date,
    /// As it is; absent: not open on that day.
    pub before: Option<Stand>,
    /// As it would be; absent: not open on that day.
    pub after: Option<Stand>,
    /// What differs.
    pub movement: Movement,
    /// The criteria that decided: for what is lost, those that the draft asks for and that are not
    /// met; for what is gained, those of the present rules that are not met. The one that is
    /// furthest from its threshold comes first. At most [`MAX_DECIDING`].
    pub deciding: Vec<Deciding>,
}

/// Most criteria that are named as deciding.
pub const MAX_DECIDING: usize = 20;
