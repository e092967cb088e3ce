//! The submission: what was filled in, and what was decided.

use serde::{Deserialize, Serialize};

use crate::aggregate::{Decide, Entity, Routing, refuse_unreadable};
use crate::application::submission::answers::{checked_agreements, checked_answers};
use crate::application::submission::commands::{Review, SubmissionCommand, Submit};
use crate::application::submission::events::{Decision, Received, SubmissionEvent};
use crate::ids::check_label;
use crate::limits;
use crate::partner::profile::label;
use crate::rejection::{Kind, Rejection, Violations};

label!(
    /// How far a submission has come.
    SubmissionState {
        /// Nobody has decided yet.
        Pending = "pending",
        /// The applicant is welcome.
        Approved = "approved",
        /// The applicant was declined.
        Rejected = "rejected",
    }
);

/// A submission, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    received: Option<Received>,
    approved: bool,
    decision: Option<Decision>,
    unreadable: bool,
}

crate::aggregate!(Submission, "Submission");

impl Submission {
    /// What was submitted, once the submission exists.
    pub fn received(&self) -> Option<&Received> {
        self.received.as_ref()
    }

    /// How far it has come.
    pub fn state(&self) -> SubmissionState {
        match (&self.decision, self.approved) {
            (None, _) => SubmissionState::Pending,
            (Some(_), true) => SubmissionState::Approved,
            (Some(_), false) => SubmissionState::Rejected,
        }
    }

    /// What was decided, once somebody has.
    pub fn decision(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    fn submit(&self, submit: Submit) -> Result<Vec<SubmissionEvent>, Rejection> {
        if self.received.is_some() {
            return Err(Rejection::already_exists("submission", &submit.submission));
        }
        let Submit {
            submission,
            form,
            form_version,
            content,
            answers,
            accepted,
            now,
        } = submit;
        let mut v = Violations::default();
        v.take("", check_label("submission_id", submission.as_str()));
        v.take("", check_label("form_id", form.as_str()));
        let answers = checked_answers(&mut v, &content, answers);
        let agreements = checked_agreements(&mut v, (&content, form_version), &accepted, now);
        v.check()?;
        Ok(vec![SubmissionEvent::SubmissionReceived(Box::new(
            Received {
                submission,
                form,
                form_version,
                submit_time: now,
                answers,
                agreements,
            },
        ))])
    }

    /// The event of a decision; none when the same was decided before. A decision is final.
    fn decided(
        &self,
        review: Review,
        to: SubmissionState,
        event: fn(Decision) -> SubmissionEvent,
    ) -> Result<Vec<SubmissionEvent>, Rejection> {
        let mut v = Violations::default();
        limits::check_name(&mut v, "by", &review.by, limits::NAME);
        match to {
            SubmissionState::Rejected => limits::check_reason(&mut v, "note", &review.note),
            _ => limits::check_note(&mut v, "note", &review.note),
        }
        v.check()?;
        if self.received.is_none() {
            return Err(Rejection::new(
                Kind::NotFound,
                "SUBMISSION_NOT_FOUND",
                "the submission does not exist",
            ));
        }
        match self.state() {
            SubmissionState::Pending => Ok(vec![event(Decision {
                decided_by: review.by,
                decide_time: review.now,
                note: review.note,
            })]),
            state if state == to => Ok(Vec::new()),
            state => Err(Rejection::precondition(
                format!("SUBMISSION_{}", state.as_str().to_uppercase()),
                format!("the submission was {state} already, and that is final"),
            )),
        }
    }
}

impl Decide for Submission {
    type Command = SubmissionCommand;
    type Event = SubmissionEvent;

    fn decide(&self, command: SubmissionCommand) -> Result<Vec<SubmissionEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            SubmissionCommand::Submit(submit) => self.submit(*submit),
            SubmissionCommand::Approve(review) => self.decided(
                review,
                SubmissionState::Approved,
                SubmissionEvent::SubmissionApproved,
            ),
            SubmissionCommand::Reject(review) => self.decided(
                review,
                SubmissionState::Rejected,
                SubmissionEvent::SubmissionRejected,
            ),
        }
    }

    fn evolve(&mut self, event: &SubmissionEvent) {
        match event {
            SubmissionEvent::SubmissionReceived(received) => {
                self.received = Some((**received).clone());
            }
            SubmissionEvent::SubmissionApproved(decision) => {
                self.approved = true;
                self.decision = Some(decision.clone());
            }
            SubmissionEvent::SubmissionRejected(decision) => {
                self.approved = false;
                self.decision = Some(decision.clone());
            }
            SubmissionEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Submission {
    fn routing(&self) -> Option<Routing> {
        self.received.as_ref().map(|received| Routing::Alone {
            kind: "submission",
            id: received.submission.to_string(),
        })
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
