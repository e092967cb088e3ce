//! The facts of partners, indexed for the programs that they are enrolled in.

use std::collections::BTreeMap;

use tierline_domain::rules::{Fact, FactKind, IndexedFacts, Rates, SeriesSpec, series_of};

use super::{Batch, Trouble};
use crate::org::OrgView;
use crate::partner::PartnerState;
use crate::store::{self, PartnerKey};

impl Batch<'_> {
    /// Makes sure that the facts of these partners are indexed for the programs they are in.
    pub(super) async fn index(&mut self, partners: &[PartnerKey]) -> Result<(), Trouble> {
        let mut wanted: Vec<(PartnerKey, Vec<SeriesSpec<'static>>)> = Vec::new();
        for key in partners {
            let specs = self.specs_of(key);
            let known = self
                .memory
                .partners
                .get(key)
                .and_then(|state| state.index.as_ref());
            if known.is_none_or(|index| specs.iter().any(|spec| !index.keeps(spec))) {
                wanted.push((key.clone(), specs));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        self.save_facts().await?;
        let keys: Vec<PartnerKey> = wanted.iter().map(|(key, _)| key.clone()).collect();
        let mut facts: BTreeMap<PartnerKey, Vec<Fact>> = BTreeMap::new();
        for (key, fact) in store::load_all_facts(self.connection, &keys).await? {
            facts.entry(key).or_default().push(fact);
        }
        for (key, specs) in wanted {
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
            state.index = Some(indexed(specs, &facts, &rates, state));
        }
        Ok(())
    }

    /// The org of a partner as the partner's partition knows it.
    fn view_of(&self, key: &PartnerKey) -> Option<&OrgView> {
        let state = self.memory.partners.get(key)?;
        self.memory.orgs.get(&(state.partition, key.0.clone()))
    }

    pub(super) fn specs_of(&self, key: &PartnerKey) -> Vec<SeriesSpec<'static>> {
        let mut specs: Vec<SeriesSpec<'static>> = Vec::new();
        let (Some(view), Some(state)) = (self.view_of(key), self.memory.partners.get(key)) else {
            return specs;
        };
        for enrolled in state.enrollments.values() {
            for version in view.versions_of(&enrolled.terms.program) {
                let track = version.definition.track(&enrolled.terms.track);
                for tier in track.iter().flat_map(|track| &track.tiers) {
                    let both = tier.qualification.iter().chain(&tier.retention);
                    for spec in both.flat_map(|r| series_of(r, version.definition.currency)) {
                        if !specs.contains(&spec) {
                            specs.push(spec);
                        }
                    }
                }
            }
        }
        specs
    }
}

fn indexed(
    specs: Vec<SeriesSpec<'static>>,
    facts: &[Fact],
    rates: &dyn Rates,
    state: &PartnerState,
) -> IndexedFacts {
    let mut index = IndexedFacts::new();
    for spec in specs {
        index.keep(spec, facts, rates);
    }
    for fact in facts {
        if fact.kind.as_str() == FactKind::CERTIFICATION {
            index.set_certificate(fact.clone());
        }
    }
    index.set_attributes(state.partner.attributes());
    index
}
