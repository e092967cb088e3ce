//! Folded aggregates that spare reading a stream from its beginning.
//!
//! An entry is a baseline, never the truth: every load still reads the events after it and every
//! append still checks the version, so a stale entry costs a small read and never a wrong
//! decision. An entry is taken out while it is in use and put back after the commit.

use std::any::Any;
use std::sync::Arc;

use quick_cache::sync::Cache;
use tierline_domain::{Entity, StreamId};

use crate::lineage;

type Key = (&'static str, StreamId);

#[derive(Clone)]
struct Entry {
    version: u64,
    /// The life of the database in which it was read or written.
    generation: u64,
    state: Arc<dyn Any + Send + Sync>,
}

/// A bounded number of folded aggregates.
pub(crate) struct Baselines {
    entries: Cache<Key, Entry>,
}

impl Baselines {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: Cache::new(capacity.max(1)),
        }
    }

    /// Takes the entry of a stream out.
    pub(crate) fn take<A: Entity>(&self, stream: &StreamId) -> Option<(u64, Arc<A>)> {
        let (_, entry) = self.entries.remove(&(A::TYPE, stream.clone()))?;
        if entry.generation != lineage::generation() {
            return None;
        }
        Some((entry.version, entry.state.downcast().ok()?))
    }

    /// A look that leaves the entry in its place.
    pub(crate) fn peek<A: Entity>(&self, stream: &StreamId) -> Option<(u64, Arc<A>)> {
        let entry = self.entries.get(&(A::TYPE, stream.clone()))?;
        if entry.generation != lineage::generation() {
            return None;
        }
        Some((entry.version, entry.state.downcast().ok()?))
    }

    /// Remembers a state that was read or written in a life of the database.
    pub(crate) fn put<A: Entity>(
        &self,
        stream: &StreamId,
        version: u64,
        state: Arc<A>,
        generation: u64,
    ) {
        if version > 0 {
            let entry = Entry {
                version,
                generation,
                state,
            };
            self.entries.insert((A::TYPE, stream.clone()), entry);
        }
    }
}
