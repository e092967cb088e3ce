//! What may be asked of the API keys of an org.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::access::Role;
use crate::access::events::SecretHash;
use crate::ids::{ApiKeyId, PartnerId};

/// The commands of a keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringCommand {
    /// Create a key.
    Create(Box<CreateApiKey>),
    /// Give a key a new secret.
    Rotate(RotateApiKey),
    /// End a key for ever. Again: nothing to do.
    Revoke {
        /// Which key.
        key: ApiKeyId,
        /// Why; required.
        reason: String,
    },
}

/// Create a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateApiKey {
    /// Its identifier; made by the caller of the business, since nothing here is random.
    pub key: ApiKeyId,
    /// What it is for; no other key of the org that is still good is called so.
    pub name: String,
    /// What its holder may be.
    pub roles: BTreeSet<Role>,
    /// The partner of a partner contact.
    pub partner: Option<PartnerId>,
    /// The hash of its text.
    pub secret: SecretHash,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Who creates it.
    pub created_by: String,
    /// Real time: keys live in it, in a sandbox too.
    pub now: Timestamp,
}

/// Give a key a new secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateApiKey {
    /// Which key.
    pub key: ApiKeyId,
    /// The hash of its new text.
    pub secret: SecretHash,
    /// How long the text before is good.
    pub grace: Duration,
    /// Real time.
    pub now: Timestamp,
}
