//! The API keys of an org: their state and the decisions about them. All keys of an org are one
//! stream, so that the gate reads one stream for whatever key it is shown.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::access::commands::{CreateApiKey, KeyringCommand, RotateApiKey};
use crate::access::events::{ApiKeyCreated, KeyringEvent, SecretHash};
use crate::access::role::Role;
use crate::aggregate::{Decide, Entity, Routing, refuse_unreadable};
use crate::ids::{ApiKeyId, PartnerId};
use crate::limits;
use crate::rejection::{Kind, Rejection, Violations};

/// The API keys of an org, folded from their events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyring {
    keys: Vec<ApiKey>,
    unreadable: bool,
}

crate::aggregate!(Keyring, "Keyring");

/// A key. Its text is not here; nobody can make it out of what is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What it was created with.
    pub created: ApiKeyCreated,
    /// Hashes of the texts that are good: one or two.
    pub secrets: Vec<LiveSecret>,
    /// How often it was given a new secret.
    pub rotations: u32,
    /// Why it was revoked, if it was.
    pub revoked: Option<String>,
}

/// The hash of a text that is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSecret {
    /// The hash.
    pub hash: SecretHash,
    /// Until when it is good, if a newer one has taken its place.
    pub good_until: Option<Timestamp>,
}

/// Whether a key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is.
    Active,
    /// Its time is over.
    Expired,
    /// It was ended.
    Revoked,
}

impl ApiKey {
    /// Whether the key is good at an instant.
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked.is_some() {
            KeyState::Revoked
        } else if now >= self.created.expires_at {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }

    /// The hashes that are good at an instant.
    pub fn secrets_at(&self, now: Timestamp) -> impl Iterator<Item = &SecretHash> {
        self.secrets
            .iter()
            .filter(move |secret| secret.good_until.is_none_or(|until| now < until))
            .map(|secret| &secret.hash)
    }
}

impl Keyring {
    /// The keys, oldest first. Of those that are good no more only the latest are remembered.
    pub fn keys(&self) -> &[ApiKey] {
        &self.keys
    }

    /// The key with this identifier.
    pub fn key(&self, id: &str) -> Option<&ApiKey> {
        self.keys.iter().find(|key| key.created.key.as_str() == id)
    }

    /// True once an event was met that this release does not know; then no key is good.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    fn known(&self, id: &ApiKeyId) -> Result<&ApiKey, Rejection> {
        let found = self.key(id.as_str());
        found.ok_or_else(|| Rejection::not_found("api key", id))
    }

    fn active(&self, now: Timestamp) -> impl Iterator<Item = &ApiKey> {
        self.keys
            .iter()
            .filter(move |key| key.state(now) == KeyState::Active)
    }

    fn create(&self, create: CreateApiKey) -> Result<Vec<KeyringEvent>, Rejection> {
        let mut v = Violations::default();
        limits::check_name(&mut v, "name", &create.name, limits::NAME);
        check_roles(&mut v, &create.roles, create.partner.as_ref());
        check_expiry(&mut v, create.expires_at, create.now);
        v.check()?;
        if self.key(create.key.as_str()).is_some() {
            return Err(Rejection::already_exists("api key", &create.key));
        }
        if self
            .active(create.now)
            .any(|key| key.created.name == create.name)
        {
            return Err(Rejection::new(
                Kind::AlreadyExists,
                "API_KEY_NAME_TAKEN",
                format!("another API key is called \"{}\"", create.name),
            ));
        }
        if self.active(create.now).count() >= limits::API_KEYS {
            let most = limits::API_KEYS;
            return Err(Rejection::precondition(
                "TOO_MANY_API_KEYS",
                format!("an org has at most {most} API keys; revoke one first"),
            ));
        }
        Ok(vec![KeyringEvent::ApiKeyCreated(Box::new(ApiKeyCreated {
            key: create.key,
            name: create.name,
            roles: create.roles,
            partner: create.partner,
            secret: create.secret,
            created_at: create.now,
            expires_at: create.expires_at,
            created_by: create.created_by,
        }))])
    }

    fn rotate(&self, rotate: RotateApiKey) -> Result<Vec<KeyringEvent>, Rejection> {
        let key = self.known(&rotate.key)?;
        if rotate.grace > limits::API_KEY_GRACE {
            let days = limits::API_KEY_GRACE.as_secs() / (24 * 3600);
            let text = format!("must be at most {days} days");
            return Err(Rejection::invalid("grace", text));
        }
        match key.state(rotate.now) {
            KeyState::Active => {}
            KeyState::Expired => {
                let text = "the API key has expired; create another one";
                return Err(Rejection::precondition("API_KEY_EXPIRED", text));
            }
            KeyState::Revoked => {
                let text = "the API key was revoked; create another one";
                return Err(Rejection::precondition("API_KEY_REVOKED", text));
            }
        }
        let grace = SignedDuration::try_from(rotate.grace).unwrap_or_default();
        Ok(vec![KeyringEvent::ApiKeyRotated {
            key: rotate.key,
            secret: rotate.secret,
            previous_good_until: rotate.now.saturating_add(grace).unwrap_or(rotate.now),
        }])
    }

    fn revoke(&self, key: ApiKeyId, reason: String) -> Result<Vec<KeyringEvent>, Rejection> {
        let mut v = Violations::default();
        limits::check_reason(&mut v, "reason", &reason);
        v.check()?;
        if self.known(&key)?.revoked.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![KeyringEvent::ApiKeyRevoked { key, reason }])
    }

    /// Makes room for a new key among those that are remembered.
    fn forget_one(&mut self, now: Timestamp) {
        if self.keys.len() < limits::API_KEYS_REMEMBERED {
            return;
        }
        let over = |key: &ApiKey| key.state(now) != KeyState::Active;
        if let Some(oldest) = self.keys.iter().position(over) {
            self.keys.remove(oldest);
        }
    }

    fn change(&mut self, id: &ApiKeyId, change: impl FnOnce(&mut ApiKey)) {
        let found = self.keys.iter_mut().find(|key| key.created.key == *id);
        if let Some(key) = found {
            change(key);
        }
    }
}

