//! Applying events: a batch with its checkpoint in one transaction, what cannot be applied set
//! aside, what was set aside tried again.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::{Acquire, PgConnection, PgPool, Postgres};
use tierline_eventstore::{LogEvent, LogReader, ReadError};
use tierline_telemetry::metrics::{self, FailureCause, Part};
use tierline_telemetry::trace;
use tokio::time::Instant;

use crate::consumer::{Cause, ConsumerError, Handler, HandlerError, Options};
use crate::feed::Positions;
use crate::history::{find_mismatch, witnesses};
use crate::{Checkpoints, ConsumerId, Mismatch, Progress, Sighting, parked};

/// Applies events with a handler.
pub(crate) struct Applier<H> {
    pub(crate) id: ConsumerId,
    pub(crate) pool: PgPool,
    pub(crate) handler: H,
    pub(crate) options: Options,
    pub(crate) reader: LogReader,
    pub(crate) progress: Option<Arc<Progress>>,
    /// The partitions that are held.
    pub(crate) held: Vec<u8>,
    pub(crate) parked: HashSet<(u8, String)>,
    /// Events may come from somewhere else than the log.
    pub(crate) hearsay: bool,
    /// The last event that was applied of each partition.
    pub(crate) newest: BTreeMap<u8, Sighting>,
    /// The life of the database that everything in memory comes from.
    pub(crate) life: u64,
}

/// One attempt at a batch.
#[derive(Clone, Copy)]
struct Work<'a> {
    /// What is applied; nothing, if the handler wants none of it.
    events: &'a [LogEvent],
    /// What is set aside, and why.
    parking: &'a [(LogEvent, String)],
    /// What has to be in the log for the batch to be true.
    witnesses: &'a [Sighting],
    /// Where the checkpoints go.
    to: &'a [(u8, i64)],
}

pub(crate) enum Step {
    Applied,
    /// Applied, and nothing of it was of interest.
    Unconcerned,
    Nothing,
}

pub(crate) enum Failure {
    Retry(Cause),
    Poison(usize, String),
    Final(ConsumerError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Retry(error.into())
    }
}

impl<H: Handler> Applier<H> {
    /// Takes a fresh look at the database.
    pub(crate) async fn begin(&mut self, held: &[(u8, i64)]) -> Result<Checkpoints, Failure> {
        self.life = tierline_eventstore::generation();
        let mut connection = self.pool.acquire().await?;
        let checkpoints = Checkpoints::load(&mut connection, self.id, held).await?;
        drop(connection);
        self.held = held.iter().map(|(partition, _)| *partition).collect();
        self.newest
            .retain(|partition, _| self.held.contains(partition));
        self.remember_rightly().await?;
        self.look_for_parked().await?;
        self.start_handler().await?;
        self.report(&checkpoints);
        Ok(checkpoints)
    }

    /// After a failure the database may be another one than before, which lost the end of the
    /// log: what was applied last has to be in it.
    async fn remember_rightly(&mut self) -> Result<(), Failure> {
        let newest: Vec<Sighting> = self.newest.values().cloned().collect();
        if newest.is_empty() {
            return Ok(());
        }
        let mut connection = self.pool.acquire().await?;
        match find_mismatch(&mut connection, &newest).await? {
            None => Ok(()),
            Some(mismatch) => Err(self.other_history(mismatch)),
        }
    }

    fn other_history(&self, mismatch: Mismatch) -> Failure {
        metrics::epoch_mismatch(if self.id == crate::RELAY {
            Part::Relay
        } else {
            Part::Consumer
        });
        Failure::Final(ConsumerError::OtherHistory(self.id, mismatch))
    }

    /// A connection to the same life of the database as ever: what was read, remembered and
    /// counted before a failover or a restore must not be written after it.
    async fn connection(&self) -> Result<PoolConnection<Postgres>, Failure> {
        let connection = self.pool.acquire().await?;
        self.same_life()?;
        Ok(connection)
    }

    /// Also who had nothing to do while the database became another one has to look again how far
    /// it is: the log may be shorter than that.
    pub(crate) fn same_life(&self) -> Result<(), Failure> {
        if tierline_eventstore::generation() == self.life {
            return Ok(());
        }
        Err(Failure::Retry(
            "the database is another life of itself".into(),
        ))
    }

