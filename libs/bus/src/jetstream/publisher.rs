//! The relay's half: the log, event by event, into the streams.
//!
//! It is the handler of an ordinary consumer of the log, so leases, fences, checkpoints and lag
//! are those of every consumer. What makes a message appear once is not the checkpoint but the
//! stream itself: every message says which sequence it must follow, so a lost acknowledgement or a
//! second relay fails loudly, and whoever starts first reads how far the stream really is.

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::try_join_all;
use sqlx::PgConnection;
use tierline_eventstore::{Epoch, LogEvent};
use tierline_telemetry::metrics::{self, Part};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{JetStream, NatsError, PATIENCE, stream_name};
use crate::cloudevent;
use crate::history::find_mismatch;
use crate::{ConsumerId, Handler, HandlerError, Options, Sighting};

/// The relay as a consumer of the log.
pub const RELAY: ConsumerId = ConsumerId {
    name: "relay",
    version: 1,
};

/// Most messages of an atomic batch; the server allows 1,000.
const ATOMIC: usize = 500;
/// Fewer messages go one by one: the server sets up a store of its own for each atomic batch, which
/// takes it as long as some two hundred messages do.
const FEW: usize = 256;
/// Events that are read and published at once. Over sixteen partitions that makes atomic batches
/// that are worth their store.
const BATCH: u32 = 8_000;
/// How far back the last message of a stream is looked for when the newest were deleted.
const LOOK_BACK: u64 = 64;
/// Longest time for one partition's part of a batch.
const DEADLINE: Duration = Duration::from_secs(30);

/// Publishes the log. See [`RELAY`].
pub struct Publisher {
    bus: JetStream,
    epoch: Uuid,
    ends: BTreeMap<u8, End>,
}

/// How far a stream is.
#[derive(Debug, Clone, Copy)]
struct End {
    /// Sequence of its last message, also of one that was deleted.
    sequence: u64,
    /// Number of the last event that is in it.
    number: i64,
}

impl Publisher {
    /// The options of a consumer, as they suit the relay.
    pub fn options(options: Options) -> Options {
        Options {
            batch: BATCH,
            ..options
        }
    }

    /// A publisher that does not know yet how far the streams are.
    pub fn new(bus: JetStream) -> Self {
        Self {
            bus,
            epoch: Uuid::nil(),
            ends: BTreeMap::new(),
        }
    }

