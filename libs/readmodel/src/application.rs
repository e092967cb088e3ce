//! Forms and submissions: a row for each.
//!
//! Deliberately absent: answers and notes. They are personal data of applicants; whoever may see
//! them asks the application service for the submission itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tierline_domain::application::SubmissionState;
use tierline_domain::{FormId, SubmissionId};

/// A form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormRow {
    /// Identifier.
    pub form: FormId,
    /// The heading: of the newest version, before the first one that of the draft.
    pub title: String,
    /// Number of the newest published version; 0 before the first.
    pub newest_version: u32,
    /// When it was recorded that this version was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_time: Option<Timestamp>,
    /// True while there is a draft of the next version.
    pub has_draft: bool,
    /// When it was recorded that the form exists.
    pub create_time: Timestamp,
    /// When a change was last recorded.
    pub update_time: Timestamp,
}

/// The columns of `read.forms` beside the common ones.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the columns of the table, under their names")]
pub struct FormColumns<'a> {
    pub title: &'a str,
    pub published: bool,
    pub has_draft: bool,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

impl FormRow {
    /// What stands in the columns.
    pub fn columns(&self) -> FormColumns<'_> {
        FormColumns {
            title: &self.title,
            published: self.newest_version > 0,
            has_draft: self.has_draft,
            create_time: self.create_time,
            update_time: self.update_time,
        }
    }
}

/// A submission, without anything that the applicant wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionRow {
    /// Identifier.
    pub submission: SubmissionId,
    /// The form.
    pub form: FormId,
    /// The version of the form that was filled in.
    pub form_version: u32,
    /// How far it has come.
    pub state: SubmissionState,
    /// When it was submitted, by the clock of the org.
    pub submit_time: Timestamp,
    /// Who decided, and when by the clock of the org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<DecidedLine>,
}

/// Who decided about a submission, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedLine {
    /// Who.
    pub by: String,
    /// When, by the clock of the org.
    pub at: Timestamp,
}

/// The columns of `read.submissions` beside the common ones.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the columns of the table, under their names")]
pub struct SubmissionColumns<'a> {
    pub form: &'a FormId,
    pub form_version: u32,
    pub review: SubmissionState,
    pub submit_time: Timestamp,
    pub decided_by: Option<&'a str>,
    pub decide_time: Option<Timestamp>,
}

impl SubmissionRow {
    /// What stands in the columns.
    pub fn columns(&self) -> SubmissionColumns<'_> {
        let decided = self.decided.as_ref();
        SubmissionColumns {
            form: &self.form,
            form_version: self.form_version,
            review: self.state,
            submit_time: self.submit_time,
            decided_by: decided.map(|line| line.by.as_str()),
            decide_time: decided.map(|line| line.at),
        }
    }
}
