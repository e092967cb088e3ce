//! Events of the log as CloudEvents 1.0 in binary mode: attributes in headers, content in the body.
//!
//! No id is part of a subject: a subject says partition, context and type, and nothing more. What
//! may not leave the database (see [`tierline_domain::personal`]) travels as a reference: all
//! attributes, a `ce-dataref`, and no content. Of the metadata only what ties traces and times
//! together travels; who acted stays in the log.

use std::borrow::Cow;
use std::fmt::Write as _;

use async_nats::{HeaderMap, HeaderName};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tierline_domain::personal;
use tierline_eventstore::{LogEvent, PARTITIONS, leaf_hash};
use uuid::Uuid;

use crate::Sighting;

/// Begin of every subject.
const SUBJECT: &str = "tl.events";
/// Metadata that travels.
#[derive(Default, Serialize, Deserialize)]
struct Travelling {
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

macro_rules! headers {
    ($($constant:ident = $name:literal;)*) => {
        $(const $constant: HeaderName = HeaderName::from_static($name);)*
    };
}

headers! {
    CONTENT_TYPE = "content-type";
    TRACEPARENT = "traceparent";
    SPEC_VERSION = "ce-specversion";
    ID = "ce-id";
    TYPE = "ce-type";
    SOURCE = "ce-source";
    SUBJECT_ATTRIBUTE = "ce-subject";
    TIME = "ce-time";
    DATAREF = "ce-dataref";
    PARTITION_KEY = "ce-partitionkey";
    SEQUENCE = "ce-sequence";
    POSITION = "ce-position";
    VERSION = "ce-dataversion";
    AGGREGATE = "ce-aggregatetype";
    AGGREGATE_SEQUENCE = "ce-aggregatesequence";
    LEAF_HASH = "ce-leafhash";
    EPOCH = "ce-logepoch";
    METADATA = "tl-metadata";
    DIGEST = "tl-digest";
}

/// A message of the bus, before anything of it is believed.
#[derive(Debug)]
pub struct BusEvent {
    /// Number within the partition.
    pub number: i64,
    /// The epoch of the log that it was taken from.
    pub epoch: Uuid,
    /// The event itself.
    pub content: Content,
}

/// What a message carries.
#[derive(Debug)]
pub enum Content {
    /// The whole event. Its metadata is what travels, not what is stored.
    Whole(Box<LogEvent>),
    /// Only that it happened; the log has the rest.
    Reference,
    /// It does not have the digest that it claims, or an attribute cannot be read.
    Broken(String),
}

/// The subject of an event: `tl.events.<partition>.<context>.<event>`.
pub fn subject(event: &LogEvent) -> String {
    // tierline.<context>.v1.<Event>
    let mut parts = event.event_type.split('.').skip(1);
    let context = parts.next().unwrap_or_default();
    let name = parts.last().unwrap_or_default();
    let (context, name) = (token(context), token(name));
    format!("{SUBJECT}.{:02}.{context}.{name}", event.partition)
}

/// The subjects of a partition.
pub fn subjects(partition: u8) -> String {
    format!("{SUBJECT}.{partition:02}.>")
}

/// A part of a subject: letters and digits only, never empty.
fn token(text: &str) -> Cow<'_, str> {
    if text.is_empty() {
        Cow::Borrowed("_")
    } else if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Cow::Borrowed(text)
    } else {
        let kept = text.chars();
        let kept = kept.map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        Cow::Owned(kept.collect())
    }
}

/// An event as headers and body.
pub fn encode(event: &LogEvent, epoch: Uuid) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    let metadata: Travelling = serde_json::from_str(&event.metadata).unwrap_or_default();
    if let Some(parent) = &metadata.traceparent {
        headers.insert(TRACEPARENT, parent.as_str());
    }
    let id = event.event_id.to_string();
    headers.insert(SPEC_VERSION, "1.0");
    headers.insert(ID, id.as_str());
    headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
    headers.insert(TYPE, event.event_type.as_str());
    headers.insert(SOURCE, format!("/orgs/{}", escaped(&event.org_id)));
    headers.insert(SUBJECT_ATTRIBUTE, &*escaped(&event.aggregate_id));
    headers.insert(TIME, event.recorded_at.to_string());
    headers.insert(PARTITION_KEY, &*escaped(&event.routing_key));
    headers.insert(SEQUENCE, event.partition_number.to_string());
    headers.insert(POSITION, event.position.to_string());
    headers.insert(VERSION, event.event_version.as_str());
    headers.insert(AGGREGATE, event.aggregate_type.as_str());
    headers.insert(AGGREGATE_SEQUENCE, event.sequence.to_string());
    headers.insert(LEAF_HASH, hex::encode(&event.leaf_hash));
    headers.insert(EPOCH, epoch.to_string());
    if !personal::may_travel(&event.event_type) {
        let place = format!("log:{}/{}", event.partition, event.partition_number);
        headers.insert(DATAREF, place);
        return (headers, Bytes::new());
    }
    // Texts always have a JSON form, and JSON has no line breaks outside of escapes.
    let metadata = serde_json::to_string(&metadata).unwrap_or_else(|_| "{}".to_owned());
    headers.insert(CONTENT_TYPE, "application/json");
    headers.insert(DIGEST, digest(event, &metadata, &event.payload));
    headers.insert(METADATA, metadata);
    (headers, Bytes::copy_from_slice(event.payload.as_bytes()))
}

