//! One stream as a process follows it: every message is fetched, read and acknowledged once,
//! whatever number of consumers of the process take it.
//!
//! A message is acknowledged when every consumer that was given it has committed it. One that is
//! slow, or stands still, does not hold up the others for long: it is passed over, sees a hole,
//! and goes on from the log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_nats::datetime::DateTime;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::message::Acker;
use futures::StreamExt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::{JetStream, NatsError, stream_name};
use crate::cloudevent::{self, BusEvent};

/// Messages of one partition that wait for one consumer: its share of a batch of 2,000, twice.
const WAITING: usize = 256;
/// Messages asked for at once.
const PULL: usize = 128;
/// How long the others wait for a consumer that has no room.
const SLOW: Duration = Duration::from_millis(500);
/// How far back the server begins when it does not know the consumer, or not any more: enough for
/// clocks that differ. Who is further behind reads the log until it meets the stream; what it knows
/// from there already, it would only have to go through again.
const RECENT: Duration = Duration::from_secs(10);
/// A consumer that nobody has followed for so long is forgotten: that of an earlier release, or of
/// a process that is gone.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// How long the server remembers a request for messages.
const EXPIRES: Duration = Duration::from_secs(60);
/// A silence after which the connection to the stream is looked at.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// Delivered and not acknowledged for so long: delivered again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// Delivered and not acknowledged at most.
const UNACKNOWLEDGED: i64 = 16 * WAITING as i64;
/// After so long without a message, one that should have come is asked for at the server.
const QUIET: Duration = Duration::from_millis(500);
/// How often it is looked whether the connection is still the same.
const LOOK: Duration = Duration::from_secs(1);
/// First and longest pause before a stream that failed is opened again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A message that came.
pub(super) struct Arrived {
    /// What it says.
    pub(super) event: BusEvent,
    acker: Acker,
    /// Consumers that have it and have not committed it.
    open: AtomicUsize,
}

impl Arrived {
    /// One of the consumers has committed it.
    pub(super) async fn committed(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        if let Err(error) = self.acker.ack().await {
            // It comes again and is dropped as a repetition.
            tracing::debug!(%error, "a message was not acknowledged: {error}");
        }
    }
}

/// What waits for one consumer.
pub(super) struct Inbox {
    queue: Mutex<VecDeque<Arc<Arrived>>>,
    news: Arc<Notify>,
    room: Arc<Notify>,
    /// It was passed over: nobody waits for it before it has emptied.
    passed_over: AtomicBool,
}

impl Inbox {
    /// What waits, oldest first.
    pub(super) fn queue(&self) -> MutexGuard<'_, VecDeque<Arc<Arrived>>> {
        // Only whole messages are put in and taken out.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was taken out.
    pub(super) fn taken(&self) {
        self.room.notify_one();
    }

    fn has_room(&self) -> bool {
        let waiting = self.queue().len();
        if waiting == 0 {
            self.passed_over.store(false, Ordering::Relaxed);
        }
        waiting < WAITING && !self.is_passed_over()
    }

    fn is_passed_over(&self) -> bool {
        self.passed_over.load(Ordering::Relaxed)
    }
}

/// The streams that a process follows under one name.
#[derive(Clone)]
pub(super) struct Streams {
    bus: JetStream,
    /// Under which name the server knows this process and others of its kind.
    name: String,
    followed: Arc<Mutex<BTreeMap<u8, Weak<Incoming>>>>,
}

impl Streams {
    pub(super) fn new(bus: JetStream, name: String) -> Self {
        Self {
            bus,
            name,
            followed: Arc::default(),
        }
    }

    /// An inbox for a consumer at the stream of a partition, which is followed from now on if it
    /// is not yet; `news` is told of every message. What came before is not in it.
    pub(super) fn subscribe(
        &self,
        partition: u8,
        news: Arc<Notify>,
    ) -> (Arc<Incoming>, Arc<Inbox>) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = followed.get(&partition).and_then(Weak::upgrade);
        let incoming = known.unwrap_or_else(|| {
            let new = Incoming::start(self.bus.clone(), self.name.clone(), partition);
            followed.insert(partition, Arc::downgrade(&new));
            new
        });
        let inbox = Arc::new(Inbox {
            queue: Mutex::default(),
            news,
            room: Arc::clone(&incoming.shared.room),
            passed_over: AtomicBool::new(false),
        });
        incoming.shared.inboxes().push(Arc::downgrade(&inbox));
        (incoming, inbox)
    }
}

/// A stream that is followed, for as long as somebody holds it.
pub(super) struct Incoming {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    inboxes: Mutex<Vec<Weak<Inbox>>>,
    room: Arc<Notify>,
    silent: Notify,
}

