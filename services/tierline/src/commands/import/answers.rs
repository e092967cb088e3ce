//! Answers to rows as results of a file.

use tierline_importer::{Kind, Outcome, Stored};
use tierline_proto::common::v1::{RowError, RowOutcome, RowResult};
use tierline_rpc::status::{UNAVAILABLE, UNKNOWN_OUTCOME};
use tonic::{Code, Status};

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// The stable reason of a refusal.
    pub(super) label: Option<String>,
    /// The same record may be sent again and may then succeed.
    pub(super) again: bool,
}

impl Answer {
    /// The answer to a row.
    pub(super) fn of(kind: Kind, result: &RowResult) -> Self {
        let stored = |how| Outcome::Stored { how, note: None };
        let outcome = match result.outcome() {
            RowOutcome::Created | RowOutcome::Updated if kind == Kind::Rates => {
                stored(Stored::Published)
            }
            RowOutcome::Created => stored(Stored::Created),
            RowOutcome::Updated => stored(Stored::Updated),
            RowOutcome::Unchanged => Outcome::Unchanged,
            RowOutcome::Rejected | RowOutcome::Unspecified => {
                return Self::refused(result.error.as_ref());
            }
        };
        Self {
            outcome,
            label: None,
            again: false,
        }
    }

    fn refused(error: Option<&RowError>) -> Self {
        let Some(error) = error else {
            // A server of another version; the row is not taken for good.
            return Self {
                outcome: rejected(
                    "",
                    "the server gave an answer that this version does not know",
                ),
                label: None,
                again: false,
            };
        };
        let first = error.violations.first();
        let field = first.map_or("", |violation| field_of_file(&violation.field));
        let mut text = error.message.clone();
        if error.violations.len() > 1 {
            for violation in &error.violations {
                let field = field_of_file(&violation.field);
                text.push_str(&format!("; {field} {}", violation.description));
            }
        }
        Self {
            outcome: rejected(field, &text),
            label: Some(error.reason.clone()),
            again: error.retryable,
        }
    }

    /// True when the server could not find out what to do with the record. It is not refused, and
    /// an import does not go on without it.
    pub(super) fn is_outage(&self) -> bool {
        let outage = |reason| matches!(reason, UNAVAILABLE | UNKNOWN_OUTCOME);
        self.again && self.label.as_deref().is_some_and(outage)
    }

    /// The text of a refusal.
    pub(super) fn text(&self) -> &str {
        match &self.outcome {
            Outcome::Rejected { text, .. } => text,
            _ => "",
        }
    }
}

fn rejected(field: &str, text: &str) -> Outcome {
    Outcome::Rejected {
        field: field.to_owned(),
        text: text.to_owned(),
        allowed: String::new(),
    }
}

/// The path of a field without the message in which it travels.
fn field_of_file(path: &str) -> &str {
    ["record.", "partner."]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix))
        .unwrap_or(path)
}

/// True when a failed call may succeed if it is made again: the server is away or busy, or the
/// connection broke. Records describe a state, so that sending them twice does no harm.
pub(super) fn may_repeat(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted
        | Code::ResourceExhausted => true,
        // Every refusal of a service has details; a connection that breaks has none.
        Code::Internal => status.details().is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tierline_proto::common::v1::Violation;

    use super::*;

    fn result(outcome: RowOutcome, error: Option<RowError>) -> RowResult {
        RowResult {
            row: 1,
            id: "x".to_owned(),
            outcome: outcome.into(),
            error,
        }
    }

    fn error(reason: &str, fields: &[&str], retryable: bool) -> RowError {
        let violation = |field: &&str| Violation {
            field: (*field).to_owned(),
            description: "must not be so".to_owned(),
        };
        RowError {
            reason: reason.to_owned(),
            message: "no".to_owned(),
            violations: fields.iter().map(violation).collect(),
            retryable,
        }
    }

    #[test]
    fn outcomes_keep_their_names() {
        let name = |kind, outcome| Answer::of(kind, &result(outcome, None)).outcome.as_str();
        assert_eq!(name(Kind::Deals, RowOutcome::Created), "created");
        assert_eq!(name(Kind::Deals, RowOutcome::Updated), "updated");
        assert_eq!(name(Kind::Deals, RowOutcome::Unchanged), "unchanged");
        assert_eq!(name(Kind::Rates, RowOutcome::Updated), "published");
        assert_eq!(name(Kind::Rates, RowOutcome::Unchanged), "unchanged");
        assert_eq!(name(Kind::Deals, RowOutcome::Unspecified), "rejected");
    }

    #[test]
    fn a_refusal_names_its_field_and_every_violation() {
        let refused = error("INVALID", &["record.closed_date", "partner_id"], false);
        let answer = Answer::of(Kind::Deals, &result(RowOutcome::Rejected, Some(refused)));
        assert_eq!(answer.label.as_deref(), Some("INVALID"));
        let Outcome::Rejected { field, text, .. } = answer.outcome else {
            panic!()
        };
        assert_eq!(field, "closed_date");
        assert_eq!(
            text,
            "no; closed_date must not be so; partner_id must not be so"
        );
    }

    #[test]
    fn only_a_server_in_trouble_is_an_outage() {
        let answer = |reason, retryable| {
            let refused = error(reason, &[], retryable);
            Answer::of(Kind::Deals, &result(RowOutcome::Rejected, Some(refused)))
        };
        assert!(answer(UNAVAILABLE, true).is_outage());
        assert!(answer(UNKNOWN_OUTCOME, true).is_outage());
        let conflict = answer("CONFLICT", true);
        assert!(conflict.again && !conflict.is_outage());
        assert!(!answer("PARTNER_NOT_FOUND", false).again);
    }

    #[test]
    fn what_a_service_refuses_is_not_repeated_and_a_broken_connection_is() {
        for status in [
            Status::unavailable(""),
            Status::unknown("transport error"),
            Status::internal("h2 protocol error"),
            tierline_rpc::status::unknown_outcome("r"),
        ] {
            assert!(may_repeat(&status), "{status:?}");
        }
        for status in [
            Status::unauthenticated(""),
            Status::permission_denied(""),
            Status::invalid_argument(""),
            Status::failed_precondition(""),
            tierline_rpc::internal(&std::io::Error::other("bug")),
        ] {
            assert!(!may_repeat(&status), "{status:?}");
        }
    }
}
