//! API keys: shown once, good until they are not, and nowhere to be read.

use std::time::{Duration, Instant};

use tierline_rpc::Role;
use tierline_testkit::eventually;

use crate::call::{Answer, call, message, method};
use crate::world::{Key, World};

const GET: &str = "tierline.partner.v1.PartnerService/GetPartner";
const TAG: &str = "tierline.partner.v1.PartnerService/TagPartner";
const CREATE: &str = "tierline.access.v1.ApiKeyService/CreateApiKey";
const ROTATE: &str = "tierline.access.v1.ApiKeyService/RotateApiKey";
const REVOKE: &str = "tierline.access.v1.ApiKeyService/RevokeApiKey";
const LIST: &str = "tierline.access.v1.ApiKeyService/ListApiKeys";
const ONE: &str = r#"partner_id: "a-one""#;
/// Within this time every process refuses a revoked key.
const BOUND: Duration = Duration::from_secs(10);

async fn get(world: &World, secret: &str) -> Answer {
    world.ask(Some(secret), GET, ONE, "a").await
}

fn not_let_in(answer: &Answer) {
    assert_eq!(answer.code(), "UNAUTHENTICATED", "{}", answer.text());
    assert!(
        answer.text().contains("the API key is not good"),
        "{}",
        answer.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_what_its_roles_open_in_its_own_org() {
    let world = World::start().await;
    let admin = world.node.token("a", Role::Admin, None);
    let key = world
        .new_key(&admin, r#"name: "CRM" roles: "integration""#)
        .await;
    assert_eq!(get(&world, &key.secret).await.code(), "OK");
    let suspend = "tierline.partner.v1.PartnerService/SuspendPartner";
    let refused = world.ask(Some(&key.secret), suspend, ONE, "a").await;
    assert_eq!(refused.reason().as_deref(), Some("ROLE_REQUIRED"));
    let foreign = world
        .ask(Some(&key.secret), GET, r#"partner_id: "b-one""#, "a")
        .await;
    assert_eq!(foreign.code(), "NOT_FOUND");

    // The org in the text is believed only where the key is found.
    not_let_in(&get(&world, &key.secret.replace("_a.", "_b.")).await);
    let mut other = key.secret.clone();
    other.replace_range(40..41, if &other[40..41] == "0" { "1" } else { "0" });
    not_let_in(&get(&world, &other).await);

    // What was done with the key names it, and not who made it.
    let tagged = world
        .ask(
            Some(&key.secret),
            TAG,
            r#"partner_id: "a-one" tags: "by-key""#,
            "a",
        )
        .await;
    assert_eq!(tagged.code(), "OK", "{}", tagged.text());
    let actor: String = sqlx::query_scalar(
        "SELECT metadata->>'actor' FROM events WHERE event_type LIKE '%PartnerTagged'
         ORDER BY recorded_at DESC LIMIT 1",
    )
    .fetch_one(&mut world.node.database().connect().await)
    .await
    .unwrap();
    assert_eq!(actor, format!("key:{}", key.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_makes_or_changes_a_key() {
    let world = World::start().await;
    let admin = world.node.token("a", Role::Admin, None);
    let key = world
        .new_key(&admin, r#"name: "Root" roles: "admin""#)
        .await;
    let own = format!("key_id: \"{}\" reason: \"x\"", key.id);
    for (method, request) in [
        (CREATE, r#"name: "Another" roles: "admin""#),
        (ROTATE, own.trim_end_matches(" reason: \"x\"")),
        (REVOKE, own.as_str()),
    ] {
        let refused = world.ask(Some(&key.secret), method, request, "a").await;
        assert_eq!(refused.code(), "PERMISSION_DENIED");
        assert_eq!(refused.reason().as_deref(), Some("PERSON_REQUIRED"));
    }
    assert_eq!(
        world.ask(Some(&key.secret), LIST, "", "a").await.code(),
        "OK"
    );
    let operator = r#"name: "Cell" roles: "operator""#;
    let refused = world.ask(Some(&admin), CREATE, operator, "a").await;
    assert_eq!(refused.code(), "INVALID_ARGUMENT", "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_texts_of_a_key_are_good_while_it_is_exchanged() {
    let world = World::start().await;
    let admin = world.node.token("a", Role::Admin, None);
    let first = world
        .new_key(&admin, r#"name: "CRM" roles: "viewer""#)
        .await;
    let request = format!("key_id: \"{}\"", first.id);
    let second = Key::shown_in(&world.ask(Some(&admin), ROTATE, &request, "a").await);
    assert_eq!(second.id, first.id);
    for secret in [&first.secret, &second.secret] {
        assert_eq!(get(&world, secret).await.code(), "OK");
    }
    let at_once = format!("{request} grace {{}}");
    let third = Key::shown_in(&world.ask(Some(&admin), ROTATE, &at_once, "a").await);
    for secret in [&first.secret, &second.secret] {
        not_let_in(&get(&world, secret).await);
    }
    assert_eq!(get(&world, &third.secret).await.code(), "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_by_every_process_within_ten_seconds() {
    let world = World::start().await;
    let beside = world.node.beside("partner").await;
    let channel = beside.connect().await;
    let admin = world.node.token("a", Role::Admin, None);
    let key = world
        .new_key(&admin, r#"name: "CRM" roles: "viewer""#)
        .await;
    let get_there = async || {
        let method = method(GET);
        let body = prost::Message::encode_to_vec(&message(&method.input(), ONE));
        call(&channel, Some(&key.secret), &method, vec![body]).await
    };
    assert_eq!(get(&world, &key.secret).await.code(), "OK");
    assert_eq!(get_there().await.code(), "OK");

    let request = format!("key_id: \"{}\" reason: \"it was in a mail\"", key.id);
    let revoked = world.ask(Some(&admin), REVOKE, &request, "a").await;
    assert_eq!(revoked.code(), "OK", "{}", revoked.text());
    let since = Instant::now();
    not_let_in(&get(&world, &key.secret).await);
    eventually(BOUND, "the other process refuses the key", async || {
        get_there().await.code() == "UNAUTHENTICATED"
    })
    .await;
    println!("refused by the other process after {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_of_a_key_is_shown_once_and_nowhere_else() {
    let world = World::start().await;
    let admin = world.node.token("a", Role::Admin, None);
    let request = r#"name: "CRM" roles: "viewer" request_id: "r-1""#;
    let key = world.new_key(&admin, request).await;
    let again = Key::shown_in(&world.ask(Some(&admin), CREATE, request, "a").await);
    assert_eq!((again.id, again.secret.as_str()), (key.id.clone(), ""));

    assert_eq!(get(&world, &key.secret).await.code(), "OK");
    let wrong = &key.secret[..key.secret.len() - 1];
    not_let_in(&get(&world, wrong).await);
    let list = world.ask(Some(&admin), LIST, "", "a").await;
    assert!(list.text().contains(&key.id));

    let (_, secret) = key.secret.rsplit_once('_').unwrap();
    let secret = &secret[..60];
    assert!(!list.text().contains(secret), "in the list of keys");
    assert!(
        !world.node.printed().contains(secret),
        "in the log of the process"
    );
    for line in world.node.log() {
        if line["why"] == "key_malformed" {
            assert_eq!(line["method"], GET);
        }
    }
    let metrics = world.node.metrics().await;
    let counted = "tierline_auth_refused_total{why=\"key_malformed\"} 1";
    assert!(metrics.contains(counted), "not counted:\n{metrics}");
    assert!(!metrics.contains(secret));
    for (table, text) in tables(&world).await {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let found = text.contains(secret) || text.contains(&hex);
        assert!(!found, "in table {table}");
    }
}

/// Every table of ours with its whole content as text.
async fn tables(world: &World) -> Vec<(String, String)> {
    let mut connection = world.node.database().connect().await;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(
        names.iter().any(|name| name == "public.receipts"),
        "{names:?}"
    );
    let mut found = Vec::new();
    for name in names {
        let content = format!("SELECT coalesce(string_agg(t::text, chr(10)), '') FROM {name} t");
        let text = sqlx::query_scalar(&content)
            .fetch_one(&mut connection)
            .await;
        found.push((name, text.unwrap()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_key_is_shown() {
    let world = World::start().await;
    let admin = world.node.token("a", Role::Admin, None);
    let key = world
        .new_key(&admin, r#"name: "CRM" roles: "viewer""#)
        .await;
    let request = format!("key_id: \"{}\"", key.id);
    let shown = async || {
        let name = "tierline.access.v1.ApiKeyService/GetApiKey";
        world.ask(Some(&admin), name, &request, "a").await.text()
    };
    assert!(!shown().await.contains("last_use_time"));
    assert_eq!(get(&world, &key.secret).await.code(), "OK");
    eventually(
        Duration::from_secs(40),
        "the last use is shown",
        async || shown().await.contains("last_use_time"),
    )
    .await;
}
