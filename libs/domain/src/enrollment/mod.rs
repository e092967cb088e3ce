//! Enrollments: who takes part in which track of which program, and what people decided about it.

pub mod aggregate;
pub(crate) mod check;
pub mod commands;
pub mod events;

pub use aggregate::{Enrollment, EnrollmentState, TierPin};
pub use commands::{DecideRecommendation, Enroll, EnrollmentCommand, PinTier, TrackFacts};
pub use events::{Direction, Enrolled, EnrollmentEvent};