impl Shared {
    fn inboxes(&self) -> MutexGuard<'_, Vec<Weak<Inbox>>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The inboxes that somebody still reads.
    fn live(&self) -> Vec<Arc<Inbox>> {
        let mut inboxes = self.inboxes();
        inboxes.retain(|inbox| inbox.strong_count() > 0);
        inboxes.iter().filter_map(Weak::upgrade).collect()
    }

    /// Those who get the next message: everybody, or after a while those who have room. Without
    /// any room nothing more is taken from the server.
    async fn takers(&self) -> Vec<Arc<Inbox>> {
        let until = Instant::now() + SLOW;
        loop {
            let (ready, full): (Vec<_>, Vec<_>) =
                self.live().into_iter().partition(|inbox| inbox.has_room());
            let late = Instant::now() >= until;
            let waited_for = full.iter().any(|inbox| !inbox.is_passed_over());
            if !ready.is_empty() && (late || !waited_for) {
                for inbox in full {
                    inbox.passed_over.store(true, Ordering::Relaxed);
                }
                return ready;
            }
            let look_again = if late { Instant::now() + SLOW } else { until };
            timeout_at(look_again, self.room.notified()).await.ok();
        }
    }
}

impl Incoming {
    fn start(bus: JetStream, name: String, partition: u8) -> Arc<Self> {
        let shared = Arc::new(Shared::default());
        let follow = Follow {
            bus,
            name,
            partition,
            shared: Arc::clone(&shared),
        };
        Arc::new(Self {
            shared,
            task: tokio::spawn(follow.run()),
        })
    }

    /// The log has events that should have come by now.
    pub(super) fn is_silent(&self) {
        self.shared.silent.notify_one();
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows a stream for as long as it is polled.
struct Follow {
    bus: JetStream,
    name: String,
    partition: u8,
    shared: Arc<Shared>,
}

impl Follow {
    async fn run(self) {
        let mut pause = PAUSE.0;
        loop {
            match self.follow().await {
                Ok(()) => pause = PAUSE.0,
                Err(error) => {
                    // Readers go on from the log; the metric of back-fills shows it.
                    tracing::debug!(
                        name = %self.name, partition = self.partition, %error,
                        "the stream cannot be followed: {error}"
                    );
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Until something fails, or until the connection is another one: then the server may not know
    /// any more what it was asked for. Also when messages wait at the server and do not come:
    /// after a time without room the client can believe that it has asked for more, and would find
    /// out by the missing heartbeats only.
    async fn follow(&self) -> Result<(), NatsError> {
        let connects = self.bus.connects();
        let (mut consumer, mut messages) = self.open().await?;
        let mut came = Instant::now();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return Ok(()) };
                    let (message, acker) = message.map_err(NatsError::of)?.split();
                    self.arrived(&message, acker).await?;
                    came = Instant::now();
                }
                () = self.shared.silent.notified() => {
                    if came.elapsed() > QUIET && waits(&mut consumer).await? {
                        return Ok(());
                    }
                }
                _ = look.tick() => {
                    if self.bus.connects() != connects {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn open(&self) -> Result<(PullConsumer, pull::Stream), NatsError> {
        let config = pull::Config {
            durable_name: Some(self.name.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: UNACKNOWLEDGED,
            deliver_policy: DeliverPolicy::ByStartTime {
                start_time: DateTime::now_utc() - RECENT,
            },
            // What is applied is known from the checkpoints. The server would write a file for
            // every few acknowledgements.
            memory_storage: true,
            inactive_threshold: FORGOTTEN,
            ..pull::Config::default()
        };
        let stream = self
            .bus
            .context()
            .get_stream_no_info(stream_name(self.partition))
            .await
            .map_err(NatsError::of)?;
        let consumer = stream
            .get_or_create_consumer(&self.name, config)
            .await
            .map_err(NatsError::of)?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(PULL)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(NatsError::of)?;
        Ok((consumer, messages))
    }

    async fn arrived(&self, message: &async_nats::Message, acker: Acker) -> Result<(), NatsError> {
        let headers = message.headers.as_ref();
        let Some(event) = cloudevent::decode(self.partition, headers, &message.payload) else {
            // It has no number: whatever it was, the log has it under one.
            tracing::warn!(
                name = %self.name, partition = self.partition,
                "a message of the bus is not an event of the log"
            );
            return acker.ack().await.map_err(NatsError::of);
        };
        let takers = self.shared.takers().await;
        let arrived = Arc::new(Arrived {
            event,
            acker,
            open: AtomicUsize::new(takers.len()),
        });
        for inbox in takers {
            inbox.queue().push_back(Arc::clone(&arrived));
            inbox.news.notify_one();
        }
        Ok(())
    }
}

/// True when the server has messages for a consumer and nobody has asked for them.
async fn waits(consumer: &mut PullConsumer) -> Result<bool, NatsError> {
    let info = consumer.info().await.map_err(NatsError::of)?;
    Ok(info.num_pending > 0 && info.num_waiting == 0)
}
