//! From the text of a token to a caller, or to the reason why not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tierline_domain::{OrgId, PartnerId};

use super::cache::{TokenCache, Verified};
use super::keys::{KeyError, Keys};
use super::{AuthSettings, LEEWAY};
use crate::caller::{Caller, Role};
use crate::limits::MAX_TOKEN_BYTES;

/// Why a token is refused. The text is for the caller and tells nothing about the keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than any token of ours.
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// It is no signed JWT, or its header or claims cannot be read.
    #[error("the token is no signed JWT that can be read")]
    Malformed,
    /// `typ` is neither `at+jwt` nor `JWT`.
    #[error("the typ of the token must be at+jwt or JWT")]
    Type,
    /// The header carries or points to a key, or demands an extension.
    #[error("the header of the token must not carry or point to keys, or demand extensions")]
    Header,
    /// The `kid` is absent or not in the key set.
    #[error("the kid of the token is not known")]
    UnknownKey,
    /// The algorithm is not the one of the key, or the signature does not fit.
    #[error("the signature of the token is not valid")]
    Signature,
    /// `iss` is absent or another one.
    #[error("the issuer of the token is not the expected one")]
    Issuer,
    /// `aud` is absent or another one.
    #[error("the token is for another audience")]
    Audience,
    /// It is past `exp`.
    #[error("the token has expired")]
    Expired,
    /// It is before `nbf` or `iat`.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It lives longer than allowed.
    #[error("the token lives longer than is allowed here")]
    Lifetime,
    /// A claim of ours is absent or wrong.
    #[error("the claim {0} of the token is missing or wrong")]
    Claim(&'static str),
}

impl TokenError {
    /// A fixed word for a metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::Type => "token_type",
            Self::Header => "token_header",
            Self::UnknownKey => "token_unknown_key",
            Self::Signature => "token_signature",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Lifetime => "token_lifetime",
            Self::Claim(_) => "token_claim",
        }
    }
}

/// The claims. A claim that stands there twice is refused by the reader.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Compared by the library; named here so that it is one text, and there once.
    #[serde(default, rename = "iss")]
    _iss: Option<String>,
    /// The same; one text or a list of them.
    #[serde(default, rename = "aud")]
    _aud: Option<IgnoredAny>,
    exp: u64,
    iat: u64,
    #[serde(default)]
    nbf: Option<u64>,
    #[serde(default)]
    org: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    partner: Option<String>,
}

/// Verifies tokens.
pub struct Verifier {
    keys: Keys,
    issuer: String,
    audience: String,
    max_lifetime: Duration,
    cache: TokenCache,
}

impl Verifier {
    /// A verifier for the settings.
    ///
    /// # Errors
    /// Settings with which it would be unsafe to start: no issuer, no audience, no usable keys.
    pub fn new(settings: &AuthSettings) -> Result<Self, KeyError> {
        for (name, value) in [
            ("issuer", &settings.issuer),
            ("audience", &settings.audience),
        ] {
            if value.trim().is_empty() {
                return Err(KeyError::NotSet(name));
            }
        }
        if settings.max_lifetime.is_zero() {
            return Err(KeyError::NotSet("longest lifetime"));
        }
        Ok(Self {
            keys: Keys::parse(&settings.jwks)?,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            max_lifetime: settings.max_lifetime,
            cache: TokenCache::new(),
        })
    }

    /// The caller that a token stands for.
    ///
    /// # Errors
    /// Why the token is refused.
    pub fn verify(&self, token: &str) -> Result<Arc<Caller>, TokenError> {
        // A clock before 1970 accepts nothing, since every token is then in the future.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.verify_at(token, now)
    }

