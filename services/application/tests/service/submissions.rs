use std::collections::BTreeMap;

use tierline_proto::application::v1 as pb;
use tierline_proto::application::v1::submission_service_client::SubmissionServiceClient;
use tierline_proto::common::v1 as common;
use tierline_proto::common::v1::value::Kind;
use tierline_rpc::Role;
use tierline_rpc_testkit::{NOW, TestServer, assert_refused};
use tonic::Code;

use super::{RESELLERS, define, forms, publish, start, submissions, with_form};

fn value(kind: Kind) -> common::Value {
    common::Value { kind: Some(kind) }
}

fn text(text: &str) -> common::Value {
    value(Kind::Text(text.to_owned()))
}

fn answers() -> BTreeMap<String, common::Value> {
    let regions = Kind::List(common::TextList {
        items: vec!["apac".to_owned()],
    });
    [
        ("company", text(" Nova ")),
        ("email", text("Ada@Nova.example")),
        ("staff", value(Kind::Number("12".to_owned()))),
        ("regions", value(regions)),
    ]
    .into_iter()
    .map(|(field, value)| (field.to_owned(), value))
    .collect()
}

fn submit() -> pb::SubmitApplicationRequest {
    pb::SubmitApplicationRequest {
        form_id: "resellers".to_owned(),
        answers: answers(),
        accepted_agreements: vec!["terms".to_owned()],
        ..Default::default()
    }
}

/// A submission that waits for a decision; gives its identifier.
async fn submitted(server: &TestServer) -> String {
    let mut service = submissions(server, Role::Integration);
    let answer = service.submit_application(submit()).await.unwrap();
    answer.into_inner().submission.unwrap().submission_id
}

fn approve(id: &str) -> pb::ApproveSubmissionRequest {
    pb::ApproveSubmissionRequest {
        submission_id: id.to_owned(),
        note: "A good match.".to_owned(),
        ..Default::default()
    }
}

fn reject(id: &str, note: &str) -> pb::RejectSubmissionRequest {
    pb::RejectSubmissionRequest {
        submission_id: id.to_owned(),
        note: note.to_owned(),
        ..Default::default()
    }
}

fn get(id: &str) -> pb::GetSubmissionRequest {
    pb::GetSubmissionRequest {
        submission_id: id.to_owned(),
    }
}

fn seconds(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[tokio::test]
async fn what_is_submitted_is_kept_with_its_agreements_and_answered_without_the_answers() {
    let server = with_form().await;
    let mut service = submissions(&server, Role::Integration);
    let answer = service.submit_application(submit()).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.success_message, "Thank you.");
    assert!(!answer.consistency_token.is_empty());
    let taken = answer.submission.unwrap();
    assert_eq!(taken.state(), pb::SubmissionState::Pending);
    assert_eq!(
        (taken.form_id.as_str(), taken.form_version),
        ("resellers", 1)
    );
    assert!(taken.answers.is_empty());
    let [agreement] = taken.agreements.as_slice() else {
        panic!("{taken:?}");
    };
    assert_eq!(
        (agreement.section_id.as_str(), agreement.form_version),
        ("terms", 1)
    );
    assert_eq!(agreement.accept_time.unwrap().seconds, seconds(NOW));

    let mut service = submissions(&server, Role::PartnerManager);
    let whole = service.get_submission(get(&taken.submission_id)).await;
    let whole = whole.unwrap().into_inner();
    assert_eq!(whole.answers["company"], text("Nova"));
    assert_eq!(whole.answers["email"], text("ada@nova.example"));
    assert_eq!(whole.answers.len(), 4);
    assert_eq!(
        (whole.etag, whole.agreements),
        (taken.etag, taken.agreements)
    );
}

#[tokio::test]
async fn every_wrong_answer_is_named_at_once() {
    let server = with_form().await;
    let mut service = submissions(&server, Role::Integration);
    let mut request = submit();
    request.accepted_agreements.clear();
    request.answers.remove("company");
    for (field, wrong) in [
        ("email", text("ada")),
        ("staff", value(Kind::Number("a dozen".to_owned()))),
        ("regions", text("apac")),
        ("shoe-size", text("42")),
    ] {
        request.answers.insert(field.to_owned(), wrong);
    }
    let events = server.events().await;
    let refused = service.submit_application(request).await;
    let mut fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    let expected = [
        "accepted_agreements",
        "answers.company",
        "answers.email",
        "answers.regions",
        "answers.shoe-size",
        "answers.staff",
    ];
    assert_eq!(fields, expected);
    assert_eq!(server.events().await, events);
}

