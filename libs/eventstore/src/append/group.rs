//! Group commit: appends that wait at the same moment go into one statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tierline_telemetry::metrics;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::batch::{Progress, append_on};
use super::failure::{AppendFailure, counted};
use super::item::AppendItem;
use crate::queue::{self, Work};
use crate::{DbError, crowd, lineage};

/// Appends that may wait.
const CAPACITY: usize = 4_096;
/// Most appends in one statement.
const MAX_BATCH: usize = 256;

type Outcome = Result<(), AppendFailure>;

struct Job {
    item: AppendItem,
    /// Set by whoever comes first: the writer that sends it, or the caller that gives up.
    claimed: Arc<AtomicBool>,
    reply: oneshot::Sender<Outcome>,
}

struct Writer {
    pool: PgPool,
    commit_timeout: Duration,
    wake: Arc<Notify>,
}

/// The entrance to the writers of one process.
pub(crate) struct Appender {
    queue: mpsc::Sender<Job>,
    writer: Arc<Writer>,
}

impl Appender {
    pub(crate) fn start(
        pool: PgPool,
        writers: usize,
        commit_timeout: Duration,
        wake: Arc<Notify>,
    ) -> Self {
        let writer = Arc::new(Writer {
            pool,
            commit_timeout,
            wake,
        });
        Self {
            queue: queue::start(Arc::clone(&writer), writers, CAPACITY, MAX_BATCH),
            writer,
        }
    }

    /// Appends one item together with whatever else waits. After `deadline` the result is
    /// `Unknown` if the item was sent, and `Unavailable` if it was not and never will be.
    pub(crate) async fn append(&self, item: AppendItem, deadline: Instant) -> Outcome {
        let outcome = self.queued(item, deadline).await;
        metrics::append_finished(counted(&outcome));
        outcome
    }

    async fn queued(&self, item: AppendItem, deadline: Instant) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let claimed = Arc::new(AtomicBool::new(false));
        let job = Job {
            item,
            claimed: Arc::clone(&claimed),
            reply,
        };
        match timeout_at(deadline, self.queue.send(job)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(AppendFailure::Unavailable(None)),
            Err(_) => return Err(AppendFailure::Unavailable(Some(DbError::Exhausted))),
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            // The writer is gone, which only a panic in it could do.
            Ok(Err(_)) => Err(AppendFailure::Unknown),
            Err(_) if claimed.swap(true, Ordering::SeqCst) => Err(AppendFailure::Unknown),
            Err(_) => Err(AppendFailure::Unavailable(Some(crowd::reason()))),
        }
    }

    /// Appends many items without the queue, in as few statements as possible.
    pub(crate) async fn append_many(
        &self,
        items: &[&AppendItem],
        deadline: Instant,
    ) -> Vec<Outcome> {
        let outcomes = self.writer.write(items, deadline, &mut None).await;
        for outcome in &outcomes {
            metrics::append_finished(counted(outcome));
        }
        outcomes
    }
}

impl Writer {
    async fn write(
        &self,
        items: &[&AppendItem],
        deadline: Instant,
        slot: &mut Option<PoolConnection<Postgres>>,
    ) -> Vec<Outcome> {
        let mut progress: Vec<Progress> = items.iter().map(|_| Progress::Waiting).collect();
        let none = |_: &&AppendItem| Err(AppendFailure::Unavailable(None));
        let usable = match queue::ensure(&self.pool, deadline, slot).await {
            Ok(_)
                if items
                    .iter()
                    .any(|item| item.generation != lineage::generation()) =>
            {
                // Decided on the log of a database that was lost meanwhile.
                return items.iter().map(none).collect();
            }
            Ok(connection) => {
                timeout_at(deadline, append_on(connection, items, &mut progress)).await
            }
            Err(error) => {
                tracing::warn!(%error, "no connection for an append: {error}");
                return none_for(items.len(), error);
            }
        };
        if !usable.unwrap_or(false)
            && let Some(connection) = slot.take()
        {
            // Closed at once: what is under way on it must not reach the next user.
            drop(connection.detach());
        }
        self.wake.notify_one();
        progress.into_iter().map(Progress::settle).collect()
    }
}

/// Nothing was sent, for want of a connection.
fn none_for(count: usize, error: DbError) -> Vec<Outcome> {
    let error = Arc::new(error);
    let shared = || DbError::Shared(Arc::clone(&error));
    let none = || Err(AppendFailure::Unavailable(Some(shared())));
    (0..count).map(|_| none()).collect()
}

impl Work<Job> for Writer {
    fn run<'a>(
        &'a self,
        batch: Vec<Job>,
        slot: &'a mut Option<PoolConnection<Postgres>>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let deadline = Instant::now() + self.commit_timeout;
            // Callers may give up as long as there is no connection: nothing can have been sent.
            let connected = queue::ensure(&self.pool, deadline, slot).await.map(|_| ());
            let live = |job: &Job| !job.claimed.swap(true, Ordering::SeqCst);
            let jobs: Vec<Job> = batch.into_iter().filter(live).collect();
            if jobs.is_empty() {
                return;
            }
            let items: Vec<&AppendItem> = jobs.iter().map(|job| &job.item).collect();
            let outcomes = match connected {
                Ok(()) => {
                    let deadline = Instant::now() + self.commit_timeout;
                    self.write(&items, deadline, slot).await
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection for an append: {error}");
                    none_for(items.len(), error)
                }
            };
            let events = items.iter().map(|item| item.rows.len()).sum();
            metrics::group_committed(items.len(), events);
            for (job, outcome) in jobs.into_iter().zip(outcomes) {
                // A caller that is gone does not want to know.
                let _ = job.reply.send(outcome);
            }
        })
    }
}
