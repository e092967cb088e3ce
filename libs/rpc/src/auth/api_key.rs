//! The text of API keys: how it is made, read and hashed.
//!
//! `tlk_<live|sandbox>_<org>.<id>_<secret><check>`: a fixed beginning and a checksum, so that
//! scanners of repositories and mails find a key and are rarely wrong. The secret is 32 random
//! bytes; what is stored is the SHA-256 of the whole text, so that no part of it can be exchanged.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use tierline_domain::access::SecretHash;
use tierline_domain::{ApiKeyId, OrgId};

/// How every API key begins.
pub const PREFIX: &str = "tlk_";
/// Bytes of the secret.
const SECRET_BYTES: usize = 32;
/// Bytes of the checksum.
const CHECK_BYTES: usize = 4;
/// Bytes of an identifier that is made here.
const ID_BYTES: usize = 8;

/// The text of an API key that was just made. Shown once, kept nowhere.
pub struct NewKey {
    /// The identifier.
    pub id: ApiKeyId,
    /// The text, for its holder.
    pub text: String,
    /// What is stored of it.
    pub hash: SecretHash,
}

impl NewKey {
    /// A new text for a key of an org; `id` where the key is there already.
    ///
    /// # Errors
    /// None that is known; the identifier is made in the form that is demanded.
    pub fn generate(
        org: &OrgId,
        sandbox: bool,
        id: Option<ApiKeyId>,
    ) -> Result<Self, tierline_domain::Rejection> {
        let id = match id {
            Some(id) => id,
            None => ApiKeyId::parse(hex::encode(rand::random::<[u8; ID_BYTES]>()))?,
        };
        let env = if sandbox { "sandbox" } else { "live" };
        let secret = hex::encode(rand::random::<[u8; SECRET_BYTES]>());
        let body = format!("{PREFIX}{env}_{org}.{id}_{secret}");
        let text = format!("{body}{}", check_of(&body));
        let hash = hash_of(&text);
        Ok(Self { id, text, hash })
    }
}

// Written by hand, so that no log ever has the text.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// An API key as a caller shows it: whose it says it is, and the hash to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownKey {
    /// The org whose key it says it is. Believed only when the hash is found there.
    pub org: OrgId,
    /// The key that it says it is.
    pub id: ApiKeyId,
    hash: SecretHash,
}

impl ShownKey {
    /// Reads a text; `None` when it has not the form, or its checksum does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (env, rest) = rest.split_once('_')?;
        let (name, tail) = rest.rsplit_once('_')?;
        let (org, id) = name.rsplit_once('.')?;
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let check_at = text.len().checked_sub(2 * CHECK_BYTES)?;
        let well_formed = matches!(env, "live" | "sandbox")
            && tail.len() == 2 * (SECRET_BYTES + CHECK_BYTES)
            && tail.bytes().all(hex)
            && check_of(&text[..check_at]) == text[check_at..];
        if !well_formed {
            return None;
        }
        Some(Self {
            org: OrgId::parse(org).ok()?,
            id: ApiKeyId::parse(id).ok()?,
            hash: hash_of(text),
        })
    }

    /// Whether one of the hashes is that of the text. Looks at every one, and takes as long
    /// whatever they are.
    pub fn is_one_of<'a>(&self, hashes: impl Iterator<Item = &'a SecretHash>) -> bool {
        let mut found = subtle::Choice::from(0);
        for hash in hashes {
            found |= hash.0.ct_eq(&self.hash.0);
        }
        found.into()
    }
}

fn hash_of(text: &str) -> SecretHash {
    SecretHash(Sha256::digest(text.as_bytes()).into())
}

/// Finds slips of the pen and false alarms of scanners; it proves nothing.
fn check_of(body: &str) -> String {
    let digest = Sha256::new()
        .chain_update(b"tierline api key check\n")
        .chain_update(body.as_bytes())
        .finalize();
    hex::encode(&digest[..CHECK_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(org: &str) -> NewKey {
        NewKey::generate(&OrgId::parse(org).unwrap(), false, None).unwrap()
    }

    #[test]
    fn a_text_says_whose_it_is_and_fits_its_own_hash_only() {
        for org in ["acme", "a.b_c-d", "a_b"] {
            let (one, other) = (made(org), made(org));
            let shown = ShownKey::parse(&one.text).unwrap();
            assert_eq!((shown.org.as_str(), &shown.id), (org, &one.id));
            assert!(shown.is_one_of([&other.hash, &one.hash].into_iter()));
            assert!(!shown.is_one_of([&other.hash].into_iter()));
            assert!(!shown.is_one_of(std::iter::empty()));
        }
    }

    #[test]
    fn a_new_text_of_a_key_keeps_its_identifier() {
        let first = made("acme");
        let org = OrgId::parse("acme").unwrap();
        let second = NewKey::generate(&org, true, Some(first.id.clone())).unwrap();
        assert_eq!(second.id, first.id);
        assert_ne!(second.hash, first.hash);
        assert!(
            second.text.starts_with("tlk_sandbox_acme."),
            "{}",
            second.text
        );
    }

    #[test]
    fn a_text_with_any_letter_changed_is_no_key() {
        let text = made("acme").text;
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(ShownKey::parse(&changed), None, "{changed}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        let good = made("acme").text;
        let upper = good.to_uppercase();
        let doubled = format!("{good}{good}");
        let shorter = &good[..good.len() - 1];
        for text in [
            "",
            "tlk_",
            "tlk_live_",
            "tlk_live_a.b_",
            "tlk_live_.._🦀",
            &upper,
        ] {
            assert_eq!(ShownKey::parse(text), None, "{text}");
        }
        assert_eq!(ShownKey::parse(&doubled), None);
        assert_eq!(ShownKey::parse(shorter), None);
        assert_eq!(ShownKey::parse(&format!(" {good}")), None);
    }

    #[test]
    fn the_secret_is_in_no_debug_output() {
        let key = made("acme");
        assert!(!format!("{key:?}").contains(&key.text[20..]));
    }
}
