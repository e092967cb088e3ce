//! The global order under late commits, two sequencers and broken connections.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tierline_domain::Routing;
use tierline_eventstore::{AppendItem, LogEvent, LogReader, NewEvent, Sequencer, append_in};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, World, org, partner, stream};

/// Events of one stream that follow version `after`.
fn item(id: &str, partner_id: &str, after: u64, count: usize) -> AppendItem {
    let event = NewEvent {
        event_type: "test.v1.Deposited".into(),
        event_version: "2.0".into(),
        payload: r#"{"Deposited":{"amount":1}}"#.into(),
        metadata: Arc::from("{}"),
    };
    let routing = Routing::Partner(partner(partner_id));
    AppendItem::new(
        "Account",
        stream(id),
        org(),
        &routing,
        after,
        vec![event; count],
    )
}

async fn whole_log(reader: &LogReader) -> Vec<LogEvent> {
    let mut log: Vec<LogEvent> = Vec::new();
    loop {
        let after = log.last().map_or(0, |event| event.position);
        let more = reader.read_positions(after, 1_000).await.unwrap();
        if more.is_empty() {
            return log;
        }
        log.extend(more);
    }
}

/// Gapless as a whole and in each partition, nothing twice, every stream in its order.
fn check_order(log: &[LogEvent]) {
    let mut numbers = HashMap::<u8, i64>::new();
    let mut versions = HashMap::<&str, i64>::new();
    let mut ids = HashSet::new();
    for (position, event) in (1..).zip(log) {
        assert_eq!(event.position, position);
        let number = numbers.entry(event.partition).or_default();
        *number += 1;
        assert_eq!(event.partition_number, *number);
        assert!(
            ids.insert((event.event_id, event.partition)),
            "{event:?} twice"
        );
        let version = versions.entry(&event.aggregate_id).or_default();
        *version += 1;
        assert_eq!(
            event.sequence, *version,
            "{} out of order",
            event.aggregate_id
        );
        assert!(event.is_intact());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_some_holding_their_commit_lose_nothing_and_invert_nothing() {
    const WRITERS: usize = 16;
    const ROUNDS: u64 = 30;
    let world = World::with(24, Default::default()).await;
    let stop = CancellationToken::new();
    // Two sequencers at once, on top.
    let mut sequencers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let sequencer = Sequencer::new(world.pool.clone(), world.store.waker()).with_batch(7);
        let stop = stop.clone();
        sequencers.spawn(async move { sequencer.run(stop).await });
    }
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (pool, store) = (world.pool.clone(), world.store.clone());
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let one = item(
                    &format!("s-{writer}"),
                    &format!("p-{}", writer % 5),
                    round * 2,
                    2,
                );
                let mut transaction = pool.begin().await.unwrap();
                append_in(&mut transaction, &[one]).await.unwrap();
                if writer % 3 == 0 {
                    // A late commit: others overtake it by many ids.
                    tokio::time::sleep(Duration::from_millis(15)).await;
                }
                transaction.commit().await.unwrap();
                store.wake();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    stop.cancel();
    sequencers.join_all().await;
    world.sequencer.drain().await.unwrap();
    let log = whole_log(&world.reader).await;
    assert_eq!(log.len(), WRITERS * ROUNDS as usize * 2);
    check_order(&log);
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 0);
    let heads = world.reader.heads().await.unwrap();
    assert_eq!(heads.position, log.len() as i64);
    for (partition, head) in heads.partitions.iter().enumerate() {
        let numbered = log
            .iter()
            .filter(|event| usize::from(event.partition) == partition);
        assert_eq!(numbered.count() as i64, *head);
    }
}

#[tokio::test]
async fn a_late_commit_is_numbered_later_and_nothing_waits_for_it() {
    let world = World::new().await;
    let mut late = world.pool.begin().await.unwrap();
    append_in(&mut late, &[item("late", "p", 0, 1)])
        .await
        .unwrap();
    world
        .store
        .append_many(&[item("early", "p", 0, 1)])
        .await
        .remove(0)
        .unwrap();
    assert_eq!(world.sequencer.drain().await.unwrap(), 1);
    late.commit().await.unwrap();
    assert_eq!(world.sequencer.drain().await.unwrap(), 1);
    let log = whole_log(&world.reader).await;
    let order: Vec<&str> = log
        .iter()
        .map(|event| event.aggregate_id.as_str())
        .collect();
    assert_eq!(order, ["acme/early", "acme/late"]);
}

#[tokio::test]
async fn a_sequencer_killed_between_outbox_and_log_leaves_both_as_they_were() {
    let world = World::new().await;
    world
        .store
        .append_many(&[item("a", "p", 0, 3)])
        .await
        .remove(0)
        .unwrap();
    let mut victim = world.pool.begin().await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *victim)
        .await
        .unwrap();
    sqlx::query("SELECT * FROM sequence_outbox(100)")
        .execute(&mut *victim)
        .await
        .unwrap();
    sqlx::query("SELECT pg_terminate_backend($1)")
        .bind(pid)
        .execute(&world.pool)
        .await
        .unwrap();
    assert!(victim.commit().await.is_err());
    assert_eq!(world.count("SELECT count(*) FROM log").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 3);
    assert_eq!(world.sequencer.drain().await.unwrap(), 3);
    check_order(&whole_log(&world.reader).await);
}

#[tokio::test]
async fn batches_are_bounded_and_the_heads_are_told() {
    let world = World::new().await;
    let heads = world.sequencer.subscribe();
    world
        .store
        .append_many(&[item("a", "p", 0, 10)])
        .await
        .remove(0)
        .unwrap();
    assert_eq!(world.sequencer.run_once(4).await.unwrap(), 4);
    assert_eq!(heads.borrow().position, 4);
    assert_eq!(world.sequencer.drain().await.unwrap(), 6);
    assert_eq!(heads.borrow().position, 10);
    assert_eq!(world.sequencer.run_once(4).await.unwrap(), 0);
}

#[tokio::test]
async fn an_append_wakes_the_sequencer_of_its_process() {
    let world = World::new().await;
    let stop = CancellationToken::new();
    let sequencer = Sequencer::new(world.pool.clone(), world.store.waker());
    let mut heads = sequencer.subscribe();
    let task = tokio::spawn({
        let stop = stop.clone();
        async move { sequencer.run(stop).await }
    });
    // Long enough for the pauses to have grown.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let start = tokio::time::Instant::now();
    world
        .store
        .append_many(&[item("a", "p", 0, 1)])
        .await
        .remove(0)
        .unwrap();
    tokio::time::timeout(PATIENCE, heads.wait_for(|heads| heads.position == 1))
        .await
        .unwrap()
        .unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
    stop.cancel();
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_sequencer_writes_nothing() {
    let world = World::new().await;
    world
        .store
        .append_many(&[item("a", "p", 0, 1)])
        .await
        .remove(0)
        .unwrap();
    world.sequencer.drain().await.unwrap();
    // What it asks, in a transaction that can be looked at: whoever writes, if only a lock on a
    // row, gets an id.
    let mut transaction = world.pool.begin().await.unwrap();
    let taken: i64 = sqlx::query_scalar("SELECT taken FROM sequence_outbox(100)")
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    let wrote = sqlx::query_scalar("SELECT pg_current_xact_id_if_assigned() IS NOT NULL");
    let wrote: bool = wrote.fetch_one(&mut *transaction).await.unwrap();
    assert_eq!((taken, wrote), (0, false));
}
