//! Where a consumer's events come from.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tierline_eventstore::{Heads, LogEvent, LogReader, ReadError};
use tokio::sync::{Mutex as AsyncMutex, OnceCell, watch};
use tokio::time::Instant;
use uuid::Uuid;

use crate::ConsumerId;
use crate::jetstream::JetStreamLog;

/// How far a consumer is: for each of its partitions the number of the last event it applied.
pub type Positions = Vec<(u8, i64)>;

/// Events of one read; consumers that read the same share them.
pub type Events = Arc<Vec<LogEvent>>;

/// A source of events in the order of their partitions.
#[async_trait]
pub trait Feed: Send + Sync {
    /// At most `limit` events after the given positions: dense and in order within each
    /// partition. Empty when there are none yet.
    async fn read(&mut self, after: &Positions, limit: u32) -> Result<Events, ReadError>;

    /// Returns when there may be events after the given positions, or after `patience`.
    async fn wait(&mut self, after: &Positions, patience: Duration);

    /// Everything up to these positions is applied and committed.
    async fn committed(&mut self, _positions: &Positions) {}

    /// True when events may come from somewhere else than the log, so that they have to be held
    /// against it before they take effect.
    fn is_hearsay(&self) -> bool {
        false
    }
}

/// A source of events of either kind; which one is a matter of configuration.
#[derive(Clone)]
pub enum Source {
    /// The log itself.
    Log(SharedLog),
    /// The streams of NATS, healed from the log.
    JetStream(Box<JetStreamLog>),
}

impl Source {
    /// A feed for one consumer.
    pub fn feed(&self, id: ConsumerId) -> Box<dyn Feed> {
        match self {
            Self::Log(log) => Box::new(log.feed()),
            Self::JetStream(streams) => Box::new(streams.feed(id)),
        }
    }

    /// A feed for a consumer that does not ask for the same partitions as the others of the
    /// process.
    pub fn feed_alone(&self, id: ConsumerId) -> Box<dyn Feed> {
        match self {
            Self::Log(log) => Box::new(log.feed()),
            Self::JetStream(streams) => Box::new(streams.feed_alone(id)),
        }
    }
}

#[async_trait]
impl Feed for Box<dyn Feed> {
    async fn read(&mut self, after: &Positions, limit: u32) -> Result<Events, ReadError> {
        self.as_mut().read(after, limit).await
    }

    async fn wait(&mut self, after: &Positions, patience: Duration) {
        self.as_mut().wait(after, patience).await;
    }

    async fn committed(&mut self, positions: &Positions) {
        self.as_mut().committed(positions).await;
    }

    fn is_hearsay(&self) -> bool {
        self.as_ref().is_hearsay()
    }
}

/// Reads that are kept for others.
const KEPT_READS: usize = 4;
/// How long they are kept.
const KEPT_FOR: Duration = Duration::from_secs(2);

/// How long a look at the heads of the log is good for.
const KNOWN_FOR: Duration = Duration::from_millis(500);

/// The log as the feeds of one process share it: consumers that are equally far, which is the
/// ordinary case, get their events from one read. What was read stays true for a life of the
/// database, since the log is only ever appended to; but that there was nothing is never kept.
#[derive(Clone)]
pub struct SharedLog {
    reader: LogReader,
    heads: Option<watch::Receiver<Heads>>,
    recent: Arc<Mutex<Recents>>,
    state: Arc<AsyncMutex<Option<State>>>,
}

/// How far the log is, as of a moment.
#[derive(Clone, Copy)]
struct State {
    at: Instant,
    heads: Heads,
    epoch: Uuid,
}

/// What was read a moment ago.
#[derive(Default)]
struct Recents {
    reads: VecDeque<Recent>,
    /// Somebody sees to it that nothing is kept for longer.
    looked_after: bool,
}

struct Recent {
    after: Positions,
    limit: u32,
    since: Instant,
    /// The life of the database in which it was begun.
    life: u64,
    /// Empty while the first who asked is reading.
    events: Arc<OnceCell<Events>>,
}

impl SharedLog {
    /// The log behind a reader; `heads` are the sequencer's, if it runs in this process.
    pub fn new(reader: LogReader, heads: Option<watch::Receiver<Heads>>) -> Self {
        Self {
            reader,
            heads,
            recent: Arc::default(),
            state: Arc::default(),
        }
    }

