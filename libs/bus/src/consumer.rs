//! The loop of a consumer: read, apply and move the checkpoint in one transaction, go on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Acquire, PgConnection, PgPool};
use tierline_eventstore::{LogEvent, LogReader, ReadError};
use tierline_telemetry::metrics;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::feed::Positions;
use crate::{Checkpoints, ConsumerId, Feed, LEASE_TIME, Leases, Progress, parked};

/// What a consumer does with events.
#[async_trait]
pub trait Handler: Send {
    /// Called once the leases are held and after every failure: forget what memory holds and read
    /// back from the database what is needed.
    async fn start(&mut self, connection: &mut PgConnection) -> Result<(), HandlerError>;

    /// Applies a batch inside a transaction: in order within each partition, each partition
    /// dense but for parked events.
    async fn apply(
        &mut self,
        connection: &mut PgConnection,
        batch: &[LogEvent],
    ) -> Result<(), HandlerError>;

    /// True when there is something to do without an event, such as a timer that is due.
    fn due(&mut self) -> bool {
        false
    }

    /// Does what is due, inside a transaction.
    async fn idle(
        &mut self,
        _connection: &mut PgConnection,
        _positions: &[(u8, i64)],
    ) -> Result<(), HandlerError> {
        Ok(())
    }

    /// The last `apply` or `idle` was committed.
    fn committed(&mut self) {}
}

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// One event cannot be applied; the others can. It is parked.
    #[error("event {index} of the batch cannot be applied: {reason}")]
    Poison {
        /// Index in the batch.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The database failed; the batch is tried again.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The consumer cannot go on before somebody looks at it.
    #[error("{0}")]
    Stop(String),
}

/// Why a consumer stopped.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// Somebody else took over; nothing was applied twice.
    #[error("{0} lost its lease to another instance")]
    Fenced(ConsumerId),
    /// The handler cannot go on.
    #[error("{0} stopped: {1}")]
    Stopped(ConsumerId, String),
    /// The feed is broken in a way that reading again cannot mend.
    #[error("{0} cannot read its events")]
    Feed(ConsumerId, #[source] ReadError),
    /// The database failed too often.
    #[error("{0} cannot reach the database")]
    Database(ConsumerId, #[source] sqlx::Error),
}

/// Bounds of a consumer.
#[derive(Debug, Clone)]
pub struct Options {
    /// The partitions that it asks for.
    pub partitions: Vec<u8>,
    /// Most events of a batch.
    pub batch: u32,
    /// How long it waits without news before it looks again.
    pub patience: Duration,
    /// Takes leases that others hold: for a process that knows it is the only one.
    pub force: bool,
    /// Longest time for one batch, commit included.
    pub deadline: Duration,
    /// Where heartbeats get their connection, so that they get through when the pool of the
    /// consumer is busy. Absent: that pool.
    pub heartbeats: Option<PgPool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partitions: (0..tierline_eventstore::PARTITIONS).collect(),
            batch: 2000,
            patience: Duration::from_secs(2),
            force: false,
            deadline: Duration::from_secs(60),
            heartbeats: None,
        }
    }
}

/// Longest pause between attempts after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Failures in a row after which the consumer gives up and says so.
const MAX_FAILURES: u32 = 120;

/// A running consumer.
pub struct Consumer<H, F> {
    id: ConsumerId,
    pool: PgPool,
    feed: F,
    handler: H,
    options: Options,
    reader: LogReader,
    progress: Option<Arc<Progress>>,
    parked: HashSet<(u8, String)>,
}

enum Step {
    Applied,
    Nothing,
}

enum Failure {
    Retry(sqlx::Error),
    Poison(usize, String),
    Final(ConsumerError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Retry(error)
    }
}

impl<H: Handler, F: Feed> Consumer<H, F> {
    /// A consumer that has not started yet.
    pub fn new(id: ConsumerId, pool: PgPool, feed: F, handler: H, options: Options) -> Self {
        let reader = LogReader::new(pool.clone());
        Self {
            id,
            pool,
            feed,
            handler,
            options,
            reader,
            progress: None,
            parked: HashSet::new(),
        }
    }

