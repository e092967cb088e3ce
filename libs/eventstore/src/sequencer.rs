//! The global order: committed events get their numbers after the commit.
//!
//! A late commit is numbered later; nothing is skipped and nothing waits. One sequencer at work
//! is enough; two are safe, since numbers are given out under the lock of one row.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Row};
use tierline_telemetry::metrics;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::DbError;
use crate::keys::PARTITIONS;
use crate::pool::bounded_on;

/// Outbox rows moved at once.
pub const DEFAULT_BATCH: u32 = 4_000;
/// How long one batch may take.
const BATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// Rest after a batch that was not full. Without it a busy sequencer would number a handful of
/// events at a time and take the processor from those who write them.
const REST: Duration = Duration::from_millis(5);
/// First pause after the outbox was found empty; doubled each time, up to [`IDLE_PAUSE`].
const SHORT_PAUSE: Duration = Duration::from_millis(10);
/// After a longer pause the connection may not live any more.
const LONG_PAUSE: Duration = Duration::from_millis(200);
/// Pause of an idle sequencer, and after a failure. Appends of the same process cut it short.
const IDLE_PAUSE: Duration = Duration::from_secs(2);

/// How far the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heads {
    /// The last position; 0: the log is empty.
    pub position: i64,
    /// The last number of each partition.
    pub partitions: [i64; PARTITIONS as usize],
}

impl Heads {
    pub(crate) fn read(position: i64, partitions: &[i64]) -> Result<Self, sqlx::Error> {
        let partitions = partitions.try_into().map_err(|_| {
            sqlx::Error::Decode(
                format!("{} heads instead of {PARTITIONS}", partitions.len()).into(),
            )
        })?;
        Ok(Self {
            position,
            partitions,
        })
    }
}

/// Moves committed events from the outbox into the log.
pub struct Sequencer {
    pool: PgPool,
    wake: Arc<Notify>,
    heads: watch::Sender<Heads>,
    batch: u32,
}

impl Sequencer {
    /// A sequencer that is woken by `wake`, see [`crate::EventStore::waker`].
    pub fn new(pool: PgPool, wake: Arc<Notify>) -> Self {
        Self {
            pool,
            wake,
            heads: watch::Sender::new(Heads::default()),
            batch: DEFAULT_BATCH,
        }
    }

    /// Sets the number of outbox rows moved at once.
    pub fn with_batch(mut self, batch: u32) -> Self {
        self.batch = batch.max(1);
        self
    }

    /// Tells the heads of the log after every batch. Readers in this process wait on it instead
    /// of polling; the value is zero until the first batch or poll.
    pub fn subscribe(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    /// Numbers up to `limit` committed events and returns how many it found.
    ///
    /// # Errors
    /// When the database does not answer in time. What was not committed is numbered next time.
    pub async fn run_once(&self, limit: u32) -> Result<u64, DbError> {
        self.number(limit, &mut None).await
    }

    /// The same on a connection that is kept, unless it fails.
    async fn number(
        &self,
        limit: u32,
        kept: &mut Option<PoolConnection<Postgres>>,
    ) -> Result<u64, DbError> {
        let deadline = Instant::now() + BATCH_TIMEOUT;
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let work = bounded_on(&self.pool, kept, deadline, move |connection| {
            Box::pin(async move {
                let row =
                    sqlx::query("SELECT taken, head, partition_heads FROM sequence_outbox($1)")
                        .bind(limit)
                        .fetch_one(connection)
                        .await?;
                let heads = Heads::read(row.try_get(1)?, &row.try_get::<Vec<i64>, _>(2)?)?;
                Ok((row.try_get::<i64, _>(0)?, heads))
            })
        });
        let (taken, heads) = work.await?;
        self.heads.send_if_modified(|known| {
            // Two batches of this process may be told in the wrong order.
            let newer = heads.position > known.position;
            if newer {
                *known = heads;
            }
            newer
        });
        let taken = u64::try_from(taken).unwrap_or_default();
        if taken > 0 {
            metrics::sequencer_numbered(taken);
        }
        Ok(taken)
    }

    /// Numbers everything that is committed by now.
    ///
    /// # Errors
    /// As [`Self::run_once`].
    pub async fn drain(&self) -> Result<u64, DbError> {
        let mut all = 0;
        loop {
            let taken = self.run_once(self.batch).await?;
            all += taken;
            if taken < u64::from(self.batch) {
                return Ok(all);
            }
        }
    }

    /// Numbers events as they come, until `stop`. A failure is logged and tried again.
    pub async fn run(&self, stop: CancellationToken) {
        let mut pause = SHORT_PAUSE;
        let mut connection = None;
        while !stop.is_cancelled() {
            match self.number(self.batch, &mut connection).await {
                Ok(taken) if taken >= u64::from(self.batch) => continue,
                Ok(0) => pause = (pause * 2).min(IDLE_PAUSE),
                Ok(_) => {
                    pause = SHORT_PAUSE;
                    tokio::time::sleep(REST).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the sequencer could not number events: {error}");
                    pause = IDLE_PAUSE;
                }
            }
            if pause > LONG_PAUSE {
                // Who takes it again later is given one that lives.
                connection = None;
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