#[tokio::test]
async fn a_repeated_submission_is_one_even_after_the_form_changed() {
    let server = with_form().await;
    let mut service = submissions(&server, Role::Integration);
    let request = pb::SubmitApplicationRequest {
        form_version: 1,
        request_id: "r-1".to_owned(),
        ..submit()
    };
    let first = service.submit_application(request.clone()).await.unwrap();
    let events = server.events().await;
    let again = service.submit_application(request.clone()).await.unwrap();
    assert_eq!(again.get_ref(), first.get_ref());
    assert_eq!(server.events().await, events);

    let newer = RESELLERS.replace("Be fair.", "Be very fair.");
    let mut admin = forms(&server);
    admin.define_form(define(&newer)).await.unwrap();
    admin.publish_form(publish()).await.unwrap();
    let again = service.submit_application(request.clone()).await.unwrap();
    assert_eq!(again.get_ref(), first.get_ref());
    let fresh = pb::SubmitApplicationRequest {
        request_id: "r-2".to_owned(),
        ..request.clone()
    };
    let refused = service.submit_application(fresh).await;
    assert_refused(refused, Code::FailedPrecondition, "FORM_VERSION_REPLACED");

    let mut other = pb::SubmitApplicationRequest {
        form_version: 2,
        ..request
    };
    other.answers.insert("company".to_owned(), text("Other"));
    let refused = service.submit_application(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
}

#[tokio::test]
async fn a_repeated_submission_without_a_version_is_one_after_the_form_changed() {
    let server = with_form().await;
    let mut service = submissions(&server, Role::Integration);
    let request = pb::SubmitApplicationRequest {
        request_id: "r-1".to_owned(),
        ..submit()
    };
    let first = service.submit_application(request.clone()).await.unwrap();
    // What was fine for the first version is not for the second.
    let newer = RESELLERS.replace("{id: staff, label: Employees, type: number}", STREET);
    let mut admin = forms(&server);
    admin.define_form(define(&newer)).await.unwrap();
    admin.publish_form(publish()).await.unwrap();
    let again = service.submit_application(request).await.unwrap();
    assert_eq!(again.get_ref(), first.get_ref());
    let refused = service.submit_application(submit()).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["answers.street", "answers.staff"]);
}

const STREET: &str = "{id: street, label: Street, type: text, required: true}";

#[tokio::test]
async fn a_form_has_to_be_there_and_published() {
    let server = start().await;
    let mut service = submissions(&server, Role::Integration);
    let refused = service.submit_application(submit()).await;
    assert_refused(refused, Code::NotFound, "FORM_NOT_FOUND");
    forms(&server).define_form(define(RESELLERS)).await.unwrap();
    let refused = service.submit_application(submit()).await;
    assert_refused(refused, Code::FailedPrecondition, "FORM_NOT_PUBLISHED");
    forms(&server).publish_form(publish()).await.unwrap();
    let future = pb::SubmitApplicationRequest {
        form_version: 2,
        ..submit()
    };
    let refused = service.submit_application(future).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["form_version"]);
    let dry = pb::SubmitApplicationRequest {
        validate_only: true,
        ..submit()
    };
    let events = server.events().await;
    service.submit_application(dry).await.unwrap();
    assert_eq!(server.events().await, events);
}

