//! The key set: which public keys there are, and which single algorithm goes with each.

use std::collections::HashMap;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// Smallest RSA modulus, in bytes.
const MIN_RSA_BYTES: usize = 256;
/// Most keys of a set.
const MAX_KEYS: usize = 100;

/// Why a key set or the settings around it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A setting that must not be empty is.
    #[error("the {0} of tokens is not set; without it tokens for other services would be accepted")]
    NotSet(&'static str),
    /// The text is no key set.
    #[error("the key set is no JWKS: {0}")]
    Format(String),
    /// There is no key, or there are too many.
    #[error("the key set has {0} keys; 1 to {MAX_KEYS} are allowed")]
    Count(usize),
    /// A key cannot be used.
    #[error("key {at} of the key set (kid {kid:?}): {problem}")]
    Key {
        /// Position in the set, from 0.
        at: usize,
        /// Its `kid`.
        kid: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A public key and the one algorithm that it is for.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Public keys by `kid`.
pub(super) struct Keys(HashMap<String, Key>);

impl Keys {
    pub(super) fn parse(jwks: &str) -> Result<Self, KeyError> {
        let set: Value =
            serde_json::from_str(jwks).map_err(|error| KeyError::Format(error.to_string()))?;
        let items = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or_else(|| KeyError::Format("there is no list \"keys\"".to_owned()))?;
        if items.is_empty() || items.len() > MAX_KEYS {
            return Err(KeyError::Count(items.len()));
        }
        let mut keys = HashMap::new();
        for (at, item) in items.iter().enumerate() {
            let kid = item
                .get("kid")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let problem = |problem: String| KeyError::Key {
                at,
                kid: kid.clone(),
                problem,
            };
            let key = read_key(item).map_err(problem)?;
            if keys.insert(kid.clone(), key).is_some() {
                return Err(problem("another key has the same kid".to_owned()));
            }
        }
        Ok(Self(keys))
    }

    pub(super) fn find(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid)
    }
}

fn read_key(item: &Value) -> Result<Key, String> {
    let kid = item.get("kid").and_then(Value::as_str).unwrap_or_default();
    if kid.is_empty() || kid.len() > 200 {
        return Err("a kid of 1 to 200 characters is required".to_owned());
    }
    if item.get("d").is_some() {
        return Err(
            "this is a private key; put only its public part here, and change the key, \
                    since it has been seen"
                .to_owned(),
        );
    }
    let jwk = Jwk::deserialize_checked(item)?;
    if !matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    ) {
        return Err("\"use\" must be \"sig\"".to_owned());
    }
    let (algorithm, name) = algorithm_of(&jwk)?;
    if jwk
        .common
        .key_algorithm
        .is_some_and(|stated| stated != name)
    {
        return Err(format!(
            "\"alg\" must be \"{algorithm:?}\" for this kind of key"
        ));
    }
    let key = DecodingKey::from_jwk(&jwk).map_err(|error| error.to_string())?;
    Ok(Key { algorithm, key })
}

trait Checked: Sized {
    fn deserialize_checked(item: &Value) -> Result<Self, String>;
}

impl Checked for Jwk {
    fn deserialize_checked(item: &Value) -> Result<Self, String> {
        serde_json::from_value(item.clone()).map_err(|error| error.to_string())
    }
}

/// The allow-list: one algorithm for each of three kinds of keys.
fn algorithm_of(jwk: &Jwk) -> Result<(Algorithm, KeyAlgorithm), String> {
    match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Ok((Algorithm::EdDSA, KeyAlgorithm::EdDSA))
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            Ok((Algorithm::ES256, KeyAlgorithm::ES256))
        }
        AlgorithmParameters::RSA(rsa) => {
            // Base64 carries six bits a character.
            let bytes = rsa.n.trim_end_matches('=').len() * 6 / 8;
            if bytes < MIN_RSA_BYTES {
                return Err("an RSA key must have at least 2048 bits".to_owned());
            }
            Ok((Algorithm::RS256, KeyAlgorithm::RS256))
        }
        _ => {
            Err("only Ed25519 (EdDSA), RSA (RS256) and P-256 (ES256) keys are accepted".to_owned())
        }
    }
}
