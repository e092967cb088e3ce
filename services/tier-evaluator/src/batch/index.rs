//! The facts of partners, indexed for the programs that they are enrolled in.

use std::collections::BTreeMap;

use tierline_domain::rules::{
    Fact, FactKind, IndexedFacts, Rates, SeriesSpec, kinds_of, series_of,
};

use super::{Batch, Trouble};
use crate::org::OrgView;
use crate::partner::PartnerState;
use crate::store::{self, PartnerKey};

/// What has to be kept of the facts of a partner.
#[derive(Default)]
struct Wanted {
    /// The series that are measured.
    specs: Vec<SeriesSpec<'static>>,
    /// The kinds of facts that are looked at one by one.
    kinds: Vec<FactKind>,
}

impl Wanted {
    fn is_kept_by(&self, index: &IndexedFacts) -> bool {
        self.specs.iter().all(|spec| index.keeps(spec))
            && self.kinds.iter().all(|kind| index.keeps_whole(kind))
    }
}

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
            state.index = Some(indexed(wanted, &facts, &rates, state));
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
                let tiers = track.iter().flat_map(|track| &track.tiers);
                let both = tiers.flat_map(|tier| tier.qualification.iter().chain(&tier.retention));
                for requirement in both {
                    let specs = series_of(requirement, version.definition.pricing());
                    add_new(&mut wanted.specs, specs);
                    add_new(&mut wanted.kinds, kinds_of(requirement));
                }
            }
        }
        wanted
    }
}

fn add_new<T: PartialEq>(known: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !known.contains(&one) {
            known.push(one);
        }
    }
}

fn indexed(
    wanted: Wanted,
    facts: &[Fact],
    rates: &dyn Rates,
    state: &PartnerState,
) -> IndexedFacts {
    let mut index = IndexedFacts::new();
    for spec in wanted.specs {
        index.keep(spec, facts, rates);
    }
    for kind in wanted.kinds {
        index.keep_whole(kind, facts);
    }
    for fact in facts {
        if fact.kind.as_str() == FactKind::CERTIFICATION {
            index.set_certificate(fact.clone());
        }
    }
    index.set_attributes(state.partner.attributes());
    index
}
