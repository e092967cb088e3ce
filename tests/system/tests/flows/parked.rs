//! A stored event that is damaged: it is set aside with what follows it, the rest goes on, and
//! once it is mended an operator has it tried again.

use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tierline_eventstore::{event_id, leaf_hash, partition_of, routing_hash};
use tierline_testkit::{eventually, eventually_some};

use crate::client::Client;
use crate::topology::Topology;
use crate::world::{found, text};

const SERVICE: &str = "query.v1.OperationsService";
const EVALUATOR: &str = "tier-evaluator-v1";
const PATIENCE: Duration = Duration::from_secs(30);
const DAMAGED: &str = "{\"no\":\"sense\"}";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    client.enrolled("hurt", "sell").await;
    client.register("damaged", "hurt", "12000.00 EUR").await;
    let sane = client.won("sane", "hurt", "1500.00 EUR").await;
    assert_eq!(client.tier("hurt-sell", &sane).await, "silver");
    let mut database = topology.database().connect().await;
    let whole = win_damaged(&mut database, org).await;

    let key = format!("{org}/hurt");
    let first = eventually_some(PATIENCE, "the event is set aside", async || {
        parked(&client, &key)
            .await
            .into_iter()
            .find(|one| one["consumer"] == EVALUATOR)
    })
    .await;
    assert!(text(&first["event_type"]).ends_with("DealWon"), "{first}");
    assert!(!text(&first["error"]).is_empty(), "{first}");
    let lost = client
        .refused("activity.v1.DealService/GetDeal", "deal_id: \"damaged\"")
        .await;
    assert_eq!(lost.code, "DATA_LOSS", "{}", lost.text);

    // What comes later of the same partner waits; of others, nothing does.
    client.won("behind", "hurt", "100.00 EUR").await;
    waiting(&client, &key, 2).await;
    let get = "query.v1.StandingQueryService/GetStanding";
    let standing = client.ok(get, "enrollment_id: \"hurt-sell\"").await;
    let standing = &standing["standings"][0];
    assert_eq!(standing["under_review"], true, "{standing}");
    assert_eq!(standing["tier_id"], "silver", "{standing}");
    client.enrolled("well", "sell").await;
    let won = client.won("well", "well", "10000.00 EUR").await;
    assert_eq!(client.tier("well-sell", &won).await, "gold");

    // Tried again without having been mended, it comes back.
    let retry = format!("consumer: {EVALUATOR:?} routing_key: {key:?}");
    let name = format!("{SERVICE}/RetryParked");
    let tried = client.ok(&name, &retry).await;
    assert!(tried["released_events"].as_u64() >= Some(2), "{tried}");
    attempted(&mut database, &key).await;
    waiting(&client, &key, 2).await;

    mend(&mut database, org, &whole).await;
    let consumers = parked(&client, &key).await;
    let mut consumers: Vec<String> = consumers.iter().map(|one| text(&one["consumer"])).collect();
    consumers.sort();
    consumers.dedup();
    for consumer in consumers {
        client
            .ok(
                &name,
                &format!("consumer: {consumer:?} routing_key: {key:?}"),
            )
            .await;
    }
    eventually(PATIENCE, "nothing is set aside any more", async || {
        parked(&client, &key).await.is_empty()
    })
    .await;
    let last = client.won("last", "hurt", "1.00 EUR").await;
    let standing = client.standing("hurt-sell", &last).await;
    assert_eq!(standing["tier_id"], "gold", "{standing}");
    assert_eq!(standing["under_review"], false, "{standing}");
    let deal = client
        .ok("activity.v1.DealService/GetDeal", "deal_id: \"damaged\"")
        .await;
    assert_eq!(deal["record"]["state"], "DEAL_STATE_WON", "{deal}");
    database.close().await.unwrap();
}

/// What is set aside of a partner.
async fn parked(client: &Client, key: &str) -> Vec<Value> {
    let listed = client
        .ok(&format!("{SERVICE}/ListParked"), "page_size: 1000")
        .await;
    let events = listed["events"].as_array().unwrap().iter();
    events
        .filter(|event| event["routing_key"] == key)
        .cloned()
        .collect()
}

/// Waits until the evaluator has set aside at least so many events.
async fn waiting(client: &Client, key: &str, least: usize) {
    eventually(PATIENCE, "later events wait behind it", async || {
        let parked = parked(client, key).await;
        parked
            .iter()
            .filter(|one| one["consumer"] == EVALUATOR)
            .count()
            >= least
    })
    .await;
}

/// Waits until nothing is marked for another attempt.
async fn attempted(database: &mut PgConnection, key: &str) {
    eventually(PATIENCE, "the attempt is over", async || {
        let open = "SELECT count(*) FROM bus.parked WHERE retry AND routing_key = $1";
        let open: i64 = sqlx::query_scalar(open)
            .bind(key)
            .fetch_one(&mut *database)
            .await
            .unwrap();
        open == 0
    })
    .await;
}

/// Appends the winning of a deal, like that of the other one, as the store does; what is stored of
/// it is damaged. Gives what should be stored.
async fn win_damaged(database: &mut PgConnection, org: &str) -> String {
    let row = sqlx::query(
        "SELECT event_type, event_version, payload::text, metadata::text FROM events
         WHERE aggregate_type = 'Deal' AND aggregate_id = $1 ORDER BY sequence DESC LIMIT 1",
    )
    .bind(format!("{org}/sane"))
    .fetch_one(&mut *database)
    .await
    .unwrap();
    let [kind, version, payload, metadata] = [0, 1, 2, 3].map(|at| row.get::<String, _>(at));
    let (stream, key) = (format!("{org}/damaged"), format!("{org}/hurt"));
    let id = event_id("Deal", &stream, 2);
    let hash = leaf_hash(id, &kind, &version, &payload, &metadata);
    sqlx::query(
        "WITH e AS (INSERT INTO events (aggregate_type, aggregate_id, sequence, org_id, event_id,
                 event_type, event_version, payload, metadata, routing_key)
             VALUES ('Deal', $1, 2, $2, $3, $4, $5, $6::json, $7::json, $8))
         INSERT INTO outbox (aggregate_type, aggregate_id, sequence, org_id, event_id,
             routing_hash, partition, leaf_hash)
         VALUES ('Deal', $1, 2, $2, $3, $9, $10, $11)",
    )
    .bind(&stream)
    .bind(org)
    .bind(id)
    .bind(&kind)
    .bind(&version)
    .bind(DAMAGED)
    .bind(&metadata)
    .bind(&key)
    .bind(routing_hash(&key))
    .bind(i16::from(partition_of(&key)))
    .bind(&hash[..])
    .execute(&mut *database)
    .await
    .unwrap();
    payload
}

/// Puts back what a backup has, for which the trigger that forbids it has to be put out of the way.
async fn mend(database: &mut PgConnection, org: &str, payload: &str) {
    let mut mending = database.begin().await.unwrap();
    let off = "ALTER TABLE events DISABLE TRIGGER append_only";
    mending.execute(off).await.unwrap();
    let mended = sqlx::query(
        "UPDATE events SET payload = $2::json
         WHERE aggregate_type = 'Deal' AND aggregate_id = $1 AND payload::text = $3",
    )
    .bind(format!("{org}/damaged"))
    .bind(payload)
    .bind(DAMAGED)
    .execute(&mut *mending)
    .await
    .unwrap();
    assert_eq!(mended.rows_affected(), 1);
    let on = "ALTER TABLE events ENABLE ALWAYS TRIGGER append_only";
    mending.execute(on).await.unwrap();
    mending.commit().await.unwrap();
}
