//! Which life of the database this process works on.
//!
//! A failover that lost the tail, and a restore, take events back that were answered. What a
//! process remembers of them is then not a stale baseline but a wrong one: its version is ahead of
//! the stream, and an append at that version would leave a hole. PostgreSQL begins a new timeline
//! whenever it is promoted, so every new connection looks at it. Deliberately absent: any look per
//! statement. A pooler between this process and the server that hands out connections of another
//! server hides the change.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sqlx::PgConnection;

/// System and timeline of the last connection, as text.
static LAST: Mutex<Option<String>> = Mutex::new(None);
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Grows whenever the process is connected to another life of its database: after a failover or a
/// restore, which may have taken events back. What was read before it has grown is not known to be
/// in the log any more.
pub fn generation() -> u64 {
    GENERATION.load(Ordering::SeqCst)
}

/// Looks at the server of a new connection. A server in recovery has no timeline of its own yet,
/// and takes no appends either.
pub(crate) async fn look(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let found: Option<String> = sqlx::query_scalar(
        "SELECT CASE WHEN NOT pg_is_in_recovery() THEN
             (SELECT system_identifier FROM pg_control_system()) || '/'
             || left(pg_walfile_name(pg_current_wal_lsn()), 8) END",
    )
    .persistent(false)
    .fetch_one(connection)
    .await?;
    let Some(found) = found else { return Ok(()) };
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_ref().is_some_and(|last| *last != found) {
        GENERATION.fetch_add(1, Ordering::SeqCst);
        tracing::warn!(
            was = last.as_deref(),
            is = found,
            "the database is another life of itself: what was remembered of it is forgotten"
        );
    }
    *last = Some(found);
    Ok(())
}
