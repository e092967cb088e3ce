//! Pages of lists: sizes, and opaque tokens that hold the key of the last entry.
//!
//! A token is bound to what the page was made of (method, org, filter, order): with another filter
//! it is refused rather than silently continuing somewhere else. It is no secret and no permission;
//! whatever key it holds, the query is confined to the caller's org.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tierline_domain::Rejection;

use crate::limits::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, MAX_PAGE_TOKEN_BYTES};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    /// The key of the last entry, as JSON text.
    k: String,
    /// Checksum over binding and key.
    c: String,
}

/// One page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<K> {
    /// Most entries; at least 1.
    pub size: u32,
    /// The key after which the page begins; absent: the first page.
    pub after: Option<K>,
    binding: [u8; 32],
}

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Checks size and token. `binding` is everything that the token is only good for: method,
    /// org, filter, order.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `page_size` or `page_token`.
    pub fn new(page_size: i32, page_token: &str, binding: &[&str]) -> Result<Self, Rejection> {
        let size = size(page_size)?;
        let binding = hash(binding);
        let after = if page_token.is_empty() {
            None
        } else {
            Some(read(page_token, &binding).ok_or_else(|| {
                Rejection::invalid(
                    "page_token",
                    "must be the next_page_token of the page before, with the same filter and \
                     order; leave it empty to begin again",
                )
            })?)
        };
        Ok(Self {
            size,
            after,
            binding,
        })
    }

    /// How many rows to read to know whether there is a further page.
    pub fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts rows that were read with [`Page::limit`] down to the page, and gives the token of the
    /// next one; empty: there is none.
    pub fn finish<T>(&self, rows: &mut Vec<T>, key: impl FnOnce(&T) -> K) -> String {
        let size = self.size as usize;
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last()
            .map(|last| self.token(&key(last)))
            .unwrap_or_default()
    }

    /// The token of the page after the entry of this key.
    pub fn token(&self, key: &K) -> String {
        // A key that has no JSON form ends the list rather than the call.
        let Ok(k) = serde_json::to_string(key) else {
            return String::new();
        };
        let c = checksum(&self.binding, &k);
        let json = serde_json::to_vec(&Token { k, c }).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }
}

/// The size of a page: zero means 50, more than 1000 means 1000.
///
/// # Errors
/// `INVALID_REQUEST` on `page_size` for a negative one.
pub fn size(page_size: i32) -> Result<u32, Rejection> {
    match u32::try_from(page_size) {
        Ok(0) => Ok(DEFAULT_PAGE_SIZE),
        Ok(size) => Ok(size.min(MAX_PAGE_SIZE)),
        Err(_) => Err(Rejection::invalid(
            "page_size",
            format!("must be 0 to {MAX_PAGE_SIZE}; 0 means {DEFAULT_PAGE_SIZE}"),
        )),
    }
}

fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

fn checksum(binding: &[u8; 32], key: &str) -> String {
    let digest = Sha256::new()
        .chain_update(binding)
        .chain_update(key.as_bytes())
        .finalize();
    URL_SAFE_NO_PAD.encode(&digest[..12])
}

fn read<K: DeserializeOwned>(text: &str, binding: &[u8; 32]) -> Option<K> {
    if text.len() > MAX_PAGE_TOKEN_BYTES {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(text).ok()?;
    let token: Token = serde_json::from_slice(&json).ok()?;
    if token.c != checksum(binding, &token.k) {
        return None;
    }
    serde_json::from_str(&token.k).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Key = (String, i64);

    fn page(token: &str, filter: &str) -> Result<Page<Key>, Rejection> {
        Page::new(2, token, &["ListThings", "acme", filter, "name"])
    }

    #[test]
    fn pages_follow_on_each_other_until_the_end() {
        let first = page("", "a").unwrap();
        assert_eq!(first.limit(), 3);
        let mut rows = vec![
            ("x".to_owned(), 1),
            ("y".to_owned(), 2),
            ("z".to_owned(), 3),
        ];
        let token = first.finish(&mut rows, Clone::clone);
        assert_eq!(rows.len(), 2);
        let second = page(&token, "a").unwrap();
        assert_eq!(second.after, Some(("y".to_owned(), 2)));
        assert_eq!(
            second.finish(&mut vec![("z".to_owned(), 3)], Clone::clone),
            ""
        );
    }

    #[test]
    fn a_token_is_good_for_its_own_list_only() {
        let token = page("", "a").unwrap().token(&("y".to_owned(), 2));
        assert!(page(&token, "a").is_ok());
        let refusal = page(&token, "b").unwrap_err();
        assert_eq!(refusal.violations[0].field, "page_token");
        let other: Result<Page<Key>, _> =
            Page::new(2, &token, &["ListThings", "other", "a", "name"]);
        assert!(other.is_err());
    }

    #[test]
    fn parts_of_the_binding_cannot_run_into_each_other() {
        let token = Page::<Key>::new(0, "", &["ab", "c"])
            .unwrap()
            .token(&("y".to_owned(), 2));
        assert!(Page::<Key>::new(0, &token, &["a", "bc"]).is_err());
    }

    #[test]
    fn tampered_tokens_are_refused() {
        let token = page("", "a").unwrap().token(&("y".to_owned(), 2));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            if let Ok(page) = page(&changed, "a") {
                // The last character may carry bits that decoding ignores.
                assert_eq!(page.after, Some(("y".to_owned(), 2)), "byte {at}");
            }
        }
        for text in ["x", "e30", "%", &"A".repeat(9_000)] {
            assert!(page(text, "a").is_err());
        }
    }

    #[test]
    fn page_sizes_have_a_default_and_a_bound() {
        assert_eq!(size(0).unwrap(), 50);
        assert_eq!(size(7).unwrap(), 7);
        assert_eq!(size(5_000).unwrap(), 1_000);
        assert_eq!(size(-1).unwrap_err().violations[0].field, "page_size");
    }
}
