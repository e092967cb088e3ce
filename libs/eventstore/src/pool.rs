//! Connections, and the rule that nothing waits for the database without end.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::crowd;

/// How long to wait for a free connection before giving up.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements kept per connection.
const STATEMENTS: usize = 256;

/// A session that does nothing for so long in the middle of a transaction is ended by the server.
/// No batch of a consumer takes longer. Who takes over leases does not wait for it: it ends the
/// sessions of a process that stands still by itself.
const STANDS_STILL: (&str, &str) = ("idle_in_transaction_session_timeout", "60s");

/// This process, as its sessions are called on the server.
static PROCESS: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);

/// Who this process is, among all that use the database.
pub fn process_id() -> Uuid {
    *PROCESS
}

/// Ends the sessions of these processes that have done nothing for `still` in the middle of a
/// transaction, so that their locks are free. Returns how many there were.
///
/// # Errors
/// When the statement fails.
pub async fn end_standing_still(
    connection: &mut PgConnection,
    processes: &[Uuid],
    still: Duration,
) -> Result<u64, sqlx::Error> {
    let names: Vec<String> = processes.iter().copied().map(session_name).collect();
    let done = sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE usename = current_user AND application_name = ANY ($1)
           AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - $2",
    )
    .bind(names)
    .bind(still)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

fn session_name(process: Uuid) -> String {
    format!("tierline {process}")
}

/// A connection that nobody has used for this long is asked whether it still lives.
const RESTED: Duration = Duration::from_secs(1);
/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens a pool of at most `max` connections.
///
/// Busy connections are not pinged before use (that would double the round trips); a broken one
/// shows itself at its first statement. One that has rested is: after a restart of the server all
/// of them are dead, and each would fail one more caller, long after the server is back.
/// Just-in-time compilation is off: it takes tens of milliseconds for statements that run in two.
///
/// # Errors
/// When the URL is malformed or the first connection cannot be made.
pub async fn connect(url: &str, max: u32) -> Result<PgPool, sqlx::Error> {
    open(url, max, &[("jit", "off")]).await
}

/// As [`connect`], for work that can be done again from the log: its commits do not wait for the
/// disk. After a crash of the server the last of them may be missing, each as a whole, and with it
/// the checkpoint that it moved.
///
/// # Errors
/// As [`connect`].
pub async fn connect_relaxed(url: &str, max: u32) -> Result<PgPool, sqlx::Error> {
    open(url, max, &[("jit", "off"), ("synchronous_commit", "off")]).await
}

async fn open(url: &str, max: u32, settings: &[(&str, &str)]) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?
        .options(settings.iter().copied().chain([STANDS_STILL]))
        .application_name(&session_name(process_id()))
        .statement_cache_capacity(STATEMENTS);
    PgPoolOptions::new()
        .max_connections(max)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(crate::lineage::look(connection)))
        .before_acquire(|connection, known| Box::pin(lives(connection, known)))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(3600))
        .connect_with(options)
        .await
}

/// An error makes the pool throw the connection away and take another one.
async fn lives(
    connection: &mut PgConnection,
    known: PoolConnectionMetadata,
) -> Result<bool, sqlx::Error> {
    if known.idle_for < RESTED {
        return Ok(true);
    }
    let silent = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    timeout(PING_TIMEOUT, connection.ping())
        .await
        .map_err(|_| silent())??;
    Ok(true)
}

/// Why a bounded piece of work gave no result.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The deadline passed; the connection was closed.
    #[error("the database did not answer in time")]
    Deadline,
    /// The database would have answered: every connection of the pool, or every place in a
    /// queue, was taken by other callers of this process.
    #[error("this process has more to do than it has connections or places for")]
    Exhausted,
    /// The database or the connection failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A statement that was shared with other callers failed.
    #[error("the database failed")]
    Shared(#[source] Arc<DbError>),
}

impl DbError {
    /// Whether it was a limit of this process that was reached.
    pub fn is_exhausted(&self) -> bool {
        match self {
            Self::Exhausted => true,
            Self::Database(sqlx::Error::PoolTimedOut) => crowd::is_ours(),
            Self::Shared(error) => error.is_exhausted(),
            Self::Deadline | Self::Database(_) => false,
        }
    }
}

/// A connection of the pool, or why there is none.
pub(crate) async fn acquire(
    pool: &PgPool,
    deadline: Instant,
) -> Result<PoolConnection<Postgres>, DbError> {
    match timeout_at(deadline, pool.acquire()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(sqlx::Error::PoolTimedOut)) | Err(_) => Err(crowd::reason()),
        Ok(Err(error)) => Err(DbError::Database(error)),
    }
}

/// Runs `work` on a connection of the pool. When the deadline passes the connection is closed
/// rather than handed back: what the server still does on it must not reach anybody else.
pub(crate) async fn bounded<T, F>(pool: &PgPool, deadline: Instant, work: F) -> Result<T, DbError>
where
    F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>>,
{
    bounded_on(pool, &mut None, deadline, work).await
}

/// The same on a connection that is kept for the next time, unless it fails.
pub(crate) async fn bounded_on<T, F>(
    pool: &PgPool,
    kept: &mut Option<PoolConnection<Postgres>>,
    deadline: Instant,
    work: F,
) -> Result<T, DbError>
where
    F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>>,
{
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => acquire(pool, deadline).await?,
    };
    match timeout_at(deadline, work(&mut connection)).await {
        Ok(Ok(value)) => {
            *kept = Some(connection);
            Ok(value)
        }
        Ok(Err(error)) => Err(DbError::Database(error)),
        Err(_) => {
            drop(connection.detach());
            Err(DbError::Deadline)
        }
    }
}
