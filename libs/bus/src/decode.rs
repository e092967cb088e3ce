//! From stored bytes to the events of the business.

use tierline_domain::any_event::{AnyEvent, Decoder};
use tierline_domain::{Rejection, StoredEvent};
use tierline_eventstore::{Codec, LogEvent, RawEvent};

struct Stored<'a> {
    codec: &'a Codec,
    event: &'a LogEvent,
}

impl Decoder for Stored<'_> {
    type Error = Rejection;

    fn decode<E: StoredEvent>(&self) -> Result<E, Rejection> {
        let raw = RawEvent {
            sequence: self.event.sequence,
            event_type: self.event.event_type.clone(),
            event_version: self.event.event_version.clone(),
            payload: self.event.payload.clone(),
        };
        let decoded =
            self.codec
                .decode(&self.event.aggregate_type, &self.event.aggregate_id, &raw)?;
        Ok(decoded.event)
    }
}

/// Reads an event of the log, whatever its aggregate. A type that this release does not know
/// comes back as `Unknown` or `Foreign`.
///
/// # Errors
/// `UNREADABLE_EVENT` when the payload does not have the shape of its type and version.
pub fn decode(codec: &Codec, event: &LogEvent) -> Result<AnyEvent, Rejection> {
    AnyEvent::read(
        &event.aggregate_type,
        &event.event_type,
        &Stored { codec, event },
    )
}
