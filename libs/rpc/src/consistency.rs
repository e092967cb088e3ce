//! Consistency tokens: where in the log commands left their trace, as opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tierline_domain::{OrgId, Rejection};
use tierline_eventstore::ConsistencyPoint;
use uuid::Uuid;

use crate::limits::MAX_CONSISTENCY_TOKEN_BYTES;

/// Most points of one partition in a token.
const MAX_POINTS_PER_PARTITION: usize = 3;
/// Most points in one token: of every partition, and of events that are in all of them.
pub const MAX_POINTS: usize =
    MAX_POINTS_PER_PARTITION * (tierline_eventstore::PARTITIONS as usize + 1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// Version of the form.
    v: u8,
    /// The org.
    o: OrgId,
    /// Event ids with their partitions; no partition: every one.
    e: Vec<(Uuid, Option<u8>)>,
}

/// The token of one command.
pub fn encode(point: &ConsistencyPoint) -> String {
    encode_all(&point.org, std::slice::from_ref(point))
}

/// One token for several commands of an org, in the order in which they were carried out. Of each
/// partition it holds the last few: what was committed before them is numbered before them.
pub fn encode_all(org: &OrgId, points: &[ConsistencyPoint]) -> String {
    let mut events: Vec<(Uuid, Option<u8>)> = Vec::new();
    for point in points.iter().rev() {
        let event = (point.event_id, point.partition);
        let same = events.iter().filter(|known| known.1 == event.1).count();
        if same < MAX_POINTS_PER_PARTITION && !events.contains(&event) {
            events.push(event);
        }
    }
    if events.is_empty() {
        return String::new();
    }
    let content = Content {
        v: 1,
        o: org.clone(),
        e: events,
    };
    // Plain data always has a JSON form; an empty token would only mean: do not wait.
    let json = serde_json::to_vec(&content).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

/// The points of a token; none for an empty one.
///
/// # Errors
/// `INVALID_REQUEST` on `consistency_token` for a text that is no token of this org.
pub fn decode(token: &str, org: &OrgId) -> Result<Vec<ConsistencyPoint>, Rejection> {
    if token.is_empty() {
        return Ok(Vec::new());
    }
    let refuse = || {
        Rejection::invalid(
            "consistency_token",
            "must be a token that a command of this org gave",
        )
    };
    if token.len() > MAX_CONSISTENCY_TOKEN_BYTES {
        return Err(refuse());
    }
    let json = URL_SAFE_NO_PAD.decode(token).map_err(|_| refuse())?;
    let content: Content = serde_json::from_slice(&json).map_err(|_| refuse())?;
    if content.v != 1 || content.o != *org || content.e.len() > MAX_POINTS {
        return Err(refuse());
    }
    let partitions = tierline_eventstore::PARTITIONS;
    content
        .e
        .into_iter()
        .map(|(event_id, partition)| match partition {
            Some(partition) if partition >= partitions => Err(refuse()),
            _ => Ok(ConsistencyPoint {
                org: org.clone(),
                event_id,
                partition,
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::parse(name).unwrap()
    }

    fn point(n: u128, partition: Option<u8>) -> ConsistencyPoint {
        ConsistencyPoint {
            org: org("acme"),
            event_id: Uuid::from_u128(n),
            partition,
        }
    }

    #[test]
    fn a_token_is_read_as_it_was_given() {
        for partition in [None, Some(0), Some(15)] {
            let given = point(7, partition);
            assert_eq!(decode(&encode(&given), &org("acme")).unwrap(), [given]);
        }
        assert!(decode("", &org("acme")).unwrap().is_empty());
        assert_eq!(encode_all(&org("acme"), &[]), "");
    }

    #[test]
    fn a_token_of_many_commands_is_bounded_and_names_each_event_once() {
        let partition = |n: u128| u8::try_from(n / 2 % 17).ok().filter(|n| *n < 16);
        let points: Vec<_> = (0..500).map(|n| point(n / 2, partition(n))).collect();
        let token = encode_all(&org("acme"), &points);
        assert!(token.len() <= MAX_CONSISTENCY_TOKEN_BYTES);
        let read = decode(&token, &org("acme")).unwrap();
        assert_eq!(read.len(), MAX_POINTS);
        assert_eq!(read[0].event_id, Uuid::from_u128(249));
    }

    #[test]
    fn tokens_of_others_and_nonsense_are_refused() {
        let token = encode(&point(7, Some(3)));
        assert!(decode(&token, &org("other")).is_err());
        let outside = URL_SAFE_NO_PAD
            .encode(r#"{"v":1,"o":"acme","e":[["00000000-0000-0000-0000-000000000001",16]]}"#);
        for text in [
            "x",
            "e30",
            "%%%",
            &token[1..],
            outside.as_str(),
            &"A".repeat(10_000),
        ] {
            let refusal = decode(text, &org("acme")).unwrap_err();
            assert_eq!(refusal.violations[0].field, "consistency_token", "{text}");
        }
    }
}
