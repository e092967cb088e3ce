//! `read.submissions`: a row per submission, without what the applicant wrote.

use tierline_bus::ConsumerId;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::application::{Decision, SubmissionEvent, SubmissionState};
use tierline_eventstore::LogEvent;
use tierline_readmodel::{DecidedLine, SUBMISSIONS, SubmissionColumns, SubmissionRow};

use crate::model::{Effect, Model, subject_of};

/// The submissions table.
pub struct Submissions;

impl Model for Submissions {
    type Row = SubmissionRow;
    type Columns<'a> = SubmissionColumns<'a>;

    const NAME: &'static str = "submissions";
    const CONSUMER: ConsumerId = SUBMISSIONS;
    const BUILDER: ConsumerId = ConsumerId {
        name: "projector-submissions-build",
        version: SUBMISSIONS.version,
    };
    const READS: &'static [&'static str] = &["Submission"];
    const SELDOM: bool = true;
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("form", "text"),
        ("form_version", "integer"),
        ("review", "text"),
        ("submit_time", "timestamptz"),
        ("decided_by", "text"),
        ("decide_time", "timestamptz"),
    ];

    fn key(event: &LogEvent, _content: &AnyEvent) -> Option<String> {
        subject_of(event).map(str::to_owned)
    }

    fn fold(row: &mut Option<SubmissionRow>, _event: &LogEvent, content: &AnyEvent) -> Effect {
        let AnyEvent::Submission(change) = content else {
            return Effect::Unchanged;
        };
        match (row.as_mut(), change) {
            (_, SubmissionEvent::Unknown { .. }) => Effect::Skipped("event_unknown"),
            (None, SubmissionEvent::SubmissionReceived(received)) => {
                *row = Some(SubmissionRow {
                    submission: received.submission.clone(),
                    form: received.form.clone(),
                    form_version: received.form_version,
                    state: SubmissionState::Pending,
                    submit_time: received.submit_time,
                    decided: None,
                });
                Effect::Changed
            }
            (Some(_), SubmissionEvent::SubmissionReceived(_)) => {
                Effect::Skipped("submission_received_twice")
            }
            (None, _) => Effect::Skipped("submission_unknown"),
            (Some(row), SubmissionEvent::SubmissionApproved(decision)) => {
                decided(row, SubmissionState::Approved, decision)
            }
            (Some(row), SubmissionEvent::SubmissionRejected(decision)) => {
                decided(row, SubmissionState::Rejected, decision)
            }
        }
    }

    fn columns(row: &SubmissionRow) -> SubmissionColumns<'_> {
        row.columns()
    }
}

fn decided(row: &mut SubmissionRow, state: SubmissionState, decision: &Decision) -> Effect {
    row.state = state;
    row.decided = Some(DecidedLine {
        by: decision.decided_by.clone(),
        at: decision.decide_time,
    });
    Effect::Changed
}
