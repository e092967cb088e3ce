use tierline_proto::activity::v1 as pb;
use tierline_proto::activity::v1::record_service_client::RecordServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::assert_refused;
use tonic::Code;

use super::{records, start};

fn money(amount: &str) -> tierline_proto::common::v1::Money {
    tierline_proto::common::v1::Money {
        amount: amount.to_owned(),
        currency_code: "EUR".to_owned(),
    }
}

fn review(id: &str) -> pb::RecordActivityRequest {
    pb::RecordActivityRequest {
        record_id: id.to_owned(),
        partner_id: "nova".to_owned(),
        activity: Some(pb::ActivityRecord {
            kind: "review".to_owned(),
            title: "First quarter".to_owned(),
            held_date: "2026-03-20".to_owned(),
            quantity: "4.5".to_owned(),
            amount: Some(money("250.50")),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_activity_is_recorded_corrected_and_taken_back() {
    let server = start().await;
    let mut service = records(&server);
    let answer = service
        .record_activity(review("q1"))
        .await
        .unwrap()
        .into_inner();
    let activity = answer.record.unwrap().activity.unwrap();
    assert_eq!(activity.quantity, "4.5");
    assert_eq!(activity.amount, Some(money("250.50")));
    assert!(!answer.consistency_token.is_empty());
    let amend = pb::AmendRecordRequest {
        record_id: "q1".to_owned(),
        activity: Some(pb::ActivityRecord {
            title: "Q1".to_owned(),
            amount: Some(money("99.90")),
            ..Default::default()
        }),
        etag: "\"v1\"".to_owned(),
        ..Default::default()
    };
    let amended = service
        .amend_record(amend.clone())
        .await
        .unwrap()
        .into_inner();
    let activity = amended.record.unwrap().activity.unwrap();
    assert_eq!(activity.title, "Q1");
    assert_eq!(activity.amount, Some(money("99.90")));
    assert_refused(
        service.amend_record(amend).await,
        Code::Aborted,
        "CONCURRENT_CHANGE",
    );
    let retract = pb::RetractRecordRequest {
        record_id: "q1".to_owned(),
        reason: "held twice".to_owned(),
        ..Default::default()
    };
    service.retract_record(retract).await.unwrap();
    let get = pb::GetRecordRequest {
        record_id: "q1".to_owned(),
    };
    let record = service.get_record(get).await.unwrap().into_inner();
    assert!(record.retracted);
    assert_eq!(record.retracted_reason, "held twice");
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let server = start().await;
    let mut service = records(&server);
    let wrong = pb::RecordActivityRequest {
        activity: Some(pb::ActivityRecord {
            kind: "deal".to_owned(),
            quantity: "many".to_owned(),
            ..Default::default()
        }),
        ..review("q1")
    };
    let refused = service.record_activity(wrong).await;
    let mut fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    let expected = [
        "activity.held_date",
        "activity.kind",
        "activity.quantity",
        "activity.title",
    ];
    assert_eq!(fields, expected);
    service.record_activity(review("q1")).await.unwrap();
    let amend = pb::AmendRecordRequest {
        record_id: "q1".to_owned(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["title".to_owned()],
        }),
        ..Default::default()
    };
    let refused = service.amend_record(amend).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["activity.title"]);
}

#[tokio::test]
async fn a_record_needs_a_partner_a_token_and_a_role_and_is_not_doubled() {
    let server = start().await;
    let mut service = records(&server);
    let unknown = pb::RecordActivityRequest {
        partner_id: "ghost".to_owned(),
        ..review("q1")
    };
    let refused = service.record_activity(unknown).await;
    assert_refused(refused, Code::NotFound, "PARTNER_NOT_FOUND");
    let mut stranger = RecordServiceClient::new(server.stranger());
    let refused = stranger.record_activity(review("q1")).await;
    assert_refused(refused, Code::Unauthenticated, "UNAUTHENTICATED");
    let mut viewer = RecordServiceClient::new(server.caller(Role::Viewer));
    let refused = viewer.record_activity(review("q1")).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");

    let request = pb::RecordActivityRequest {
        request_id: "r-1".to_owned(),
        ..review("")
    };
    let first = service
        .record_activity(request.clone())
        .await
        .unwrap()
        .into_inner();
    let events = server.events().await;
    let second = service
        .record_activity(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first, events), (second, server.events().await));
    let other = pb::RecordActivityRequest {
        record_id: "q9".to_owned(),
        ..request
    };
    let refused = service.record_activity(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
}