    /// What the handler keeps in memory of failed attempts is void.
    async fn start_handler(&mut self) -> Result<(), Failure> {
        let mut connection = self.pool.acquire().await?;
        let started = self.handler.start(&mut connection, &self.held).await;
        started.map_err(|error| self.failed(error))
    }

    async fn look_for_parked(&mut self) -> Result<(), Failure> {
        let mut connection = self.pool.acquire().await?;
        let keys = parked::keys(&mut connection, self.id, &self.held).await?;
        self.parked = keys.into_iter().collect();
        Ok(())
    }

    pub(crate) fn failed(&self, error: HandlerError) -> Failure {
        match error {
            HandlerError::Poison { index, reason } => Failure::Poison(index, reason),
            HandlerError::Database(error) => Failure::Retry(error.into()),
            HandlerError::Unavailable(reason) => Failure::Retry(reason.into()),
            HandlerError::OtherHistory(mismatch) => self.other_history(mismatch),
            HandlerError::Stop(reason) => Failure::Final(ConsumerError::Stopped(self.id, reason)),
        }
    }

    pub(crate) fn unreadable(&self, error: ReadError) -> Failure {
        match error {
            ReadError::Database(error) => Failure::Retry(error.into()),
            damage => Failure::Final(ConsumerError::Feed(self.id, damage)),
        }
    }

    pub(crate) fn report(&self, checkpoints: &Checkpoints) {
        if let Some(progress) = &self.progress {
            progress.reached(self.id, &checkpoints.positions());
        }
    }

    /// Applies a batch; parks what cannot be applied and applies the rest.
    pub(crate) async fn batch(
        &mut self,
        checkpoints: &mut Checkpoints,
        events: &[LogEvent],
    ) -> Result<(), Failure> {
        let span = trace::consumer_batch(self.id.name, events.iter().map(produced));
        span.run(self.whole_batch(checkpoints, events)).await
    }

