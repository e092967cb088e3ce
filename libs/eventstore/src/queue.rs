//! Work that waits at the same moment is done together: a bounded queue and workers that take
//! whatever is there. Nothing is delayed to make a batch fuller; batches grow by themselves while
//! a worker is busy.
//!
//! One worker at a time takes from the queue. That gives the largest batches and the fewest
//! flushes: measured, two workers side by side are slower than one. The next worker steps in when
//! a batch takes longer than [`SLOW`], so that one statement that waits for a lock does not hold
//! up everybody.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout};

/// After this time a batch no longer keeps the next worker from the queue.
const SLOW: Duration = Duration::from_millis(25);

/// How long a worker that waits for jobs keeps its connection: handing it back and taking it again
/// costs more than the ordinary pause between two jobs of a busy process.
const KEEP: Duration = Duration::from_millis(20);

/// How often callers that are ready to run are let go first.
const GATHER_ROUNDS: usize = 4;

/// What the workers of one queue do.
pub(crate) trait Work<J>: Send + Sync + 'static {
    /// Does all jobs of a batch. The connection, if there is one after this, is used again as
    /// long as more jobs wait; handing it back to the pool costs a round trip.
    fn run<'a>(
        &'a self,
        batch: Vec<J>,
        connection: &'a mut Option<PoolConnection<Postgres>>,
    ) -> BoxFuture<'a, ()>;
}

/// Starts `workers` tasks that share one queue of `capacity` jobs. They end when the returned
/// sender and all its clones are gone and the queue is empty.
pub(crate) fn start<J: Send + 'static>(
    work: Arc<impl Work<J>>,
    workers: usize,
    capacity: usize,
    max_batch: usize,
) -> mpsc::Sender<J> {
    let (sender, receiver) = mpsc::channel(capacity);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..workers.max(1) {
        tokio::spawn(worker(Arc::clone(&work), Arc::clone(&receiver), max_batch));
    }
    sender
}

async fn worker<J: Send + 'static>(
    work: Arc<impl Work<J>>,
    receiver: Arc<Mutex<mpsc::Receiver<J>>>,
    max_batch: usize,
) {
    let mut connection = None;
    loop {
        // Holding the receiver is the turn.
        let mut turn = receiver.lock().await;
        loop {
            let mut batch = Vec::new();
            if !take_waiting(&mut turn, &mut batch, max_batch) {
                if connection.is_some() {
                    let soon = timeout(KEEP, turn.recv_many(&mut batch, max_batch));
                    if soon.await.is_err() {
                        connection = None;
                    }
                }
                if batch.is_empty() && turn.recv_many(&mut batch, max_batch).await == 0 {
                    return;
                }
            }
            gather(&mut turn, &mut batch, max_batch).await;
            let mut running = work.run(batch, &mut connection);
            if timeout(SLOW, &mut running).await.is_err() {
                drop(turn);
                running.await;
                break;
            }
        }
        connection = None;
    }
}

/// Lets callers that are about to queue a job do so. The answers of one batch set many callers
/// going at once; without this the first of them would be a batch of its own and the others would
/// wait for it. No clock is involved: when nobody else is ready to run, nothing is lost.
async fn gather<J>(queue: &mut mpsc::Receiver<J>, batch: &mut Vec<J>, max_batch: usize) {
    for _ in 0..GATHER_ROUNDS {
        tokio::task::yield_now().await;
        let before = batch.len();
        take_waiting(queue, batch, max_batch);
        if batch.len() == before {
            return;
        }
    }
}

/// Takes what is in the queue now; false when there is nothing.
fn take_waiting<J>(queue: &mut mpsc::Receiver<J>, batch: &mut Vec<J>, max_batch: usize) -> bool {
    while batch.len() < max_batch
        && let Ok(job) = queue.try_recv()
    {
        batch.push(job);
    }
    !batch.is_empty()
}

/// Makes sure that `slot` holds a connection.
pub(crate) async fn ensure<'a>(
    pool: &PgPool,
    deadline: Instant,
    slot: &'a mut Option<PoolConnection<Postgres>>,
) -> Result<&'a mut PoolConnection<Postgres>, crate::DbError> {
    if slot.is_none() {
        let connection = crate::pool::acquire(pool, deadline).await?;
        return Ok(slot.insert(connection));
    }
    slot.as_mut().ok_or(crate::DbError::Deadline)
}