#[tokio::test]
async fn an_approval_names_who_and_when_and_creates_no_partner() {
    let server = with_form().await;
    let id = submitted(&server).await;
    let mut service = submissions(&server, Role::PartnerManager);
    let events = server.events().await;
    let answer = service.approve_submission(approve(&id)).await.unwrap();
    let approved = answer.into_inner().submission.unwrap();
    assert_eq!(approved.state(), pb::SubmissionState::Approved);
    assert!(approved.answers.is_empty());
    let decision = approved.decision.unwrap();
    assert_eq!(
        (decision.decided_by.as_str(), decision.note.as_str()),
        ("user:ada", "")
    );
    let whole = service.get_submission(get(&id)).await.unwrap().into_inner();
    assert_eq!(whole.decision.unwrap().note, "A good match.");
    assert_eq!(decision.decide_time.unwrap().seconds, seconds(NOW));
    assert_eq!(server.events().await, events + 1, "and nothing else");
    service.approve_submission(approve(&id)).await.unwrap();
    assert_eq!(server.events().await, events + 1, "again is nothing");
    let refused = service.reject_submission(reject(&id, "no")).await;
    assert_refused(refused, Code::FailedPrecondition, "SUBMISSION_APPROVED");
}

#[tokio::test]
async fn a_rejection_needs_a_reason() {
    let server = with_form().await;
    let id = submitted(&server).await;
    let mut service = submissions(&server, Role::PartnerManager);
    let refused = service.reject_submission(reject(&id, "")).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["note"]);
    let stale = pb::RejectSubmissionRequest {
        etag: "\"v7\"".to_owned(),
        ..reject(&id, "too small")
    };
    let refused = service.reject_submission(stale).await;
    assert_refused(refused, Code::Aborted, "CONCURRENT_CHANGE");
    let request = pb::RejectSubmissionRequest {
        request_id: "r-1".to_owned(),
        ..reject(&id, "too small")
    };
    let first = service.reject_submission(request.clone()).await.unwrap();
    let again = service.reject_submission(request).await.unwrap();
    assert_eq!(first.into_inner(), again.into_inner());
    let refused = service.approve_submission(approve(&id)).await;
    assert_refused(refused, Code::FailedPrecondition, "SUBMISSION_REJECTED");
    let refused = service.approve_submission(approve("nope")).await;
    assert_refused(refused, Code::NotFound, "SUBMISSION_NOT_FOUND");
}

#[tokio::test]
async fn answers_are_shown_to_those_who_decide_and_to_nobody_else() {
    let server = with_form().await;
    let id = submitted(&server).await;
    let mut stranger = SubmissionServiceClient::new(server.stranger());
    let refused = stranger.submit_application(submit()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut foreign = SubmissionServiceClient::new(server.caller_of("globex", Role::Admin));
    let refused = foreign.get_submission(get(&id)).await;
    assert_refused(refused, Code::NotFound, "SUBMISSION_NOT_FOUND");
    for role in [Role::Viewer, Role::Auditor, Role::Integration] {
        let mut service = submissions(&server, role);
        let refused = service.get_submission(get(&id)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role:?}");
        let refused = service.approve_submission(approve(&id)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role:?}");
        let refused = service.reject_submission(reject(&id, "no")).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    for role in [Role::Viewer, Role::Auditor] {
        let refused = submissions(&server, role)
            .submit_application(submit())
            .await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
}

#[tokio::test]
async fn receipts_hold_nothing_that_an_applicant_wrote_and_no_note() {
    let server = with_form().await;
    let mut service = submissions(&server, Role::Integration);
    let request = pb::SubmitApplicationRequest {
        request_id: "r-1".to_owned(),
        ..submit()
    };
    let answer = service.submit_application(request).await.unwrap();
    let id = answer.into_inner().submission.unwrap().submission_id;
    let request = pb::RejectSubmissionRequest {
        request_id: "r-2".to_owned(),
        ..reject(&id, "Nova is too small.")
    };
    let mut service = submissions(&server, Role::PartnerManager);
    service.reject_submission(request).await.unwrap();
    let query = "SELECT response FROM receipts WHERE request_id IN ('r-1', 'r-2')";
    let pool = server.commands.store().pool();
    let kept: Vec<Vec<u8>> = sqlx::query_scalar(query).fetch_all(pool).await.unwrap();
    assert_eq!(kept.len(), 2);
    for response in kept {
        let response = String::from_utf8_lossy(&response).to_lowercase();
        assert!(response.contains("resellers"), "{response}");
        assert!(!response.contains("nova"), "{response}");
    }
}
