//! Housekeeping that PostgreSQL does not do by itself.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::Instant;

use crate::DbError;
use crate::pool::bounded;

/// How long one statement of housekeeping may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Deletes up to `batch` receipts older than `older_than` and returns how many. A request that is
/// repeated after its receipt is gone is a new request: keep receipts for longer than any client
/// retries.
///
/// # Errors
/// When the database does not answer.
pub async fn expire_receipts(
    pool: &PgPool,
    older_than: Duration,
    batch: u32,
) -> Result<u64, DbError> {
    let deadline = Instant::now() + TIMEOUT;
    let (age, batch) = (older_than.as_secs_f64(), i64::from(batch));
    bounded(pool, deadline, move |connection| {
        Box::pin(async move {
            // Receipts are never changed, so that the place of a row identifies it within one
            // statement.
            let done = sqlx::query(
                "DELETE FROM receipts WHERE ctid = ANY (ARRAY(
                     SELECT ctid FROM receipts
                     WHERE created_at < clock_timestamp() - make_interval(secs => $1) LIMIT $2))",
            )
            .bind(age)
            .bind(batch)
            .execute(connection)
            .await?;
            Ok(done.rows_affected())
        })
    })
    .await
}

/// Refreshes the statistics of the store's tables. PostgreSQL never analyzes the parent of a
/// partitioned table by itself. Goes through a function of the owner, since others may not.
///
/// # Errors
/// When the database does not answer.
pub async fn analyze(pool: &PgPool) -> Result<(), DbError> {
    let deadline = Instant::now() + TIMEOUT;
    bounded(pool, deadline, |connection| {
        Box::pin(async move {
            for table in ["events", "log", "claims", "receipts"] {
                sqlx::query("SELECT refresh_statistics($1)")
                    .bind(table)
                    .persistent(false)
                    .execute(&mut *connection)
                    .await?;
            }
            Ok(())
        })
    })
    .await
}
