//! The relay numbers what is committed, and leaves nothing behind when it stops.

// A test fails by panicking, in its helpers too.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tierline_domain::{OrgId, PartnerId, Routing, StreamId};
use tierline_eventstore::{AppendItem, EventStore, LogReader, MIGRATIONS, NewEvent, Sequencer};
use tierline_testkit::TestDatabase;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

async fn store(database: &TestDatabase) -> (PgPool, EventStore) {
    let pool = tierline_eventstore::connect(&database.url(), 4)
        .await
        .unwrap();
    MIGRATIONS.run(&pool).await.unwrap();
    (pool.clone(), EventStore::open(pool))
}

fn items(name: &str) -> Vec<AppendItem> {
    let org = OrgId::parse("acme").unwrap();
    let routing = Routing::Partner(PartnerId::parse("p").unwrap());
    let event = NewEvent {
        event_type: "test.v1.Happened".into(),
        event_version: "1.0".into(),
        payload: "{}".into(),
        metadata: Arc::from("{}"),
    };
    let stream = |n| StreamId::new(&org, format!("{name}-{n}"));
    let item = |n| {
        AppendItem::new(
            "T",
            stream(n),
            org.clone(),
            &routing,
            0,
            vec![event.clone()],
        )
    };
    (0..10).map(item).collect()
}

#[tokio::test]
async fn events_are_numbered_as_they_come_and_the_last_ones_before_the_stop() {
    let database = TestDatabase::create().await;
    let (pool, store) = store(&database).await;
    let reader = LogReader::new(pool.clone());
    let stop = CancellationToken::new();
    let sequencer = Arc::new(Sequencer::new(pool, store.waker()));
    let mut heads = sequencer.subscribe();
    let relay = tokio::spawn({
        let (sequencer, stop) = (Arc::clone(&sequencer), stop.clone());
        async move { tierline_relay::run(&sequencer, stop).await }
    });
    for outcome in store.append_many(&items("first")).await {
        outcome.unwrap();
    }
    let numbered = heads.wait_for(|heads| heads.position == 10);
    tokio::time::timeout(PATIENCE, numbered)
        .await
        .unwrap()
        .unwrap();
    for outcome in store.append_many(&items("last")).await {
        outcome.unwrap();
    }
    stop.cancel();
    tokio::time::timeout(PATIENCE, relay)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(reader.heads().await.unwrap().position, 20);
}

#[tokio::test]
async fn of_two_relays_each_event_is_numbered_once() {
    let database = TestDatabase::create().await;
    let (pool, store) = store(&database).await;
    let stop = CancellationToken::new();
    let mut relays = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let sequencer = Sequencer::new(pool.clone(), store.waker()).with_batch(3);
        let stop = stop.clone();
        relays.spawn(async move { tierline_relay::run(&sequencer, stop).await });
    }
    for round in 0..10 {
        for outcome in store.append_many(&items(&format!("round-{round}"))).await {
            outcome.unwrap();
        }
    }
    stop.cancel();
    tokio::time::timeout(PATIENCE, relays.join_all())
        .await
        .unwrap();
    let events = LogReader::new(pool).read_positions(0, 1_000).await.unwrap();
    assert_eq!(events.len(), 100);
}
