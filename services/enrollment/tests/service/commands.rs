use tierline_domain::StreamId;
use tierline_domain::partner::{Partner, PartnerCommand};
use tierline_domain::program::{Program, ProgramCommand};
use tierline_proto::enrollment::v1 as pb;
use tierline_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{TODAY, acme, assert_refused};
use tonic::{Code, Status};

use super::{NOVA, enroll, enrollments, start};

fn enrollment(answer: Result<tonic::Response<pb::EnrollmentResponse>, Status>) -> pb::Enrollment {
    answer.unwrap().into_inner().enrollment.unwrap()
}

fn pin(tier: &str, reason: &str) -> pb::PinTierRequest {
    pb::PinTierRequest {
        enrollment_id: NOVA.to_owned(),
        tier_id: tier.to_owned(),
        reason: reason.to_owned(),
        ..Default::default()
    }
}

fn terminate() -> pb::TerminateEnrollmentRequest {
    pb::TerminateEnrollmentRequest {
        enrollment_id: NOVA.to_owned(),
        reason: "left".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_partner_is_enrolled_between_the_first_and_the_last_day_of_the_program() {
    const SEASON: &str = "
slug: season
name: Season
start_date: 2030-01-01
end_date: 2030-12-31
currency: EUR
tracks:
  - {id: main, name: Main, tiers: [{id: member, name: Member}]}
";
    let server = start().await;
    server.program(SEASON, "2010-01-01").await;
    let mut service = enrollments(&server);
    let on = |start: &str| pb::EnrollPartnerRequest {
        program_id: "season".to_owned(),
        start_date: start.to_owned(),
        ..enroll("nova")
    };
    for (start, reason) in [
        ("", "PROGRAM_NOT_STARTED"),
        ("2029-12-31", "PROGRAM_NOT_STARTED"),
        ("2031-01-01", "PROGRAM_ENDED"),
    ] {
        let refused = service.enroll_partner(on(start)).await;
        assert_refused(refused, Code::FailedPrecondition, reason);
    }
    service.enroll_partner(on("2030-12-31")).await.unwrap();
}

#[tokio::test]
async fn a_partner_is_enrolled_in_the_only_track_from_today_on() {
    let server = start().await;
    let mut service = enrollments(&server);
    let answer = service
        .enroll_partner(enroll("nova"))
        .await
        .unwrap()
        .into_inner();
    let made = answer.enrollment.unwrap();
    assert_eq!(
        (made.enrollment_id.as_str(), made.track_id.as_str()),
        (NOVA, "main")
    );
    assert_eq!(
        (made.start_date.as_str(), made.end_date.as_str()),
        (TODAY, "")
    );
    assert_eq!(
        (made.primary_contact_id.as_str(), made.etag.as_str()),
        ("c1", "\"v1\"")
    );
    assert!(answer.warnings.is_empty() && !answer.consistency_token.is_empty());
    let get = pb::GetEnrollmentRequest {
        enrollment_id: NOVA.to_owned(),
    };
    assert_eq!(
        service.get_enrollment(get).await.unwrap().into_inner(),
        made
    );
}

#[tokio::test]
async fn a_start_in_the_past_lets_history_count_and_says_so() {
    let server = start().await;
    let mut service = enrollments(&server);
    let request = pb::EnrollPartnerRequest {
        start_date: "2025-01-01".to_owned(),
        ..enroll("nova")
    };
    let answer = service.enroll_partner(request).await.unwrap().into_inner();
    assert!(answer.enrollment.unwrap().backdated);
    assert!(
        answer.warnings[0].contains("2025-01-01"),
        "{:?}",
        answer.warnings
    );
}

#[tokio::test]
async fn what_an_enrollment_refers_to_has_to_be_there() {
    let server = start().await;
    let mut service = enrollments(&server);
    let ghost = service.enroll_partner(enroll("ghost")).await;
    assert_refused(ghost, Code::NotFound, "PARTNER_NOT_FOUND");
    let program = pb::EnrollPartnerRequest {
        program_id: "nope".to_owned(),
        ..enroll("nova")
    };
    assert_refused(
        service.enroll_partner(program).await,
        Code::NotFound,
        "PROGRAM_NOT_FOUND",
    );
    let track = pb::EnrollPartnerRequest {
        program_id: "services".to_owned(),
        ..enroll("nova")
    };
    let fields = assert_refused(
        service.enroll_partner(track).await,
        Code::InvalidArgument,
        "INVALID_REQUEST",
    );
    assert_eq!(fields, ["track_id"]);
    let track = pb::EnrollPartnerRequest {
        track_id: "side".to_owned(),
        ..enroll("nova")
    };
    let refused = service.enroll_partner(track).await;
    assert_refused(refused, Code::FailedPrecondition, "TRACK_NOT_PUBLISHED");
    let contact = pb::EnrollPartnerRequest {
        primary_contact_id: "c9".to_owned(),
        ..enroll("nova")
    };
    let refused = service.enroll_partner(contact).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["primary_contact_id"]);
    let tier = pb::EnrollPartnerRequest {
        placed_tier_id: "lead".to_owned(),
        ..enroll("nova")
    };
    let refused = service.enroll_partner(tier).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["placed_tier_id"]);
    server
        .run::<Program>(&StreamId::new(&acme(), "resale"), ProgramCommand::Archive)
        .await
        .unwrap();
    let archived = service.enroll_partner(enroll("nova")).await;
    assert_refused(archived, Code::FailedPrecondition, "PROGRAM_ARCHIVED");
    let held = PartnerCommand::Suspend {
        reason: "unpaid".to_owned(),
    };
    server
        .run::<Partner>(&StreamId::new(&acme(), "orion"), held)
        .await
        .unwrap();
    let services = pb::EnrollPartnerRequest {
        program_id: "services".to_owned(),
        track_id: "support".to_owned(),
        ..enroll("orion")
    };
    let refused = service.enroll_partner(services).await;
    assert_refused(refused, Code::FailedPrecondition, "PARTNER_SUSPENDED");
}

