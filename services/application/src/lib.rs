//! Applications to become a partner: forms and submissions, as gRPC commands.
//!
//! Nothing is decided here. A request becomes a command of the domain with its looked-up data, the
//! runner carries it out, and the folded state becomes the answer. An approval creates no partner,
//! and nobody submits without a token.

mod form;
mod submission;

pub use form::{FormService, form_server};
pub use submission::{SubmissionService, submission_server};
