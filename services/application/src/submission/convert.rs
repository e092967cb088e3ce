//! Submissions between the contract and the domain.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tierline_domain::application::{Submission, SubmissionState};
use tierline_domain::rules::Value;
use tierline_proto::application::v1 as pb;
use tierline_proto::common::v1 as common;
use tierline_rpc::convert::{Reader, common as c};

/// The answers of a request. One that cannot be read is noted, and stands as empty.
pub(super) fn answers(
    r: &mut Reader,
    messages: BTreeMap<String, common::Value>,
) -> BTreeMap<String, Value> {
    r.at("answers", |r| {
        let read = messages.into_iter().filter_map(|(field, message)| {
            let value = r.at(&field, |r| c::value(r, message))?;
            Some((field, value))
        });
        read.collect()
    })
}

/// Whether a message has what the applicant wrote and the note of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Personal {
    /// It has.
    Shown,
    /// It has not: the answers to commands are kept for repetitions, beside the log.
    LeftOut,
}

/// A submission as the contract writes it.
pub(super) fn message(
    id: &str,
    submission: &Submission,
    version: u64,
    personal: Personal,
) -> pb::Submission {
    let mut message = pb::Submission {
        submission_id: id.to_owned(),
        state: state_message(submission.state()).into(),
        decision: submission
            .decision()
            .map(|decision| pb::SubmissionDecision {
                decided_by: decision.decided_by.clone(),
                decide_time: instant(decision.decide_time),
                note: match personal {
                    Personal::Shown => decision.note.clone(),
                    Personal::LeftOut => String::new(),
                },
            }),
        etag: tierline_rpc::command::etag(version),
        ..pb::Submission::default()
    };
    let Some(received) = submission.received() else {
        return message;
    };
    message.form_id = received.form.to_string();
    message.form_version = received.form_version;
    message.submit_time = instant(received.submit_time);
    if personal == Personal::Shown {
        message.answers = c::attributes_message(&received.answers);
    }
    let accepted = received.agreements.iter();
    message.agreements = accepted
        .map(|agreement| pb::AcceptedAgreement {
            section_id: agreement.section.clone(),
            form_version: agreement.form_version,
            accept_time: instant(agreement.accept_time),
        })
        .collect();
    message
}

fn state_message(state: SubmissionState) -> pb::SubmissionState {
    match state {
        SubmissionState::Pending => pb::SubmissionState::Pending,
        SubmissionState::Approved => pb::SubmissionState::Approved,
        SubmissionState::Rejected => pb::SubmissionState::Rejected,
    }
}

fn instant(at: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    })
}
