//! What a command service does first with every request: who, which request, which version.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tierline_domain::Rejection;
use tierline_eventstore::CommandContext;
use tierline_proto::{access, activity, application, enrollment, partner, program};
use tierline_telemetry::trace;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Status};

use crate::caller::Caller;
use crate::layer::Method;
use crate::limits::MAX_REQUEST_ID_BYTES;
use crate::status;

/// A request that changes something.
pub trait Mutation: prost::Message {
    /// The caller's id of the request; empty: none.
    fn request_id(&self) -> &str;
    /// The version that the caller knows; empty: any.
    fn etag(&self) -> &str;
    /// True when nothing is to be stored.
    fn validate_only(&self) -> bool;
}

macro_rules! mutations {
    ($($type:ty),+ $(,)?) => { $(
        impl Mutation for $type {
            fn request_id(&self) -> &str { &self.request_id }
            fn etag(&self) -> &str { &self.etag }
            fn validate_only(&self) -> bool { self.validate_only }
        }
    )+ };
}

/// Requests that create have no version to know.
macro_rules! creations {
    ($($type:ty),+ $(,)?) => { $(
        impl Mutation for $type {
            fn request_id(&self) -> &str { &self.request_id }
            fn etag(&self) -> &str { "" }
            fn validate_only(&self) -> bool { self.validate_only }
        }
    )+ };
}

creations!(
    // A keyring has no version that a caller could know.
    access::v1::CreateApiKeyRequest,
    access::v1::RotateApiKeyRequest,
    access::v1::RevokeApiKeyRequest,
    program::v1::CreateOrgRequest,
    program::v1::CreateProgramRequest,
    program::v1::CreateSegmentRequest,
    program::v1::CreateBenefitRequest,
    // What it asks for depends on no version.
    program::v1::SeedSegmentsRequest,
    program::v1::SeedBenefitsRequest,
    program::v1::CopyProgramRequest,
    partner::v1::CreatePartnerRequest,
    enrollment::v1::EnrollPartnerRequest,
    activity::v1::RegisterDealRequest,
    activity::v1::AwardCertificationRequest,
    activity::v1::RecordActivityRequest,
    application::v1::SubmitApplicationRequest,
);

mutations!(
    program::v1::UpdateOrgRequest,
    program::v1::AdvanceClockRequest,
    program::v1::SaveDraftRequest,
    program::v1::UpdateProgramRequest,
    program::v1::AddTrackRequest,
    program::v1::UpdateTrackRequest,
    program::v1::RemoveTrackRequest,
    program::v1::ReorderTracksRequest,
    program::v1::SeedTracksRequest,
    program::v1::AddTierRequest,
    program::v1::UpdateTierRequest,
    program::v1::RemoveTierRequest,
    program::v1::ReorderTiersRequest,
    program::v1::DiscardDraftRequest,
    program::v1::PublishDraftRequest,
    program::v1::ArchiveProgramRequest,
    program::v1::RestoreProgramRequest,
    program::v1::ApplyProgramRequest,
    program::v1::PublishRatesRequest,
    program::v1::UpdateSegmentRequest,
    program::v1::ArchiveSegmentRequest,
    program::v1::RestoreSegmentRequest,
    program::v1::UpdateBenefitRequest,
    program::v1::ArchiveBenefitRequest,
    program::v1::RestoreBenefitRequest,
    partner::v1::UpdatePartnerRequest,
    partner::v1::AddContactRequest,
    partner::v1::UpdateContactRequest,
    partner::v1::RemoveContactRequest,
    partner::v1::SetPrimaryContactRequest,
    partner::v1::TagPartnerRequest,
    partner::v1::UntagPartnerRequest,
    partner::v1::ActivatePartnerRequest,
    partner::v1::SuspendPartnerRequest,
    partner::v1::DeactivatePartnerRequest,
    enrollment::v1::PinTierRequest,
    enrollment::v1::ClearPinRequest,
    enrollment::v1::ExtendEnrollmentRequest,
    enrollment::v1::TerminateEnrollmentRequest,
    enrollment::v1::ApproveRecommendationRequest,
    enrollment::v1::RejectRecommendationRequest,
    activity::v1::ApproveDealRequest,
    activity::v1::RejectDealRequest,
    activity::v1::WithdrawDealRequest,
    activity::v1::WinDealRequest,
    activity::v1::LoseDealRequest,
    activity::v1::ReopenDealRequest,
    activity::v1::AmendDealRequest,
    activity::v1::ReverseDealRequest,
    activity::v1::RenewCertificationRequest,
    activity::v1::RevokeCertificationRequest,
    activity::v1::MarkHolderLeftRequest,
    activity::v1::AmendRecordRequest,
    activity::v1::RetractRecordRequest,
    application::v1::DefineFormRequest,
    application::v1::PublishFormRequest,
    application::v1::ApproveSubmissionRequest,
    application::v1::RejectSubmissionRequest,
);

