//! The loop of a consumer: read, apply and move the checkpoint in one transaction, go on.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgConnection, PgPool};
use tierline_eventstore::{LogEvent, LogReader, ReadError};
use tierline_telemetry::metrics::{self, FailureCause, LeaseChange};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::applier::{Applier, Failure, Step, ends};
use crate::feed::Positions;
use crate::membership::Seat;
use crate::{ConsumerId, Feed, Membership, Mismatch, Progress};

/// What a consumer does with events.
#[async_trait]
pub trait Handler: Send {
    /// Called when the held partitions have changed and after every failure: forget what memory
    /// holds and read back from the database what is needed for them.
    async fn start(
        &mut self,
        connection: &mut PgConnection,
        held: &[u8],
    ) -> Result<(), HandlerError>;

    /// Applies a batch inside a transaction: in order within each partition, each partition
    /// dense but for parked events.
    async fn apply(
        &mut self,
        connection: &mut PgConnection,
        batch: &[LogEvent],
    ) -> Result<(), HandlerError>;

    /// False when the event certainly says nothing to it. A batch of such events is not applied at
    /// all.
    fn wants(&self, _event: &LogEvent) -> bool {
        true
    }

    /// True when what it wants is rare: after a batch without any of it the next may wait a moment.
    fn is_leisurely(&self) -> bool {
        false
    }

    /// False when its effect is elsewhere than in the transaction, so that nothing takes it back.
    fn is_transactional(&self) -> bool {
        true
    }

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

    /// Nothing that it wants has come for a while: what memory holds and the database has too may
    /// be let go.
    fn rest(&mut self) {}
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
    /// Something else that is needed is away; the batch is tried again.
    #[error("{0}")]
    Unavailable(String),
    /// What was handed out does not agree with the log.
    #[error("{0}")]
    OtherHistory(Mismatch),
    /// The consumer cannot go on before somebody looks at it.
    #[error("{0}")]
    Stop(String),
}

/// Why something failed that may work the next time.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a consumer stopped.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// Somebody else took over; nothing was applied twice.
    #[error("{0} lost its lease to another instance")]
    Fenced(ConsumerId),
    /// The handler cannot go on.
    #[error("{0} stopped: {1}")]
    Stopped(ConsumerId, String),
    /// Something was handed out that the log does not have. Nothing of it was applied, and nothing
    /// is before somebody declares a new epoch of the log.
    #[error("{0} stopped: {1}")]
    OtherHistory(ConsumerId, Mismatch),
    /// The feed is broken in a way that reading again cannot mend.
    #[error("{0} cannot read its events")]
    Feed(ConsumerId, #[source] ReadError),
    /// The database, or something else that is needed, failed too often.
    #[error("{0} fails again and again")]
    Failing(ConsumerId, #[source] Cause),
}

impl ConsumerError {
    /// As it is counted.
    fn cause(&self) -> FailureCause {
        match self {
            Self::Fenced(_) => FailureCause::Fenced,
            Self::Stopped(..) => FailureCause::Stopped,
            Self::Feed(..) => FailureCause::Feed,
            Self::Failing(..) => FailureCause::Database,
            Self::OtherHistory(..) => FailureCause::OtherHistory,
        }
    }
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
    /// The seats of this process, so that all its consumers share one heartbeat. Absent: the
    /// consumer beats by itself, on its own pool.
    pub membership: Option<Arc<Membership>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partitions: (0..tierline_eventstore::PARTITIONS).collect(),
            batch: 2000,
            patience: Duration::from_secs(2),
            force: false,
            deadline: Duration::from_secs(60),
            membership: None,
        }
    }
}

/// How long a consumer that has just begun and holds nothing looks more often than heartbeats do:
/// whoever fenced it, such as a rebuild that swapped its table, may let go in a moment.
const EAGER: Duration = Duration::from_secs(10);
/// Pause between two such looks.
const SOON: Duration = Duration::from_millis(100);
/// Rest after a small batch that was of no interest: the fewer batches, the fewer checkpoints.
const LEISURE: Duration = Duration::from_millis(100);
/// Events of a batch after which there may be many more.
const SMALL: usize = 256;
/// A consumer that was given nothing it wants for so long rests.
const REST: Duration = Duration::from_secs(30);
/// Longest pause between attempts after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Failures in a row after which the consumer gives up and says so.
const MAX_FAILURES: u32 = 120;

