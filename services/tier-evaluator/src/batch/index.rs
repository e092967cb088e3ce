//! The facts of partners, indexed for the programs that they are enrolled in.

use std::collections::BTreeMap;

use tierline_domain::rules::{Fact, Wanted};

use super::{Batch, Trouble};
use crate::org::OrgView;
use crate::store::{self, PartnerKey};

impl Batch<'_> {
    /// Makes sure that the facts of these partners are indexed for the programs they are in.
    pub(super) async fn index(&mut self, partners: &[PartnerKey]) -> Result<(), Trouble> {
        let mut missing: Vec<(PartnerKey, Wanted)> = Vec::new();
        for key in partners {
            let wanted = self.wanted_of(key);
            let known = self
                .memory
                .partners
                .get(key)
                .and_then(|state| state.index.as_ref());
            if known.is_none_or(|index| !wanted.is_kept_by(index)) {
                missing.push((key.clone(), wanted));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.save_facts().await?;
        let keys: Vec<PartnerKey> = missing.iter().map(|(key, _)| key.clone()).collect();
        let mut facts: BTreeMap<PartnerKey, Vec<Fact>> = BTreeMap::new();
        for (key, fact) in store::load_all_facts(self.connection, &keys).await? {
            facts.entry(key).or_default().push(fact);
        }
        for (key, wanted) in missing {
            let facts = facts.remove(&key).unwrap_or_default();
            let Some(seen) = self.view_of(&key).map(|view| view.rates_seen) else {
                continue;
            };
            self.load_rates(&key.0, seen).await?;
            let Some(known) = self.memory.rates.get(&key.0) else {
                continue;
            };
            let rates = known.table.as_known_at(seen);
            let Some(state) = self.memory.partners.get_mut(&key) else {
                continue;
            };
            state.index = Some(wanted.index(&facts, &rates, state.partner.attributes()));
        }
        Ok(())
    }

    /// The org of a partner as the partner's partition knows it.
    fn view_of(&self, key: &PartnerKey) -> Option<&OrgView> {
        let state = self.memory.partners.get(key)?;
        self.memory.orgs.get(&(state.partition, key.0.clone()))
    }

    fn wanted_of(&self, key: &PartnerKey) -> Wanted {
        let mut wanted = Wanted::default();
        let (Some(view), Some(state)) = (self.view_of(key), self.memory.partners.get(key)) else {
            return wanted;
        };
        for enrolled in state.enrollments.values() {
            for version in view.versions_of(&enrolled.terms.program) {
                let track = version.definition.track(&enrolled.terms.track);
                for requirement in track.iter().flat_map(|track| track.requirements()) {
                    wanted.add(requirement, version.definition.pricing());
                }
            }
        }
        wanted
    }
}
