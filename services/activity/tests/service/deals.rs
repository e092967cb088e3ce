use tierline_domain::StreamId;
use tierline_domain::partner::{Partner, PartnerCommand};
use tierline_proto::activity::v1 as pb;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{TODAY, acme, assert_refused};
use tonic::Code;

use super::{Deals, deals, euros, start};

fn register(deal: &str) -> pb::RegisterDealRequest {
    pb::RegisterDealRequest {
        deal_id: deal.to_owned(),
        partner_id: "nova".to_owned(),
        name: "Forty seats".to_owned(),
        customer: Some(pb::Customer {
            name: "Globex".to_owned(),
            domain: "https://www.Globex.example/".to_owned(),
        }),
        amount: euros("1250.00"),
        product_lines: vec!["suite".to_owned()],
        source: pb::DealSource::PartnerSourced.into(),
        ..Default::default()
    }
}

fn win(deal: &str) -> pb::WinDealRequest {
    pb::WinDealRequest {
        deal_id: deal.to_owned(),
        ..Default::default()
    }
}

async fn registered(deals: &mut Deals, deal: &str) -> pb::Deal {
    deals
        .register_deal(register(deal))
        .await
        .unwrap()
        .into_inner()
        .deal
        .unwrap()
}

#[tokio::test]
async fn a_deal_goes_from_registration_to_a_credit_note() {
    let server = start().await;
    let mut deals = deals(&server);
    let answer = deals
        .register_deal(register("d-1"))
        .await
        .unwrap()
        .into_inner();
    let deal = answer.deal.unwrap();
    let record = deal.record.clone().unwrap();
    assert_eq!(record.state(), pb::DealState::Registered);
    assert_eq!(record.registered_date, TODAY);
    assert_eq!(record.customer.unwrap().domain, "globex.example");
    assert_eq!(deal.etag, "\"v1\"");
    assert!(!answer.consistency_token.is_empty());

    let approve = pb::ApproveDealRequest {
        deal_id: "d-1".to_owned(),
        etag: deal.etag,
        ..Default::default()
    };
    let deal = deals
        .approve_deal(approve)
        .await
        .unwrap()
        .into_inner()
        .deal
        .unwrap();
    assert_eq!(deal.record.unwrap().approved_date, TODAY);

    let won = pb::WinDealRequest {
        amount: euros("1500"),
        ..win("d-1")
    };
    let deal = deals
        .win_deal(won)
        .await
        .unwrap()
        .into_inner()
        .deal
        .unwrap();
    assert_eq!(deal.record.unwrap().amount, euros("1500"));

    let reverse = pb::ReverseDealRequest {
        deal_id: "d-1".to_owned(),
        amount: euros("500"),
        reason: "returned".to_owned(),
        ..Default::default()
    };
    deals.reverse_deal(reverse).await.unwrap();
    let get = pb::GetDealRequest {
        deal_id: "d-1".to_owned(),
    };
    let deal = deals.get_deal(get).await.unwrap().into_inner();
    let record = deal.record.unwrap();
    assert_eq!(
        (record.state(), record.reversed_amount.as_str()),
        (pb::DealState::Won, "500")
    );
    assert_eq!(record.closed_date, TODAY);
    assert_eq!(
        (deal.partner_id.as_str(), deal.etag.as_str()),
        ("nova", "\"v4\"")
    );
}

