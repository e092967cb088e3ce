//! Raw limits: what the same server does for plain statements that carry the same rows. A figure of
//! Tierline means something only beside one of these, taken in the same round.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use sqlx::{Connection, PgConnection, PgPool, Row};
use tierline_domain::activity::DealEvent;
use uuid::Uuid;

use super::load::{closed_loop, fixed_work};
use super::report::{Sample, Unit};
use super::run::Run;
use super::world;

/// Connections of the single-row limit.
const SINGLE_ROW_CONNECTIONS: u32 = 32;
/// Rows of one statement.
const ROWS: u64 = 500;
/// Events that one batch of the tailing reader takes.
const BATCH: i64 = 2_000;
/// Rows of the table that the tailing reader keeps.
const KEYS: i64 = 20_000;

/// Names of the limits, as the report shows them.
pub const SINGLE_ROW: &str = "single-row INSERT";
/// See [`SINGLE_ROW`].
pub const MANY_ROWS: &str = "INSERT of 500 rows";
/// See [`SINGLE_ROW`].
pub const UPSERT: &str = "tail + upsert";

/// The layout of the events table, plain: not partitioned, no triggers, nothing beside it.
const EVENTS: &str = "CREATE TABLE events (
    aggregate_type text COLLATE \"C\" NOT NULL,
    aggregate_id   text COLLATE \"C\" NOT NULL,
    sequence       bigint           NOT NULL CHECK (sequence >= 0),
    event_type     text COLLATE \"C\" NOT NULL,
    event_version  text COLLATE \"C\" NOT NULL,
    payload        json             NOT NULL,
    metadata       json             NOT NULL,
    org_id         text COLLATE \"C\" NOT NULL DEFAULT '',
    event_id       uuid             NOT NULL DEFAULT gen_random_uuid(),
    routing_key    text COLLATE \"C\" NOT NULL DEFAULT '',
    recorded_at    timestamptz      NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

const INSERT_ONE: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, \
     event_version, payload, metadata, org_id, event_id, routing_key) \
     VALUES ($1, $2, $3, $4, $5, $6::text::json, $7::text::json, $8, $9, $10)";

const INSERT_MANY: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, \
     event_version, payload, metadata, org_id, event_id, routing_key) \
     SELECT 'Deal', u.id, 1, $3, '1.0', u.payload::json, $4::text::json, 'bench', u.event_id, \
     u.key \
     FROM unnest($1::text[], $2::text[], $5::uuid[], $6::text[]) AS u(id, payload, event_id, key)";

const EVENT_TYPE: &str = "tierline.activity.v1.DealRegistered";
const METADATA: &str = r#"{"actor":"service:bench"}"#;

/// The payload that a registered deal has. The same in every row: what the client has to compute
/// is no part of the limit.
fn payload() -> anyhow::Result<Arc<str>> {
    let event = DealEvent::DealRegistered {
        deal: world::deal_id(1)?,
        partner: world::partner_id(1)?,
        record: Box::new(world::registered(1)?),
    };
    Ok(serde_json::to_string(&event)?.into())
}

impl Run<'_> {
    /// Rows per second of prepared one-row statements, each its own transaction, over 32
    /// connections.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn single_row(&self) -> anyhow::Result<f64> {
        let limit = self.single_row.get_or_try_init(|| async {
            let rate = self.measure_single_row().await?;
            let what = format!("raw: {SINGLE_ROW}, {SINGLE_ROW_CONNECTIONS} connections");
            self.report(Sample::new(what, Unit::PerSecond, rate));
            anyhow::Ok(rate)
        });
        limit.await.copied()
    }

    async fn measure_single_row(&self) -> anyhow::Result<f64> {
        let database = self.server.database().await?;
        let pool = tierline_eventstore::connect(&database.url, SINGLE_ROW_CONNECTIONS).await?;
        sqlx::raw_sql(EVENTS).execute(&pool).await?;
        let (shared, payload) = (pool.clone(), payload()?);
        let rate = closed_loop(SINGLE_ROW_CONNECTIONS, self.plan.window(), move |number| {
            let (pool, payload) = (shared.clone(), Arc::clone(&payload));
            async move { insert_one(&pool, &payload, number).await }
        })
        .await?;
        pool.close().await;
        self.server.drop(&database).await?;
        Ok(rate)
    }

    /// Rows per second of statements of 500 rows over one connection.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn many_rows(&self) -> anyhow::Result<f64> {
        let limit = self.many_rows.get_or_try_init(|| async {
            let rate = self.measure_many_rows(1).await?;
            let what = format!("raw: {MANY_ROWS}, 1 connection");
            self.report(Sample::new(what, Unit::PerSecond, rate));
            // For comparison: nothing is left for a client to do with the other core.
            let both = self.measure_many_rows(2).await?;
            let what = format!("raw: {MANY_ROWS}, 2 connections");
            self.report(Sample::new(what, Unit::PerSecond, both));
            anyhow::Ok(rate)
        });
        limit.await.copied()
    }

    async fn measure_many_rows(&self, connections: u32) -> anyhow::Result<f64> {
        let database = self.server.database().await?;
        let pool = tierline_eventstore::connect(&database.url, connections).await?;
        sqlx::raw_sql(EVENTS).execute(&pool).await?;
        // As much as the import that is compared with it.
        let statements = self.plan.many(100_000 / ROWS);
        let (shared, payload) = (pool.clone(), payload()?);
        let seconds = fixed_work(connections, statements, move |number| {
            let (pool, payload) = (shared.clone(), Arc::clone(&payload));
            async move { insert_many(&pool, &payload, number).await }
        })
        .await?;
        pool.close().await;
        self.server.drop(&database).await?;
        Ok((statements * ROWS) as f64 / seconds)
    }

    /// Events per second of a reader that takes 2,000 rows of a table at a time and writes them to
    /// another one with one upsert, in the transaction that moves its checkpoint.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn upsert(&self) -> anyhow::Result<f64> {
        let limit = self.upsert.get_or_try_init(|| async {
            let rate = self.measure_upsert().await?;
            let what = format!("raw: {UPSERT} with checkpoint, {BATCH} a batch");
            self.report(Sample::new(what, Unit::PerSecond, rate));
            anyhow::Ok(rate)
        });
        limit.await.copied()
    }

    async fn measure_upsert(&self) -> anyhow::Result<f64> {
        let database = self.server.database().await?;
        let mut connection = PgConnection::connect(&database.url).await?;
        let events = i64::try_from(self.plan.many(100_000)).context("too many events")?;
        prepare_tail(&mut connection, events).await?;
        self.server.checkpoint().await;
        let begin = Instant::now();
        let mut position = 0;
        while position < events {
            position = tail_once(&mut connection, position).await?;
        }
        let seconds = begin.elapsed().as_secs_f64();
        connection.close().await?;
        self.server.drop(&database).await?;
        Ok(events as f64 / seconds)
    }
}

