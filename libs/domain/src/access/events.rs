//! What happens to the API keys of an org. These types are the storage format: a shape once
//! written stays readable. No secret is ever in them.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::access::Role;
use crate::ids::{ApiKeyId, PartnerId};

/// The facts about the API keys of an org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyringEvent {
    /// A key is good from now on.
    ApiKeyCreated(Box<ApiKeyCreated>),
    /// The key has a new secret. The one before it is good for a while longer; any older one is
    /// not.
    ApiKeyRotated {
        /// Which key.
        key: ApiKeyId,
        /// The hash of its new text.
        secret: SecretHash,
        /// Until when the text before is good.
        previous_good_until: Timestamp,
    },
    /// The key is good no more, for ever.
    ApiKeyRevoked {
        /// Which key.
        key: ApiKeyId,
        /// Why.
        reason: String,
    },
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

/// A new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyCreated {
    /// Its identifier, which is part of its text.
    pub key: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// What its holder may be.
    pub roles: BTreeSet<Role>,
    /// The only partner that its holder may see, for a partner contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// The hash of its text.
    pub secret: SecretHash,
    /// When it was created.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Who created it.
    pub created_by: String,
}

/// SHA-256 of the text of a key. The text has 32 random bytes in it, so nothing slower is needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(&text, &mut hash).map_err(serde::de::Error::custom)?;
        Ok(Self(hash))
    }
}

crate::stored_events!(KeyringEvent, "tierline.access.v1", {
    ApiKeyCreated = "1.0",
    ApiKeyRotated = "1.0",
    ApiKeyRevoked = "1.0",
});
