//! Refusals and failures as gRPC statuses, and statuses as text for people.
//!
//! Every status carries an `ErrorInfo` with a stable reason. The cause of an internal error is
//! logged once under a random id; the caller gets the id and nothing else.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use tierline_domain::{Kind, Rejection, Violation};
use tierline_eventstore::CommandError;
use tierline_proto::common::v1 as pb;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt};
use uuid::Uuid;

use crate::limits::{MAX_STATUS_MESSAGE_BYTES, MAX_VIOLATION_BYTES};

/// The `domain` of every `ErrorInfo`.
pub const DOMAIN: &str = "tierline";
/// Reason when it is not known whether a command was carried out.
pub const UNKNOWN_OUTCOME: &str = "UNKNOWN_OUTCOME";
/// Reason when a dependency is down.
pub const UNAVAILABLE: &str = "UNAVAILABLE";
/// Reason when this process has more to do than it has database connections or places for.
pub const OVERLOADED: &str = "OVERLOADED";
/// Reason when a read model did not catch up with a consistency token in time.
pub const READ_MODEL_BEHIND: &str = "READ_MODEL_BEHIND";
/// Reason of a bug.
pub const INTERNAL: &str = "INTERNAL";
/// Reason when there is no valid token.
pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
/// Reason when no role of the caller allows the method.
pub const ROLE_REQUIRED: &str = "ROLE_REQUIRED";

/// Reason when an API key does what is for people.
pub const PERSON_REQUIRED: &str = "PERSON_REQUIRED";

/// What a caller waits before it tries again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The status code of a kind of refusal.
pub fn code_of(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::Precondition => Code::FailedPrecondition,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::Conflict => Code::Aborted,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::DataLoss => Code::DataLoss,
    }
}

/// A refusal as a status with its details.
pub fn from_rejection(rejection: &Rejection) -> Status {
    let message = cut(&rejection.message, MAX_STATUS_MESSAGE_BYTES);
    let mut metadata = HashMap::new();
    let resource = rejection
        .resource
        .as_deref()
        .map(|resource| cut(resource, 200));
    if let Some(resource) = &resource {
        metadata.insert("resource".to_owned(), resource.clone());
    }
    let mut details = ErrorDetails::with_error_info(cut(&rejection.reason, 100), DOMAIN, metadata);
    match rejection.kind {
        Kind::Invalid => {
            details.set_bad_request(field_violations(&rejection.violations));
        }
        Kind::Precondition => {
            details.set_precondition_failure(vec![PreconditionViolation::new(
                cut(&rejection.reason, 100),
                resource.clone().unwrap_or_default(),
                message.clone(),
            )]);
        }
        Kind::Exhausted => {
            details.set_retry_info(Some(RETRY_DELAY));
        }
        Kind::NotFound | Kind::AlreadyExists => {
            let resource = resource.clone().unwrap_or_default();
            let kind = resource.split('/').next().unwrap_or_default().to_owned();
            details.set_resource_info(kind, resource, "", message.clone());
        }
        Kind::Forbidden | Kind::Conflict | Kind::DataLoss => {}
    }
    Status::with_error_details(code_of(rejection.kind), message, details)
}

/// The failure of a command as a status.
pub fn from_command_error(error: &CommandError) -> Status {
    match error {
        CommandError::Rejected(rejection) => from_rejection(rejection),
        CommandError::UnknownOutcome { request_id } => {
            unknown_outcome(request_id.as_deref().unwrap_or_default())
        }
        CommandError::Unavailable(Some(cause)) if cause.is_exhausted() => overloaded(),
        CommandError::Unavailable(cause) => {
            tracing::warn!(
                cause = chain_of(cause.as_ref()),
                "the event store is not available"
            );
            unavailable(
                UNAVAILABLE,
                "the event store is not available; try again in a moment",
            )
        }
        CommandError::Internal(cause) => internal(cause.as_ref()),
    }
}

/// It is not known whether the command was carried out.
pub fn unknown_outcome(request_id: &str) -> Status {
    let message = if request_id.is_empty() {
        "it is not known whether the command was carried out; look before you send it again, and \
         send a request_id next time"
            .to_owned()
    } else {
        format!(
            "it is not known whether the command was carried out; send it again with the same \
             request_id {request_id}"
        )
    };
    let metadata = HashMap::from([("request_id".to_owned(), request_id.to_owned())]);
    let mut details = ErrorDetails::with_error_info(UNKNOWN_OUTCOME, DOMAIN, metadata);
    details.set_request_info(request_id, "");
    Status::with_error_details(Code::Unknown, message, details)
}

/// Something that this call needs does not answer or is behind; the call may be repeated.
pub fn unavailable(reason: &str, message: &str) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(RETRY_DELAY));
    Status::with_error_details(Code::Unavailable, message, details)
}

