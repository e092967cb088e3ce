//! Reading streams: the events after a known version, for many streams in one statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Row};
use tierline_domain::StreamId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::codec::RawEvent;
use crate::queue::{self, Work};
use crate::{DbError, crowd};

/// Loads that may wait.
const CAPACITY: usize = 4_096;
/// Most streams in one statement of the group.
const MAX_BATCH: usize = 128;

/// The events of one stream after a version.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) aggregate_type: &'static str,
    pub(crate) stream: StreamId,
    pub(crate) after: u64,
}

/// Reads the tails, each in the order of its sequence. The subquery keeps the planner on one
/// index scan per stream, whatever the statistics say. The arrays stand in subqueries, which hides
/// their length from it: otherwise a short array looks cheaper than the general plan and is planned
/// anew each time, which takes longer than running it.
pub(crate) async fn read_tails(
    connection: &mut PgConnection,
    tails: &[&Tail],
) -> Result<Vec<Vec<RawEvent>>, sqlx::Error> {
    let types: Vec<&str> = tails.iter().map(|tail| tail.aggregate_type).collect();
    let ids: Vec<&str> = tails.iter().map(|tail| tail.stream.as_str()).collect();
    let after: Vec<i64> = tails
        .iter()
        .map(|tail| i64::try_from(tail.after).unwrap_or(i64::MAX))
        .collect();
    let rows = sqlx::query(
        "SELECT q.ord, e.sequence, e.event_type, e.event_version, e.payload
         FROM unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::bigint[]))
             WITH ORDINALITY AS q(t, id, after, ord)
         CROSS JOIN LATERAL (
             SELECT sequence, event_type, event_version, payload FROM events
             WHERE aggregate_type = q.t AND aggregate_id = q.id AND sequence > q.after
             ORDER BY sequence OFFSET 0) e",
    )
    .bind(types)
    .bind(ids)
    .bind(after)
    .fetch_all(connection)
    .await?;
    let mut found: Vec<Vec<RawEvent>> = tails.iter().map(|_| Vec::new()).collect();
    for row in rows {
        let number: i64 = row.try_get(0)?;
        let Some(events) = usize::try_from(number - 1)
            .ok()
            .and_then(|index| found.get_mut(index))
        else {
            continue;
        };
        events.push(RawEvent {
            sequence: row.try_get(1)?,
            event_type: row.try_get(2)?,
            event_version: row.try_get(3)?,
            payload: row.try_get_unchecked(4)?,
        });
    }
    for events in &mut found {
        // In order already, as the plan stands; a sort of sorted rows costs one look at each.
        events.sort_by_key(|event| event.sequence);
    }
    Ok(found)
}

struct Job {
    tail: Tail,
    /// Set when there is a connection for it.
    begun: Arc<AtomicBool>,
    reply: oneshot::Sender<Result<Vec<RawEvent>, DbError>>,
}

struct Reader {
    pool: PgPool,
    timeout: Duration,
}

/// Loads that wait at the same moment go into one statement.
pub(crate) struct Loader {
    queue: mpsc::Sender<Job>,
}

impl Loader {
    pub(crate) fn start(pool: PgPool, readers: usize, timeout: Duration) -> Self {
        let reader = Arc::new(Reader { pool, timeout });
        Self {
            queue: queue::start(reader, readers, CAPACITY, MAX_BATCH),
        }
    }

    pub(crate) async fn read(
        &self,
        tail: Tail,
        deadline: Instant,
    ) -> Result<Vec<RawEvent>, DbError> {
        let (reply, answer) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let job = Job {
            tail,
            begun: Arc::clone(&begun),
            reply,
        };
        match timeout_at(deadline, self.queue.send(job)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(DbError::Deadline),
            Err(_) => return Err(DbError::Exhausted),
        }
        match timeout_at(deadline, answer).await {
            Ok(answer) => answer.unwrap_or(Err(DbError::Deadline)),
            Err(_) if begun.load(Ordering::Relaxed) => Err(DbError::Deadline),
            Err(_) => Err(crowd::reason()),
        }
    }
}

impl Work<Job> for Reader {
    fn run<'a>(
        &'a self,
        batch: Vec<Job>,
        slot: &'a mut Option<PoolConnection<Postgres>>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let jobs: Vec<Job> = batch
                .into_iter()
                .filter(|job| !job.reply.is_closed())
                .collect();
            if jobs.is_empty() {
                return;
            }
            let deadline = Instant::now() + self.timeout;
            let outcome = self.read(&jobs, deadline, slot).await;
            match outcome {
                Ok(found) => {
                    for (job, events) in jobs.into_iter().zip(found) {
                        // A caller that is gone does not want to know.
                        let _ = job.reply.send(Ok(events));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, streams = jobs.len(), "streams not loaded: {error}");
                    if let Some(connection) = slot.take() {
                        drop(connection.detach());
                    }
                    let error = Arc::new(error);
                    for job in jobs {
                        let _ = job.reply.send(Err(DbError::Shared(Arc::clone(&error))));
                    }
                }
            }
        })
    }
}

impl Reader {
    async fn read(
        &self,
        jobs: &[Job],
        deadline: Instant,
        slot: &mut Option<PoolConnection<Postgres>>,
    ) -> Result<Vec<Vec<RawEvent>>, DbError> {
        let connection = queue::ensure(&self.pool, deadline, slot).await?;
        for job in jobs {
            job.begun.store(true, Ordering::Relaxed);
        }
        let tails: Vec<&Tail> = jobs.iter().map(|job| &job.tail).collect();
        timeout_at(deadline, read_tails(connection, &tails))
            .await
            .map_err(|_| DbError::Deadline)?
            .map_err(DbError::Database)
    }
}