/// Reads a message of a partition's stream. `None`: it does not even say its number.
pub fn decode(partition: u8, headers: Option<&HeaderMap>, body: &[u8]) -> Option<BusEvent> {
    let read = Read(headers?);
    let number: i64 = read.parsed(SEQUENCE).ok().filter(|number| *number > 0)?;
    let epoch = read.parsed(EPOCH).ok()?;
    let content = if read.0.get(DATAREF).is_some() && body.is_empty() {
        Content::Reference
    } else {
        match read.event(partition, number, body) {
            Ok(event) => Content::Whole(Box::new(event)),
            Err(reason) => Content::Broken(reason),
        }
    };
    Some(BusEvent {
        number,
        epoch,
        content,
    })
}

/// What a message says about the log: the event, its place and its hash, and the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The event.
    pub seen: Sighting,
    /// The epoch of the log that it was taken from.
    pub epoch: Uuid,
}

/// Reads what a message of a partition's stream says about the log, whatever it carries.
pub fn witness(partition: u8, headers: &HeaderMap) -> Result<Witness, String> {
    let read = Read(headers);
    Ok(Witness {
        seen: Sighting {
            partition,
            number: read.parsed(SEQUENCE)?,
            event_id: read.parsed(ID)?,
            leaf_hash: read.leaf_hash()?,
        },
        epoch: read.parsed(EPOCH)?,
    })
}

struct Read<'a>(&'a HeaderMap);

impl Read<'_> {
    fn text(&self, name: HeaderName) -> Result<&str, String> {
        let value = self.0.get(name.clone());
        value
            .map(|value| value.as_str())
            .ok_or_else(|| format!("{name} is missing"))
    }

    fn parsed<T: std::str::FromStr>(&self, name: HeaderName) -> Result<T, String> {
        let text = self.text(name.clone())?;
        text.parse().map_err(|_| format!("{name} cannot be read"))
    }

    fn leaf_hash(&self) -> Result<Vec<u8>, String> {
        hex::decode(self.text(LEAF_HASH)?).map_err(|_| "ce-leafhash is not hexadecimal".to_owned())
    }

    fn event(&self, partition: u8, number: i64, body: &[u8]) -> Result<LogEvent, String> {
        let source = plain(self.text(SOURCE)?)?;
        let org = source
            .strip_prefix("/orgs/")
            .ok_or("ce-source names no org")?;
        let payload = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8")?;
        let metadata = self.text(METADATA)?.to_owned();
        let event = LogEvent {
            position: self.parsed(POSITION)?,
            partition: partition.min(PARTITIONS - 1),
            partition_number: number,
            org_id: org.to_owned(),
            routing_key: plain(self.text(PARTITION_KEY)?)?,
            aggregate_type: self.text(AGGREGATE)?.to_owned(),
            aggregate_id: plain(self.text(SUBJECT_ATTRIBUTE)?)?,
            sequence: self.parsed(AGGREGATE_SEQUENCE)?,
            event_type: self.text(TYPE)?.to_owned(),
            event_version: self.text(VERSION)?.to_owned(),
            payload: payload.to_owned(),
            metadata,
            event_id: self.parsed(ID)?,
            recorded_at: self.parsed::<Timestamp>(TIME)?,
            leaf_hash: self.leaf_hash()?,
        };
        if self.text(DIGEST)? != digest(&event, &event.metadata, &event.payload) {
            return Err("the digest does not fit the content".to_owned());
        }
        Ok(event)
    }
}

/// SHA-256 over everything that a consumer uses of a message.
fn digest(event: &LogEvent, metadata: &str, payload: &str) -> String {
    let place = format!(
        "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{metadata}",
        event.position,
        event.partition,
        event.partition_number,
        event.org_id,
        event.routing_key,
        event.aggregate_type,
        event.aggregate_id,
        event.sequence,
    );
    let hash = leaf_hash(
        event.event_id,
        &event.event_type,
        &event.event_version,
        payload,
        &place,
    );
    hex::encode(hash)
}

/// Percent-encodes what an attribute in a header may not have: spaces, quotes, percent signs and
/// everything that is not printable ASCII.
fn escaped(text: &str) -> Cow<'_, str> {
    let stays = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'%';
    if text.bytes().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if stays(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    Cow::Owned(escaped)
}

