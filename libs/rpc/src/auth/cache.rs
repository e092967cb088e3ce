//! Verified tokens, so that a signature is checked once and not with every call.

use std::sync::Arc;

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::caller::Caller;

/// Most tokens remembered at a time.
const CAPACITY: usize = 4_096;

/// What is remembered of a token; its text is not.
#[derive(Clone)]
pub(super) struct Verified {
    pub(super) caller: Arc<Caller>,
    pub(super) not_before: u64,
    pub(super) expires: u64,
}

/// Tokens whose signature and claims were found good, by SHA-256 of the token. Times are looked at
/// again with every use.
pub(super) struct TokenCache(Cache<[u8; 32], Verified>);

impl TokenCache {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    pub(super) fn key(token: &str) -> [u8; 32] {
        Sha256::digest(token.as_bytes()).into()
    }

    pub(super) fn get(&self, key: &[u8; 32]) -> Option<Verified> {
        self.0.get(key)
    }

    pub(super) fn insert(&self, key: [u8; 32], verified: Verified) {
        self.0.insert(key, verified);
    }

    pub(super) fn remove(&self, key: &[u8; 32]) {
        self.0.remove(key);
    }
}
