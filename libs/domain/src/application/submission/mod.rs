//! Submissions: what somebody filled into a form, and what the org decided about it.

pub mod aggregate;
pub(crate) mod answers;
pub mod commands;
pub mod events;
pub mod yaml;

pub use aggregate::{Submission, SubmissionState};
pub use commands::{Review, SubmissionCommand, Submit};
pub use events::{AcceptedAgreement, Decision, Received, SubmissionEvent};
pub use yaml::{FilledIn, filled_in_from_yaml};
