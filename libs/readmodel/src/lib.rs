//! The read models: what a row of each looks like. The projector writes these rows, the query
//! service reads them; this crate is all that they share.
//!
//! Every table stands in schema `read` and has the columns `org_id`, `key`, `partition` and
//! `position` of the log event that last changed the row, `state` (the row as JSON), and columns
//! taken out of the row for filters and orders. What a table shows follows from the log alone.
//!
//! Deliberately absent: personal data of contacts and applicants, and whether events of a partner
//! are set aside (that is asked of `bus.parked` when a row is read).

mod application;
mod benefit;
mod decision;
mod partner;
mod program;
mod segment;
mod standing;

pub use application::{DecidedLine, FormColumns, FormRow, SubmissionColumns, SubmissionRow};
pub use benefit::{BenefitColumns, BenefitRow};
pub use decision::{DecisionCause, DecisionColumns, DecisionKind, DecisionRow};
pub use partner::{PartnerColumns, PartnerRow, StandingLine};
pub use program::{ProgramColumns, ProgramRow, PublishedRow};
pub use segment::{SegmentColumns, SegmentRow};
pub use standing::{StandingColumns, StandingRow};

use tierline_bus::ConsumerId;

/// Rank of a subject without a tier: behind every tier.
pub const NO_RANK: u16 = u16::MAX;

/// Builds `read.partners`.
pub const PARTNERS: ConsumerId = ConsumerId {
    name: "projector-partners",
    version: 1,
};
/// Builds `read.standings`.
pub const STANDINGS: ConsumerId = ConsumerId {
    name: "projector-standings",
    version: 1,
};
/// Builds `read.tier_history`.
pub const TIER_HISTORY: ConsumerId = ConsumerId {
    name: "projector-tier-history",
    version: 1,
};
/// Builds `read.programs`. Works on partition 0 alone, which carries every event of every program.
pub const PROGRAMS: ConsumerId = ConsumerId {
    name: "projector-programs",
    version: 1,
};
/// Builds `read.forms`.
pub const FORMS: ConsumerId = ConsumerId {
    name: "projector-forms",
    version: 1,
};
/// Builds `read.submissions`.
pub const SUBMISSIONS: ConsumerId = ConsumerId {
    name: "projector-submissions",
    version: 1,
};
/// Builds `read.segments`.
pub const SEGMENTS: ConsumerId = ConsumerId {
    name: "projector-segments",
    version: 1,
};
/// Builds `read.benefits`.
pub const BENEFITS: ConsumerId = ConsumerId {
    name: "projector-benefits",
    version: 1,
};