fn plain(escaped: &str) -> Result<String, String> {
    let wrong = || "a percent sign without two hexadecimal digits".to_owned();
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = tail.get(..2).ok_or_else(wrong)?;
            bytes.extend(hex::decode(digits).map_err(|_| wrong())?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|_| "an attribute is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(event_type: &str, org: &str, payload: &str) -> LogEvent {
        let id = Uuid::from_u128(7);
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let metadata = format!(
            r#"{{"actor":"user:ada@acme.example","org_time":"2026-01-01","traceparent":"{parent}"}}"#
        );
        LogEvent {
            position: 12,
            partition: 3,
            partition_number: 5,
            org_id: org.to_owned(),
            routing_key: format!("{org}/p-1"),
            aggregate_type: "Deal".to_owned(),
            aggregate_id: format!("{org}/d-1"),
            sequence: 2,
            event_type: event_type.to_owned(),
            event_version: "1.0".to_owned(),
            payload: payload.to_owned(),
            metadata: metadata.clone(),
            event_id: id,
            recorded_at: "2026-03-31T12:00:00.123456Z".parse().unwrap(),
            leaf_hash: leaf_hash(id, event_type, "1.0", payload, &metadata).to_vec(),
        }
    }

    const WON: &str = "tierline.activity.v1.DealWon";

    fn whole(event: &LogEvent) -> LogEvent {
        let (headers, body) = encode(event, Uuid::nil());
        match decode(event.partition, Some(&headers), &body)
            .unwrap()
            .content
        {
            Content::Whole(event) => *event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_comes_back_as_it_was_but_for_who_acted() {
        let sent = event(WON, "acme", r#"{"DealWon":{"closed_date":"2026-03-31"}}"#);
        let got = whole(&sent);
        assert!(!got.metadata.contains("ada"), "{}", got.metadata);
        assert!(got.metadata.contains("org_time"));
        let metadata = sent.metadata.clone();
        assert_eq!(LogEvent { metadata, ..got }, sent);
    }

    #[test]
    fn the_attributes_are_those_of_cloudevents_and_of_w3c() {
        let (headers, _) = encode(&event(WON, "acme", "{}"), Uuid::nil());
        let get = |name: &str| headers.get(name).unwrap().as_str().to_owned();
        assert_eq!(get("ce-specversion"), "1.0");
        assert_eq!(get("ce-type"), WON);
        assert_eq!(get("ce-source"), "/orgs/acme");
        assert_eq!(get("ce-subject"), "acme/d-1");
        assert_eq!(get("ce-time"), "2026-03-31T12:00:00.123456Z");
        assert_eq!(get("ce-id"), get("Nats-Msg-Id"));
        assert!(get("traceparent").starts_with("00-0af7651916cd43dd"));
        assert_eq!(
            subject(&event(WON, "acme", "{}")),
            "tl.events.03.activity.DealWon"
        );
        assert_eq!(
            subject(&event("a.b c.*.>", "acme", "{}")),
            "tl.events.03.b_c._"
        );
    }

    #[test]
    fn what_may_not_travel_is_only_referred_to() {
        let payload = r#"{"ContactAdded":{"person":{"email":"ada@acme.example"}}}"#;
        let personal = event("tierline.partner.v1.ContactAdded", "acme", payload);
        let (headers, body) = encode(&personal, Uuid::nil());
        assert!(body.is_empty());
        assert!(!format!("{headers:?}").contains("ada"), "{headers:?}");
        assert_eq!(headers.get("ce-dataref").unwrap().as_str(), "log:3/5");
        let read = decode(3, Some(&headers), &body).unwrap();
        assert!(matches!(read.content, Content::Reference), "{read:?}");
        assert_eq!(witness(3, &headers).unwrap().seen, (&personal).into());
    }

    #[test]
    fn a_changed_message_is_seen() {
        let sent = event(WON, "acme", r#"{"a":1}"#);
        let (headers, _) = encode(&sent, Uuid::nil());
        let read = decode(3, Some(&headers), br#"{"a":2}"#).unwrap();
        assert!(matches!(read.content, Content::Broken(_)), "{read:?}");
        let mut other = headers.clone();
        other.insert("ce-partitionkey", "acme/p-2");
        let read = decode(3, Some(&other), br#"{"a":1}"#).unwrap();
        assert!(matches!(read.content, Content::Broken(_)), "{read:?}");
        let read = decode(4, Some(&headers), br#"{"a":1}"#).unwrap();
        assert!(matches!(read.content, Content::Broken(_)), "{read:?}");
        assert!(decode(3, None, b"{}").is_none());
        assert!(decode(3, Some(&HeaderMap::new()), b"{}").is_none());
    }

    proptest! {
        #[test]
        fn whatever_a_name_is_made_of_it_comes_back(org in "\\PC{1,20}", payload in "\\PC{0,40}") {
            let sent = event(WON, &org, &payload);
            let got = whole(&sent);
            prop_assert_eq!(got.org_id, sent.org_id);
            prop_assert_eq!(got.aggregate_id, sent.aggregate_id);
            prop_assert_eq!(got.payload, sent.payload);
        }

        #[test]
        fn garbage_is_never_an_event(
            names in prop::collection::vec("ce-[a-z]{1,10}", 0..8),
            value in "[ -~]{0,20}",
            body in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut headers = HeaderMap::new();
            for name in &names {
                headers.insert(name.as_str(), value.as_str());
            }
            headers.insert("ce-sequence", "1");
            headers.insert("ce-logepoch", Uuid::nil().to_string());
            let read = decode(0, Some(&headers), &body);
            let whole = matches!(read.map(|read| read.content), Some(Content::Whole(_)));
            prop_assert!(!whole);
        }
    }
}
