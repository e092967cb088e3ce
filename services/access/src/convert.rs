//! Keys as the contract writes them, and requests as the business reads them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tierline_domain::access::Role;
use tierline_domain::access::{ApiKey, KeyState};
use tierline_proto::access::v1 as pb;
use tierline_rpc::convert::Reader;

/// Life of a key where the caller does not say.
const LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long the text before is good where the caller does not say.
const GRACE: Duration = Duration::from_secs(24 * 3600);
/// Most roles in a request.
const MAX_ROLES: usize = 20;

/// A key as a message. `used` says when each was last used.
pub(crate) fn message(
    key: &ApiKey,
    now: Timestamp,
    used: &HashMap<String, Timestamp>,
) -> pb::ApiKey {
    let created = &key.created;
    let state = match key.state(now) {
        KeyState::Active => pb::ApiKeyState::Active,
        KeyState::Expired => pb::ApiKeyState::Expired,
        KeyState::Revoked => pb::ApiKeyState::Revoked,
    };
    let previous = key.secrets.iter().find_map(|secret| secret.good_until);
    let roles = created.roles.iter().map(|role| role.as_str().to_owned());
    pb::ApiKey {
        key_id: created.key.to_string(),
        name: created.name.clone(),
        roles: roles.collect(),
        partner_id: created
            .partner
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        state: state.into(),
        create_time: Some(instant(created.created_at)),
        created_by: created.created_by.clone(),
        expire_time: Some(instant(created.expires_at)),
        last_use_time: used.get(created.key.as_str()).copied().map(instant),
        rotations: key.rotations,
        previous_good_until_time: previous.filter(|until| now < *until).map(instant),
        revoke_reason: key.revoked.clone().unwrap_or_default(),
    }
}

fn instant(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    }
}

/// The roles of a request.
pub(crate) fn roles(r: &mut Reader, texts: &[String]) -> BTreeSet<Role> {
    if texts.len() > MAX_ROLES {
        r.at("roles", |r| {
            r.wrong::<()>(format!("must be at most {MAX_ROLES}"))
        });
        return BTreeSet::new();
    }
    let mut roles = BTreeSet::new();
    for (at, text) in texts.iter().enumerate() {
        r.at(&format!("roles[{at}]"), |r| match text.parse() {
            Ok(role) => {
                roles.insert(role);
            }
            Err(wrong) => {
                r.wrong::<()>(wrong);
            }
        });
    }
    roles
}

/// Until when a new key is to be good.
pub(crate) fn expiry(
    r: &mut Reader,
    given: Option<prost_types::Timestamp>,
    now: Timestamp,
) -> Timestamp {
    let usual = now.saturating_add(LIFE).unwrap_or(now);
    let Some(given) = given else { return usual };
    let read = Timestamp::new(given.seconds, given.nanos).ok();
    read.unwrap_or_else(|| {
        r.at("expire_time", |r| r.wrong::<()>("is no instant"));
        usual
    })
}

/// How long the text before is to be good.
pub(crate) fn grace(r: &mut Reader, given: Option<prost_types::Duration>) -> Duration {
    let Some(given) = given else { return GRACE };
    // Not by the conversion of the library, which stops at the smallest of all numbers.
    let (seconds, nanos) = (u64::try_from(given.seconds), u32::try_from(given.nanos));
    let read = seconds
        .ok()
        .zip(nanos.ok().filter(|nanos| *nanos < 1_000_000_000));
    let read = read.map(|(seconds, nanos)| Duration::new(seconds, nanos));
    read.unwrap_or_else(|| {
        r.at("grace", |r| r.wrong::<()>("must be zero or more"));
        GRACE
    })
}
