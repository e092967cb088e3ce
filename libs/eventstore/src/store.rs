//! The store of one process: its pool, its writers, its cache.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cqrs_es::persist::EventUpcaster;
use sqlx::PgPool;
use tierline_domain::{Claim, Entity, OrgId, Rejection, StreamId};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::append::{
    AppendFailure, AppendItem, Appender, StoredReceipt, read_holders, read_receipts,
};
use crate::cache::Baselines;
use crate::codec::{Codec, RawEvent};
use crate::load::{Loader, Tail};
use crate::pool::bounded;
use crate::runner::fold;
use crate::turns::Turns;
use crate::{CommandError, DbError, lineage};

/// Limits of a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Tasks that append; each uses one connection while it works.
    pub writers: usize,
    /// Tasks that load streams; each uses one connection while it works.
    pub loaders: usize,
    /// How long to wait for a commit before its outcome counts as unknown.
    pub commit_timeout: Duration,
    /// How long to wait for a load.
    pub load_timeout: Duration,
    /// Folded aggregates kept in memory.
    pub cached_aggregates: usize,
    /// How often a command that lost a race is decided, all in all.
    pub attempts: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            writers: 2,
            loaders: 2,
            commit_timeout: Duration::from_secs(5),
            load_timeout: Duration::from_secs(5),
            cached_aggregates: 10_000,
            attempts: 5,
        }
    }
}

/// A folded aggregate and its version.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// The state.
    pub state: Arc<A>,
    /// Number of events folded; 0: the stream does not exist. This is the etag.
    pub version: u64,
}

pub(crate) struct Inner {
    pub(crate) pool: PgPool,
    pub(crate) options: StoreOptions,
    pub(crate) codec: Codec,
    pub(crate) appender: Appender,
    pub(crate) loader: Loader,
    pub(crate) baselines: Baselines,
    pub(crate) turns: Turns,
    pub(crate) wake: Arc<Notify>,
}

/// The event store. Cheap to clone; all clones share writers, cache and turns.
#[derive(Clone)]
pub struct EventStore {
    pub(crate) inner: Arc<Inner>,
}

impl EventStore {
    /// A store on `pool`, with the limits of `options` and the upcasters of all stored events.
    /// Must be called within a tokio runtime: it starts the writers.
    pub fn new(
        pool: PgPool,
        options: StoreOptions,
        upcasters: Vec<Box<dyn EventUpcaster>>,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        let appender = Appender::start(
            pool.clone(),
            options.writers,
            options.commit_timeout,
            Arc::clone(&wake),
        );
        let loader = Loader::start(pool.clone(), options.loaders, options.load_timeout);
        Self {
            inner: Arc::new(Inner {
                codec: Codec::new(upcasters),
                baselines: Baselines::new(options.cached_aggregates),
                turns: Turns::default(),
                pool,
                options,
                appender,
                loader,
                wake,
            }),
        }
    }

    /// A store with the default limits and without upcasters.
    pub fn open(pool: PgPool) -> Self {
        Self::new(pool, StoreOptions::default(), Vec::new())
    }

    /// The pool that the store works on.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// Reads stored events of any aggregate.
    pub fn codec(&self) -> &Codec {
        &self.inner.codec
    }

