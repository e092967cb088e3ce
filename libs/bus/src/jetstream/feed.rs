//! The streams as a feed: what comes without a hole is taken from the bus, everything else from
//! the log.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tierline_eventstore::{Heads, LogEvent, ReadError};
use tierline_telemetry::metrics::{self, BackfillCause, Part};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::JetStream;
use super::incoming::Streams;
use super::tail::Tail;
use crate::feed::{Events, Feed, LogFeed, Positions};
use crate::{ConsumerId, SharedLog};

/// How often the heads of the log are looked at, and how long the bus may be behind them before
/// the log is read instead.
const LOOK: Duration = Duration::from_secs(1);
/// Pause between reads of the log while the bus is away.
const WITHOUT_BUS: Duration = Duration::from_millis(200);
/// How long news are left to gather before they are read.
const GATHER: Duration = Duration::from_millis(5);
/// Most events read from the log at once to heal.
const HEAL: u32 = 2_000;

/// Partitions that do not go on, where they stand, and why.
type Gaps = BTreeMap<u8, (i64, BackfillCause)>;

/// The streams and the log behind them, as the feeds of one process share them.
#[derive(Clone)]
pub struct JetStreamLog {
    bus: JetStream,
    log: SharedLog,
    streams: Streams,
}

impl JetStreamLog {
    /// The streams of `bus`, and `log` to heal from. The server knows the process by `name`, as a
    /// durable consumer of each stream; processes that follow the log for the same purpose have
    /// the same name.
    pub fn new(bus: JetStream, log: SharedLog, name: impl Into<String>) -> Self {
        let streams = Streams::new(bus.clone(), name.into());
        Self { bus, log, streams }
    }

    /// A feed for one consumer. What it takes from a stream comes by the one durable consumer that
    /// all feeds of the process have together.
    pub fn feed(&self, id: ConsumerId) -> JetStreamFeed {
        self.feed_from(id, self.streams.clone())
    }

    /// A feed that has durable consumers of its own, for a consumer that does not ask for the same
    /// partitions as the others: it may be at work in another process than they are, and processes
    /// that pull under one name get some of the messages each.
    pub fn feed_alone(&self, id: ConsumerId) -> JetStreamFeed {
        self.feed_from(id, Streams::new(self.bus.clone(), id.to_string()))
    }

    fn feed_from(&self, id: ConsumerId, streams: Streams) -> JetStreamFeed {
        JetStreamFeed {
            bus: self.bus.clone(),
            shared: self.log.clone(),
            log: self.log.feed(),
            streams,
            id,
            tails: BTreeMap::new(),
            news: Arc::default(),
            epoch: None,
            looked: Instant::now(),
            ahead: BTreeMap::new(),
            late: BTreeMap::new(),
        }
    }
}

/// See [`JetStreamLog`].
pub struct JetStreamFeed {
    bus: JetStream,
    shared: SharedLog,
    log: LogFeed,
    streams: Streams,
    id: ConsumerId,
    tails: BTreeMap<u8, Tail>,
    news: Arc<Notify>,
    epoch: Option<Uuid>,
    looked: Instant,
    /// Partitions whose head was beyond us at the last look.
    ahead: BTreeMap<u8, i64>,
    /// Partitions of which the log is read although nothing came, and why.
    late: BTreeMap<u8, BackfillCause>,
}

impl JetStreamFeed {
    /// Follows the streams of these partitions and of no others.
    fn follow(&mut self, after: &Positions) {
        if after.len() == self.tails.len()
            && after
                .iter()
                .all(|(partition, _)| self.tails.contains_key(partition))
        {
            return;
        }
        self.tails
            .retain(|held, _| after.iter().any(|(partition, _)| partition == held));
        self.late.clear();
        self.ahead.clear();
        for (partition, _) in after {
            if let Entry::Vacant(new) = self.tails.entry(*partition) {
                new.insert(Tail::start(
                    &self.streams,
                    *partition,
                    Arc::clone(&self.news),
                ));
                // What the stream carried before is not in it; the log is read at once.
                self.late.insert(*partition, BackfillCause::Start);
            }
        }
    }

