//! Stored events to domain events: known ones are read, older versions are lifted by upcasters,
//! unknown ones are kept as `Unknown`.

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use tierline_domain::{Kind, Rejection, StoredEvent};

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct RawEvent {
    /// Version of the stream after this event.
    pub sequence: i64,
    /// Permanent type.
    pub event_type: String,
    /// Version of the payload's shape.
    pub event_version: String,
    /// JSON text.
    pub payload: String,
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "as those of RawEvent")]
pub struct RawRef<'a> {
    pub sequence: i64,
    pub event_type: &'a str,
    pub event_version: &'a str,
    pub payload: &'a str,
}

/// Turns stored events into domain events.
pub struct Codec {
    upcasters: Vec<Box<dyn EventUpcaster>>,
}

/// A domain event, and whether this release knows its type and version.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<E> {
    /// The event; `Unknown` when `known` is false.
    pub event: E,
    /// False when the event stands for a type or version that this release does not know.
    pub known: bool,
}

/// Lifts with all upcasters of the domain.
impl Default for Codec {
    fn default() -> Self {
        Self::new(tierline_domain::upcasters())
    }
}

impl Codec {
    /// A codec that lifts old versions with `upcasters`, tried in their order, each until it no
    /// longer applies.
    pub fn new(upcasters: Vec<Box<dyn EventUpcaster>>) -> Self {
        Self { upcasters }
    }

    /// Reads one event.
    ///
    /// # Errors
    /// `DataLoss`, reason `UNREADABLE_EVENT`, when the type and version are known and the payload
    /// does not have their shape.
    pub fn decode<E: StoredEvent>(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
        raw: &RawEvent,
    ) -> Result<Decoded<E>, Rejection> {
        let raw = RawRef {
            sequence: raw.sequence,
            event_type: &raw.event_type,
            event_version: &raw.event_version,
            payload: &raw.payload,
        };
        self.decode_ref(aggregate_type, aggregate_id, raw)
    }

    /// Reads one event that somebody else owns.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn decode_ref<E: StoredEvent>(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
        raw: RawRef<'_>,
    ) -> Result<Decoded<E>, Rejection> {
        let unreadable = |error: serde_json::Error| {
            Rejection::new(
                Kind::DataLoss,
                "UNREADABLE_EVENT",
                format!(
                    "event {} of {aggregate_type} {aggregate_id} ({} {}) cannot be read: {error}",
                    raw.sequence, raw.event_type, raw.event_version
                ),
            )
        };
        if is_known::<E>(raw.event_type, raw.event_version) {
            let event = serde_json::from_str(raw.payload).map_err(unreadable)?;
            return Ok(Decoded { event, known: true });
        }
        let payload = serde_json::from_str(raw.payload).map_err(unreadable)?;
        let lifted = self.lift(SerializedEvent::new(
            aggregate_id.to_owned(),
            usize::try_from(raw.sequence).unwrap_or_default(),
            aggregate_type.to_owned(),
            raw.event_type.to_owned(),
            raw.event_version.to_owned(),
            payload,
            serde_json::Value::Null,
        ));
        if is_known::<E>(&lifted.event_type, &lifted.event_version) {
            let event = serde_json::from_value(lifted.payload).map_err(unreadable)?;
            return Ok(Decoded { event, known: true });
        }
        Ok(Decoded {
            event: E::unknown(raw.event_type.to_owned(), lifted.payload),
            known: false,
        })
    }

    fn lift(&self, event: SerializedEvent) -> SerializedEvent {
        self.upcasters.iter().fold(event, |event, upcaster| {
            if upcaster.can_upcast(&event.event_type, &event.event_version) {
                upcaster.upcast(event)
            } else {
                event
            }
        })
    }
}

fn is_known<E: StoredEvent>(event_type: &str, event_version: &str) -> bool {
    let version = written(event_version);
    E::KNOWN
        .iter()
        .any(|(known, at)| *known == event_type && written(at) == version)
}

/// A version without trailing zero parts: upcasters write `2.0.0` where the code says `2.0`.
fn written(version: &str) -> &str {
    let mut version = version;
    while let Some(shorter) = version.strip_suffix(".0") {
        version = shorter;
    }
    version
}
