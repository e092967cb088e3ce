//! Bearer tokens: signed JWTs, verified against a configured key set, and API keys, looked up among
//! those of the org.
//!
//! The algorithm belongs to the key and never to the token; a key is found by its exact `kid`
//! only; nothing that a token says is ever fetched. `aud` and `iss` are always checked, and
//! without them the verifier cannot even be made.

pub mod api_key;
mod cache;
mod issuer;
mod key_gate;
mod keys;
mod verify;

pub use issuer::{LocalIssuer, TokenRequest};
pub use key_gate::{ApiKeys, KEYRING, KeyRefusal, STALE_AFTER, Uses};
pub use keys::KeyError;
pub use verify::{TokenError, Verifier};

use std::time::Duration;

/// Longest life of a token that is accepted where the settings do not say.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Difference of clocks that is forgiven.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// What tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSettings {
    /// Required value of `iss`.
    pub issuer: String,
    /// Required value, or one of the values, of `aud`.
    pub audience: String,
    /// The key set, as the JSON text of a JWKS. Public keys only.
    pub jwks: String,
    /// Longest time from `iat` to `exp`.
    pub max_lifetime: Duration,
}
