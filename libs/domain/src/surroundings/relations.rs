//! Which companies of an org belong together.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::PartnerId;
use crate::rules::Relation;

/// Most owners above one another that are followed.
const MAX_HEIGHT: usize = 50;

/// Who owns whom in an org.
#[derive(Debug, Default)]
pub(super) struct Relations<'a> {
    parents: BTreeMap<&'a PartnerId, &'a PartnerId>,
    children: BTreeMap<&'a PartnerId, BTreeSet<&'a PartnerId>>,
}

impl<'a> Relations<'a> {
    pub(super) fn of(parents: impl Iterator<Item = (&'a PartnerId, &'a PartnerId)>) -> Self {
        let mut relations = Self::default();
        for (company, parent) in parents {
            relations.parents.insert(company, parent);
            relations
                .children
                .entry(parent)
                .or_default()
                .insert(company);
        }
        relations
    }

    /// Everybody that is related to a partner, by identifier.
    pub(super) fn of_partner(&self, partner: &'a PartnerId) -> BTreeMap<&'a PartnerId, Relation> {
        let mut related = BTreeMap::new();
        for company in self.below(self.top(partner)) {
            related.insert(company, Relation::Group);
        }
        if let Some(parent) = self.parents.get(partner).copied() {
            for sibling in self.children.get(parent).into_iter().flatten().copied() {
                related.insert(sibling, Relation::Sibling);
            }
        }
        for child in self.children.get(partner).into_iter().flatten().copied() {
            related.insert(child, Relation::Child);
        }
        if let Some(parent) = self.parents.get(partner).copied() {
            related.insert(parent, Relation::Parent);
        }
        related.remove(partner);
        related
    }

    /// The company above all others.
    fn top(&self, partner: &'a PartnerId) -> &'a PartnerId {
        let mut top = partner;
        let mut seen = BTreeSet::from([partner]);
        for _ in 0..MAX_HEIGHT {
            match self.parents.get(top).copied() {
                Some(parent) if seen.insert(parent) => top = parent,
                _ => break,
            }
        }
        top
    }

    /// A company with everybody that it owns, directly or not.
    fn below(&self, top: &'a PartnerId) -> BTreeSet<&'a PartnerId> {
        let mut found = BTreeSet::from([top]);
        let mut open = vec![top];
        while let Some(company) = open.pop() {
            for child in self.children.get(company).into_iter().flatten().copied() {
                if found.insert(child) {
                    open.push(child);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn related(pairs: &[(&str, &str)], of: &str) -> Vec<(String, &'static str)> {
        let id = |text: &str| PartnerId::parse(text).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(c, p)| (id(c), id(p))).collect();
        let relations = Relations::of(pairs.iter().map(|(company, parent)| (company, parent)));
        let of = id(of);
        let found = relations.of_partner(&of);
        let text =
            |(company, relation): (&PartnerId, Relation)| (company.to_string(), relation.as_str());
        found.into_iter().map(text).collect()
    }

    #[test]
    fn owner_owned_and_those_beside_are_told_apart_from_the_rest_of_the_group() {
        let group = [
            ("us", "holding"),
            ("eu", "holding"),
            ("de", "eu"),
            ("fr", "eu"),
            ("lab", "de"),
            ("alone", "other"),
        ];
        let found = related(&group, "de");
        let expected = [
            ("eu", "parent"),
            ("fr", "sibling"),
            ("holding", "group"),
            ("lab", "child"),
            ("us", "group"),
        ];
        assert_eq!(found, expected.map(|(id, text)| (id.to_owned(), text)));
        assert_eq!(related(&group, "stranger"), []);
    }

    #[test]
    fn companies_that_own_each_other_in_a_circle_are_one_group() {
        let circle = [("a", "b"), ("b", "c"), ("c", "a")];
        let found = related(&circle, "a");
        let expected = [("b", "parent"), ("c", "child")];
        assert_eq!(found, expected.map(|(id, text)| (id.to_owned(), text)));
    }
}