    /// Tells the sequencer of this process that there is something to number. Called after the
    /// commit of a transaction that used [`crate::append_in`]; the store calls it by itself.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// The signal that [`Self::wake`] gives, for the sequencer.
    pub fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.inner.wake)
    }

    /// Folds a stream as of now. An aggregate without events has version 0 and its default state.
    ///
    /// # Errors
    /// `DataLoss` when an event cannot be read, `UNKNOWN_EVENT` when the stream holds an event
    /// that this release does not know, `Unavailable` when the database does not answer.
    pub async fn load<A: Entity>(&self, stream: &StreamId) -> Result<Loaded<A>, CommandError> {
        let deadline = Instant::now() + self.inner.options.load_timeout;
        let generation = lineage::generation();
        let baseline = self.inner.baselines.peek::<A>(stream);
        let events = self.tail(stream, A::TYPE, &baseline, deadline).await?;
        if generation != lineage::generation() {
            // The baseline may be of a database that was lost meanwhile.
            return Err(CommandError::Unavailable(None));
        }
        if let (Some((version, state)), true) = (&baseline, events.is_empty()) {
            let state = Arc::clone(state);
            return Ok(Loaded {
                state,
                version: *version,
            });
        }
        let folded = fold::fold(&self.inner.codec, stream, baseline, &events)?;
        if folded.unknown {
            return Err(fold::unknown_event::<A>(stream).into());
        }
        let state = Arc::new(folded.state);
        let version = folded.version;
        // What is looked up once is looked up again: an org, a program, a partner.
        self.inner
            .baselines
            .put(stream, version, Arc::clone(&state), generation);
        Ok(Loaded { state, version })
    }

    /// Appends items of different streams in as few statements as possible, with a result for
    /// each in their order. A second item of the same stream is refused as a lost race.
    pub async fn append_many(&self, items: &[AppendItem]) -> Vec<Result<(), AppendFailure>> {
        let deadline = Instant::now() + self.inner.options.commit_timeout;
        let mut streams = HashSet::with_capacity(items.len());
        let first: Vec<bool> = items
            .iter()
            .map(|item| streams.insert((item.aggregate_type, item.stream.as_str())))
            .collect();
        let chosen: Vec<&AppendItem> = items
            .iter()
            .zip(&first)
            .filter_map(|(item, first)| first.then_some(item))
            .collect();
        let mut outcomes = self
            .inner
            .appender
            .append_many(&chosen, deadline)
            .await
            .into_iter();
        let outcome = |first| {
            let sent = if first { outcomes.next() } else { None };
            sent.unwrap_or(Err(AppendFailure::LostRace))
        };
        first.into_iter().map(outcome).collect()
    }

    /// The receipts of those requests of an org that were carried out, by request id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn receipts(
        &self,
        org: &OrgId,
        request_ids: &[String],
    ) -> Result<HashMap<String, StoredReceipt>, DbError> {
        let deadline = Instant::now() + self.inner.options.load_timeout;
        let (org, ids) = (org.clone(), request_ids.to_vec());
        bounded(&self.inner.pool, deadline, move |connection| {
            Box::pin(async move { read_receipts(connection, org.as_str(), &ids).await })
        })
        .await
    }

    /// The events of a stream after a version, for a reader that needs more of them than the
    /// aggregate keeps.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn events_of<A: Entity>(
        &self,
        stream: &StreamId,
        after: u64,
    ) -> Result<Vec<A::Event>, CommandError> {
        let deadline = Instant::now() + self.inner.options.load_timeout;
        let tail = Tail {
            aggregate_type: A::TYPE,
            stream: stream.clone(),
            after,
        };
        let read = self.inner.loader.read(tail, deadline).await;
        let events = read.map_err(|error| CommandError::Unavailable(Some(error)))?;
        let decode = |raw: &RawEvent| {
            let decoded = self
                .inner
                .codec
                .decode::<A::Event>(A::TYPE, stream.as_str(), raw)?;
            match decoded.known {
                true => Ok(decoded.event),
                false => Err(fold::unknown_event::<A>(stream).into()),
            }
        };
        events.iter().map(decode).collect()
    }

    /// Who holds unique names of an org at this moment, in their order; `None`: nobody. Only for
    /// looking ahead: taking a name is decided by the append itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_holders(
        &self,
        org: &OrgId,
        claims: &[Claim],
    ) -> Result<Vec<Option<StreamId>>, DbError> {
        let deadline = Instant::now() + self.inner.options.load_timeout;
        let (org, claims) = (org.clone(), claims.to_vec());
        bounded(&self.inner.pool, deadline, move |connection| {
            Box::pin(async move { read_holders(connection, org.as_str(), &claims).await })
        })
        .await
    }

    /// How many streams of this kind an org has, counted up to a bound. Only for looking ahead:
    /// what is appended at the same moment is not seen.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_streams<A: Entity>(&self, org: &OrgId, most: u32) -> Result<u64, DbError> {
        let deadline = Instant::now() + self.inner.options.load_timeout;
        // The character after the slash that ends the name of the org.
        let (from, to) = (format!("{org}/"), format!("{org}0"));
        bounded(&self.inner.pool, deadline, move |connection| {
            Box::pin(async move {
                let count: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM (SELECT DISTINCT aggregate_id FROM events
                     WHERE aggregate_type = $1 AND aggregate_id >= $2 AND aggregate_id < $3
                     LIMIT $4) AS streams",
                )
                .bind(A::TYPE)
                .bind(from)
                .bind(to)
                .bind(i64::from(most))
                .fetch_one(connection)
                .await?;
                Ok(u64::try_from(count).unwrap_or_default())
            })
        })
        .await
    }

    pub(crate) async fn fold_from<A: Entity>(
        &self,
        stream: &StreamId,
        baseline: Option<(u64, Arc<A>)>,
        deadline: Instant,
    ) -> Result<fold::Folded<A>, CommandError> {
        let events = self.tail(stream, A::TYPE, &baseline, deadline).await?;
        let folded: Result<_, Rejection> = fold::fold(&self.inner.codec, stream, baseline, &events);
        Ok(folded?)
    }

    async fn tail<A>(
        &self,
        stream: &StreamId,
        aggregate_type: &'static str,
        baseline: &Option<(u64, Arc<A>)>,
        deadline: Instant,
    ) -> Result<Vec<RawEvent>, CommandError> {
        let tail = Tail {
            aggregate_type,
            stream: stream.clone(),
            after: baseline.as_ref().map_or(0, |(version, _)| *version),
        };
        let read = self.inner.loader.read(tail, deadline).await;
        read.map_err(|error| CommandError::Unavailable(Some(error)))
    }
}