/// A request that changes something, with everything around it.
#[derive(Debug)]
pub struct Call<M> {
    /// Who calls.
    pub caller: Arc<Caller>,
    /// For the runner. `org_time` is left to the service, which knows the org.
    pub context: CommandContext,
    /// The request.
    pub message: M,
    /// True when nothing is to be stored.
    pub validate_only: bool,
}

impl<M: Mutation> Call<M> {
    /// Takes a request apart and checks its id and etag.
    ///
    /// # Errors
    /// UNAUTHENTICATED without a caller; INVALID_ARGUMENT for a malformed request id or etag.
    pub fn new(request: Request<M>) -> Result<Self, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let (caller, mut context) = surroundings(&metadata, &extensions)?;
        check_request_id(message.request_id()).map_err(|r| status::from_rejection(&r))?;
        context.expected_version =
            parse_etag(message.etag()).map_err(|r| status::from_rejection(&r))?;
        let validate_only = message.validate_only();
        if !message.request_id().is_empty() && !validate_only {
            let method = extensions.get::<Method>().map_or("", |method| method.0);
            context.request_id = Some(message.request_id().to_owned());
            context.request_hash = request_hash(method, &message);
        }
        Ok(Self {
            caller,
            context,
            message,
            validate_only,
        })
    }
}

/// Caller and context of a call that carries many commands.
///
/// # Errors
/// UNAUTHENTICATED without a caller.
pub fn bulk_context<T>(request: &Request<T>) -> Result<(Arc<Caller>, CommandContext), Status> {
    surroundings(request.metadata(), request.extensions())
}

fn surroundings(
    metadata: &MetadataMap,
    extensions: &Extensions,
) -> Result<(Arc<Caller>, CommandContext), Status> {
    let caller = extensions
        .get::<Arc<Caller>>()
        .cloned()
        .ok_or_else(|| status::unauthenticated("the call carries no verified credential"))?;
    let mut context = CommandContext::new(caller.org.clone(), caller.actor());
    context.correlation_id = header(metadata, "x-correlation-id", 128);
    context.traceparent = trace::current_traceparent().or_else(|| {
        header(metadata, "traceparent", 128).filter(|text| trace::is_traceparent(text))
    });
    context.deadline = header(metadata, "grpc-timeout", 9)
        .and_then(|text| parse_timeout(&text))
        .and_then(|timeout| Instant::now().checked_add(timeout - kept_back(timeout)));
    Ok((caller, context))
}

/// Of the caller's time, what is kept back for the word on a command whose commit was not answered:
/// looking for the receipt takes a moment, and a caller who has left does not hear of it.
fn kept_back(timeout: Duration) -> Duration {
    (timeout / 4).min(Duration::from_secs(2))
}

/// A header that is short and printable; others are ignored, since nothing depends on them.
fn header(metadata: &MetadataMap, name: &str, longest: usize) -> Option<String> {
    let text = metadata.get(name)?.to_str().ok()?;
    let fine =
        !text.is_empty() && text.len() <= longest && text.chars().all(|c| c.is_ascii_graphic());
    fine.then(|| text.to_owned())
}

/// The `grpc-timeout` header: up to eight digits and a unit.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Checks the form of a request id; empty is none.
///
/// # Errors
/// `INVALID_REQUEST` on `request_id`.
pub fn check_request_id(text: &str) -> Result<(), Rejection> {
    let fine = text.len() <= MAX_REQUEST_ID_BYTES
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    if fine {
        Ok(())
    } else {
        Err(Rejection::invalid(
            "request_id",
            format!(
                "must be a UUID or 1 to {MAX_REQUEST_ID_BYTES} characters of letters, digits, \
                 '-', '_', '.' and ':'"
            ),
        ))
    }
}

/// SHA-256 of the method and the encoded request. The same id with the same content has the same
/// hash; the id itself is part of the content and changes nothing about that.
pub fn request_hash<M: prost::Message>(method: &str, message: &M) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(method.as_bytes());
    hasher.update([0]);
    hasher.update(message.encode_to_vec());
    hasher.finalize().into()
}

