//! The business of Tierline, and nothing else.
//!
//! Every rule lives here: commands, events, state, decisions, requirement logic and tier
//! assessment. The crate is pure: no I/O, no clock, no database, no generated code, no tracing.
//! Time, the actor and looked-up data arrive as plain values, so that a verdict computed today can
//! be computed again in ten years and give the same bytes.

pub mod access;
pub mod activity;
pub mod aggregate;
pub mod any_event;
pub mod application;
pub mod benefit;
pub mod enrollment;
pub mod ids;
pub mod limits;
pub mod money;
pub mod partner;
pub mod personal;
pub mod program;
mod ratio;
pub mod rejection;
pub mod rules;
pub mod schema;
pub mod segment;
pub mod standing;
pub mod surroundings;
pub mod time;
mod upcasters;

#[cfg(test)]
mod test_support;

pub use aggregate::{Claim, Decide, Decider, Entity, Routing, StoredEvent};
pub use ids::{
    ApiKeyId, BenefitId, CertificationId, DealId, EnrollmentId, FormId, OrgId, PartnerId,
    ProgramId, RecordId, SegmentId, StreamId, SubmissionId, TierId, TrackId,
};
pub use money::{Currency, Money};
pub use rejection::{Kind, Rejection, Violation};
pub use upcasters::upcasters;
