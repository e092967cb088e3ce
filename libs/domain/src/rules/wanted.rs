//! What has to be kept of a partner's facts for the requirements that look at them.

use std::collections::BTreeMap;

use crate::rules::fact::{Fact, FactKind};
use crate::rules::model::Requirement;
use crate::rules::needs::{kinds_of, series_of};
use crate::rules::rates::{Pricing, Rates};
use crate::rules::series::SeriesSpec;
use crate::rules::source::IndexedFacts;
use crate::rules::value::Value;

/// Series and kinds of facts that some requirements look at.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    specs: Vec<SeriesSpec<'static>>,
    kinds: Vec<FactKind>,
}

impl Wanted {
    /// Adds what a requirement looks at, in a program that measures money so.
    pub fn add(&mut self, requirement: &Requirement, pricing: Pricing<'_>) {
        add_new(&mut self.specs, series_of(requirement, pricing));
        add_new(&mut self.kinds, kinds_of(requirement));
    }

    /// True when the index has all of it.
    pub fn is_kept_by(&self, index: &IndexedFacts) -> bool {
        self.specs.iter().all(|spec| index.keeps(spec))
            && self.kinds.iter().all(|kind| index.keeps_whole(kind))
    }

    /// Indexes the facts of a partner, each given once, valued by the rates.
    pub fn index(
        self,
        facts: &[Fact],
        rates: &dyn Rates,
        attributes: BTreeMap<String, Value>,
    ) -> IndexedFacts {
        let mut index = IndexedFacts::new();
        for spec in self.specs {
            index.keep(spec, facts, rates);
        }
        for kind in self.kinds {
            index.keep_whole(kind, facts);
        }
        for fact in facts {
            if fact.kind.as_str() == FactKind::CERTIFICATION {
                index.set_certificate(fact.clone());
            }
        }
        index.set_attributes(attributes);
        index
    }
}

fn add_new<T: PartialEq>(known: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !known.contains(&one) {
            known.push(one);
        }
    }
}