/// The etag of a version.
pub fn etag(version: u64) -> String {
    format!("\"v{version}\"")
}

/// The version of an etag; empty: any. The quotation marks may be missing.
///
/// # Errors
/// `INVALID_REQUEST` on `etag`.
pub fn parse_etag(text: &str) -> Result<Option<u64>, Rejection> {
    if text.is_empty() {
        return Ok(None);
    }
    let bare = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    bare.strip_prefix('v')
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .map(Some)
        .ok_or_else(|| Rejection::invalid("etag", "must be an etag that the server gave"))
}

#[cfg(test)]
mod tests {
    use tierline_domain::OrgId;

    use super::*;
    use crate::caller::Role;

    fn request(message: partner::v1::TagPartnerRequest) -> Request<partner::v1::TagPartnerRequest> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(Arc::new(Caller {
            subject: "ada".to_owned(),
            org: OrgId::parse("acme").unwrap(),
            roles: [Role::Admin].into(),
            partner: None,
            api_key: None,
        }));
        request
            .extensions_mut()
            .insert(Method("tierline.partner.v1.PartnerService/TagPartner"));
        request
    }

    fn message(request_id: &str, etag: &str) -> partner::v1::TagPartnerRequest {
        partner::v1::TagPartnerRequest {
            partner_id: "p-1".to_owned(),
            tags: vec!["gold".to_owned()],
            request_id: request_id.to_owned(),
            etag: etag.to_owned(),
            validate_only: false,
        }
    }

    #[test]
    fn a_call_knows_who_which_request_and_which_version() {
        let mut request = request(message("r-1", "\"v7\""));
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        request
            .metadata_mut()
            .insert("traceparent", trace.parse().unwrap());
        request
            .metadata_mut()
            .insert("x-correlation-id", "order-9".parse().unwrap());
        request
            .metadata_mut()
            .insert("grpc-timeout", "5S".parse().unwrap());
        let call = Call::new(request).unwrap();
        assert_eq!(call.context.org.as_str(), "acme");
        assert_eq!(call.context.actor, "user:ada");
        assert_eq!(call.context.request_id.as_deref(), Some("r-1"));
        assert_eq!(call.context.expected_version, Some(7));
        assert_eq!(call.context.traceparent.as_deref(), Some(trace));
        assert_eq!(call.context.correlation_id.as_deref(), Some("order-9"));
        let left = call.context.deadline.unwrap() - Instant::now();
        let end = Duration::from_secs(5) - kept_back(Duration::from_secs(5));
        assert!(
            left <= end && end - left < Duration::from_secs(2),
            "{left:?}"
        );
    }

    #[test]
    fn the_same_content_has_the_same_hash_and_other_content_another() {
        let hash = |message| Call::new(request(message)).unwrap().context.request_hash;
        assert_eq!(hash(message("r-1", "")), hash(message("r-1", "")));
        let mut other = message("r-1", "");
        other.tags.push("silver".to_owned());
        assert_ne!(hash(message("r-1", "")), hash(other));
        let one = message("r-1", "");
        assert_ne!(request_hash("a.B/C", &one), request_hash("a.B/D", &one));
    }

    #[test]
    fn a_dry_run_leaves_no_receipt() {
        let mut dry = message("r-1", "");
        dry.validate_only = true;
        let call = Call::new(request(dry)).unwrap();
        assert!(call.validate_only && call.context.request_id.is_none());
    }

    #[test]
    fn malformed_request_ids_and_etags_are_refused_by_name() {
        let long = "x".repeat(65);
        for id in ["a b", "ä", "a/b", long.as_str()] {
            assert_eq!(
                check_request_id(id).unwrap_err().violations[0].field,
                "request_id"
            );
        }
        check_request_id("0190f3c2-7a2e-7cc3-98c4-dc0c0c07398f").unwrap();
        for text in ["7", "v", "\"v-1\"", "v1x", "\"v1", "v99999999999999999999"] {
            assert_eq!(
                parse_etag(text).unwrap_err().violations[0].field,
                "etag",
                "{text}"
            );
        }
        assert_eq!(parse_etag(&etag(12)).unwrap(), Some(12));
        assert_eq!(parse_etag("").unwrap(), None);
    }

    #[test]
    fn headers_that_nobody_can_use_are_ignored() {
        for text in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(!trace::is_traceparent(text), "{text}");
        }
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        for text in ["", "5", "S", "5X", "-5S", "5ä"] {
            assert_eq!(parse_timeout(text), None, "{text}");
        }
    }
}
