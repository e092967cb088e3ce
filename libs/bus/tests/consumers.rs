//! What a consumer promises, on a real log: at-least-once reading, exactly-once effect.

#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgConnection, PgPool};
use tierline_bus::{
    Checkpoints, Consumer, ConsumerError, ConsumerId, Feed, Handler, HandlerError, LogFeed,
    Options, Positions, SharedLog, parked,
};
use tierline_domain::{OrgId, PartnerId, Routing, StreamId};
use tierline_eventstore::{
    AppendItem, EventStore, LogEvent, LogReader, NewEvent, PARTITIONS, Sequencer,
};
use tierline_testkit::{TestDatabase, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const ID: ConsumerId = ConsumerId {
    name: "counter",
    version: 1,
};

struct Log {
    _database: TestDatabase,
    pool: PgPool,
    store: EventStore,
    sequencer: Sequencer,
}

impl Log {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool(8).await;
        tierline_eventstore::MIGRATIONS.run(&pool).await.unwrap();
        tierline_bus::MIGRATIONS.run(&pool).await.unwrap();
        sqlx::raw_sql(
            "CREATE TABLE applied (id bigserial PRIMARY KEY, partner text, marker text,
                                   partition smallint, number bigint)",
        )
        .execute(&pool)
        .await
        .unwrap();
        let store = EventStore::open(pool.clone());
        let sequencer = Sequencer::new(pool.clone(), store.waker());
        Self {
            _database: database,
            pool,
            store,
            sequencer,
        }
    }

    /// One event about a partner; `marker` tells it from others.
    async fn append(&self, partner: &str, marker: &str) {
        let org = OrgId::parse("acme").unwrap();
        let event = NewEvent {
            event_type: "test.v1.Happened".to_owned(),
            event_version: "1.0".to_owned(),
            payload: format!("{{\"marker\":\"{marker}\"}}"),
            metadata: Arc::from("{}"),
        };
        let stream = StreamId::new(&org, format!("{partner}-{marker}"));
        let routing = Routing::Partner(PartnerId::parse(partner).unwrap());
        let item = AppendItem::new("Test", stream, org, &routing, 0, vec![event]);
        for outcome in self.store.append_many(&[item]).await {
            outcome.unwrap();
        }
        self.sequencer.drain().await.unwrap();
    }

    fn consumer(&self, handler: Recorder, force: bool) -> Consumer<Recorder, LogFeed> {
        let feed = LogFeed::new(
            LogReader::new(self.pool.clone()),
            Some(self.sequencer.subscribe()),
        );
        let options = Options {
            batch: 7,
            force,
            ..Options::default()
        };
        Consumer::new(ID, self.pool.clone(), feed, handler, options)
    }

    fn start(
        &self,
        handler: Recorder,
        force: bool,
    ) -> (CancellationToken, JoinHandle<Result<(), ConsumerError>>) {
        let stop = CancellationToken::new();
        (
            stop.clone(),
            tokio::spawn(self.consumer(handler, force).run(stop)),
        )
    }

    async fn caught_up(&self) {
        eventually(
            Duration::from_secs(20),
            "the consumer to catch up",
            async || {
                let lags = Checkpoints::lags(&self.pool).await.unwrap();
                lags.iter().any(|lag| lag.events == 0)
            },
        )
        .await;
    }

    async fn applied(&self, partner: &str) -> Vec<String> {
        sqlx::query_scalar("SELECT marker FROM applied WHERE partner = $1 ORDER BY id")
            .bind(partner)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    async fn doubled(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) - count(DISTINCT (partition, number)) FROM applied")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

/// Writes down every event; refuses some, or is slow, when told so.
#[derive(Clone, Default)]
struct Recorder {
    poison: Arc<Mutex<BTreeSet<String>>>,
    broken: Arc<AtomicBool>,
    slow: Arc<AtomicBool>,
    batches: Arc<AtomicUsize>,
}

#[async_trait]
impl Handler for Recorder {
    async fn start(&mut self, _: &mut PgConnection, _: &[u8]) -> Result<(), HandlerError> {
        Ok(())
    }

    async fn apply(
        &mut self,
        connection: &mut PgConnection,
        batch: &[LogEvent],
    ) -> Result<(), HandlerError> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        for (index, event) in batch.iter().enumerate() {
            let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
            let marker = payload["marker"].as_str().unwrap().to_owned();
            let (_, partner) = event.routing_key.split_once('/').unwrap();
            sqlx::query(
                "INSERT INTO applied (partner, marker, partition, number) VALUES ($1, $2, $3, $4)",
            )
            .bind(partner)
            .bind(&marker)
            .bind(i16::from(event.partition))
            .bind(event.partition_number)
            .execute(&mut *connection)
            .await?;
            if self.poison.lock().unwrap().contains(&marker) {
                return Err(HandlerError::Poison {
                    index,
                    reason: "it is poison".to_owned(),
                });
            }
        }
        if self.broken.swap(false, Ordering::SeqCst) {
            return Err(HandlerError::Database(sqlx::Error::WorkerCrashed));
        }
        if self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn every_event_takes_effect_once_and_in_order_across_restarts_and_failures() {
    let log = Log::new().await;
    let handler = Recorder::default();
    for round in 0..3 {
        let (stop, task) = log.start(handler.clone(), false);
        for n in 0..20 {
            log.append(&format!("p{}", n % 5), &format!("r{round}n{n}"))
                .await;
        }
        handler.broken.store(true, Ordering::SeqCst);
        log.append("p0", &format!("r{round}last")).await;
        log.caught_up().await;
        stop.cancel();
        task.await.unwrap().unwrap();
    }
    assert_eq!(log.doubled().await, 0);
    let first = log.applied("p0").await;
    let expected: Vec<String> = (0..3)
        .flat_map(|round| {
            let numbered = [0, 5, 10, 15].map(|n| format!("r{round}n{n}"));
            numbered.into_iter().chain([format!("r{round}last")])
        })
        .collect();
    assert_eq!(first, expected);
}

#[tokio::test]
async fn who_lost_the_lease_is_fenced_and_applies_nothing_more() {
    let log = Log::new().await;
    let slow = Recorder::default();
    slow.slow.store(true, Ordering::SeqCst);
    let (_stop, first) = log.start(slow.clone(), false);
    for n in 0..30 {
        log.append("acme", &format!("n{n}")).await;
    }
    eventually(
        Duration::from_secs(10),
        "the first to be at work",
        async || slow.batches.load(Ordering::SeqCst) > 0,
    )
    .await;
    let (stop, second) = log.start(Recorder::default(), true);
    let fenced = first.await.unwrap().unwrap_err();
    assert!(matches!(fenced, ConsumerError::Fenced(_)), "{fenced}");
    log.caught_up().await;
    stop.cancel();
    second.await.unwrap().unwrap();
    assert_eq!(log.doubled().await, 0);
    let expected: Vec<String> = (0..30).map(|n| format!("n{n}")).collect();
    assert_eq!(log.applied("acme").await, expected);
}

#[tokio::test]
async fn instances_share_the_partitions_and_take_over_what_a_dead_one_held() {
    let log = Log::new().await;
    let holders = async || -> Vec<i64> {
        sqlx::query_scalar(
            "SELECT count(*) FROM bus.leases WHERE expires_at > clock_timestamp()
             GROUP BY owner ORDER BY 1",
        )
        .fetch_all(&log.pool)
        .await
        .unwrap()
    };
    let (stop, first) = log.start(Recorder::default(), false);
    eventually(Duration::from_secs(10), "one to hold all", async || {
        holders().await == [16]
    })
    .await;
    let (_stop, second) = log.start(Recorder::default(), false);
    eventually(Duration::from_secs(10), "an even share", async || {
        holders().await == [8, 8]
    })
    .await;
    for n in 0..40 {
        log.append(&format!("p{}", n % 20), &format!("n{n}")).await;
    }
    log.caught_up().await;

    // As if its process had been killed: it says no goodbye.
    second.abort();
    for n in 40..80 {
        log.append(&format!("p{}", n % 20), &format!("n{n}")).await;
    }
    log.caught_up().await;
    eventually(Duration::from_secs(10), "one to hold all", async || {
        holders().await == [16]
    })
    .await;
    assert_eq!(log.doubled().await, 0);
    for partner in 0..20 {
        let expected: Vec<String> = (0..4).map(|n| format!("n{}", n * 20 + partner)).collect();
        assert_eq!(log.applied(&format!("p{partner}")).await, expected);
    }

    // Who leaves in order is missed by nobody.
    let (_stop, third) = log.start(Recorder::default(), false);
    eventually(Duration::from_secs(10), "an even share", async || {
        holders().await == [8, 8]
    })
    .await;
    stop.cancel();
    first.await.unwrap().unwrap();
    eventually(Duration::from_secs(4), "the rest to be taken", async || {
        holders().await == [16]
    })
    .await;
    third.abort();
}

#[tokio::test]
async fn a_poison_event_parks_its_partner_and_a_retry_keeps_the_order() {
    let log = Log::new().await;
    let handler = Recorder::default();
    handler.poison.lock().unwrap().insert("bad".to_owned());
    let (stop, task) = log.start(handler.clone(), false);
    for marker in ["a", "bad", "b", "c"] {
        log.append("ill", marker).await;
        log.append("well", marker.replace("bad", "good").as_str())
            .await;
    }
    log.caught_up().await;
    assert_eq!(log.applied("ill").await, ["a"]);
    assert_eq!(log.applied("well").await, ["a", "good", "b", "c"]);
    let waiting = parked::list(&log.pool, "acme", 10).await.unwrap();
    let errors: Vec<&str> = waiting.iter().map(|event| event.error.as_str()).collect();
    assert_eq!(errors, ["it is poison", "", ""]);

    // Asked too early: it stays parked, and says why.
    parked::retry(&log.pool, "acme", ID.name, "acme/ill")
        .await
        .unwrap();
    eventually(
        Duration::from_secs(10),
        "the retry to have failed",
        async || {
            let asked: i64 = sqlx::query_scalar("SELECT count(*) FROM bus.parked WHERE retry")
                .fetch_one(&log.pool)
                .await
                .unwrap();
            asked == 0
        },
    )
    .await;
    assert_eq!(log.applied("ill").await, ["a"]);

    handler.poison.lock().unwrap().clear();
    parked::retry(&log.pool, "acme", ID.name, "acme/ill")
        .await
        .unwrap();
    eventually(
        Duration::from_secs(10),
        "the parked events to be applied",
        async || log.applied("ill").await == ["a", "bad", "b", "c"],
    )
    .await;
    log.append("ill", "d").await;
    log.caught_up().await;
    assert_eq!(log.applied("ill").await, ["a", "bad", "b", "c", "d"]);
    assert_eq!(parked::list(&log.pool, "acme", 10).await.unwrap(), []);
    stop.cancel();
    task.await.unwrap().unwrap();
    assert_eq!(log.doubled().await, 0);
}

#[tokio::test]
async fn a_parked_partner_stays_parked_across_a_restart() {
    let log = Log::new().await;
    let handler = Recorder::default();
    handler.poison.lock().unwrap().insert("bad".to_owned());
    let (stop, task) = log.start(handler.clone(), false);
    log.append("ill", "bad").await;
    log.caught_up().await;
    stop.cancel();
    task.await.unwrap().unwrap();
    let (stop, task) = log.start(handler.clone(), false);
    log.append("ill", "later").await;
    log.append("well", "later").await;
    log.caught_up().await;
    assert_eq!(log.applied("ill").await, [""; 0]);
    assert_eq!(log.applied("well").await, ["later"]);
    assert_eq!(parked::list(&log.pool, "acme", 10).await.unwrap().len(), 2);
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn consumers_that_are_equally_far_share_one_read_but_never_the_news_that_there_is_none() {
    let log = Log::new().await;
    let shared = SharedLog::new(LogReader::new(log.pool.clone()), None);
    let (mut one, mut other) = (shared.feed(), shared.feed());
    let begin: Positions = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    assert!(one.read(&begin, 100).await.unwrap().is_empty());
    log.append("p-1", "a").await;
    let first = one.read(&begin, 100).await.unwrap();
    assert_eq!(first.len(), 1, "what was empty is looked at again");
    let same = other.read(&begin, 100).await.unwrap();
    assert!(Arc::ptr_eq(&first, &same));

    // Who is further reads on, and sees what came meanwhile.
    log.append("p-1", "b").await;
    let mut after = begin.clone();
    after[usize::from(first[0].partition)].1 = first[0].partition_number;
    let second = other.read(&after, 100).await.unwrap();
    assert!(second[0].payload.contains("\"b\""), "{second:?}");
    // Nobody is given fewer or more than asked for.
    assert_eq!(one.read(&begin, 1).await.unwrap().len(), 1);
}