#[tokio::test]
async fn every_malformed_field_is_named_at_once() {
    let server = start().await;
    let wrong = pb::EnrollPartnerRequest {
        enrollment_id: "A B".to_owned(),
        partner_id: String::new(),
        program_id: "#".to_owned(),
        start_date: "tomorrow".to_owned(),
        ..Default::default()
    };
    let refused = enrollments(&server).enroll_partner(wrong).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        fields,
        ["enrollment_id", "partner_id", "program_id", "start_date"]
    );
}

#[tokio::test]
async fn a_partner_is_enrolled_once_at_a_time_and_again_after_the_end() {
    let server = start().await;
    let mut service = enrollments(&server);
    service.enroll_partner(enroll("nova")).await.unwrap();
    let again = service.enroll_partner(enroll("nova")).await;
    assert_refused(again, Code::AlreadyExists, "ENROLLMENT_EXISTS");
    for validate_only in [false, true] {
        let other = pb::EnrollPartnerRequest {
            enrollment_id: "another".to_owned(),
            validate_only,
            ..enroll("nova")
        };
        let refused = service.enroll_partner(other).await;
        assert_refused(refused, Code::AlreadyExists, "ENROLLMENT_OF_TAKEN");
    }
    let ended = enrollment(service.terminate_enrollment(terminate()).await);
    assert_eq!(ended.state(), pb::EnrollmentState::Terminated);
    assert_eq!(
        (ended.termination_reason.as_str(), ended.end_date.as_str()),
        ("left", TODAY)
    );
    let second = enrollment(service.enroll_partner(enroll("nova")).await);
    assert_eq!(second.enrollment_id, format!("{NOVA}.2"));
}

