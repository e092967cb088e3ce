use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::advance_clock_request::To;
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TODAY, TestServer, assert_refused};
use tonic::Code;

use super::{bare, start};

fn orgs(server: &TestServer) -> OrgServiceClient<Connection> {
    OrgServiceClient::new(server.caller(Role::Admin))
}

fn create() -> pb::CreateOrgRequest {
    pb::CreateOrgRequest {
        name: "Acme".to_owned(),
        ..Default::default()
    }
}

fn advance(to: To) -> pb::AdvanceClockRequest {
    pb::AdvanceClockRequest {
        to: Some(to),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_org_of_the_credential_is_created_with_defaults_and_renamed() {
    let server = bare().await;
    let mut orgs = orgs(&server);
    let missing = orgs.get_org(pb::GetOrgRequest {}).await;
    assert_refused(missing, Code::FailedPrecondition, "ORG_NOT_FOUND");
    let answer = orgs.create_org(create()).await.unwrap().into_inner();
    let org = answer.org.unwrap();
    assert_eq!(
        (org.org_id.as_str(), org.time_zone.as_str()),
        ("acme", "UTC")
    );
    assert_eq!(
        (org.fiscal_year_start, org.base_currency_code.as_str()),
        (1, "USD")
    );
    assert_eq!(
        (org.today_date.as_str(), org.sandbox, org.clock_time),
        (TODAY, false, None)
    );
    assert!(!answer.consistency_token.is_empty());
    assert_refused(
        orgs.create_org(create()).await,
        Code::AlreadyExists,
        "ORG_EXISTS",
    );
    let rename = |etag: &str| pb::UpdateOrgRequest {
        name: "Acme Corp".to_owned(),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let refused = orgs.update_org(rename("\"v5\"")).await;
    assert_refused(refused, Code::Aborted, "CONCURRENT_CHANGE");
    orgs.update_org(rename(&org.etag)).await.unwrap();
    let org = orgs
        .get_org(pb::GetOrgRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (org.name.as_str(), org.etag.as_str()),
        ("Acme Corp", "\"v2\"")
    );
}

#[tokio::test]
async fn every_wrong_field_of_a_new_org_is_named_at_once() {
    let server = bare().await;
    let wrong = pb::CreateOrgRequest {
        name: String::new(),
        time_zone: "Mars/Olympus".to_owned(),
        base_currency_code: "XXX".to_owned(),
        sandbox_start_date: "1492-10-12".to_owned(),
        ..Default::default()
    };
    let refused = orgs(&server).create_org(wrong).await;
    let mut fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    assert_eq!(
        fields,
        [
            "base_currency_code",
            "name",
            "sandbox_start_date",
            "time_zone"
        ]
    );
    let month = pb::CreateOrgRequest {
        fiscal_year_start: 300,
        ..create()
    };
    let refused = orgs(&server).create_org(month).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["fiscal_year_start"]);
}

#[tokio::test]
async fn a_repeated_creation_gets_the_first_answer() {
    let server = bare().await;
    let mut orgs = orgs(&server);
    let request = pb::CreateOrgRequest {
        request_id: "r-1".to_owned(),
        ..create()
    };
    let first = orgs.create_org(request.clone()).await.unwrap().into_inner();
    assert_eq!(
        orgs.create_org(request.clone()).await.unwrap().into_inner(),
        first
    );
    assert_eq!(server.events().await, 1);
    let other = pb::CreateOrgRequest {
        name: "Other".to_owned(),
        ..request
    };
    let refused = orgs.create_org(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn the_clock_of_a_sandbox_moves_forward_only() {
    let server = bare().await;
    let mut orgs = orgs(&server);
    let sandbox = pb::CreateOrgRequest {
        time_zone: "Europe/Vienna".to_owned(),
        sandbox_start_date: "2014-01-01".to_owned(),
        ..create()
    };
    let org = orgs
        .create_org(sandbox)
        .await
        .unwrap()
        .into_inner()
        .org
        .unwrap();
    assert_eq!((org.today_date.as_str(), org.sandbox), ("2014-01-01", true));
    assert_eq!(org.clock_time.unwrap().seconds, 1_388_530_800);
    let forward = advance(To::ToDate("2014-02-01".to_owned()));
    let org = orgs
        .advance_clock(forward.clone())
        .await
        .unwrap()
        .into_inner()
        .org
        .unwrap();
    assert_eq!(org.today_date, "2014-02-01");
    assert_eq!(
        server.last_metadata("org_time").await.as_deref(),
        Some("2013-12-31T23:00:00Z")
    );
    let again = orgs
        .advance_clock(forward)
        .await
        .unwrap()
        .into_inner()
        .org
        .unwrap();
    assert_eq!(again.etag, org.etag);
    let back = orgs
        .advance_clock(advance(To::ToDate("2014-01-15".to_owned())))
        .await;
    assert_refused(back, Code::FailedPrecondition, "CLOCK_RUNS_FORWARD");
    let instant = prost_types::Timestamp {
        seconds: 1_400_000_000,
        nanos: 0,
    };
    let org = orgs
        .advance_clock(advance(To::ToTime(instant)))
        .await
        .unwrap()
        .into_inner()
        .org;
    assert_eq!(org.unwrap().today_date, "2014-05-13");
}

#[tokio::test]
async fn a_clock_needs_to_be_told_where_to_go() {
    let server = bare().await;
    let mut orgs = orgs(&server);
    let sandbox = pb::CreateOrgRequest {
        sandbox_start_date: "2014-01-01".to_owned(),
        ..create()
    };
    orgs.create_org(sandbox).await.unwrap();
    for (to, field) in [
        (Some(To::ToDate("soon".to_owned())), "to_date"),
        (
            Some(To::ToTime(prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            })),
            "to_time",
        ),
        (None, "to_date"),
    ] {
        let request = pb::AdvanceClockRequest {
            to,
            ..Default::default()
        };
        let refused = orgs.advance_clock(request).await;
        let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
        assert_eq!(fields, [field]);
    }
}

#[tokio::test]
async fn the_clock_of_an_ordinary_org_is_not_moved() {
    let server = start().await;
    let refused = orgs(&server)
        .advance_clock(advance(To::ToDate("2030-01-01".to_owned())))
        .await;
    assert_refused(refused, Code::FailedPrecondition, "NOT_A_SANDBOX");
}

#[tokio::test]
async fn only_an_admin_configures_the_org() {
    let server = bare().await;
    let mut stranger = OrgServiceClient::new(server.stranger());
    let refused = stranger.create_org(create()).await;
    assert_refused(refused, Code::Unauthenticated, "UNAUTHENTICATED");
    let mut manager = OrgServiceClient::new(server.caller(Role::PartnerManager));
    let refused = manager.create_org(create()).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    let dry = pb::CreateOrgRequest {
        validate_only: true,
        ..create()
    };
    orgs(&server).create_org(dry).await.unwrap();
    assert_eq!(server.events().await, 0);
}