async fn insert_one(pool: &PgPool, payload: &str, number: u64) -> anyhow::Result<()> {
    sqlx::query(INSERT_ONE)
        .bind("Deal")
        .bind(format!("bench/d-{number:07}"))
        .bind(1_i64)
        .bind(EVENT_TYPE)
        .bind("1.0")
        .bind(payload)
        .bind(METADATA)
        .bind("bench")
        .bind(Uuid::new_v4())
        .bind(format!("bench/p-{:07}", number % world::PARTNERS))
        .execute(pool)
        .await?;
    Ok(())
}

async fn insert_many(pool: &PgPool, payload: &str, number: u64) -> anyhow::Result<()> {
    let rows = number * ROWS..(number + 1) * ROWS;
    let ids: Vec<String> = rows.clone().map(|n| format!("bench/d-{n:07}")).collect();
    let keys: Vec<String> = rows
        .clone()
        .map(|n| format!("bench/p-{:07}", n % world::PARTNERS))
        .collect();
    let payloads: Vec<&str> = rows.clone().map(|_| payload).collect();
    let event_ids: Vec<Uuid> = rows.map(|_| Uuid::new_v4()).collect();
    sqlx::query(INSERT_MANY)
        .bind(&ids)
        .bind(&payloads)
        .bind(EVENT_TYPE)
        .bind(METADATA)
        .bind(&event_ids)
        .bind(&keys)
        .execute(pool)
        .await?;
    Ok(())
}

/// A table of events by position, a table that is kept up to date from it, and a checkpoint.
async fn prepare_tail(connection: &mut PgConnection, events: i64) -> anyhow::Result<()> {
    sqlx::raw_sql(
        "CREATE TABLE tail (position bigint PRIMARY KEY, key text NOT NULL, payload json NOT NULL);
         CREATE TABLE kept (key text PRIMARY KEY, payload json NOT NULL, position bigint NOT NULL);
         CREATE TABLE checkpoint (id int PRIMARY KEY, position bigint NOT NULL);
         INSERT INTO checkpoint VALUES (1, 0);",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO tail SELECT n, 'bench/p-' || n % $2, $3::text::json
         FROM generate_series(1, $1) n",
    )
    .bind(events)
    .bind(KEYS)
    .bind(&*payload()?)
    .execute(&mut *connection)
    .await?;
    sqlx::raw_sql("ANALYZE tail").execute(connection).await?;
    Ok(())
}

async fn tail_once(connection: &mut PgConnection, after: i64) -> anyhow::Result<i64> {
    let sql = "SELECT position, key, payload::text FROM tail WHERE position > $1
               ORDER BY position LIMIT $2";
    let rows = sqlx::query(sql)
        .bind(after)
        .bind(BATCH)
        .fetch_all(&mut *connection)
        .await?;
    let (mut positions, mut keys, mut payloads) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        positions.push(row.try_get::<i64, _>(0)?);
        keys.push(row.try_get::<String, _>(1)?);
        payloads.push(row.try_get::<String, _>(2)?);
    }
    let last = positions.last().copied().context("the table has ended")?;
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "INSERT INTO kept SELECT u.key, u.payload::json, u.position
         FROM unnest($1::text[], $2::text[], $3::bigint[]) AS u(key, payload, position)
         ON CONFLICT (key) DO UPDATE SET payload = EXCLUDED.payload, position = EXCLUDED.position",
    )
    .bind(&keys)
    .bind(&payloads)
    .bind(&positions)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("UPDATE checkpoint SET position = $1 WHERE id = 1 AND position = $2")
        .bind(last)
        .bind(after)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(last)
}
