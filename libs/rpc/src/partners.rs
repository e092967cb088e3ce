//! Partners that a command of another aggregate refers to.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::try_join_all;
use quick_cache::sync::Cache;
use tierline_domain::partner::Partner;
use tierline_domain::{OrgId, PartnerId, Rejection, StreamId};
use tierline_eventstore::{CommandError, EventStore};

/// Partners that are remembered to exist.
const REMEMBERED: usize = 100_000;

/// Looks partners up in their streams.
#[derive(Clone)]
pub struct Partners {
    store: EventStore,
    /// A partner that exists never ceases to, so that its existence is asked once.
    existing: Arc<Cache<StreamId, ()>>,
}

impl Partners {
    /// In a store.
    pub fn new(store: EventStore) -> Self {
        Self {
            store,
            existing: Arc::new(Cache::new(REMEMBERED)),
        }
    }

    /// The partner as of now.
    ///
    /// # Errors
    /// `PARTNER_NOT_FOUND`; otherwise as a load.
    pub async fn get(&self, org: &OrgId, id: &PartnerId) -> Result<Arc<Partner>, CommandError> {
        let loaded = self.store.load::<Partner>(&StreamId::new(org, id)).await?;
        if loaded.state.id().is_none() {
            return Err(Rejection::not_found("partner", id).into());
        }
        Ok(loaded.state)
    }

    /// Checks that a partner exists, whatever its status.
    ///
    /// # Errors
    /// `PARTNER_NOT_FOUND`; otherwise as a load.
    pub async fn check(&self, org: &OrgId, id: &PartnerId) -> Result<(), CommandError> {
        let stream = StreamId::new(org, id);
        if self.existing.get(&stream).is_some() {
            return Ok(());
        }
        self.get(org, id).await?;
        self.existing.insert(stream, ());
        Ok(())
    }

    /// Those of the given partners that do not exist. Each is looked at once, and all that are
    /// not remembered are loaded together.
    ///
    /// # Errors
    /// As a load.
    pub async fn missing<'a>(
        &self,
        org: &OrgId,
        ids: impl Iterator<Item = &'a PartnerId>,
    ) -> Result<HashSet<&'a PartnerId>, CommandError> {
        let mut seen = HashSet::new();
        let mut unknown = Vec::new();
        for id in ids {
            if seen.insert(id) {
                let stream = StreamId::new(org, id);
                if self.existing.get(&stream).is_none() {
                    unknown.push((id, stream));
                }
            }
        }
        let loads = unknown.into_iter().map(|(id, stream)| async move {
            let loaded = self.store.load::<Partner>(&stream).await?;
            let exists = loaded.state.id().is_some();
            if exists {
                self.existing.insert(stream, ());
            }
            Ok::<_, CommandError>((!exists).then_some(id))
        });
        Ok(try_join_all(loads).await?.into_iter().flatten().collect())
    }
}
