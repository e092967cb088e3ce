//! Waking the sequencer of another process.
//!
//! A sequencer that finds nothing rests longer and longer. Where events are appended in other
//! processes than its own, those ring, and it listens. A ring that is lost costs only time: the
//! sequencer looks by itself every two seconds at the latest.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::pool::bounded;

/// The channel of PostgreSQL.
const CHANNEL: &str = "tierline_appended";
/// Pause after a ring: the sequencer that it woke looks again by itself for longer.
const REST: Duration = Duration::from_millis(50);
/// Longest time for one ring.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause before the server is asked again to tell of rings.
const AGAIN: Duration = Duration::from_secs(2);

/// Rings whenever something was appended in this process, see [`crate::EventStore::waker`], until
/// `stop`. For processes without a sequencer.
pub async fn ring(pool: PgPool, appended: Arc<Notify>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = appended.notified() => {}
            () = stop.cancelled() => return,
        }
        let deadline = Instant::now() + PATIENCE;
        let rung = bounded(&pool, deadline, |connection| {
            Box::pin(async move {
                sqlx::query("SELECT pg_notify($1, '')")
                    .bind(CHANNEL)
                    .execute(connection)
                    .await
            })
        });
        if let Err(error) = rung.await {
            tracing::debug!(%error, "the sequencer was not told of what was appended: {error}");
        }
        sleep(REST).await;
    }
}

/// Passes on what other processes ring, until `stop`. Keeps one connection of the pool.
pub async fn listen(pool: PgPool, wake: Arc<Notify>, stop: CancellationToken) {
    let ears = async {
        loop {
            if let Err(error) = hear(&pool, &wake).await {
                tracing::debug!(%error, "nobody tells of what is appended elsewhere: {error}");
            }
            sleep(AGAIN).await;
        }
    };
    tokio::select! {
        () = ears => {}
        () = stop.cancelled() => {}
    }
}

async fn hear(pool: &PgPool, wake: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Also when the connection was lost and is made anew: something may have been missed.
        listener.try_recv().await?;
        wake.notify_one();
    }
}