/// A running consumer.
pub struct Consumer<H, F> {
    feed: F,
    applier: Applier<H>,
}

impl<H: Handler, F: Feed> Consumer<H, F> {
    /// A consumer that has not started yet.
    pub fn new(id: ConsumerId, pool: PgPool, feed: F, handler: H, options: Options) -> Self {
        let reader = LogReader::new(pool.clone());
        let applier = Applier {
            id,
            pool,
            handler,
            options,
            reader,
            progress: None,
            held: Vec::new(),
            parked: HashSet::new(),
            hearsay: false,
            newest: BTreeMap::new(),
            life: 0,
        };
        Self { feed, applier }
    }

    /// Tells waiting readers of this process how far the consumer is.
    #[must_use]
    pub fn reporting_to(mut self, progress: Arc<Progress>) -> Self {
        self.applier.progress = Some(progress);
        self
    }

    /// Runs until cancelled; the batch in hand is finished first.
    ///
    /// # Errors
    /// When fenced, when the handler stops, or when the database stays away for too long.
    pub async fn run(mut self, cancel: CancellationToken) -> Result<(), ConsumerError> {
        let Some(mut seat) = self.join(&cancel).await? else {
            return Ok(());
        };
        let mut held: Vec<(u8, i64)> = Vec::new();
        let outcome = self.share_and_work(&mut seat, &mut held, &cancel).await;
        let id = self.applier.id;
        if let Some(progress) = &self.applier.progress {
            progress.left(id);
        }
        match seat.leave().await {
            // Of what was held, others have the rest by now.
            Ok(released) => {
                let lost = (held.len() as u64).saturating_sub(released);
                seat.leases().changed(LeaseChange::Lost, lost);
                metrics::leases_held(id.name, 0);
            }
            Err(error) => {
                tracing::warn!(consumer = %id, %error, "leases not released; they will expire");
            }
        }
        outcome
    }

    /// Takes a seat. `None`: cancelled meanwhile.
    async fn join(&self, cancel: &CancellationToken) -> Result<Option<Seat>, ConsumerError> {
        let Applier {
            id, pool, options, ..
        } = &self.applier;
        let own = || Membership::new(pool.clone());
        let membership = options.membership.clone().unwrap_or_else(own);
        let mut failures = 0;
        while !cancel.is_cancelled() {
            let joined = membership.join(*id, &options.partitions, options.force);
            match joined.await {
                Ok(seat) => return Ok(Some(seat)),
                Err(error) => self.retry(error.into(), &mut failures, cancel).await?,
            }
        }
        Ok(None)
    }

