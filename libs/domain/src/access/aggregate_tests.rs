use std::time::Duration;

use super::*;
use crate::test_support::{Given, given};

const NOW: &str = "2026-03-31T10:00:00Z";
const DAY: i64 = 24 * 3600;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn in_days(days: i64) -> Timestamp {
    now() + SignedDuration::from_secs(days * DAY)
}

fn key(id: &str) -> ApiKeyId {
    ApiKeyId::parse(id).unwrap()
}

fn hash(byte: u8) -> SecretHash {
    SecretHash([byte; 32])
}

fn create(id: &str) -> CreateApiKey {
    CreateApiKey {
        key: key(id),
        name: format!("for {id}"),
        roles: [Role::Integration].into(),
        partner: None,
        secret: hash(1),
        expires_at: in_days(90),
        created_by: "user:ada".to_owned(),
        now: now(),
    }
}

fn ring() -> Given<Keyring> {
    given::<Keyring>([]).when(made(create("k1"))).accepted()
}

fn made(create: CreateApiKey) -> KeyringCommand {
    KeyringCommand::Create(Box::new(create))
}

fn rotate(byte: u8, grace_days: u64, at: Timestamp) -> KeyringCommand {
    KeyringCommand::Rotate(RotateApiKey {
        key: key("k1"),
        secret: hash(byte),
        grace: Duration::from_secs(grace_days * 24 * 3600),
        now: at,
    })
}

fn revoke(id: &str) -> KeyringCommand {
    KeyringCommand::Revoke {
        key: key(id),
        reason: "it was in a mail".to_owned(),
    }
}

fn good(ring: &Keyring, at: Timestamp) -> Vec<SecretHash> {
    let key = ring.key("k1").unwrap();
    key.secrets_at(at).copied().collect()
}

#[test]
fn a_key_is_good_until_it_expires() {
    let ring = ring().state;
    let key = ring.key("k1").unwrap();
    assert_eq!(key.state(now()), KeyState::Active);
    assert_eq!(key.state(in_days(90)), KeyState::Expired);
    assert_eq!(good(&ring, now()), [hash(1)]);
    assert_eq!(ring.routing(), Some(Routing::EveryPartition));
}

#[test]
fn a_new_secret_leaves_the_one_before_it_for_a_while_and_no_older_one() {
    let ring = ring().when(rotate(2, 1, now())).accepted();
    assert_eq!(good(&ring.state, now()), [hash(1), hash(2)]);
    assert_eq!(good(&ring.state, in_days(1)), [hash(2)]);
    let ring = ring.when(rotate(3, 7, now())).accepted();
    assert_eq!(good(&ring.state, now()), [hash(2), hash(3)]);
    let ring = ring.when(rotate(4, 0, now())).accepted();
    assert_eq!(good(&ring.state, now()), [hash(4)]);
    ring.when(rotate(5, 8, now())).invalid(&["grace"]);
}

#[test]
fn a_revoked_key_has_no_good_secret_and_stays_revoked() {
    let ring = ring().when(revoke("k1")).accepted();
    assert_eq!(good(&ring.state, now()), []);
    assert_eq!(ring.state.keys()[0].state(now()), KeyState::Revoked);
    ring.when(revoke("k1"))
        .nothing()
        .when(rotate(2, 0, now()))
        .refused("API_KEY_REVOKED");
}

#[test]
fn an_expired_key_is_not_made_young_again() {
    ring()
        .when(rotate(2, 0, in_days(91)))
        .refused("API_KEY_EXPIRED");
}

#[test]
fn a_key_that_is_not_there_is_not_found() {
    ring().when(revoke("k2")).refused("API_KEY_NOT_FOUND");
}

#[test]
fn everything_wrong_with_a_new_key_is_named_at_once() {
    let with = |change: fn(&mut CreateApiKey)| {
        let mut create = create("k2");
        change(&mut create);
        given::<Keyring>([]).when(made(create))
    };
    with(|c| {
        c.name = String::new();
        c.roles.clear();
        c.expires_at = c.now;
    })
    .invalid(&["name", "roles", "expire_time"]);
    with(|c| c.expires_at = in_days(732)).invalid(&["expire_time"]);
    with(|c| c.roles = [Role::Operator].into()).invalid(&["roles"]);
    with(|c| c.roles = [Role::PartnerContact].into()).invalid(&["partner_id"]);
    with(|c| c.partner = PartnerId::parse("nova").ok()).invalid(&["partner_id"]);
    with(|c| {
        c.roles = [Role::PartnerContact, Role::Viewer].into();
        c.partner = PartnerId::parse("nova").ok();
    })
    .invalid(&["roles"]);
}

#[test]
fn two_good_keys_are_not_called_the_same() {
    let mut again = create("k2");
    again.name = "for k1".to_owned();
    let ring = ring();
    ring.clone()
        .when(made(again.clone()))
        .refused("API_KEY_NAME_TAKEN");
    ring.when(revoke("k1"))
        .accepted()
        .when(made(again))
        .accepted();
}

#[test]
fn keys_are_bounded_and_those_that_are_over_are_forgotten() {
    let mut ring = given::<Keyring>([]);
    for number in 0..limits::API_KEYS {
        ring = ring.when(made(create(&format!("k{number}")))).accepted();
    }
    ring.clone()
        .when(made(create("more")))
        .refused("TOO_MANY_API_KEYS");
    for number in 0..limits::API_KEYS_REMEMBERED {
        ring = ring.when(revoke(&format!("k{number}"))).accepted();
        let next = format!("k{}", number + limits::API_KEYS);
        ring = ring.when(made(create(&next))).accepted();
    }
    assert_eq!(ring.state.keys().len(), limits::API_KEYS_REMEMBERED);
    assert!(ring.state.key("k0").is_none());
}

#[test]
fn an_unknown_event_stops_decisions() {
    let unknown = KeyringEvent::Unknown {
        event_type: "tierline.access.v1.ApiKeyMoved".to_owned(),
        payload: serde_json::Value::Null,
    };
    let ring = given::<Keyring>([unknown]);
    assert!(ring.state.is_unreadable());
    ring.when(made(create("k1"))).refused("UNKNOWN_EVENT");
}

proptest::proptest! {
    #[test]
    fn any_commands_leave_a_ring_that_replays_and_never_two_more_secrets(
        steps in proptest::collection::vec((0..3_u8, 0..4_u8, 0..10_u64), 0..40)
    ) {
        let commands = steps.into_iter().map(|(kind, id, number)| match kind {
            0 => made(create(&format!("k{id}"))),
            1 => rotate(id, number, in_days(i64::from(id) * 40)),
            _ => revoke(&format!("k{id}")),
        });
        let (ring, _) = crate::test_support::run_and_replay::<Keyring>(commands);
        for key in ring.keys() {
            proptest::prop_assert!(key.secrets.len() <= 2);
            proptest::prop_assert!(key.revoked.is_none() || key.secrets.is_empty());
        }
    }
}
