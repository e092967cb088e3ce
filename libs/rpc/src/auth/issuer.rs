//! A key of one's own for a server on one machine: makes the key, its public set, and tokens.
//!
//! Production uses the issuer of the organisation; nothing here is needed there.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::{AuthSettings, DEFAULT_MAX_LIFETIME};
use crate::caller::Role;

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The subject.
    pub subject: String,
    /// The org.
    pub org: String,
    /// The roles.
    pub roles: BTreeSet<Role>,
    /// The partner, for a partner contact.
    pub partner: Option<String>,
}

impl TokenRequest {
    /// A token for somebody of the org.
    pub fn new(
        subject: impl Into<String>,
        org: impl Into<String>,
        roles: impl IntoIterator<Item = Role>,
    ) -> Self {
        Self {
            subject: subject.into(),
            org: org.into(),
            roles: roles.into_iter().collect(),
            partner: None,
        }
    }
}

/// Why a local key cannot be used or a token cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IssuerError(String);

/// A local Ed25519 key that signs tokens.
pub struct LocalIssuer {
    key: SigningKey,
    kid: String,
    issuer: String,
    audience: String,
}

impl LocalIssuer {
    /// A new random key.
    pub fn generate(
        kid: impl Into<String>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Self {
        Self {
            key: SigningKey::from_bytes(&rand::random::<[u8; 32]>()),
            kid: kid.into(),
            issuer: issuer.into(),
            audience: audience.into(),
        }
    }

    /// A key that was kept with [`LocalIssuer::private_pem`].
    ///
    /// # Errors
    /// The text is no private Ed25519 key in PKCS#8 PEM.
    pub fn from_pem(
        pem: &str,
        kid: impl Into<String>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, IssuerError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|error| {
            IssuerError(format!(
                "the signing key is no Ed25519 key in PKCS#8 PEM: {error}"
            ))
        })?;
        Ok(Self {
            key,
            kid: kid.into(),
            issuer: issuer.into(),
            audience: audience.into(),
        })
    }

    /// The private key as PEM text, to be kept where only the owner reads it.
    ///
    /// # Errors
    /// The key cannot be encoded.
    pub fn private_pem(&self) -> Result<String, IssuerError> {
        self.key
            .to_pkcs8_pem(LineEnding::LF)
            .map(|pem| pem.to_string())
            .map_err(|error| IssuerError(error.to_string()))
    }

    /// The public key as a key set.
    pub fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x,
        }] })
        .to_string()
    }

    /// Settings of a verifier that accepts the tokens of this key.
    pub fn settings(&self) -> AuthSettings {
        AuthSettings {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            jwks: self.jwks(),
            max_lifetime: DEFAULT_MAX_LIFETIME,
        }
    }

    /// A token that is valid from now on.
    ///
    /// # Errors
    /// The token cannot be signed.
    pub fn token(&self, request: &TokenRequest, lifetime: Duration) -> Result<String, IssuerError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|_| IssuerError("the clock of this machine is before 1970".to_owned()))?;
        self.token_at(request, now.as_secs(), lifetime)
    }

    pub(crate) fn token_at(
        &self,
        request: &TokenRequest,
        now: u64,
        lifetime: Duration,
    ) -> Result<String, IssuerError> {
        let roles: Vec<_> = request.roles.iter().map(|role| role.as_str()).collect();
        let mut claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": request.subject,
            "org": request.org,
            "roles": roles,
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(lifetime.as_secs()),
        });
        if let Some(partner) = &request.partner {
            claims["partner"] = json!(partner);
        }
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.kid.clone());
        let der = self
            .key
            .to_pkcs8_der()
            .map_err(|error| IssuerError(error.to_string()))?;
        let key = EncodingKey::from_ed_der(der.as_bytes());
        jsonwebtoken::encode(&header, &claims, &key).map_err(|error| IssuerError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Verifier;

    #[test]
    fn a_kept_key_signs_tokens_that_the_set_of_the_first_one_accepts() {
        let first = LocalIssuer::generate("k1", "https://issuer.example", "tierline");
        let pem = first.private_pem().unwrap();
        let again =
            LocalIssuer::from_pem(&pem, "k1", "https://issuer.example", "tierline").unwrap();
        let request = TokenRequest::new("ada", "acme", [Role::Admin]);
        let token = again.token(&request, Duration::from_secs(60)).unwrap();
        let caller = Verifier::new(&first.settings())
            .unwrap()
            .verify(&token)
            .unwrap();
        assert_eq!(
            (caller.subject.as_str(), caller.org.as_str()),
            ("ada", "acme")
        );
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        let result = LocalIssuer::from_pem("nonsense", "k", "i", "a");
        assert!(result.err().unwrap().to_string().contains("Ed25519"));
    }
}