    /// Which partitions the bus is silent about: the log was beyond us at the last look already,
    /// we have not come so far since, and nothing waits.
    async fn look(&mut self, after: &Positions) -> Result<(), ReadError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        let heads: Heads = self.shared.heads().await?;
        self.epoch = Some(self.shared.epoch().await?);
        self.looked = Instant::now();
        for (partition, number) in after {
            let head = heads
                .partitions
                .get(usize::from(*partition))
                .copied()
                .unwrap_or(0);
            let before = self.ahead.remove(partition);
            let silent = self.tails.get(partition).is_none_or(Tail::is_empty);
            if head > *number {
                self.ahead.insert(*partition, head);
            }
            if silent && before.is_some_and(|before| *number < before) {
                if let Some(tail) = self.tails.get(partition) {
                    tail.is_silent();
                }
                self.late.insert(*partition, BackfillCause::Silent);
            } else {
                self.late.remove(partition);
            }
        }
        Ok(())
    }

    /// Takes what has come, at most `share` of each partition and `most` in all, and notes how far
    /// that goes. Returns the partitions that do not go on where there is more.
    fn take(
        &mut self,
        epoch: Uuid,
        reached: &mut Positions,
        share: usize,
        most: usize,
        events: &mut Vec<LogEvent>,
    ) -> Gaps {
        let mut gaps = Gaps::new();
        for (partition, number) in reached {
            let Some(tail) = self.tails.get_mut(partition) else {
                continue;
            };
            let room = share.min(most.saturating_sub(events.len()));
            let (end, cause) = tail.take(self.id, *number, epoch, room, events);
            if let Some(cause) = cause {
                gaps.insert(*partition, (end, cause));
            } else if end > *number {
                self.late.remove(partition);
            } else if let Some(cause) = self.late.get(partition) {
                gaps.insert(*partition, (end, *cause));
            }
            *number = end;
        }
        gaps
    }

    /// Reads on from the log and counts why. Where the bus has carried something up to the gap,
    /// the last of that has to be in the log: what follows it would vouch for it otherwise, since
    /// a batch is held against the log by its ends.
    async fn heal(
        &mut self,
        gaps: &Gaps,
        room: u32,
        events: &mut Vec<LogEvent>,
    ) -> Result<(), ReadError> {
        let carried: BTreeMap<u8, LogEvent> = gaps
            .keys()
            .filter_map(|at| events.iter().rfind(|event| event.partition == *at))
            .map(|event| (event.partition, event.clone()))
            .collect();
        let positions: Positions = gaps
            .iter()
            .map(|(at, (number, _))| (*at, number - i64::from(carried.contains_key(at))))
            .collect();
        let found = self.log.read(&positions, room.min(HEAL)).await?;
        for (partition, (_, cause)) in gaps {
            let mut logged = found.iter().filter(|event| event.partition == *partition);
            if let Some(last) = carried.get(partition)
                && !logged.next().is_some_and(|event| is_same(event, last))
            {
                continue;
            }
            let before = events.len();
            events.extend(logged.cloned());
            if events.len() > before {
                let count = events.len() - before;
                metrics::backfilled(self.id.name, *cause, count as u64);
            }
        }
        Ok(())
    }
}

/// One event under one number, with the same content.
fn is_same(left: &LogEvent, right: &LogEvent) -> bool {
    left.event_id == right.event_id
        && left.leaf_hash == right.leaf_hash
        && left.partition_number == right.partition_number
}

#[async_trait]
impl Feed for JetStreamFeed {
    async fn read(&mut self, after: &Positions, limit: u32) -> Result<Events, ReadError> {
        self.follow(after);
        metrics::jetstream_connected(Part::Consumer, self.bus.is_connected());
        if !self.bus.is_connected() {
            let events = self.log.read(after, limit).await?;
            metrics::backfilled(
                self.id.name,
                BackfillCause::Unreachable,
                events.len() as u64,
            );
            return Ok(events);
        }
        let epoch = match self.epoch {
            Some(epoch) => epoch,
            None => *self.epoch.insert(self.shared.epoch().await?),
        };
        self.look(after).await?;
        let mut events = Vec::new();
        let most = limit as usize;
        // A share each, so that no partition keeps the others waiting.
        let share = most.div_ceil(after.len().max(1)).max(1);
        let mut reached = after.clone();
        let gaps = self.take(epoch, &mut reached, share, most, &mut events);
        let room = limit.saturating_sub(u32::try_from(events.len()).unwrap_or(limit));
        if !gaps.is_empty() && room > 0 {
            self.heal(&gaps, room, &mut events).await?;
        }
        // What nobody else needs is for those that have more.
        reached.retain(|(partition, _)| !gaps.contains_key(partition));
        self.take(epoch, &mut reached, most, most, &mut events);
        Ok(Arc::new(events))
    }

    async fn wait(&mut self, after: &Positions, patience: Duration) {
        if !self.bus.is_connected() {
            self.log.wait(after, patience.min(WITHOUT_BUS)).await;
            return;
        }
        if !self.late.is_empty() {
            tokio::select! {
                () = self.news.notified() => {}
                () = sleep(WITHOUT_BUS) => {}
            }
            return;
        }
        // Whether something was lost is looked at by the next read.
        let news = timeout(patience.min(LOOK), self.news.notified()).await;
        if news.is_ok() {
            // What comes right behind it goes into the same batch.
            sleep(GATHER).await;
        }
    }

    async fn committed(&mut self, positions: &Positions) {
        for (partition, number) in positions {
            if let Some(tail) = self.tails.get_mut(partition) {
                tail.committed(*number).await;
            }
        }
    }

    fn is_hearsay(&self) -> bool {
        true
    }
}
