//! The event store against a real PostgreSQL.

// A test fails by panicking, in its helpers too.
#![allow(clippy::unwrap_used)]

mod account;
mod append;
mod bell;
mod bulk;
mod crowd;
mod immutable;
mod library;
mod pool;
mod reader;
mod runner;
mod sequencer;
mod unknown;
mod upkeep;

use std::time::Duration;

use sqlx::PgPool;
use tierline_domain::{OrgId, PartnerId, StreamId};
use tierline_eventstore::{
    CommandContext, EventStore, LogReader, MIGRATIONS, Runner, Sequencer, StoreOptions,
};
use tierline_testkit::TestDatabase;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A migrated database with a store on it.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) store: EventStore,
    pub(crate) runner: Runner,
    pub(crate) sequencer: Sequencer,
    pub(crate) reader: LogReader,
    // Last, so that it is dropped after everything that uses it.
    _database: TestDatabase,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(8, StoreOptions::default()).await
    }

    pub(crate) async fn with(connections: u32, options: StoreOptions) -> Self {
        let database = TestDatabase::create().await;
        let pool = tierline_eventstore::connect(&database.url(), connections)
            .await
            .unwrap();
        MIGRATIONS.run(&pool).await.unwrap();
        let store = EventStore::new(pool.clone(), options, Vec::new());
        Self {
            runner: Runner::new(store.clone()),
            sequencer: Sequencer::new(pool.clone(), store.waker()),
            reader: LogReader::new(pool.clone()),
            store,
            pool,
            _database: database,
        }
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }
}

pub(crate) fn org() -> OrgId {
    OrgId::parse("acme").unwrap()
}

pub(crate) fn stream(id: &str) -> StreamId {
    StreamId::new(&org(), id)
}

pub(crate) fn partner(id: &str) -> PartnerId {
    PartnerId::parse(id).unwrap()
}

pub(crate) fn context() -> CommandContext {
    CommandContext::new(org(), "user:ada")
}

pub(crate) fn request(id: &str, content: &str) -> CommandContext {
    context().with_request(id, content.as_bytes())
}
