//! One consumer's end of one stream: messages as they come, bounded, with the means to
//! acknowledge them.

use std::collections::VecDeque;
use std::sync::Arc;

use tierline_eventstore::LogEvent;
use tierline_telemetry::metrics::{self, BackfillCause, Part};
use tokio::sync::Notify;
use uuid::Uuid;

use super::incoming::{Arrived, Inbox, Incoming, Streams};
use crate::ConsumerId;
use crate::cloudevent::Content;

/// What is known of one partition.
pub(super) struct Tail {
    inbox: Arc<Inbox>,
    /// Taken and not yet known to be committed.
    taken: VecDeque<(i64, Arc<Arrived>)>,
    /// The last number that came from the stream.
    last: i64,
    /// Keeps the stream followed.
    incoming: Arc<Incoming>,
}

impl Tail {
    pub(super) fn start(streams: &Streams, partition: u8, news: Arc<Notify>) -> Self {
        let (incoming, inbox) = streams.subscribe(partition, news);
        Self {
            inbox,
            taken: VecDeque::new(),
            last: 0,
            incoming,
        }
    }

    /// The log has events that should have come by now.
    pub(super) fn is_silent(&self) {
        self.incoming.is_silent();
    }

    /// Takes the events that follow `after` without a hole, at most `room`, into `events`. Returns
    /// how far that goes, and why it does not go on where there is more.
    pub(super) fn take(
        &mut self,
        id: ConsumerId,
        after: i64,
        epoch: Uuid,
        room: usize,
        events: &mut Vec<LogEvent>,
    ) -> (i64, Option<BackfillCause>) {
        let inbox = Arc::clone(&self.inbox);
        let mut queue = inbox.queue();
        let before = queue.len();
        let outcome = self.take_from(&mut queue, id, after, epoch, room, events);
        if queue.len() < before {
            inbox.taken();
        }
        outcome
    }

    fn take_from(
        &mut self,
        queue: &mut VecDeque<Arc<Arrived>>,
        id: ConsumerId,
        after: i64,
        epoch: Uuid,
        room: usize,
        events: &mut Vec<LogEvent>,
    ) -> (i64, Option<BackfillCause>) {
        let mut at = after;
        let until = events.len() + room;
        while let Some(front) = queue.front() {
            let number = front.event.number;
            if front.event.epoch != epoch {
                // Numbers of another epoch mean nothing here.
                if let Some(void) = queue.pop_front() {
                    self.taken.push_back((0, void));
                    metrics::epoch_mismatch(Part::Consumer);
                }
                continue;
            }
            if number <= at {
                if number <= self.last {
                    metrics::duplicates_dropped(id.name, 1);
                }
                self.pass(queue);
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
                Content::Whole(event) => events.push(LogEvent::clone(event)),
            }
            at = number;
            self.pass(queue);
        }
        (at, None)
    }

    /// Takes the first message out; it is acknowledged once its number is committed.
    fn pass(&mut self, queue: &mut VecDeque<Arc<Arrived>>) {
        if let Some(first) = queue.pop_front() {
            self.last = self.last.max(first.event.number);
            self.taken.push_back((first.event.number, first));
        }
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.inbox.queue().is_empty()
    }

    /// Acknowledges what is committed.
    pub(super) async fn committed(&mut self, number: i64) {
        let count = self.taken.len();
        for _ in 0..count {
            let Some((taken, arrived)) = self.taken.pop_front() else {
                return;
            };
            if taken > number {
                self.taken.push_back((taken, arrived));
            } else {
                arrived.committed().await;
            }
        }
    }
}
