//! Work that waits at the same moment is done together: a bounded queue and a few workers that
//! each take whatever is there. Nothing is delayed to make a batch fuller; batches grow by
//! themselves while the workers are busy.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout_at};

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
        let mut batch = Vec::new();
        if connection.is_some()
            && let Ok(mut receiver) = receiver.try_lock()
        {
            while batch.len() < max_batch
                && let Ok(job) = receiver.try_recv()
            {
                batch.push(job);
            }
        }
        if batch.is_empty() {
            // Nobody waits for jobs with a connection in hand.
            connection = None;
            if receiver.lock().await.recv_many(&mut batch, max_batch).await == 0 {
                return;
            }
        }
        work.run(batch, &mut connection).await;
    }
}

/// Makes sure that `slot` holds a connection.
pub(crate) async fn ensure<'a>(
    pool: &PgPool,
    deadline: Instant,
    slot: &'a mut Option<PoolConnection<Postgres>>,
) -> Result<&'a mut PoolConnection<Postgres>, crate::DbError> {
    if slot.is_none() {
        let connection = timeout_at(deadline, pool.acquire())
            .await
            .map_err(|_| crate::DbError::Deadline)??;
        return Ok(slot.insert(connection));
    }
    slot.as_mut().ok_or(crate::DbError::Deadline)
}
