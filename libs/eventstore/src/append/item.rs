//! What is appended: the next events of one stream, with its receipt and its claims.

use std::sync::Arc;

use cqrs_es::DomainEvent;
use tierline_domain::{Claim, Entity, OrgId, Routing, StreamId};
use uuid::Uuid;

use crate::keys;

/// Room for a payload of ordinary size.
const PAYLOAD: usize = 512;

/// An event on its way into the log.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Permanent type, such as `tierline.activity.v1.DealWon`.
    pub event_type: String,
    /// Version of the payload's shape.
    pub event_version: String,
    /// JSON text, stored as it is.
    pub payload: String,
    /// Flat JSON object of strings, stored as it is; see [`crate::CommandContext::metadata`].
    pub metadata: Arc<str>,
}

impl NewEvent {
    /// Serializes a domain event.
    ///
    /// # Errors
    /// When the event cannot be written as JSON, such as a map with keys that are not text.
    pub fn from_domain<E: DomainEvent>(
        event: &E,
        metadata: &Arc<str>,
    ) -> Result<Self, serde_json::Error> {
        let mut payload = Vec::with_capacity(PAYLOAD);
        serde_json::to_writer(&mut payload, event)?;
        Ok(Self {
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: String::from_utf8(payload).map_err(serde::ser::Error::custom)?,
            metadata: Arc::clone(metadata),
        })
    }
}

/// The proof that a request was carried out, written with its events.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// The caller's id of the request.
    pub request_id: String,
    /// SHA-256 of the request's content.
    pub request_hash: [u8; 32],
    /// What was answered, as bytes.
    pub response: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) event: NewEvent,
    pub(crate) sequence: i64,
    pub(crate) event_id: Uuid,
    pub(crate) leaf_hash: [u8; 32],
}

/// The next events of one stream. Ids and hashes are computed when it is built, in the task of
/// the caller, so that the writers only carry bytes.
#[derive(Debug, Clone)]
pub struct AppendItem {
    pub(crate) aggregate_type: &'static str,
    pub(crate) stream: StreamId,
    pub(crate) org: OrgId,
    pub(crate) routing_key: String,
    pub(crate) routing_hash: i64,
    pub(crate) partition: i16,
    pub(crate) expected_version: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) receipts: Vec<NewReceipt>,
    pub(crate) taken: Vec<Claim>,
    pub(crate) released: Vec<Claim>,
    /// The life of the database in which the expected version was read.
    pub(crate) generation: u64,
}

impl AppendItem {
    /// The events that follow version `expected_version` of a stream (0: a new stream).
    ///
    /// `expected_version` has to come from a load: the log refuses a version that exists already,
    /// and cannot see that one in between is missing.
    pub fn new(
        aggregate_type: &'static str,
        stream: StreamId,
        org: OrgId,
        routing: &Routing,
        expected_version: u64,
        events: Vec<NewEvent>,
    ) -> Self {
        let routing_key = keys::routing_key(&org, routing);
        let routing_hash = keys::routing_hash(&routing_key);
        let partition = match routing {
            Routing::Partner(_) | Routing::Alone { .. } => {
                i16::from(keys::partition_of_hash(routing_hash))
            }
            Routing::EveryPartition => -1,
        };
        let rows = events
            .into_iter()
            .zip(stored(expected_version) + 1..)
            .map(|(event, sequence)| row(aggregate_type, &stream, sequence, event))
            .collect();
        Self {
            aggregate_type,
            stream,
            org,
            routing_key,
            routing_hash,
            partition,
            expected_version,
            rows,
            receipts: Vec::new(),
            taken: Vec::new(),
            released: Vec::new(),
            generation: crate::lineage::generation(),
        }
    }

    /// The same for typed events of an aggregate.
    ///
    /// # Errors
    /// When an event cannot be written as JSON.
    pub fn of<A: Entity>(
        stream: StreamId,
        org: OrgId,
        routing: &Routing,
        expected_version: u64,
        events: &[A::Event],
        metadata: &Arc<str>,
    ) -> Result<Self, serde_json::Error> {
        let events = events
            .iter()
            .map(|event| NewEvent::from_domain(event, metadata))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(
            A::TYPE,
            stream,
            org,
            routing,
            expected_version,
            events,
        ))
    }

    /// Adds the receipt of a request that led to these events.
    pub fn with_receipt(mut self, receipt: NewReceipt) -> Self {
        self.receipts.push(receipt);
        self
    }

    /// Adds the unique names that the stream takes and frees with these events.
    pub fn with_claims(mut self, taken: Vec<Claim>, released: Vec<Claim>) -> Self {
        self.taken = taken;
        self.released = released;
        self
    }

    /// Adds the appends that follow on this one in the same stream, to be written together. The
    /// claims are those of the whole.
    pub(crate) fn join(mut self, next: Self) -> Self {
        self.rows.extend(next.rows);
        self.receipts.extend(next.receipts);
        self
    }

    /// The version of the stream once this is committed.
    pub fn version(&self) -> u64 {
        self.expected_version + self.rows.len() as u64
    }

    /// The stream.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// True when there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.receipts.is_empty()
            && self.taken.is_empty()
            && self.released.is_empty()
    }

    /// Rough number of bytes that the append sends.
    pub(crate) fn weight(&self) -> usize {
        let rows = self.rows.iter();
        let receipts = self.receipts.iter();
        rows.map(|row| row.event.payload.len() + row.event.metadata.len() + 256)
            .sum::<usize>()
            + receipts
                .map(|receipt| receipt.response.len() + 64)
                .sum::<usize>()
    }
}

fn row(aggregate_type: &str, stream: &StreamId, sequence: i64, event: NewEvent) -> Row {
    let event_id = keys::event_id(aggregate_type, stream.as_str(), sequence);
    let leaf_hash = keys::leaf_hash(
        event_id,
        &event.event_type,
        &event.event_version,
        &event.payload,
        &event.metadata,
    );
    Row {
        event,
        sequence,
        event_id,
        leaf_hash,
    }
}

/// A version as the database counts it. Streams do not reach 2^63 events.
pub(crate) fn stored(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX - 1)
}
