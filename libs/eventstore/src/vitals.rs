//! What the log looks like from outside: what waits in front of it, and what could hold it up.

use std::time::Duration;

use sqlx::{PgPool, Row};
use tokio::time::Instant;

use crate::DbError;
use crate::pool::bounded;

/// How long the look may take; the next one comes soon.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Waiting events are counted up to here; more is as bad.
const COUNTED: u32 = 1_000_000;

/// One look at the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vitals {
    /// Committed events that wait for their number.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub oldest_waiting: Duration,
    /// Age of the oldest open transaction of any client of the server, as far as the user of the
    /// database may see it: its own, or with `pg_read_all_stats` everybody's.
    pub oldest_transaction: Duration,
}

impl Vitals {
    /// Looks, with statements that cost next to nothing.
    ///
    /// # Errors
    /// When the database does not answer within seconds.
    pub async fn read(pool: &PgPool) -> Result<Self, DbError> {
        let deadline = Instant::now() + TIMEOUT;
        let sql = format!(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT {COUNTED}) o),
                    (SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8
                     FROM (SELECT aggregate_type, aggregate_id, sequence
                           FROM outbox ORDER BY id LIMIT 1) o
                     JOIN events e USING (aggregate_type, aggregate_id, sequence)),
                    (SELECT extract(epoch FROM clock_timestamp() - min(xact_start))::float8
                     FROM pg_stat_activity
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())"
        );
        bounded(pool, deadline, move |connection| {
            Box::pin(async move {
                let row = sqlx::query(&sql).fetch_one(connection).await?;
                Ok(Self {
                    waiting: u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(),
                    oldest_waiting: seconds(row.try_get(1)?),
                    oldest_transaction: seconds(row.try_get(2)?),
                })
            })
        })
        .await
    }
}

/// None: there is nothing. Less than zero: the clock of the server was set back.
fn seconds(age: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(age.unwrap_or_default()).unwrap_or_default()
}
