//! A real log, a consumer that writes down what it is given, and the ways from one to the other.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgConnection, PgPool};
use tierline_bus::jetstream::{JetStream, JetStreamLog, NatsSettings, Publisher};
use tierline_bus::{
    Checkpoints, Consumer, ConsumerError, ConsumerId, Feed, Handler, HandlerError, Options, RELAY,
    SharedLog, Source,
};
use tierline_domain::{OrgId, PartnerId, Routing, StreamId};
use tierline_eventstore::{AppendItem, EventStore, LogEvent, LogReader, NewEvent, Sequencer};
use tierline_testkit::{Nats, TestDatabase, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The name under which NATS knows the process.
pub const PROCESS: &str = "test";
pub const ID: ConsumerId = ConsumerId {
    name: "counter",
    version: 1,
};

/// How events come to the consumer.
pub enum Way {
    Log,
    JetStream(PathBuf),
}

pub struct Log {
    _database: TestDatabase,
    pub pool: PgPool,
    store: EventStore,
    pub sequencer: Sequencer,
    pub bus: Option<Bus>,
}

/// A NATS server and the relay that fills it.
pub struct Bus {
    pub nats: Nats,
    pub jetstream: JetStream,
    pub relay: Option<Running>,
}

pub type Running = (CancellationToken, JoinHandle<Result<(), ConsumerError>>);

pub async fn connect(url: &str) -> JetStream {
    let settings = NatsSettings {
        url: url.to_owned(),
        credentials: None,
        replicas: 1,
    };
    JetStream::connect(&settings, "test").await.unwrap()
}

impl Log {
    pub async fn new(way: Way) -> Self {
        // Shown where a test fails; the second one of a process finds it set up.
        tierline_telemetry::init_log("info", tierline_telemetry::LogFormat::Human).ok();
        let database = TestDatabase::create().await;
        let pool = database.pool(12).await;
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
        let mut log = Self {
            _database: database,
            pool,
            store,
            sequencer,
            bus: None,
        };
        if let Way::JetStream(program) = way {
            let nats = Nats::start_program(&program).await;
            let jetstream = connect(nats.url()).await;
            let mut bus = Bus {
                nats,
                jetstream,
                relay: None,
            };
            bus.relay = Some(log.relay(&bus.jetstream));
            log.bus = Some(bus);
        }
        log
    }

    /// Starts a relay.
    pub fn relay(&self, bus: &JetStream) -> Running {
        let stop = CancellationToken::new();
        let feed = self.shared().feed();
        let publisher = Publisher::new(bus.clone());
        let options = Options::default();
        let relay = Consumer::new(RELAY, self.pool.clone(), feed, publisher, options);
        (stop.clone(), tokio::spawn(relay.run(stop)))
    }

    pub fn shared(&self) -> SharedLog {
        let reader = LogReader::new(self.pool.clone());
        SharedLog::new(reader, Some(self.sequencer.subscribe()))
    }

    /// One event about a partner; `marker` tells it from others. Of a type that may travel, but
    /// for markers that begin with `private`.
    pub async fn append(&self, partner: &str, marker: &str) {
        self.append_all(partner, &[marker]).await;
    }

    /// Commits an event that has no number before somebody runs the sequencer.
    pub async fn commit(&self, partner: &str, marker: &str) -> Uuid {
        let items = [item(partner, marker)];
        for outcome in self.store.append_many(&items).await {
            outcome.unwrap();
        }
        let found = sqlx::query_scalar("SELECT event_id FROM outbox WHERE aggregate_id LIKE $1");
        let like = format!("%{partner}-{marker}");
        found.bind(like).fetch_one(&self.pool).await.unwrap()
    }

    /// Many of them at once.
    pub async fn append_all<M: AsRef<str>>(&self, partner: &str, markers: &[M]) {
        let items: Vec<AppendItem> = markers
            .iter()
            .map(|marker| item(partner, marker.as_ref()))
            .collect();
        for outcome in self.store.append_many(&items).await {
            outcome.unwrap();
        }
        self.sequencer.drain().await.unwrap();
    }

    pub fn source(&self) -> Source {
        match &self.bus {
            None => Source::Log(self.shared()),
            Some(bus) => {
                let streams = JetStreamLog::new(bus.jetstream.clone(), self.shared(), PROCESS);
                Source::JetStream(Box::new(streams))
            }
        }
    }

    pub fn consumer(
        &self,
        source: &Source,
        handler: Recorder,
        force: bool,
    ) -> Consumer<Recorder, Box<dyn Feed>> {
        let options = Options {
            batch: 7,
            force,
            ..Options::default()
        };
        Consumer::new(ID, self.pool.clone(), source.feed(ID), handler, options)
    }

    pub fn start(&self, handler: Recorder, force: bool) -> Running {
        let stop = CancellationToken::new();
        let consumer = self.consumer(&self.source(), handler, force);
        (stop.clone(), tokio::spawn(consumer.run(stop)))
    }

    pub async fn caught_up(&self) {
        self.reached(ID).await;
    }

    /// Waits until a consumer has applied everything.
    pub async fn reached(&self, id: ConsumerId) {
        let deadline = Duration::from_secs(40);
        eventually(deadline, "the consumer to catch up", async || {
            let lags = Checkpoints::lags(&self.pool).await.unwrap();
            lags.iter()
                .any(|lag| lag.consumer == id.name && lag.events == 0)
        })
        .await;
    }

    pub async fn applied(&self, partner: &str) -> Vec<String> {
        sqlx::query_scalar("SELECT marker FROM applied WHERE partner = $1 ORDER BY id")
            .bind(partner)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub async fn doubled(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) - count(DISTINCT (partition, number)) FROM applied")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

fn item(partner: &str, marker: &str) -> AppendItem {
    let org = OrgId::parse("acme").unwrap();
    let event_type = if marker.starts_with("private") {
        "test.v1.Happened"
    } else {
        "tierline.activity.v1.DealWon"
    };
    let event = NewEvent {
        event_type: event_type.to_owned(),
        event_version: "1.0".to_owned(),
        payload: format!("{{\"marker\":\"{marker}\"}}"),
        metadata: Arc::from("{\"actor\":\"user:ada@acme.example\"}"),
    };
    let stream = StreamId::new(&org, format!("{partner}-{marker}"));
    let routing = Routing::Partner(PartnerId::parse(partner).unwrap());
    AppendItem::new("Test", stream, org, &routing, 0, vec![event])
}

/// Writes down every event; refuses some, or is slow, when told so.
#[derive(Clone, Default)]
pub struct Recorder {
    pub poison: Arc<Mutex<BTreeSet<String>>>,
    pub broken: Arc<AtomicBool>,
    pub slow: Arc<AtomicBool>,
    /// Nothing is of interest.
    pub unconcerned: Arc<AtomicBool>,
    pub batches: Arc<AtomicUsize>,
}

#[async_trait]
impl Handler for Recorder {
    fn wants(&self, _: &LogEvent) -> bool {
        !self.unconcerned.load(Ordering::SeqCst)
    }

    fn is_leisurely(&self) -> bool {
        self.unconcerned.load(Ordering::SeqCst)
    }

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