fn check_roles(v: &mut Violations, roles: &BTreeSet<Role>, partner: Option<&PartnerId>) {
    let contact = roles.contains(&Role::PartnerContact);
    if roles.is_empty() {
        v.add("roles", "is required");
    } else if roles.contains(&Role::Operator) {
        // The system is not the org's, and who runs it does not come with a key of an org.
        v.add("roles", "operator is not for API keys");
    } else if contact && roles.len() > 1 {
        v.add("roles", "partner_contact goes with no other role");
    }
    match (contact, partner) {
        (true, None) => v.add("partner_id", "is required for a partner_contact"),
        (false, Some(_)) => v.add("partner_id", "is for a partner_contact only"),
        _ => {}
    }
}

fn check_expiry(v: &mut Violations, expires: Timestamp, now: Timestamp) {
    let life = expires.duration_since(now);
    let longest = SignedDuration::try_from(limits::API_KEY_LIFE).unwrap_or(SignedDuration::MAX);
    if life <= SignedDuration::ZERO {
        v.add("expire_time", "must be in the future");
    } else if life > longest {
        let days = limits::API_KEY_LIFE.as_secs() / (24 * 3600);
        v.add("expire_time", format!("must be at most {days} days ahead"));
    }
}

impl Decide for Keyring {
    type Command = KeyringCommand;
    type Event = KeyringEvent;

    fn decide(&self, command: KeyringCommand) -> Result<Vec<KeyringEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            KeyringCommand::Create(create) => self.create(*create),
            KeyringCommand::Rotate(rotate) => self.rotate(rotate),
            KeyringCommand::Revoke { key, reason } => self.revoke(key, reason),
        }
    }

    fn evolve(&mut self, event: &KeyringEvent) {
        match event {
            KeyringEvent::ApiKeyCreated(created) => {
                self.forget_one(created.created_at);
                self.keys.push(ApiKey {
                    secrets: vec![LiveSecret {
                        hash: created.secret,
                        good_until: None,
                    }],
                    created: (**created).clone(),
                    rotations: 0,
                    revoked: None,
                });
            }
            KeyringEvent::ApiKeyRotated {
                key,
                secret,
                previous_good_until,
            } => self.change(key, |key| {
                // Two at most: the new one and the one that was the newest.
                let previous = key.secrets.pop();
                key.secrets.clear();
                key.secrets.extend(previous.map(|previous| LiveSecret {
                    good_until: Some(*previous_good_until),
                    ..previous
                }));
                key.secrets.push(LiveSecret {
                    hash: *secret,
                    good_until: None,
                });
                key.rotations += 1;
            }),
            KeyringEvent::ApiKeyRevoked { key, reason } => {
                self.change(key, |key| {
                    key.revoked = Some(reason.clone());
                    key.secrets.clear();
                });
            }
            KeyringEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Keyring {
    fn routing(&self) -> Option<Routing> {
        let begun = self.unreadable || !self.keys.is_empty();
        begun.then_some(Routing::EveryPartition)
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