    async fn whole_batch(
        &mut self,
        checkpoints: &mut Checkpoints,
        events: &[LogEvent],
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let to = ends(events);
        let mut parking: Vec<(LogEvent, String)> = Vec::new();
        let mut rest = Cow::Borrowed(events);
        if !self.parked.is_empty() {
            let (aside, others): (Vec<_>, Vec<_>) = events
                .iter()
                .cloned()
                .partition(|event| waits(&self.parked, event));
            parking.extend(aside.into_iter().map(|event| (event, String::new())));
            rest = Cow::Owned(others);
        }
        let witnesses = witnesses(events);
        loop {
            let wanted = self.wants_any(&rest);
            let work = Work {
                events: if wanted { &rest } else { &[] },
                parking: &parking,
                witnesses: &witnesses,
                to: &to,
            };
            match self.try_batch(checkpoints, work).await {
                Ok(()) => break,
                Err(Failure::Poison(index, reason)) if index < rest.len() => {
                    let key = (rest[index].partition, rest[index].routing_key.clone());
                    tracing::error!(
                        consumer = %self.id, routing_key = %key.1, event = %rest[index].event_type,
                        number = rest[index].partition_number, %reason, "event parked"
                    );
                    metrics::consumer_failed(self.id.name, FailureCause::Poison);
                    let culprit = rest[index].event_id;
                    let keys = HashSet::from([key]);
                    let (out, keep): (Vec<_>, Vec<_>) = rest
                        .into_owned()
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
                    rest = Cow::Owned(keep.into_iter().map(|(_, event)| event).collect());
                    self.start_handler().await?;
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
        // Of a partition its last event comes last.
        let newest = witnesses.into_iter().map(|seen| (seen.partition, seen));
        self.newest.extend(newest);
        metrics::batch_applied(self.id.name, events.len() as u64, started.elapsed());
        delayed(self.id.name, events);
        Ok(())
    }

    async fn try_batch(
        &mut self,
        checkpoints: &Checkpoints,
        work: Work<'_>,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.options.deadline;
        let mut connection = self.connection().await?;
        let work = async {
            let wanted = !work.events.is_empty();
            let transactional = self.handler.is_transactional();
            if wanted && !transactional {
                self.look_for_mismatch(&mut connection, work).await?;
            }
            if !work.parking.is_empty() || (wanted && transactional) {
                let mut transaction = connection.begin().await?;
                if let Err(failure) = self.take(&mut transaction, checkpoints, work).await {
                    transaction.rollback().await?;
                    return Err(failure);
                }
                transaction.commit().await?;
                Ok(())
            } else {
                self.take(&mut connection, checkpoints, work).await
            }
        };
        match tokio::time::timeout_at(deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // The commit may or may not have happened; the checkpoint will tell.
                drop(connection.detach());
                metrics::consumer_failed(self.id.name, FailureCause::Deadline);
                Err(Failure::Retry(
                    "the batch took longer than its deadline".into(),
                ))
            }
        }
    }

    /// Whether any of these says something to the handler.
    pub(crate) fn wants_any(&self, events: &[LogEvent]) -> bool {
        events.iter().any(|event| self.handler.wants(event))
    }

    /// One attempt on a connection: the events, what is set aside, and the checkpoints.
    async fn take(
        &mut self,
        connection: &mut PgConnection,
        checkpoints: &Checkpoints,
        work: Work<'_>,
    ) -> Result<(), Failure> {
        if !work.events.is_empty()
            && let Err(error) = self.handler.apply(connection, work.events).await
        {
            // What cannot be applied may be what the log never had.
            return match self.look_for_mismatch(connection, work).await {
                Err(other @ Failure::Final(_)) => Err(other),
                _ => Err(self.failed(error)),
            };
        }
        if !work.parking.is_empty() {
            let aside: Vec<_> = work
                .parking
                .iter()
                .map(|(event, error)| (event, error.clone()))
                .collect();
            parked::park(connection, self.id, &aside).await?;
        }
        let heard = if self.hearsay { work.witnesses } else { &[] };
        if checkpoints.advance(connection, work.to, heard).await? {
            return Ok(());
        }
        self.look_for_mismatch(connection, work).await?;
        Err(Failure::Final(ConsumerError::Fenced(self.id)))
    }

    /// What came from elsewhere has to be in the log.
    async fn look_for_mismatch(
        &self,
        connection: &mut PgConnection,
        work: Work<'_>,
    ) -> Result<(), Failure> {
        if !self.hearsay {
            return Ok(());
        }
        match find_mismatch(connection, work.witnesses).await? {
            None => Ok(()),
            Some(mismatch) => Err(self.other_history(mismatch)),
        }
    }

    pub(crate) async fn idle(&mut self, checkpoints: &Checkpoints) -> Result<Step, Failure> {
        if !self.handler.due() {
            return Ok(Step::Nothing);
        }
        let mut connection = self.connection().await?;
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
    pub(crate) async fn retry_parked(&mut self, checkpoints: &Checkpoints) -> Result<(), Failure> {
        let mut connection = self.pool.acquire().await?;
        let limit = i64::from(self.options.batch);
        let numbers = parked::asked(&mut connection, self.id, &self.held, limit).await?;
        drop(connection);
        let mut events = Vec::with_capacity(numbers.len());
        for (partition, number) in &numbers {
            let found = self.reader.read(&[(*partition, *number - 1)], 1, 1).await;
            events.extend(found.map_err(|error| self.unreadable(error))?);
        }
        let Some(first) = events.first() else {
            return self.look_for_parked().await;
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
                self.start_handler().await?;
            }
            Err(other) => return Err(other),
        }
        self.look_for_parked().await
    }

    async fn try_parked(
        &mut self,
        checkpoints: &Checkpoints,
        events: &[LogEvent],
        numbers: &[(u8, i64)],
    ) -> Result<(), Failure> {
        let mut connection = self.connection().await?;
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

/// An event as spans point to it.
fn produced(event: &LogEvent) -> trace::Produced<'_> {
    trace::Produced {
        metadata: &event.metadata,
        event_type: &event.event_type,
        partition: event.partition,
        number: event.partition_number,
    }
}

/// Counts how long the oldest event of a batch has waited for its effect.
fn delayed(consumer: &'static str, events: &[LogEvent]) {
    if let Some(oldest) = events.iter().map(|event| event.recorded_at).min() {
        // The clocks of two machines may disagree about what was before.
        let age = Timestamp::now().duration_since(oldest);
        metrics::batch_delayed(consumer, age.try_into().unwrap_or_default());
    }
}

/// The last number of each partition in a batch.
pub(crate) fn ends(events: &[LogEvent]) -> Positions {
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
