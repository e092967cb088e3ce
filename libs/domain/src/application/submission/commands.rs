//! What may be asked of a submission.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::application::form::FormContent;
use crate::ids::{FormId, SubmissionId};
use crate::rules::Value;

/// The commands of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmissionCommand {
    /// Take what was filled in.
    Submit(Box<Submit>),
    /// Welcome the applicant. Again: nothing to do.
    Approve(Review),
    /// Decline. Again: nothing to do.
    Reject(Review),
}

/// Take what was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// Identifier of the submission.
    pub submission: SubmissionId,
    /// The form.
    pub form: FormId,
    /// The version that was filled in.
    pub form_version: u32,
    /// What that version says; looked up.
    pub content: Box<FormContent>,
    /// The answers by the identifiers of their fields.
    pub answers: BTreeMap<String, Value>,
    /// The sections whose agreements are accepted.
    pub accepted: Vec<String>,
    /// The time in the org.
    pub now: Timestamp,
}

/// A decision about a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Who decides.
    pub by: String,
    /// A note for the org; required where the applicant is declined.
    pub note: String,
    /// The time in the org.
    pub now: Timestamp,
}