#[tokio::test]
async fn a_lost_deal_is_opened_again_and_withdrawn_and_another_is_rejected() {
    let server = start().await;
    let mut deals = deals(&server);
    registered(&mut deals, "d-1").await;
    let lose = pb::LoseDealRequest {
        deal_id: "d-1".to_owned(),
        reason: "price".to_owned(),
        ..Default::default()
    };
    let deal = deals
        .lose_deal(lose)
        .await
        .unwrap()
        .into_inner()
        .deal
        .unwrap();
    assert_eq!(deal.record.unwrap().reason, "price");
    let reopen = pb::ReopenDealRequest {
        deal_id: "d-1".to_owned(),
        ..Default::default()
    };
    deals.reopen_deal(reopen).await.unwrap();
    let withdraw = pb::WithdrawDealRequest {
        deal_id: "d-1".to_owned(),
        ..Default::default()
    };
    let deal = deals
        .withdraw_deal(withdraw)
        .await
        .unwrap()
        .into_inner()
        .deal
        .unwrap();
    assert_eq!(deal.record.unwrap().state(), pb::DealState::Withdrawn);

    registered(&mut deals, "d-2").await;
    let reject = |reason: &str| pb::RejectDealRequest {
        deal_id: "d-2".to_owned(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    let refused = deals.reject_deal(reject("")).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["reason"]
    );
    let deal = deals
        .reject_deal(reject("known already"))
        .await
        .unwrap()
        .into_inner()
        .deal;
    assert_eq!(
        deal.unwrap().record.unwrap().state(),
        pb::DealState::Rejected
    );
    assert_refused(
        deals.win_deal(win("d-2")).await,
        Code::FailedPrecondition,
        "DEAL_REJECTED",
    );
}

#[tokio::test]
async fn a_correction_changes_what_the_mask_names() {
    let server = start().await;
    let mut deals = deals(&server);
    registered(&mut deals, "d-1").await;
    let amend = |paths: &[&str]| pb::AmendDealRequest {
        deal_id: "d-1".to_owned(),
        record: Some(pb::DealRecord {
            name: "Fifty seats".to_owned(),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        ..Default::default()
    };
    let deal = deals
        .amend_deal(amend(&[]))
        .await
        .unwrap()
        .into_inner()
        .deal
        .unwrap();
    let record = deal.record.unwrap();
    assert_eq!(
        (record.name.as_str(), record.amount),
        ("Fifty seats", euros("1250.00"))
    );
    let deal = deals
        .amend_deal(amend(&["amount"]))
        .await
        .unwrap()
        .into_inner()
        .deal
        .unwrap();
    assert_eq!(deal.record.unwrap().amount, None);
    let refused = deals.amend_deal(amend(&["state", "reason"])).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["update_mask", "update_mask"]);
    let nameless = pb::AmendDealRequest {
        record: None,
        ..amend(&["name"])
    };
    let fields = assert_refused(
        deals.amend_deal(nameless).await,
        Code::InvalidArgument,
        "INVALID_REQUEST",
    );
    assert_eq!(fields, ["record.name"]);
}

#[tokio::test]
async fn every_wrong_field_of_a_registration_is_named_at_once() {
    let server = start().await;
    let wrong = pb::RegisterDealRequest {
        deal_id: "D 1".to_owned(),
        name: String::new(),
        amount: euros("12,50"),
        registered_date: "31.3.2026".to_owned(),
        source: 77,
        ..register("")
    };
    let refused = deals(&server).register_deal(wrong).await;
    let mut fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    assert_eq!(
        fields,
        [
            "amount.amount",
            "deal_id",
            "name",
            "registered_date",
            "source"
        ]
    );
}

#[tokio::test]
async fn a_repeated_registration_gets_the_first_answer_and_adds_nothing() {
    let server = start().await;
    let mut deals = deals(&server);
    let request = pb::RegisterDealRequest {
        request_id: "r-1".to_owned(),
        ..register("")
    };
    let first = deals
        .register_deal(request.clone())
        .await
        .unwrap()
        .into_inner();
    let events = server.events().await;
    let second = deals
        .register_deal(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, second);
    assert_eq!(server.events().await, events);
    let other = pb::RegisterDealRequest {
        name: "Other".to_owned(),
        ..request
    };
    let refused = deals.register_deal(other).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(fields, ["request_id"]);
    assert_eq!(
        server.last_metadata("request_id").await.as_deref(),
        Some("r-1")
    );
    assert_eq!(
        server.last_metadata("actor").await.as_deref(),
        Some("user:ada")
    );
}

#[tokio::test]
async fn a_repeated_win_gets_the_first_answer_whatever_has_happened_since() {
    let server = start().await;
    let mut deals = deals(&server);
    registered(&mut deals, "d-1").await;
    let request = pb::WinDealRequest {
        request_id: "r-2".to_owned(),
        ..win("d-1")
    };
    let first = deals.win_deal(request.clone()).await.unwrap().into_inner();
    let reverse = pb::ReverseDealRequest {
        deal_id: "d-1".to_owned(),
        reason: "returned".to_owned(),
        ..Default::default()
    };
    deals.reverse_deal(reverse).await.unwrap();
    assert_eq!(deals.win_deal(request).await.unwrap().into_inner(), first);
}

#[tokio::test]
async fn an_old_etag_is_refused_and_nothing_is_stored_for_a_dry_run() {
    let server = start().await;
    let mut deals = deals(&server);
    registered(&mut deals, "d-1").await;
    let events = server.events().await;
    let stale = pb::WinDealRequest {
        etag: "\"v7\"".to_owned(),
        ..win("d-1")
    };
    assert_refused(
        deals.win_deal(stale).await,
        Code::Aborted,
        "CONCURRENT_CHANGE",
    );
    let dry = pb::WinDealRequest {
        validate_only: true,
        ..win("d-1")
    };
    let answer = deals.win_deal(dry.clone()).await.unwrap().into_inner();
    assert_eq!(
        answer.deal.unwrap().record.unwrap().state(),
        pb::DealState::Won
    );
    assert_eq!(answer.consistency_token, "");
    let stale = pb::WinDealRequest {
        etag: "\"v7\"".to_owned(),
        ..dry
    };
    assert_refused(
        deals.win_deal(stale).await,
        Code::Aborted,
        "CONCURRENT_CHANGE",
    );
    assert_eq!(server.events().await, events);
}

#[tokio::test]
async fn a_registration_needs_a_partner_that_takes_part() {
    let server = start().await;
    let mut deals = deals(&server);
    let unknown = pb::RegisterDealRequest {
        partner_id: "ghost".to_owned(),
        ..register("d-1")
    };
    let refused = deals.register_deal(unknown).await;
    assert_refused(refused, Code::NotFound, "PARTNER_NOT_FOUND");
    let reason = "unpaid".to_owned();
    let stream = StreamId::new(&acme(), "nova");
    server
        .run::<Partner>(&stream, PartnerCommand::Suspend { reason })
        .await
        .unwrap();
    let refused = deals.register_deal(register("d-1")).await;
    assert_refused(refused, Code::FailedPrecondition, "PARTNER_SUSPENDED");
}

#[tokio::test]
async fn what_is_absent_or_there_already_is_said_so() {
    let server = start().await;
    let mut deals = deals(&server);
    assert_refused(
        deals.win_deal(win("d-1")).await,
        Code::NotFound,
        "DEAL_NOT_FOUND",
    );
    let get = pb::GetDealRequest {
        deal_id: "d-1".to_owned(),
    };
    assert_refused(deals.get_deal(get).await, Code::NotFound, "DEAL_NOT_FOUND");
    registered(&mut deals, "d-1").await;
    let again = deals.register_deal(register("d-1")).await;
    assert_refused(again, Code::AlreadyExists, "DEAL_EXISTS");
    let external = |deal: &str, validate_only| pb::RegisterDealRequest {
        external_id: "crm-9".to_owned(),
        validate_only,
        ..register(deal)
    };
    deals.register_deal(external("d-2", false)).await.unwrap();
    for validate_only in [false, true] {
        let taken = deals.register_deal(external("d-3", validate_only)).await;
        assert_refused(taken, Code::AlreadyExists, "DEAL_EXTERNAL_ID_TAKEN");
    }
}

#[tokio::test]
async fn another_org_sees_and_changes_nothing() {
    let server = start().await;
    registered(&mut deals(&server), "d-1").await;
    let mut others = DealServiceClient::new(server.caller_of("other", Role::Admin));
    let get = pb::GetDealRequest {
        deal_id: "d-1".to_owned(),
    };
    assert_refused(others.get_deal(get).await, Code::NotFound, "DEAL_NOT_FOUND");
    let refused = others.win_deal(win("d-1")).await;
    assert_refused(refused, Code::FailedPrecondition, "ORG_NOT_FOUND");
}

#[tokio::test]
async fn a_call_needs_a_token_and_a_role() {
    let server = start().await;
    let mut stranger = DealServiceClient::new(server.stranger());
    let refused = stranger.register_deal(register("d-1")).await;
    assert_refused(refused, Code::Unauthenticated, "UNAUTHENTICATED");
    let mut viewer = DealServiceClient::new(server.caller(Role::Viewer));
    let refused = viewer.register_deal(register("d-1")).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    let mut system = DealServiceClient::new(server.caller(Role::Integration));
    registered(&mut deals(&server), "d-1").await;
    let approve = pb::ApproveDealRequest {
        deal_id: "d-1".to_owned(),
        ..Default::default()
    };
    let refused = system.approve_deal(approve).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
}
