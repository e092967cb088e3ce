//! One consumer's end of one stream: messages as they come, bounded, with the means to
//! acknowledge them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::datetime::DateTime;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::message::Acker;
use futures::StreamExt;
use tierline_telemetry::metrics::{self, BackfillCause, Part};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{JetStream, NatsError, stream_name};
use crate::ConsumerId;
use crate::cloudevent::{self, BusEvent, Content};

/// Messages of one partition that wait in memory: its share of a batch of 2,000, twice.
const WAITING: usize = 256;
/// Messages asked for at once.
const PULL: usize = 128;
/// How far back the server begins when it does not know the consumer, or not any more. Who is
/// further behind reads the log until it meets the stream.
const RECENT: Duration = Duration::from_secs(600);
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
const UNACKNOWLEDGED: i64 = 8 * WAITING as i64;
/// First and longest pause before a stream that failed is opened again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A message that waits to be taken.
struct Waiting {
    event: BusEvent,
    acker: Acker,
    _room: OwnedSemaphorePermit,
}

/// What is known of one partition.
pub(super) struct Tail {
    queue: Arc<Mutex<VecDeque<Waiting>>>,
    /// Taken and not yet known to be committed.
    taken: VecDeque<(i64, Acker)>,
    /// The last number that came from the stream.
    last: i64,
    task: JoinHandle<()>,
}

impl Tail {
    pub(super) fn start(bus: JetStream, id: ConsumerId, partition: u8, news: Arc<Notify>) -> Self {
        let queue: Arc<Mutex<VecDeque<Waiting>>> = Arc::default();
        let follow = Follow {
            bus,
            id,
            partition,
            queue: Arc::clone(&queue),
            room: Arc::new(Semaphore::new(WAITING)),
            news,
        };
        Self {
            queue,
            taken: VecDeque::new(),
            last: 0,
            task: tokio::spawn(follow.run()),
        }
    }

    /// Takes the events that follow `after` without a hole, at most `room`, into `events`. Returns
    /// how far that goes, and why it does not go on where there is more.
    pub(super) fn take(
        &mut self,
        id: ConsumerId,
        after: i64,
        epoch: Uuid,
        room: usize,
        events: &mut Vec<tierline_eventstore::LogEvent>,
    ) -> (i64, Option<BackfillCause>) {
        let mut at = after;
        let until = events.len() + room;
        let queue = Arc::clone(&self.queue);
        let mut queue = lock(&queue);
        while let Some(front) = queue.front() {
            let number = front.event.number;
            if front.event.epoch != epoch {
                // Numbers of another epoch mean nothing here.
                if let Some(void) = queue.pop_front() {
                    self.taken.push_back((0, void.acker));
                    metrics::epoch_mismatch(Part::Consumer);
                }
                continue;
            }
            if number <= at {
                if number <= self.last {
                    metrics::duplicates_dropped(id.name, 1);
                }
                self.pass(&mut queue);
                continue;
            }
            if number > at + 1 {
                return (at, Some(BackfillCause::Hole));
            }
            match &front.event.content {
                Content::Reference => return (at, Some(BackfillCause::Reference)),
                Content::Broken(reason) => {
                    tracing::warn!(
                        consumer = %id, number, %reason, "a message of the bus is broken: {reason}"
                    );
                    return (at, Some(BackfillCause::Digest));
                }
                Content::Whole(_) if events.len() >= until => return (at, None),
                Content::Whole(_) => {}
            }
            if let Some(Content::Whole(event)) = self.pass(&mut queue) {
                events.push(*event);
                at = number;
            }
        }
        (at, None)
    }

    /// Takes the first message out; it is acknowledged once its number is committed.
    fn pass(&mut self, queue: &mut VecDeque<Waiting>) -> Option<Content> {
        let waiting = queue.pop_front()?;
        self.last = self.last.max(waiting.event.number);
        self.taken.push_back((waiting.event.number, waiting.acker));
        Some(waiting.event.content)
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.queue).is_empty()
    }

    /// Acknowledges what is committed.
    pub(super) async fn committed(&mut self, number: i64) {
        let count = self.taken.len();
        for _ in 0..count {
            let Some((taken, acker)) = self.taken.pop_front() else {
                return;
            };
            if taken > number {
                self.taken.push_back((taken, acker));
            } else if let Err(error) = acker.ack().await {
                // It comes again and is dropped as a repetition.
                tracing::debug!(%error, "a message was not acknowledged: {error}");
            }
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only whole messages are put in and taken out.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows a stream for as long as it is polled.
struct Follow {
    bus: JetStream,
    id: ConsumerId,
    partition: u8,
    queue: Arc<Mutex<VecDeque<Waiting>>>,
    room: Arc<Semaphore>,
    news: Arc<Notify>,
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
                        consumer = %self.id, partition = self.partition, %error,
                        "the stream cannot be followed: {error}"
                    );
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn follow(&self) -> Result<(), NatsError> {
        let config = pull::Config {
            durable_name: Some(self.id.to_string()),
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
        let context = self.bus.context();
        let stream = context
            .get_stream_no_info(stream_name(self.partition))
            .await
            .map_err(NatsError::of)?;
        let consumer = stream
            .get_or_create_consumer(&self.id.to_string(), config)
            .await
            .map_err(NatsError::of)?;
        let mut messages = consumer
            .stream()
            .max_messages_per_batch(PULL)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(NatsError::of)?;
        while let Some(message) = messages.next().await {
            let (message, acker) = message.map_err(NatsError::of)?.split();
            let headers = message.headers.as_ref();
            let Some(event) = cloudevent::decode(self.partition, headers, &message.payload) else {
                // It has no number: whatever it was, the log has it under one.
                tracing::warn!(
                    consumer = %self.id, partition = self.partition,
                    "a message of the bus is not an event of the log"
                );
                acker.ack().await.map_err(NatsError::of)?;
                continue;
            };
            let Ok(room) = Arc::clone(&self.room).acquire_owned().await else {
                return Ok(());
            };
            lock(&self.queue).push_back(Waiting {
                event,
                acker,
                _room: room,
            });
            self.news.notify_one();
        }
        Ok(())
    }
}
