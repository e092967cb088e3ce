//! The service of API keys over a real connection, behind the real gate, on a real PostgreSQL.
//! That keys open what they should is tested on the whole program, in `tests/system`.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use tierline_proto::access::v1 as pb;
use tierline_proto::access::v1::api_key_service_client::ApiKeyServiceClient;
use tierline_rpc::Role;
use tierline_rpc::auth::ApiKeys;
use tierline_rpc_testkit::{Connection, TestServer, assert_refused};
use tonic::Code;
use tonic::service::Routes;

type Keys = ApiKeyServiceClient<Connection>;

async fn start() -> TestServer {
    let server = TestServer::start(|commands| {
        let (store, pool) = (commands.store().clone(), commands.store().pool().clone());
        Routes::new(tierline_access::api_key_server(
            commands,
            ApiKeys::new(store),
            pool,
        ))
    })
    .await;
    let pool = server.commands.store().pool();
    tierline_access::MIGRATIONS.run(pool).await.unwrap();
    server.org().await;
    server
}

fn keys(server: &TestServer) -> Keys {
    ApiKeyServiceClient::new(server.caller(Role::Admin))
}

fn named(name: &str) -> pb::CreateApiKeyRequest {
    pb::CreateApiKeyRequest {
        name: name.to_owned(),
        roles: vec!["viewer".to_owned()],
        ..Default::default()
    }
}

async fn created(keys: &mut Keys, name: &str) -> pb::ApiKey {
    let answer = keys.create_api_key(named(name)).await.unwrap();
    answer.into_inner().api_key.unwrap()
}

#[tokio::test]
async fn a_new_key_is_good_for_ninety_days_and_says_who_made_it() {
    let server = start().await;
    let mut keys = keys(&server);
    let answer = keys
        .create_api_key(named("CRM"))
        .await
        .unwrap()
        .into_inner();
    let key = answer.api_key.unwrap();
    assert!(
        answer
            .secret
            .starts_with(&format!("tlk_live_acme.{}_", key.key_id))
    );
    assert_eq!(key.state(), pb::ApiKeyState::Active);
    assert_eq!((key.created_by.as_str(), key.rotations), ("user:ada", 0));
    let life = key.expire_time.unwrap().seconds - key.create_time.unwrap().seconds;
    assert_eq!(life, 90 * 24 * 3600);
    let get = pb::GetApiKeyRequest {
        key_id: key.key_id.clone(),
    };
    assert_eq!(keys.get_api_key(get).await.unwrap().into_inner(), key);
}

#[tokio::test]
async fn a_dry_run_makes_no_key_and_shows_no_text() {
    let server = start().await;
    let mut keys = keys(&server);
    let before = server.events().await;
    let dry = pb::CreateApiKeyRequest {
        validate_only: true,
        ..named("CRM")
    };
    let answer = keys.create_api_key(dry).await.unwrap().into_inner();
    assert_eq!(answer.secret, "");
    assert_eq!(server.events().await, before);
}

#[tokio::test]
async fn wrong_fields_are_named_at_once() {
    let server = start().await;
    let wrong = pb::CreateApiKeyRequest {
        roles: vec!["viewer".to_owned(), "root".to_owned()],
        partner_id: "a/b".to_owned(),
        expire_time: Some(prost_types::Timestamp {
            seconds: 1,
            nanos: 0,
        }),
        ..named("")
    };
    let answer = keys(&server).create_api_key(wrong).await;
    let fields = assert_refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["roles[1]", "partner_id", "name", "expire_time"]);
    for (seconds, nanos) in [(-1, 0), (i64::MIN, i32::MIN), (0, -1), (0, 1_000_000_000)] {
        let rotate = pb::RotateApiKeyRequest {
            key_id: "k".to_owned(),
            grace: Some(prost_types::Duration { seconds, nanos }),
            ..Default::default()
        };
        let answer = keys(&server).rotate_api_key(rotate).await;
        let fields = assert_refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
        assert_eq!(fields, ["grace"], "{seconds} {nanos}");
    }
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_and_in_the_list() {
    let server = start().await;
    let mut keys = keys(&server);
    let key = created(&mut keys, "CRM").await;
    let revoke = pb::RevokeApiKeyRequest {
        key_id: key.key_id.clone(),
        reason: "it was in a mail".to_owned(),
        ..Default::default()
    };
    for _ in 0..2 {
        let answer = keys
            .revoke_api_key(revoke.clone())
            .await
            .unwrap()
            .into_inner();
        let key = answer.api_key.unwrap();
        assert_eq!(key.state(), pb::ApiKeyState::Revoked);
        assert_eq!(key.revoke_reason, "it was in a mail");
    }
    let rotate = pb::RotateApiKeyRequest {
        key_id: key.key_id,
        ..Default::default()
    };
    let answer = keys.rotate_api_key(rotate).await;
    assert_refused(answer, Code::FailedPrecondition, "API_KEY_REVOKED");
    // Its name is free again.
    created(&mut keys, "CRM").await;
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    let server = start().await;
    let mut keys = keys(&server);
    for name in ["one", "two", "three"] {
        created(&mut keys, name).await;
    }
    let mut request = pb::ListApiKeysRequest {
        page_size: 2,
        ..Default::default()
    };
    let first = keys
        .list_api_keys(request.clone())
        .await
        .unwrap()
        .into_inner();
    request.page_token = first.next_page_token;
    let second = keys.list_api_keys(request).await.unwrap().into_inner();
    assert_eq!((first.api_keys.len(), second.api_keys.len()), (2, 1));
    assert_eq!(second.next_page_token, "");
    let all = first.api_keys.iter().chain(&second.api_keys);
    let mut names: Vec<&str> = all.map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "three", "two"]);
    assert_eq!(created(&mut keys, "four").await.last_use_time, None);
}
