//! What happens to a submission. These types are the storage format: a shape once written stays
//! readable.
//!
//! The answers are personal data of the applicant: they are in these events and nowhere else. The
//! same holds for notes of a decision.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{FormId, SubmissionId};
use crate::rules::Value;

/// The facts about a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubmissionEvent {
    /// A form was filled in.
    SubmissionReceived(Box<Received>),
    /// The org welcomes the applicant. No partner comes to be by it.
    SubmissionApproved(Decision),
    /// The org declines.
    SubmissionRejected(Decision),
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(SubmissionEvent, "tierline.application.v1", {
    SubmissionReceived = "1.0",
    SubmissionApproved = "1.0",
    SubmissionRejected = "1.0",
});

/// What was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Identifier of the submission.
    pub submission: SubmissionId,
    /// The form.
    pub form: FormId,
    /// The version of the form that was filled in.
    pub form_version: u32,
    /// When it was submitted, by the clock of the org.
    pub submit_time: Timestamp,
    /// The answers by the identifiers of their fields; a field without an answer is not here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, Value>,
    /// The agreements that were accepted, in the order of the form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreements: Vec<AcceptedAgreement>,
}

/// An agreement that an applicant accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedAgreement {
    /// Identifier of its section in the form.
    pub section: String,
    /// The version of the form that has the text which was accepted; it never changes.
    pub form_version: u32,
    /// When it was accepted, by the clock of the org.
    pub accept_time: Timestamp,
}

/// What was decided about a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who decided.
    pub decided_by: String,
    /// When, by the clock of the org.
    pub decide_time: Timestamp,
    /// A note for the org; may be empty, but not where the applicant was declined.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}