    /// Has its share of the partitions, whoever comes and goes, and works on it.
    async fn share_and_work(
        &mut self,
        seat: &mut Seat,
        held: &mut Vec<(u8, i64)>,
        cancel: &CancellationToken,
    ) -> Result<(), ConsumerError> {
        let mut force = self.applier.options.force;
        let mut failures = 0;
        let eager_until = Instant::now() + EAGER;
        while !cancel.is_cancelled() {
            if let Err(error) = self.settle(seat, held, &mut force).await {
                self.retry(error.into(), &mut failures, cancel).await?;
                continue;
            }
            if held.is_empty() {
                let eager = Instant::now() < eager_until;
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = seat.change(held) => {}
                    () = tokio::time::sleep(SOON), if eager => {
                        if let Err(error) = seat.look(SOON).await {
                            self.retry(error.into(), &mut failures, cancel).await?;
                        }
                    }
                }
                continue;
            }
            match self.work(seat, held, cancel, &mut failures).await {
                Ok(()) => {}
                Err(Failure::Retry(error)) => self.retry(error, &mut failures, cancel).await?,
                Err(Failure::Poison(_, reason)) => {
                    return Err(ConsumerError::Stopped(self.applier.id, reason));
                }
                Err(Failure::Final(error)) => {
                    metrics::consumer_failed(self.applier.id.name, error.cause());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Lets go of what is too much, or takes what is missing and free.
    async fn settle(
        &self,
        seat: &mut Seat,
        held: &mut Vec<(u8, i64)>,
        force: &mut bool,
    ) -> Result<(), sqlx::Error> {
        let Applier {
            id, pool, options, ..
        } = &self.applier;
        let mut plan = seat.plan(held);
        if *force {
            plan.take.clone_from(&options.partitions);
        }
        if plan.is_empty() {
            return Ok(());
        }
        if !plan.let_go.is_empty() {
            seat.leases().let_go(pool, &plan.let_go).await?;
            held.retain(|(partition, _)| !plan.let_go.contains(partition));
        }
        if !plan.take.is_empty() {
            let mut connection = pool.acquire().await?;
            let leases = seat.leases();
            let taken = leases
                .acquire(&mut connection, &plan.take, std::mem::take(force))
                .await?;
            held.extend(taken);
        }
        metrics::leases_held(id.name, held.len() as u64);
        seat.followed();
        held.sort_unstable();
        tracing::info!(
            consumer = %id, let_go = ?plan.let_go, "{id} now works on {} of {} partitions",
            held.len(), options.partitions.len()
        );
        Ok(())
    }

    /// Waits a little after a failure of the database, or gives up after many in a row.
    async fn retry(
        &self,
        error: Cause,
        failures: &mut u32,
        cancel: &CancellationToken,
    ) -> Result<(), ConsumerError> {
        let id = self.applier.id;
        *failures += 1;
        if *failures > MAX_FAILURES {
            return Err(ConsumerError::Failing(id, error));
        }
        metrics::consumer_failed(id.name, FailureCause::Database);
        tracing::warn!(consumer = %id, %error, failures, "{id} failed and tries again: {error}");
        pause(*failures, cancel).await;
        Ok(())
    }

    /// From a fresh look at the database until cancelled, until the share of partitions has to
    /// change, or until something fails.
    async fn work(
        &mut self,
        seat: &mut Seat,
        held: &[(u8, i64)],
        cancel: &CancellationToken,
        failures: &mut u32,
    ) -> Result<(), Failure> {
        let Self { feed, applier } = self;
        applier.hearsay = feed.is_hearsay();
        let mut checkpoints = applier.begin(held).await?;
        let mut looked_for_retries = Instant::now();
        let mut ahead = None;
        let mut busy = Some(Instant::now());
        while !cancel.is_cancelled() && seat.plan(held).is_empty() {
            applier.same_life()?;
            let positions = checkpoints.positions();
            let limit = applier.options.batch;
            let events = match ahead.take() {
                Some(events) => events,
                None => match feed.read(&positions, limit).await {
                    Ok(events) => events,
                    Err(error) => return Err(applier.unreadable(error)),
                },
            };
            let wanted = applier.wants_any(&events);
            if wanted {
                busy = Some(Instant::now());
            } else if busy.is_some_and(|busy| busy.elapsed() > REST) {
                applier.handler.rest();
                busy = None;
            }
            let step = if events.is_empty() {
                applier.idle(&checkpoints).await?
            } else if u32::try_from(events.len()) == Ok(limit) {
                // There is more where a full batch comes from: it is read meanwhile.
                let next = after(positions, &events);
                let (applied, read) = tokio::join!(
                    applier.batch(&mut checkpoints, &events),
                    feed.read(&next, limit)
                );
                applied?;
                // What cannot be read now is read again, and then the error is told.
                ahead = read.ok();
                Step::Applied
            } else {
                applier.batch(&mut checkpoints, &events).await?;
                let few = events.len() <= SMALL;
                if few && !wanted && applier.handler.is_leisurely() {
                    Step::Unconcerned
                } else {
                    Step::Applied
                }
            };
            *failures = 0;
            // Also when nothing was applied: what came may all have been applied before.
            feed.committed(&checkpoints.positions()).await;
            let parked = !applier.parked.is_empty();
            if parked && looked_for_retries.elapsed() > Duration::from_secs(1) {
                applier.retry_parked(&checkpoints).await?;
                looked_for_retries = Instant::now();
            }
            let rest = async {
                match step {
                    Step::Applied => {}
                    Step::Unconcerned => tokio::time::sleep(LEISURE).await,
                    Step::Nothing => {
                        let patience = if parked {
                            Duration::from_secs(1)
                        } else {
                            applier.options.patience
                        };
                        feed.wait(&checkpoints.positions(), patience).await;
                    }
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = seat.change(held) => {}
                () = rest => {}
            }
        }
        Ok(())
    }
}

/// Positions once a batch is applied.
fn after(mut positions: Positions, events: &[LogEvent]) -> Positions {
    for (partition, number) in ends(events) {
        for position in &mut positions {
            if position.0 == partition {
                position.1 = number;
            }
        }
    }
    positions
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