    fn verify_at(&self, token: &str, now: u64) -> Result<Arc<Caller>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let key = TokenCache::key(token);
        if let Some(known) = self.cache.get(&key) {
            return match check_times(known.not_before, known.expires, now) {
                Ok(()) => Ok(known.caller),
                Err(error) => {
                    self.cache.remove(&key);
                    Err(error)
                }
            };
        }
        let verified = self.verify_fresh(token, now)?;
        self.cache.insert(key, verified.clone());
        Ok(verified.caller)
    }

    fn verify_fresh(&self, token: &str, now: u64) -> Result<Verified, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        check_header(&header)?;
        let kid = header.kid.as_deref().ok_or(TokenError::UnknownKey)?;
        let key = self.keys.find(kid).ok_or(TokenError::UnknownKey)?;
        if header.alg != key.algorithm {
            return Err(TokenError::Signature);
        }
        let mut validation = Validation::new(key.algorithm);
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are checked below, against one clock reading and again on every use.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.key, &validation)
            .map_err(|error| refusal(error.kind()))?
            .claims;
        self.accept(&claims, now)
    }

    fn accept(&self, claims: &Claims, now: u64) -> Result<Verified, TokenError> {
        let not_before = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
        check_times(not_before, claims.exp, now)?;
        if claims.exp.saturating_sub(claims.iat) > self.max_lifetime.as_secs() {
            return Err(TokenError::Lifetime);
        }
        let caller = caller_of(claims)?;
        Ok(Verified {
            caller: Arc::new(caller),
            not_before,
            expires: claims.exp,
        })
    }
}

fn check_header(header: &Header) -> Result<(), TokenError> {
    let typ = header.typ.as_deref().unwrap_or_default();
    if !typ.eq_ignore_ascii_case("at+jwt") && !typ.eq_ignore_ascii_case("jwt") {
        return Err(TokenError::Type);
    }
    let foreign = header.jku.is_some()
        || header.jwk.is_some()
        || header.x5u.is_some()
        || header.x5c.is_some()
        || header.crit.is_some()
        || header.enc.is_some()
        || header.zip.is_some()
        || header.cty.is_some();
    if foreign {
        Err(TokenError::Header)
    } else {
        Ok(())
    }
}

fn check_times(not_before: u64, expires: u64, now: u64) -> Result<(), TokenError> {
    let leeway = LEEWAY.as_secs();
    if now >= expires.saturating_add(leeway) {
        return Err(TokenError::Expired);
    }
    if not_before > now.saturating_add(leeway) {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

fn caller_of(claims: &Claims) -> Result<Caller, TokenError> {
    let subject = &claims.sub;
    if subject.is_empty() || subject.len() > 200 || subject.chars().any(char::is_control) {
        return Err(TokenError::Claim("sub"));
    }
    let org = claims.org.clone().ok_or(TokenError::Claim("org"))?;
    let org = OrgId::parse(org).map_err(|_| TokenError::Claim("org"))?;
    if claims.roles.len() > Role::ALL.len() {
        return Err(TokenError::Claim("roles"));
    }
    let roles: BTreeSet<Role> = claims
        .roles
        .iter()
        .map(|role| role.parse())
        .collect::<Result<_, _>>()
        .map_err(|_| TokenError::Claim("roles"))?;
    if roles.is_empty() {
        return Err(TokenError::Claim("roles"));
    }
    let partner = claims
        .partner
        .clone()
        .map(PartnerId::parse)
        .transpose()
        .map_err(|_| TokenError::Claim("partner"))?;
    // A partner contact without a partner would not be confined to anything.
    if partner.is_none() && roles.contains(&Role::PartnerContact) {
        return Err(TokenError::Claim("partner"));
    }
    Ok(Caller {
        subject: subject.clone(),
        org,
        roles,
        partner,
        api_key: None,
    })
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "iss" => TokenError::Issuer,
            "aud" => TokenError::Audience,
            _ => TokenError::Malformed,
        },
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => TokenError::Signature,
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{LocalIssuer, TokenRequest};

    #[test]
    fn a_remembered_token_still_expires() {
        let issuer = LocalIssuer::generate("k", "https://issuer.example", "tierline");
        let verifier = Verifier::new(&issuer.settings()).unwrap();
        let request = TokenRequest::new("ada", "acme", [Role::Viewer]);
        let token = issuer
            .token_at(&request, 1_000_000, Duration::from_secs(600))
            .unwrap();
        assert_eq!(
            verifier.verify_at(&token, 1_000_000).unwrap().subject,
            "ada"
        );
        assert_eq!(
            verifier.verify_at(&token, 1_000_659).unwrap().subject,
            "ada"
        );
        assert_eq!(
            verifier.verify_at(&token, 1_000_660),
            Err(TokenError::Expired)
        );
        assert_eq!(
            verifier.verify_at(&token, 1_000_660),
            Err(TokenError::Expired)
        );
        assert_eq!(
            verifier.verify_at(&token, 999_000),
            Err(TokenError::NotYetValid)
        );
    }
}
