//! The libraries as they come: cqrs-es and postgres-es on a table of their own, for comparison.
//!
//! Only with the feature `stock`. Nothing of Tierline runs on this; the benchmark measures against
//! it, and this crate is the one place that may name their storage.

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{CqrsFramework, DomainEvent as _};
use postgres_es::{PostgresCqrs, PostgresEventRepository};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tierline_domain::Entity;

/// The table that postgres-es asks for.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS events (
    aggregate_type text                         NOT NULL,
    aggregate_id   text                         NOT NULL,
    sequence       bigint CHECK (sequence >= 0) NOT NULL,
    event_type     text                         NOT NULL,
    event_version  text                         NOT NULL,
    payload        json                         NOT NULL,
    metadata       json                         NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// Why the comparison failed.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// An event has no JSON form.
    #[error("an event cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The command was refused, or lost a race.
    #[error("the command failed: {0}")]
    Command(String),
}

/// One kind of aggregate on stock cqrs-es and postgres-es, in its event-store mode.
pub struct Stock<A: Entity> {
    framework: PostgresCqrs<A>,
    pool: PgPool,
}

impl<A: Entity> Stock<A> {
    /// Makes the table where it is missing. The pool is that of sqlx with its default settings,
    /// as the documentation of postgres-es makes it, but for its size.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StockError> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(url)
            .await?;
        sqlx::query(SCHEMA).execute(&pool).await?;
        let repository = PostgresEventRepository::new(pool.clone());
        let store = PersistedEventStore::new_event_store(repository);
        let framework = CqrsFramework::new(store, Vec::new(), ());
        Ok(Self { framework, pool })
    }

    /// Runs one command: load all events, decide, append row by row.
    ///
    /// # Errors
    /// When it is refused, loses a race, or the database fails.
    pub async fn execute(&self, id: &str, command: A::Command) -> Result<(), StockError> {
        let done = self.framework.execute(id, command).await;
        done.map_err(|error| StockError::Command(error.to_string()))
    }

    /// Writes the first events of a stream at once, to begin a measurement with a long stream.
    ///
    /// # Errors
    /// When the stream exists or the database fails.
    pub async fn begin(&self, id: &str, events: &[A::Event]) -> Result<(), StockError> {
        let mut types = Vec::with_capacity(events.len());
        let mut versions = Vec::with_capacity(events.len());
        let mut payloads = Vec::with_capacity(events.len());
        for event in events {
            types.push(event.event_type());
            versions.push(event.event_version());
            payloads.push(serde_json::to_string(event)?);
        }
        sqlx::query(
            "INSERT INTO events SELECT $1, $2, u.ord, u.type, u.version, u.payload::json, '{}'
             FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY
                  AS u(type, version, payload, ord)",
        )
        .bind(A::TYPE)
        .bind(id)
        .bind(&types)
        .bind(&versions)
        .bind(&payloads)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How many events are stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events(&self) -> Result<i64, StockError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM events");
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// Closes all connections.
    pub async fn close(self) {
        self.pool.close().await;
    }
}