    /// Looks how far a stream is, and holds its last message against the log.
    async fn look(
        &self,
        connection: &mut PgConnection,
        epochs: &[Epoch],
        partition: u8,
    ) -> Result<End, HandlerError> {
        let mut stream = self.bus.stream(partition).await.map_err(unavailable)?;
        let state = stream.info().await.map_err(unavailable)?.state.clone();
        let empty = End {
            sequence: state.last_sequence,
            number: 0,
        };
        let first = state
            .first_sequence
            .max(state.last_sequence.saturating_sub(LOOK_BACK));
        let mut last = None;
        for sequence in (first..=state.last_sequence)
            .rev()
            .filter(|_| state.messages > 0)
        {
            match stream.get_raw_message(sequence).await {
                Ok(message) => {
                    last = Some(message);
                    break;
                }
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        let Some(last) = last else { return Ok(empty) };
        let witness = cloudevent::witness(partition, &last.headers).map_err(|reason| {
            HandlerError::Stop(format!(
                "the last message of stream {} is not one of this relay: {reason}; remove the \
                 stream, it will be made again",
                stream_name(partition)
            ))
        })?;
        if witness.epoch != self.epoch {
            return self
                .of_another_epoch(epochs, partition, witness.epoch)
                .await;
        }
        confirm(connection, &witness.seen).await?;
        Ok(End {
            sequence: state.last_sequence,
            number: witness.seen.number,
        })
    }

    /// A stream of an earlier epoch of this log is made anew; one of a log that nobody here knows
    /// is left alone.
    async fn of_another_epoch(
        &self,
        epochs: &[Epoch],
        partition: u8,
        epoch: Uuid,
    ) -> Result<End, HandlerError> {
        let name = stream_name(partition);
        if epochs.iter().all(|known| known.id != epoch) {
            return Err(HandlerError::Stop(format!(
                "stream {name} belongs to another log (epoch {epoch}, this log is {}); give each \
                 Tierline a NATS account of its own, or remove the stream",
                self.epoch
            )));
        }
        tracing::warn!(
            stream = %name, old = %epoch, new = %self.epoch,
            "stream {name} is of an earlier epoch of the log and is made anew"
        );
        self.bus.remove(partition).await.map_err(unavailable)?;
        let mut stream = self.bus.stream(partition).await.map_err(unavailable)?;
        let sequence = stream
            .info()
            .await
            .map_err(unavailable)?
            .state
            .last_sequence;
        Ok(End {
            sequence,
            number: 0,
        })
    }

    /// Publishes the events of one partition, in order, after what is there.
    async fn publish(&self, end: End, events: &[&LogEvent]) -> Result<End, NatsError> {
        let fresh: Vec<&LogEvent> = events
            .iter()
            .copied()
            .filter(|event| event.partition_number > end.number)
            .collect();
        let mut end = end;
        if fresh.len() >= FEW && self.bus.has_atomic_batches() {
            for part in fresh.chunks(ATOMIC) {
                self.atomic(end.sequence, part).await?;
                end = advanced(end, part);
            }
        } else {
            self.pipelined(end.sequence, &fresh).await?;
            end = advanced(end, &fresh);
        }
        Ok(end)
    }

    /// All or nothing.
    async fn atomic(&self, after: u64, events: &[&LogEvent]) -> Result<(), NatsError> {
        let batch = Uuid::new_v4().simple().to_string();
        let last = events.len();
        for (index, event) in events.iter().enumerate() {
            let (mut headers, body) = cloudevent::encode(event, self.epoch);
            headers.insert("Nats-Batch-Id", batch.as_str());
            headers.insert("Nats-Batch-Sequence", (index + 1).to_string());
            if index == 0 {
                expect(&mut headers, after);
            }
            let subject = cloudevent::subject(event);
            if index + 1 < last {
                let client = self.bus.client();
                let sent = client.publish_with_headers(subject, headers, body).await;
                sent.map_err(NatsError::of)?;
            } else {
                headers.insert("Nats-Batch-Commit", "1");
                let ack = self.send(subject, headers, body).await?;
                acknowledged(ack, after + last as u64).await?;
            }
        }
        Ok(())
    }

    /// One after the other without waiting in between. The first that is not taken keeps all
    /// later ones out, since each says which sequence it must follow.
    async fn pipelined(&self, after: u64, events: &[&LogEvent]) -> Result<(), NatsError> {
        let mut acks = Vec::with_capacity(events.len());
        for (before, event) in (after..).zip(events) {
            let (mut headers, body) = cloudevent::encode(event, self.epoch);
            expect(&mut headers, before);
            acks.push(self.send(cloudevent::subject(event), headers, body).await?);
        }
        for (sequence, ack) in (after + 1..).zip(acks) {
            acknowledged(ack, sequence).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        subject: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<PublishAckFuture, NatsError> {
        let message = PublishMessage::build().headers(headers).payload(body);
        let sent = self.bus.context().send_publish(subject, message);
        timeout(PATIENCE, sent)
            .await
            .map_err(|_| NatsError::of("nothing is taken at the moment"))?
            .map_err(NatsError::of)
    }
}

fn expect(headers: &mut HeaderMap, sequence: u64) {
    let name = async_nats::header::NATS_EXPECTED_LAST_SEQUENCE;
    headers.insert(name, sequence.to_string());
}

async fn acknowledged(ack: PublishAckFuture, sequence: u64) -> Result<(), NatsError> {
    let ack = ack.await.map_err(NatsError::refused)?;
    if ack.sequence != sequence {
        return Err(NatsError::of(format!(
            "a message was stored as {} and not as {sequence}",
            ack.sequence
        )));
    }
    Ok(())
}

fn advanced(end: End, events: &[&LogEvent]) -> End {
    let Some(last) = events.last() else {
        return end;
    };
    End {
        sequence: end.sequence + events.len() as u64,
        number: last.partition_number,
    }
}

fn unavailable(error: impl std::fmt::Display) -> HandlerError {
    HandlerError::Unavailable(error.to_string())
}

pub(super) fn is_absent(error: &async_nats::jetstream::stream::RawMessageError) -> bool {
    use async_nats::jetstream::stream::LastRawMessageErrorKind::NoMessageFound;
    matches!(error.kind(), NoMessageFound)
}

/// The event that a stream ends with has to be in the log, under the same number.
async fn confirm(connection: &mut PgConnection, seen: &Sighting) -> Result<(), HandlerError> {
    match find_mismatch(connection, slice::from_ref(seen)).await? {
        None => Ok(()),
        Some(mismatch) => Err(HandlerError::OtherHistory(mismatch)),
    }
}

#[async_trait]
impl Handler for Publisher {
    fn is_transactional(&self) -> bool {
        false
    }

    async fn start(
        &mut self,
        connection: &mut PgConnection,
        held: &[u8],
    ) -> Result<(), HandlerError> {
        self.ends.clear();
        let epochs = Epoch::all(connection).await?;
        self.epoch = epochs.last().map(|epoch| epoch.id).unwrap_or_default();
        for partition in held {
            let end = self.look(connection, &epochs, *partition).await?;
            self.ends.insert(*partition, end);
        }
        tracing::info!(
            server = %self.bus.server_version(), atomic = self.bus.has_atomic_batches(),
            "the relay publishes {} partitions", held.len()
        );
        Ok(())
    }

    async fn apply(
        &mut self,
        connection: &mut PgConnection,
        batch: &[LogEvent],
    ) -> Result<(), HandlerError> {
        let begin = Instant::now();
        if Epoch::present(connection).await? != self.epoch {
            // Tried again from a fresh look at the streams.
            return Err(unavailable("the log has a new epoch"));
        }
        metrics::jetstream_connected(Part::Relay, self.bus.is_connected());
        let mut parts: BTreeMap<u8, Vec<&LogEvent>> = BTreeMap::new();
        for event in batch {
            parts.entry(event.partition).or_default().push(event);
        }
        let work = parts.iter().map(|(partition, events)| async {
            let end = self.ends.get(partition).copied();
            let end = end.ok_or_else(|| NatsError::of("the partition is not held"))?;
            let done = timeout(DEADLINE, self.publish(end, events)).await;
            let done = done.map_err(|_| NatsError::of("publishing took too long"))??;
            Ok::<_, NatsError>((*partition, done))
        });
        // What was stored of a batch that failed is found by the next look at the streams.
        let ends = try_join_all(work).await.map_err(|error| {
            metrics::relay_failed(error.cause());
            unavailable(error)
        })?;
        self.ends.extend(ends);
        metrics::relay_published(batch.len() as u64, begin.elapsed());
        Ok(())
    }
}