    /// Tells waiting readers of this process how far the consumer is.
    #[must_use]
    pub fn reporting_to(mut self, progress: Arc<Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Runs until cancelled; the batch in hand is finished first.
    ///
    /// # Errors
    /// When fenced, when the handler stops, or when the database stays away for too long.
    pub async fn run(mut self, cancel: CancellationToken) -> Result<(), ConsumerError> {
        let leases = Leases::new(self.id);
        let outcome = self.hold_and_work(&leases, &cancel).await;
        if let Err(error) = leases.release(&self.pool).await {
            tracing::warn!(consumer = %self.id, %error, "leases not released; they will expire");
        }
        outcome
    }

    async fn hold_and_work(
        &mut self,
        leases: &Leases,
        cancel: &CancellationToken,
    ) -> Result<(), ConsumerError> {
        let Some(held) = self.acquire(leases, cancel).await? else {
            return Ok(());
        };
        let pool = self
            .options
            .heartbeats
            .as_ref()
            .unwrap_or(&self.pool)
            .clone();
        let heart = heartbeat(leases.clone(), pool, cancel.child_token());
        let mut failures = 0;
        while !cancel.is_cancelled() {
            match self.work(&held, cancel, &mut failures).await {
                Ok(()) => {}
                Err(Failure::Retry(error)) => {
                    failures += 1;
                    if failures > MAX_FAILURES {
                        heart.cancel();
                        return Err(ConsumerError::Database(self.id, error));
                    }
                    tracing::warn!(consumer = %self.id, %error, failures, "batch failed; retrying");
                    pause(failures, cancel).await;
                }
                Err(Failure::Poison(_, reason)) => {
                    heart.cancel();
                    return Err(ConsumerError::Stopped(self.id, reason));
                }
                Err(Failure::Final(error)) => {
                    heart.cancel();
                    return Err(error);
                }
            }
        }
        heart.cancel();
        Ok(())
    }

    /// Waits until all asked partitions are held. `None`: cancelled meanwhile.
    async fn acquire(
        &self,
        leases: &Leases,
        cancel: &CancellationToken,
    ) -> Result<Option<Vec<(u8, i64)>>, ConsumerError> {
        let mut held: Vec<(u8, i64)> = Vec::new();
        let mut failures = 0;
        loop {
            let missing: Vec<u8> = self
                .options
                .partitions
                .iter()
                .copied()
                .filter(|partition| held.iter().all(|(mine, _)| mine != partition))
                .collect();
            if missing.is_empty() {
                return Ok(Some(held));
            }
            match self.try_acquire(leases, &missing).await {
                Ok(more) => held.extend(more),
                Err(error) => {
                    failures += 1;
                    if failures > MAX_FAILURES {
                        return Err(ConsumerError::Database(self.id, error));
                    }
                }
            }
            if held.len() == self.options.partitions.len() {
                continue;
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(None),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn try_acquire(
        &self,
        leases: &Leases,
        partitions: &[u8],
    ) -> Result<Vec<(u8, i64)>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        leases
            .acquire(&mut connection, partitions, self.options.force)
            .await
    }

    /// From a fresh look at the database until cancelled or something fails.
    async fn work(
        &mut self,
        held: &[(u8, i64)],
        cancel: &CancellationToken,
        failures: &mut u32,
    ) -> Result<(), Failure> {
        let mut checkpoints = {
            let mut connection = self.pool.acquire().await?;
            let checkpoints = Checkpoints::load(&mut connection, self.id, held).await?;
            self.parked = parked::keys(&mut connection, self.id)
                .await?
                .into_iter()
                .collect();
            self.handler
                .start(&mut connection)
                .await
                .map_err(|error| self.failed(error))?;
            checkpoints
        };
        self.report(&checkpoints);
        let mut looked_for_retries = Instant::now();
        while !cancel.is_cancelled() {
            let positions = checkpoints.positions();
            let events = match self.feed.read(&positions, self.options.batch).await {
                Ok(events) => events,
                Err(error) => return Err(self.unreadable(error)),
            };
            let step = if events.is_empty() {
                self.idle(&checkpoints).await?
            } else {
                self.batch(&mut checkpoints, events).await?;
                Step::Applied
            };
            *failures = 0;
            if !self.parked.is_empty() && looked_for_retries.elapsed() > Duration::from_secs(1) {
                self.retry_parked(&checkpoints).await?;
                looked_for_retries = Instant::now();
            }
            if let Step::Nothing = step {
                let patience = if self.parked.is_empty() {
                    self.options.patience
                } else {
                    Duration::from_secs(1)
                };
                let positions = checkpoints.positions();
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = self.feed.wait(&positions, patience) => {}
                }
            }
        }
        Ok(())
    }

    fn failed(&self, error: HandlerError) -> Failure {
        match error {
            HandlerError::Poison { index, reason } => Failure::Poison(index, reason),
            HandlerError::Database(error) => Failure::Retry(error),
            HandlerError::Stop(reason) => Failure::Final(ConsumerError::Stopped(self.id, reason)),
        }
    }

    fn unreadable(&self, error: ReadError) -> Failure {
        match error {
            ReadError::Database(error) => {
                Failure::Retry(sqlx::Error::Io(std::io::Error::other(error)))
            }
            damage => Failure::Final(ConsumerError::Feed(self.id, damage)),
        }
    }

    fn report(&self, checkpoints: &Checkpoints) {
        if let Some(progress) = &self.progress {
            progress.reached(self.id, &checkpoints.positions());
        }
    }

    /// Applies a batch; parks what cannot be applied and applies the rest.
    async fn batch(
        &mut self,
        checkpoints: &mut Checkpoints,
        events: Vec<LogEvent>,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let to = ends(&events);
        let count = events.len();
        let mut parking: Vec<(LogEvent, String)> = Vec::new();
        let mut rest = Vec::with_capacity(count);
        for event in events {
            if waits(&self.parked, &event) {
                parking.push((event, String::new()));
            } else {
                rest.push(event);
            }
        }
        loop {
            match self.try_batch(checkpoints, &rest, &parking, &to).await {
                Ok(()) => break,
                Err(Failure::Poison(index, reason)) if index < rest.len() => {
                    let key = (rest[index].partition, rest[index].routing_key.clone());
                    tracing::error!(
                        consumer = %self.id, routing_key = %key.1, event = %rest[index].event_type,
                        number = rest[index].partition_number, %reason, "event parked"
                    );
                    metrics::parked_events(self.id.name, self.parked.len() as u64 + 1);
                    let culprit = rest[index].event_id;
                    let keys = HashSet::from([key]);
                    let (out, keep): (Vec<_>, Vec<_>) = rest
                        .into_iter()
                        .enumerate()
                        .partition(|(at, event)| *at >= index && waits(&keys, event));
                    parking.extend(out.into_iter().map(|(_, event)| {
                        let why = if event.event_id == culprit {
                            reason.clone()
                        } else {
                            String::new()
                        };
                        (event, why)
                    }));
                    rest = keep.into_iter().map(|(_, event)| event).collect();
                    // What the handler kept in memory of the failed attempt is void.
                    let mut connection = self.pool.acquire().await?;
                    self.handler
                        .start(&mut connection)
                        .await
                        .map_err(|error| self.failed(error))?;
                }
                Err(other) => return Err(other),
            }
        }
        self.parked.extend(
            parking
                .into_iter()
                .map(|(event, _)| (event.partition, event.routing_key)),
        );
        checkpoints.committed(&to);
        self.handler.committed();
        self.report(checkpoints);
        metrics::batch_applied(self.id.name, count as u64, started.elapsed());
        Ok(())
    }

    async fn try_batch(
        &mut self,
        checkpoints: &Checkpoints,
        events: &[LogEvent],
        parking: &[(LogEvent, String)],
        to: &[(u8, i64)],
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.options.deadline;
        let mut connection = self.pool.acquire().await?;
        let work = async {
            let mut transaction = connection.begin().await?;
            if !events.is_empty() {
                let applied = self.handler.apply(&mut transaction, events).await;
                if let Err(error) = applied {
                    transaction.rollback().await?;
                    return Err(self.failed(error));
                }
            }
            let aside: Vec<_> = parking
                .iter()
                .map(|(event, error)| (event, error.clone()))
                .collect();
            parked::park(&mut transaction, self.id, &aside).await?;
            if !checkpoints.advance(&mut transaction, to).await? {
                transaction.rollback().await?;
                return Err(Failure::Final(ConsumerError::Fenced(self.id)));
            }
            transaction.commit().await?;
            Ok(())
        };
        match tokio::time::timeout_at(deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // The commit may or may not have happened; the checkpoint will tell.
                drop(connection.detach());
                Err(Failure::Retry(sqlx::Error::Io(std::io::Error::other(
                    "the batch took longer than its deadline",
                ))))
            }
        }
    }

    async fn idle(&mut self, checkpoints: &Checkpoints) -> Result<Step, Failure> {
        if !self.handler.due() {
            return Ok(Step::Nothing);
        }
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let done = self
            .handler
            .idle(&mut transaction, &checkpoints.positions())
            .await;
        if let Err(error) = done {
            transaction.rollback().await?;
            return Err(self.failed(error));
        }
        if !checkpoints.confirm(&mut transaction).await? {
            transaction.rollback().await?;
            return Err(Failure::Final(ConsumerError::Fenced(self.id)));
        }
        transaction.commit().await?;
        self.handler.committed();
        Ok(Step::Applied)
    }

    /// Applies the parked events of one routing key for which an operator asked, in order.
    async fn retry_parked(&mut self, checkpoints: &Checkpoints) -> Result<(), Failure> {
        let mut connection = self.pool.acquire().await?;
        let numbers =
            parked::asked(&mut connection, self.id, i64::from(self.options.batch)).await?;
        drop(connection);
        let mut events = Vec::with_capacity(numbers.len());
        for (partition, number) in &numbers {
            let found = self.reader.read(&[(*partition, *number - 1)], 1, 1).await;
            events.extend(found.map_err(|error| self.unreadable(error))?);
        }
        let Some(first) = events.first() else {
            let mut connection = self.pool.acquire().await?;
            self.parked = parked::keys(&mut connection, self.id)
                .await?
                .into_iter()
                .collect();
            return Ok(());
        };
        let key = first.routing_key.clone();
        match self.try_parked(checkpoints, &events, &numbers).await {
            Ok(()) => {
                self.handler.committed();
                tracing::info!(consumer = %self.id, routing_key = %key, "parked events applied");
            }
            Err(Failure::Poison(index, reason)) => {
                let culprit = numbers
                    .get(index)
                    .or(numbers.first())
                    .copied()
                    .unwrap_or_default();
                parked::failed_again(&self.pool, self.id, culprit, &key, &reason).await?;
                let mut connection = self.pool.acquire().await?;
                self.handler
                    .start(&mut connection)
                    .await
                    .map_err(|error| self.failed(error))?;
            }
            Err(other) => return Err(other),
        }
        let mut connection = self.pool.acquire().await?;
        self.parked = parked::keys(&mut connection, self.id)
            .await?
            .into_iter()
            .collect();
        Ok(())
    }

    async fn try_parked(
        &mut self,
        checkpoints: &Checkpoints,
        events: &[LogEvent],
        numbers: &[(u8, i64)],
    ) -> Result<(), Failure> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        if let Err(error) = self.handler.apply(&mut transaction, events).await {
            transaction.rollback().await?;
            return Err(self.failed(error));
        }
        parked::released(&mut transaction, self.id, numbers).await?;
        if !checkpoints.confirm(&mut transaction).await? {
            transaction.rollback().await?;
            return Err(Failure::Final(ConsumerError::Fenced(self.id)));
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// The last number of each partition in a batch.
fn ends(events: &[LogEvent]) -> Positions {
    let mut ends: Positions = Vec::new();
    for event in events {
        match ends
            .iter_mut()
            .find(|(partition, _)| *partition == event.partition)
        {
            Some((_, number)) => *number = event.partition_number,
            None => ends.push((event.partition, event.partition_number)),
        }
    }
    ends
}

/// True when an event has to wait behind a parked one: of the same routing key, or of its org as
/// a whole.
fn waits(parked: &HashSet<(u8, String)>, event: &LogEvent) -> bool {
    parked.iter().any(|(partition, key)| {
        *partition == event.partition
            && (*key == event.routing_key
                || key
                    .strip_suffix("/*")
                    .is_some_and(|org| org == event.org_id))
    })
}

async fn pause(failures: u32, cancel: &CancellationToken) {
    let pause = Duration::from_millis(50)
        .saturating_mul(1 << failures.min(7))
        .min(MAX_PAUSE);
    tokio::select! {
        () = cancel.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

/// Prolongs the leases until cancelled. A failed heartbeat is only a warning: the fence on the
/// checkpoint is what keeps the effect single.
fn heartbeat(leases: Leases, pool: PgPool, cancel: CancellationToken) -> CancellationToken {
    let token = cancel.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(LEASE_TIME / 3) => {}
            }
            match timeout(LEASE_TIME / 3, leases.heartbeat(&pool)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "heartbeat failed"),
                Err(_) => tracing::warn!("heartbeat took too long"),
            }
        }
    });
    token
}