#[tokio::test]
async fn a_repeated_enrollment_gets_the_first_answer_even_after_its_end() {
    let server = start().await;
    let mut service = enrollments(&server);
    let request = pb::EnrollPartnerRequest {
        request_id: "r-1".to_owned(),
        ..enroll("nova")
    };
    let first = service
        .enroll_partner(request.clone())
        .await
        .unwrap()
        .into_inner();
    let second = service
        .enroll_partner(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, second);
    service.terminate_enrollment(terminate()).await.unwrap();
    let events = server.events().await;
    assert_eq!(
        service
            .enroll_partner(request.clone())
            .await
            .unwrap()
            .into_inner(),
        first
    );
    assert_eq!(server.events().await, events);
    let other = pb::EnrollPartnerRequest {
        start_date: "2026-01-01".to_owned(),
        ..request
    };
    let refused = service.enroll_partner(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn a_tier_is_pinned_for_a_reason_and_cleared() {
    let server = start().await;
    let mut service = enrollments(&server);
    service.enroll_partner(enroll("nova")).await.unwrap();
    let refused = service.pin_tier(pin("gold", "")).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["reason"]
    );
    let refused = service.pin_tier(pin("silver", "agreed")).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["tier_id"]
    );
    let past = pb::PinTierRequest {
        until_date: "2020-01-01".to_owned(),
        ..pin("gold", "agreed")
    };
    let refused = service.pin_tier(past).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["until_date"]
    );
    let stale = pb::PinTierRequest {
        etag: "\"v9\"".to_owned(),
        ..pin("gold", "agreed")
    };
    assert_refused(
        service.pin_tier(stale).await,
        Code::Aborted,
        "CONCURRENT_CHANGE",
    );
    let pinned = enrollment(service.pin_tier(pin("gold", "agreed")).await);
    assert_eq!(pinned.pin.unwrap().tier_id, "gold");
    let clear = pb::ClearPinRequest {
        enrollment_id: NOVA.to_owned(),
        ..Default::default()
    };
    assert_eq!(enrollment(service.clear_pin(clear).await).pin, None);
    let nobody = pb::PinTierRequest {
        enrollment_id: "ghost".to_owned(),
        ..pin("gold", "x")
    };
    assert_refused(
        service.pin_tier(nobody).await,
        Code::NotFound,
        "ENROLLMENT_NOT_FOUND",
    );
}

#[tokio::test]
async fn an_end_is_moved_later_and_never_earlier() {
    let server = start().await;
    let mut service = enrollments(&server);
    let request = pb::EnrollPartnerRequest {
        end_date: "2026-12-31".to_owned(),
        ..enroll("nova")
    };
    service.enroll_partner(request).await.unwrap();
    let extend = |date: &str| pb::ExtendEnrollmentRequest {
        enrollment_id: NOVA.to_owned(),
        end_date: date.to_owned(),
        ..Default::default()
    };
    let extended = enrollment(service.extend_enrollment(extend("2027-12-31")).await);
    assert_eq!(extended.end_date, "2027-12-31");
    let refused = service.extend_enrollment(extend("2027-06-30")).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["end_date"]
    );
    assert_eq!(
        enrollment(service.extend_enrollment(extend("")).await).end_date,
        ""
    );
}

#[tokio::test]
async fn a_call_needs_a_token_a_role_and_an_org() {
    let server = start().await;
    let mut stranger = EnrollmentServiceClient::new(server.stranger());
    let refused = stranger.enroll_partner(enroll("nova")).await;
    assert_refused(refused, Code::Unauthenticated, "UNAUTHENTICATED");
    let mut viewer = EnrollmentServiceClient::new(server.caller(Role::Viewer));
    let refused = viewer.enroll_partner(enroll("nova")).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    let mut system = EnrollmentServiceClient::new(server.caller(Role::Integration));
    assert_refused(
        system.pin_tier(pin("gold", "x")).await,
        Code::PermissionDenied,
        "ROLE_REQUIRED",
    );
    let mut others = EnrollmentServiceClient::new(server.caller_of("other", Role::Admin));
    let refused = others.enroll_partner(enroll("nova")).await;
    assert_refused(refused, Code::FailedPrecondition, "ORG_NOT_FOUND");
}

#[tokio::test]
async fn in_a_sandbox_today_is_what_its_clock_says() {
    let server = super::bare().await;
    server.sandbox("2014-02-01").await;
    super::fill(&server).await;
    let made = enrollment(enrollments(&server).enroll_partner(enroll("nova")).await);
    assert_eq!(
        (made.start_date.as_str(), made.backdated),
        ("2014-02-01", false)
    );
    let time = server.last_metadata("org_time").await;
    assert_eq!(time.as_deref(), Some("2014-02-01T00:00:00Z"));
}
