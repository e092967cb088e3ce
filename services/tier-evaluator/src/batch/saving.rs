//! Writing what a batch changed: facts, standings, partners and the new events, set by set.

use tierline_domain::rules::Fact;
use tierline_domain::{Routing, StreamId};
use tierline_eventstore::{AppendInError, AppendItem, append_in};

use super::{Batch, Pending, Trouble};
use crate::store::{self, FactKey};

/// Type name of the streams that the evaluator writes.
pub(super) const STANDING: &str = "Standing";

impl Batch<'_> {
    pub(super) async fn save_facts(&mut self) -> Result<(), sqlx::Error> {
        let keys = std::mem::take(&mut self.unsaved_facts);
        let facts: Vec<(&FactKey, &Fact)> = keys
            .iter()
            .filter_map(|key| Some((key, self.facts.get(key)?)))
            .collect();
        let partition = |key: &FactKey| {
            let state = self.memory.partners.get(&(key.0.clone(), key.1.clone()));
            state.map_or(self.partition, |state| state.partition)
        };
        let partitions: Vec<u8> = facts.iter().map(|(key, _)| partition(key)).collect();
        store::save_facts(self.connection, &partitions, &facts).await
    }

    pub(super) async fn save(&mut self) -> Result<(), Trouble> {
        self.note_unsurveyed();
        self.save_facts().await?;
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            let items: Vec<AppendItem> = pending.into_iter().map(item).collect();
            append_in(self.connection, &items)
                .await
                .map_err(|error| match error {
                    AppendInError::Database(error) => Trouble::Database(error),
                    // Another evaluator wrote here: memory is stale, and the fence will tell.
                    other => Trouble::Database(sqlx::Error::Protocol(other.to_string())),
                })?;
            self.appended = true;
        }
        let touched = std::mem::take(&mut self.touched);
        let mut partners = Vec::new();
        let mut enrollments = Vec::new();
        for key in &touched {
            let Some(state) = self.memory.partners.get(key) else {
                continue;
            };
            if state.partner_changed {
                partners.push((key, state));
            }
            let changed = state
                .enrollments
                .values()
                .filter(|enrolled| enrolled.changed);
            enrollments.extend(changed.map(|enrolled| (key, state.partition, enrolled)));
        }
        store::save_partners(self.connection, &partners).await?;
        store::save_enrollments(self.connection, &enrollments).await?;
        for key in &touched {
            if let Some(state) = self.memory.partners.get_mut(key) {
                state.partner_changed = false;
                state
                    .enrollments
                    .values_mut()
                    .for_each(|enrolled| enrolled.changed = false);
            }
            self.memory.weigh(key);
        }
        // What is still to be assessed changes again.
        let dirty = self
            .portions
            .values()
            .flat_map(|portion| portion.dirty.keys());
        self.touched.extend(dirty.cloned());
        Ok(())
    }
}

fn item(((_, enrollment), pending): ((String, String), Pending)) -> AppendItem {
    AppendItem::new(
        STANDING,
        StreamId::new(&pending.org, enrollment),
        pending.org.clone(),
        &Routing::Partner(pending.partner),
        pending.base,
        pending.events,
    )
}