    /// A feed for one consumer.
    pub fn feed(&self) -> LogFeed {
        LogFeed(self.clone())
    }

    /// How far the log is, or was half a second ago.
    pub(crate) async fn heads(&self) -> Result<Heads, ReadError> {
        Ok(self.state().await?.heads)
    }

    /// The present epoch of the log.
    pub(crate) async fn epoch(&self) -> Result<Uuid, ReadError> {
        Ok(self.state().await?.epoch)
    }

    /// One look at the database for all who ask within half a second.
    async fn state(&self) -> Result<State, ReadError> {
        let mut known = self.state.lock().await;
        if let Some(state) = known.filter(|state| state.at.elapsed() < KNOWN_FOR) {
            return Ok(state);
        }
        let (heads, epoch) = self.reader.state().await?;
        let state = State {
            at: Instant::now(),
            heads,
            epoch,
        };
        *known = Some(state);
        Ok(state)
    }

    async fn read(&self, after: &Positions, limit: u32) -> Result<Events, ReadError> {
        let cell = self.cell(after, limit);
        let read = || async {
            let events = self.reader.read(after, limit, limit).await?;
            Ok::<_, ReadError>(Arc::new(events))
        };
        let events = cell.get_or_try_init(read).await?;
        if events.is_empty() {
            self.kept(|recent| recent.reads.retain(|one| !Arc::ptr_eq(&one.events, &cell)));
        } else {
            self.look_after();
        }
        Ok(Arc::clone(events))
    }

    /// Lets go of what was read once its time is over, although nobody may read any more: a
    /// process that rests would keep thousands of events.
    fn look_after(&self) {
        if self.kept(|recent| std::mem::replace(&mut recent.looked_after, true)) {
            return;
        }
        let shared = Arc::downgrade(&self.recent);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEPT_FOR).await;
                let Some(recent) = shared.upgrade() else {
                    return;
                };
                let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
                recent.reads.retain(|one| one.since.elapsed() < KEPT_FOR);
                if recent.reads.is_empty() {
                    recent.looked_after = false;
                    return;
                }
            }
        });
    }

    /// The place of a read, which others may have begun.
    fn cell(&self, after: &Positions, limit: u32) -> Arc<OnceCell<Events>> {
        let life = tierline_eventstore::generation();
        self.kept(|recent| {
            let reads = &mut recent.reads;
            reads.retain(|one| one.life == life && one.since.elapsed() < KEPT_FOR);
            let same = |one: &&Recent| one.limit == limit && one.after == *after;
            if let Some(found) = reads.iter().find(same) {
                return Arc::clone(&found.events);
            }
            if reads.len() >= KEPT_READS {
                reads.pop_front();
            }
            let events = Arc::new(OnceCell::new());
            reads.push_back(Recent {
                after: after.clone(),
                limit,
                since: Instant::now(),
                life,
                events: Arc::clone(&events),
            });
            events
        })
    }

    fn kept<T>(&self, change: impl FnOnce(&mut Recents) -> T) -> T {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut recent)
    }
}

/// The log itself, polled, and woken by the sequencer where it runs in the same process.
pub struct LogFeed(SharedLog);

impl LogFeed {
    /// A feed that shares nothing; `heads` are the sequencer's, if it runs in this process.
    pub fn new(reader: LogReader, heads: Option<watch::Receiver<Heads>>) -> Self {
        SharedLog::new(reader, heads).feed()
    }
}

#[async_trait]
impl Feed for LogFeed {
    async fn read(&mut self, after: &Positions, limit: u32) -> Result<Events, ReadError> {
        self.0.read(after, limit).await
    }

    async fn wait(&mut self, after: &Positions, patience: Duration) {
        let Some(heads) = &mut self.0.heads else {
            tokio::time::sleep(patience).await;
            return;
        };
        let news = async {
            heads
                .wait_for(|heads| {
                    after.iter().any(|(partition, number)| {
                        heads
                            .partitions
                            .get(usize::from(*partition))
                            .is_some_and(|h| h > number)
                    })
                })
                .await
                .is_ok()
        };
        // A closed channel means that the sequencer has gone; then only the clock wakes.
        if let Ok(false) = tokio::time::timeout(patience, news).await {
            tokio::time::sleep(patience).await;
        }
    }
}
