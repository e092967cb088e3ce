//! Derived keys: event ids, leaf hashes, partitions. All are pure functions of stored text and
//! permanent: what they gave once is in the log, in exports and in other people's hands.

use sha2::{Digest, Sha256};
use tierline_domain::{OrgId, Routing};
use uuid::Uuid;

/// Number of partitions of the log. Permanent.
pub const PARTITIONS: u8 = 16;

/// Namespace of event ids.
const EVENT_NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_2b5e_8f6c_5c41_9a57_3d1e_7c20_b4a8);

/// The id of an event: UUIDv5 of its aggregate's type and id and its sequence.
pub fn event_id(aggregate_type: &str, aggregate_id: &str, sequence: i64) -> Uuid {
    let name = format!("{aggregate_type}\n{aggregate_id}\n{sequence}");
    Uuid::new_v5(&EVENT_NAMESPACE, name.as_bytes())
}

/// The hash that stands for an event in proofs:
/// SHA-256 of `0x00`, the 16 bytes of the event id, then event type, event version, payload and
/// metadata as stored text, each preceded by its length in bytes as 8 bytes big endian.
pub fn leaf_hash(
    event_id: Uuid,
    event_type: &str,
    event_version: &str,
    payload: &str,
    metadata: &str,
) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update([0u8]);
    hasher.update(event_id.as_bytes());
    for text in [event_type, event_version, payload, metadata] {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().into()
}

/// The routing key of events that go to `routing`: `{org}/{partner}`, `{org}/{kind}:{id}` for what
/// belongs to no partner, or `{org}/*` for every partition. No identifier has a `:` or a `*`, so
/// no two of them are ever the same.
pub fn routing_key(org: &OrgId, routing: &Routing) -> String {
    match routing {
        Routing::Partner(partner) => format!("{org}/{partner}"),
        Routing::Alone { kind, id } => format!("{org}/{kind}:{id}"),
        Routing::EveryPartition => format!("{org}/*"),
    }
}

/// The first eight bytes of SHA-256 of a routing key, big endian.
pub fn routing_hash(routing_key: &str) -> i64 {
    let digest = Sha256::digest(routing_key.as_bytes());
    let mut first = [0u8; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// The partition of a routing key: its hash modulo [`PARTITIONS`].
pub fn partition_of(routing_key: &str) -> u8 {
    partition_of_hash(routing_hash(routing_key))
}

pub(crate) fn partition_of_hash(hash: i64) -> u8 {
    // The remainder is below 16 and so fits.
    hash.rem_euclid(i64::from(PARTITIONS)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_keys_never_change() {
        assert_eq!(
            event_id("Deal", "acme/d-1", 1).to_string(),
            Uuid::new_v5(&EVENT_NAMESPACE, b"Deal\nacme/d-1\n1").to_string()
        );
        let hash = leaf_hash(Uuid::nil(), "t", "1.0", "{}", "{}");
        assert_eq!(hash.len(), 32);
        // `SELECT ('x' || left(encode(sha256('acme/p-1'), 'hex'), 16))::bit(64)::bigint` agrees.
        let digest = Sha256::digest(b"acme/p-1");
        assert_eq!(routing_hash("acme/p-1").to_be_bytes(), digest[..8]);
    }

    #[test]
    fn keys_spread_over_all_partitions() {
        let mut seen = [0u32; PARTITIONS as usize];
        for n in 0..16_000 {
            seen[partition_of(&format!("acme/p-{n}")) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
    }

    #[test]
    fn what_belongs_to_no_partner_has_a_key_that_no_partner_can_have() {
        let org = OrgId::parse("acme").unwrap();
        let form = Routing::Alone {
            kind: "form",
            id: "resellers".to_owned(),
        };
        assert_eq!(routing_key(&org, &form), "acme/form:resellers");
        assert!(tierline_domain::PartnerId::parse("form:resellers").is_err());
    }

    #[test]
    fn text_cannot_move_between_the_parts_of_a_leaf() {
        let one = leaf_hash(Uuid::nil(), "ab", "c", "{}", "{}");
        let two = leaf_hash(Uuid::nil(), "a", "bc", "{}", "{}");
        assert_ne!(one, two);
    }
}