/// This process has more to do than it has database connections or places for; nothing happened,
/// and the call may be repeated.
pub fn overloaded() -> Status {
    tracing::warn!("a call was refused because every connection or place was taken");
    let mut details = ErrorDetails::with_error_info(OVERLOADED, DOMAIN, HashMap::new());
    details.set_retry_info(Some(RETRY_DELAY));
    let message = "the server has more to do than it has database connections for; try again in a \
                   moment";
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// The read model did not reach the consistency token in time.
pub fn read_model_behind() -> Status {
    unavailable(
        READ_MODEL_BEHIND,
        "the read model has not reached the consistency token yet; try again in a moment",
    )
}

/// A bug or an unforeseen failure. The cause is logged once; the caller gets only its id.
pub fn internal(cause: &(dyn Error + 'static)) -> Status {
    let error_id = Uuid::new_v4().to_string();
    tracing::error!(
        error_id,
        cause = chain_of(Some(cause)),
        "a call failed unexpectedly"
    );
    let metadata = HashMap::from([("error_id".to_owned(), error_id.clone())]);
    let details = ErrorDetails::with_error_info(INTERNAL, DOMAIN, metadata);
    Status::with_error_details(
        Code::Internal,
        format!("internal error; the log has it under {error_id}"),
        details,
    )
}

/// The caller is not known. `hint` says what is wrong without saying what would be right.
pub fn unauthenticated(hint: &str) -> Status {
    let details = ErrorDetails::with_error_info(UNAUTHENTICATED, DOMAIN, HashMap::new());
    Status::with_error_details(Code::Unauthenticated, hint, details)
}

/// The caller is known and has no role that allows the method.
pub fn role_required(method: &str, roles: &str) -> Status {
    let metadata = HashMap::from([
        ("method".to_owned(), method.to_owned()),
        ("roles".to_owned(), roles.to_owned()),
    ]);
    let details = ErrorDetails::with_error_info(ROLE_REQUIRED, DOMAIN, metadata);
    Status::with_error_details(
        Code::PermissionDenied,
        format!("{method} is allowed to: {roles}"),
        details,
    )
}

/// The caller came with an API key, and the method is for people.
pub fn person_required(method: &str) -> Status {
    let metadata = HashMap::from([("method".to_owned(), method.to_owned())]);
    let details = ErrorDetails::with_error_info(PERSON_REQUIRED, DOMAIN, metadata);
    let message = format!("{method} is not for API keys; call with a token of a person");
    Status::with_error_details(Code::PermissionDenied, message, details)
}

/// A refusal that was made below the services, while the request was read, with a reason. What the
/// caller sent is to blame for it, since everything else has a reason already.
pub fn below_services(status: &Status) -> Status {
    let (code, reason) = match status.code() {
        Code::Internal | Code::Unknown | Code::InvalidArgument | Code::DataLoss => {
            (Code::InvalidArgument, "MALFORMED_MESSAGE")
        }
        Code::OutOfRange | Code::ResourceExhausted => {
            (Code::ResourceExhausted, "MESSAGE_TOO_LARGE")
        }
        Code::Unimplemented => (Code::Unimplemented, "NOT_SERVED_HERE"),
        other => (other, crate::layer::name_of(other)),
    };
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    let message = cut(status.message(), MAX_STATUS_MESSAGE_BYTES);
    Status::with_error_details(code, message, details)
}

/// No such method.
pub fn unknown_method() -> Status {
    let details = ErrorDetails::with_error_info("UNKNOWN_METHOD", DOMAIN, HashMap::new());
    Status::with_error_details(Code::Unimplemented, "there is no such method", details)
}

/// The refusal of one row of a bulk call.
pub fn row_error(rejection: &Rejection) -> pb::RowError {
    pb::RowError {
        reason: rejection.reason.clone(),
        message: rejection.message.clone(),
        violations: rejection
            .violations
            .iter()
            .map(|violation| pb::Violation {
                field: violation.field.clone(),
                description: violation.description.clone(),
            })
            .collect(),
        retryable: matches!(rejection.kind, Kind::Conflict | Kind::Exhausted),
    }
}

/// The failure of one row of a bulk call. Rows describe a state, so that sending one again is
/// always harmless.
pub fn row_failure(error: &CommandError) -> pb::RowError {
    if let CommandError::Rejected(rejection) = error {
        return row_error(rejection);
    }
    let status = from_command_error(error);
    pb::RowError {
        reason: reason_of(&status).unwrap_or_else(|| INTERNAL.to_owned()),
        message: status.message().to_owned(),
        violations: Vec::new(),
        retryable: !matches!(error, CommandError::Internal(_)),
    }
}

/// The stable reason of a status, where it has one.
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// The violated fields of a refused request, each with what is wrong.
pub fn violations(status: &Status) -> Vec<(String, String)> {
    let bad = status.get_details_bad_request();
    let fields = bad.map(|bad| bad.field_violations).unwrap_or_default();
    fields
        .into_iter()
        .map(|violation| (violation.field, violation.description))
        .collect()
}

/// A status as text for a person: what is wrong, every field, and what to do about it.
pub fn describe(status: &Status) -> String {
    let details = status.get_error_details();
    let mut text = if status.message().is_empty() {
        status.code().description().to_owned()
    } else {
        status.message().to_owned()
    };
    let violations = details
        .bad_request()
        .map_or(&[][..], |bad| &bad.field_violations);
    // A single violation is the message already.
    if violations.len() > 1 {
        for violation in violations {
            let _ = write!(text, "\n  {}: {}", violation.field, violation.description);
        }
    }
    let reason = details.error_info().map_or("", |info| info.reason.as_str());
    if let Some(advice) = advice(status.code(), reason) {
        let _ = write!(text, "\n{advice}");
    }
    if let Some(request) = details
        .request_info()
        .filter(|info| !info.request_id.is_empty())
    {
        let _ = write!(text, "\nrequest id: {}", request.request_id);
    }
    if !reason.is_empty() {
        let _ = write!(text, "\n[{reason}]");
    }
    text
}

fn advice(code: Code, reason: &str) -> Option<&'static str> {
    match (code, reason) {
        (Code::Unauthenticated, _) => Some(
            "Give a valid token: --token, --token-file or TIERLINE_TOKEN. Tokens expire; make a \
             new one if this one worked before.",
        ),
        (Code::PermissionDenied, _) => Some("Ask an administrator of the org for the role."),
        (Code::Aborted, _) => {
            Some("Somebody else changed it in the meantime: read it again and repeat.")
        }
        (Code::Unavailable, READ_MODEL_BEHIND) => {
            Some("The change is stored; it is only not visible yet. Repeat the query.")
        }
        (Code::Unavailable, _) => {
            Some("Is the server running, and is this its address? `tierline doctor` tells more.")
        }
        (Code::ResourceExhausted, _) => Some("Wait a moment and repeat, or send less at a time."),
        (Code::Internal, _) => Some("This is a fault of the server; its log has the cause."),
        (Code::Unimplemented, _) => Some("Client and server are of different versions."),
        (Code::DeadlineExceeded, _) => Some(
            "The answer took too long; a command may have been carried out all the same: look, or \
             repeat it with the same request id.",
        ),
        _ => None,
    }
}

fn field_violations(violations: &[Violation]) -> Vec<FieldViolation> {
    let mut kept = Vec::new();
    let mut bytes = 0;
    for violation in violations {
        let field = cut(&violation.field, 200);
        let description = cut(&violation.description, 400);
        bytes += field.len() + description.len() + 8;
        if bytes > MAX_VIOLATION_BYTES {
            let more = violations.len() - kept.len();
            kept.push(FieldViolation::new(
                "",
                format!("and {more} more violations"),
            ));
            break;
        }
        kept.push(FieldViolation::new(field, description));
    }
    kept
}

/// At most `max` bytes of a text, marked where something was left out.
fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

fn chain_of<E: Error + ?Sized>(error: Option<&E>) -> String {
    let Some(error) = error else {
        return String::new();
    };
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tierline_eventstore::DbError;

    use super::*;

    fn rejection(kind: Kind) -> Rejection {
        let mut rejection = Rejection::new(kind, "SOME_REASON", "what is wrong");
        rejection.resource = Some("partner/acme".to_owned());
        rejection
    }

    #[test]
    fn every_refusal_carries_its_stable_reason_and_resource() {
        for kind in [
            Kind::Invalid,
            Kind::NotFound,
            Kind::AlreadyExists,
            Kind::Precondition,
            Kind::Forbidden,
            Kind::Conflict,
            Kind::Exhausted,
            Kind::DataLoss,
        ] {
            let status = from_rejection(&rejection(kind));
            let info = status.get_details_error_info().unwrap();
            assert_eq!(status.code(), code_of(kind));
            assert_eq!(
                (info.reason.as_str(), info.domain.as_str()),
                ("SOME_REASON", DOMAIN)
            );
            assert_eq!(info.metadata["resource"], "partner/acme");
        }
    }

    #[test]
    fn an_invalid_request_names_every_field() {
        let mut violations = tierline_domain::rejection::Violations::default();
        violations.add("name", "is required");
        violations.add("primary_contact.email", "is no e-mail address");
        let status = from_rejection(&violations.into_rejection());
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields.len(), 2);
        assert_eq!(fields[1].field, "primary_contact.email");
        let text = describe(&status);
        assert!(
            text.contains("primary_contact.email: is no e-mail address"),
            "{text}"
        );
    }

    #[test]
    fn thousands_of_violations_still_fit_into_the_trailers() {
        let mut violations = tierline_domain::rejection::Violations::default();
        for row in 0..10_000 {
            violations.add(
                format!("days[{row}].rates"),
                "must be more than zero".repeat(40),
            );
        }
        let status = from_rejection(&violations.into_rejection());
        assert!(status.details().len() < 4_500, "{}", status.details().len());
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert!(fields.last().unwrap().description.starts_with("and 99"));
    }

    #[test]
    fn a_state_that_says_no_is_a_precondition_failure() {
        let status = from_rejection(&rejection(Kind::Precondition));
        let failure = status.get_details_precondition_failure().unwrap();
        assert_eq!(failure.violations[0].r#type, "SOME_REASON");
        assert_eq!(failure.violations[0].subject, "partner/acme");
    }

    #[test]
    fn what_is_absent_or_there_already_is_named() {
        for kind in [Kind::NotFound, Kind::AlreadyExists] {
            let info = from_rejection(&rejection(kind))
                .get_details_resource_info()
                .unwrap();
            assert_eq!(info.resource_type, "partner");
            assert_eq!(info.resource_name, "partner/acme");
        }
    }

    #[test]
    fn what_may_be_repeated_says_when() {
        let exhausted = from_rejection(&rejection(Kind::Exhausted));
        for status in [
            exhausted,
            read_model_behind(),
            unavailable(UNAVAILABLE, "down"),
            overloaded(),
        ] {
            assert_eq!(
                status.get_details_retry_info().unwrap().retry_delay,
                Some(RETRY_DELAY)
            );
        }
        assert_eq!(reason_of(&read_model_behind()).unwrap(), READ_MODEL_BEHIND);
    }

    #[test]
    fn a_limit_of_ours_is_told_apart_from_a_database_that_is_away() {
        let told = |cause| from_command_error(&CommandError::Unavailable(cause));
        let ours = DbError::Shared(std::sync::Arc::new(DbError::Exhausted));
        for cause in [DbError::Exhausted, ours] {
            let status = told(Some(cause));
            assert_eq!(status.code(), Code::ResourceExhausted);
            assert_eq!(reason_of(&status).unwrap(), OVERLOADED);
        }
        for cause in [None, Some(DbError::Deadline)] {
            assert_eq!(told(cause).code(), Code::Unavailable);
        }
    }

    #[test]
    fn an_unknown_outcome_gives_the_request_id_back() {
        let error = CommandError::UnknownOutcome {
            request_id: Some("r-1".to_owned()),
        };
        let status = from_command_error(&error);
        assert_eq!(status.code(), Code::Unknown);
        assert_eq!(reason_of(&status).unwrap(), UNKNOWN_OUTCOME);
        assert_eq!(status.get_details_request_info().unwrap().request_id, "r-1");
        assert!(describe(&status).contains("request id: r-1"));
    }

    #[test]
    fn a_bug_gives_away_nothing_but_an_id() {
        let cause = std::io::Error::other("password=hunter2 table events");
        let status = from_command_error(&CommandError::Internal(Box::new(cause)));
        assert_eq!(status.code(), Code::Internal);
        let details = String::from_utf8_lossy(status.details()).into_owned();
        assert!(!status.message().contains("hunter2") && !details.contains("hunter2"));
        let info = status.get_details_error_info().unwrap();
        assert!(status.message().contains(&info.metadata["error_id"]));
    }

    #[test]
    fn a_failed_row_says_whether_it_may_be_sent_again() {
        assert!(row_failure(&CommandError::Unavailable(None)).retryable);
        assert!(row_failure(&CommandError::UnknownOutcome { request_id: None }).retryable);
        let refused = row_failure(&CommandError::Rejected(Rejection::invalid("name", "no")));
        assert!(!refused.retryable);
        assert_eq!(refused.violations[0].field, "name");
    }

    #[test]
    fn every_code_that_a_person_can_act_on_has_advice() {
        for status in [
            unauthenticated("no token"),
            role_required("a.B/C", "admin"),
            unavailable(UNAVAILABLE, "down"),
            from_rejection(&rejection(Kind::Conflict)),
            unknown_method(),
        ] {
            assert!(
                describe(&status).lines().count() >= 3,
                "{}",
                describe(&status)
            );
        }
        assert!(describe(&Status::new(Code::DeadlineExceeded, "")).contains("too long"));
    }
}
