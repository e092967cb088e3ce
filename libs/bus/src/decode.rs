//! From stored bytes to the events of the business.

use tierline_domain::any_event::{AnyEvent, Decoder};
use tierline_domain::{Rejection, StoredEvent};
use tierline_eventstore::{Codec, LogEvent, RawRef};

struct Stored<'a> {
    codec: &'a Codec,
    event: &'a LogEvent,
}

impl Decoder for Stored<'_> {
    type Error = Rejection;

    fn decode<E: StoredEvent>(&self) -> Result<E, Rejection> {
        let event = self.event;
        let raw = RawRef {
            sequence: event.sequence,
            event_type: &event.event_type,
            event_version: &event.event_version,
            payload: &event.payload,
        };
        let decoded = self
            .codec
            .decode_ref(&event.aggregate_type, &event.aggregate_id, raw)?;
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
