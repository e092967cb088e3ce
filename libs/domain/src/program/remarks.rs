//! What a definition says for its linter alone: the names that are meant, and the remarks that are
//! known and wanted so. Neither changes how anybody is assessed.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::program::lint::rules;
use crate::rejection::Violations;

/// Most names of one list of a catalogue, and most suppressions.
pub const MAX_NAMES: usize = 1_000;
/// Most suppressions of a definition.
pub const MAX_SUPPRESSIONS: usize = 200;
/// Longest place of a suppression, in characters.
pub const MAX_PLACE: usize = 1_000;

/// The names that requirements may use. A list that is empty says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Catalogue {
    /// Names of certifications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certifications: Vec<String>,
    /// Attributes of partners, beside those that every partner has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partner_attributes: Vec<String>,
    /// Fields of facts by the kind of fact, beside those that every fact of the kind has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fact_fields: BTreeMap<String, Vec<String>>,
}

/// A remark of the linter that is known and wanted so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// Code of the rule, such as `FEW_NEW_BENEFITS`.
    pub rule: String,
    /// Where: the beginning of a path, such as `tracks[0].tiers[1]`. Absent: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Why it is wanted so.
    pub reason: String,
}

impl Suppression {
    /// Whether a place is the one that is meant or lies within it.
    pub fn covers(&self, field: &str) -> bool {
        let Some(at) = self.at.as_deref() else {
            return true;
        };
        field
            .strip_prefix(at)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// Notes what is wrong with the catalogue.
pub(super) fn check_catalogue(v: &mut Violations, catalogue: &Catalogue) {
    let lists = [
        ("certifications", &catalogue.certifications),
        ("partner_attributes", &catalogue.partner_attributes),
    ];
    for (field, list) in lists {
        check_list(v, &format!("catalogue.{field}"), list);
    }
    if catalogue.fact_fields.len() > MAX_NAMES {
        let text = format!("must have at most {MAX_NAMES} kinds");
        v.add("catalogue.fact_fields", text);
    }
    for (kind, list) in catalogue.fact_fields.iter().take(MAX_NAMES) {
        let path = format!("catalogue.fact_fields.{kind}");
        limits::check_name(v, &path, kind, limits::NAME);
        check_list(v, &path, list);
    }
}

fn check_list(v: &mut Violations, path: &str, list: &[String]) {
    if list.len() > MAX_NAMES {
        v.add(path, format!("must have at most {MAX_NAMES} names"));
    }
    let mut seen = BTreeSet::new();
    for (at, name) in list.iter().enumerate().take(MAX_NAMES) {
        let path = format!("{path}[{at}]");
        limits::check_name(v, &path, name, limits::NAME);
        if !seen.insert(name) {
            v.add(path, format!("\"{name}\" is there twice"));
        }
    }
}

/// Notes what is wrong with the suppressions.
pub(super) fn check_suppressions(v: &mut Violations, suppressions: &[Suppression]) {
    if suppressions.len() > MAX_SUPPRESSIONS {
        let text = format!("must have at most {MAX_SUPPRESSIONS} entries");
        v.add("lint", text);
    }
    for (at, one) in suppressions.iter().enumerate().take(MAX_SUPPRESSIONS) {
        let path = format!("lint[{at}]");
        match rules::by_code(&one.rule) {
            None => {
                let text = format!("\"{}\" is no rule of the linter", one.rule);
                v.add(format!("{path}.rule"), text);
            }
            Some(rule) if !rule.may_be_suppressed() => {
                let text = format!("{} cannot be suppressed", one.rule);
                v.add(format!("{path}.rule"), text);
            }
            Some(_) => {}
        }
        if let Some(place) = &one.at {
            limits::check_name(v, &format!("{path}.at"), place, MAX_PLACE);
        }
        limits::check_long_text(v, &format!("{path}.reason"), &one.reason, limits::NOTE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::validate;
    use crate::program::validate::tests::sample;

    fn suppression(rule: &str, at: Option<&str>, reason: &str) -> Suppression {
        Suppression {
            rule: rule.to_owned(),
            at: at.map(str::to_owned),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_place_covers_itself_and_what_lies_within_it() {
        let at = |at| suppression("SAME_BENEFITS", at, "so");
        assert!(at(None).covers("tracks[0]"));
        assert!(at(Some("tracks[0].tiers[1]")).covers("tracks[0].tiers[1]"));
        assert!(at(Some("tracks[0].tiers[1]")).covers("tracks[0].tiers[1].benefits"));
        assert!(at(Some("tracks[0].tiers")).covers("tracks[0].tiers[1]"));
        assert!(!at(Some("tracks[0].tiers[1]")).covers("tracks[0].tiers[11]"));
        assert!(!at(Some("tracks[0].tiers[1]")).covers("tracks[0].tiers"));
    }

    #[test]
    fn a_suppression_needs_a_known_rule_and_a_reason() {
        let mut definition = sample();
        definition.lint = vec![suppression("SAME_BENEFITS", None, "As published.")];
        assert_eq!(validate(&definition), Ok(()));
        definition.lint = vec![
            suppression("NO_SUCH_RULE", None, "As published."),
            suppression("SAME_BENEFITS", None, "  "),
            suppression("UNUSED_SUPPRESSION", Some(""), "So."),
        ];
        let fields: Vec<_> = validate(&definition)
            .unwrap_err()
            .violations
            .into_iter()
            .map(|violation| violation.field)
            .collect();
        assert_eq!(
            fields,
            [
                "lint[0].rule",
                "lint[1].reason",
                "lint[2].rule",
                "lint[2].at"
            ]
        );
    }

    #[test]
    fn the_names_of_a_catalogue_are_there_once_and_not_blank() {
        let mut definition = sample();
        let catalogue = Catalogue {
            certifications: vec!["CKA".to_owned(), "CKA".to_owned()],
            partner_attributes: vec![String::new()],
            fact_fields: BTreeMap::from([("deal".to_owned(), vec!["seats ".to_owned()])]),
        };
        definition.catalogue = Some(Catalogue::default());
        assert_eq!(validate(&definition), Ok(()));
        definition.catalogue = Some(catalogue);
        let fields: Vec<_> = validate(&definition)
            .unwrap_err()
            .violations
            .into_iter()
            .map(|violation| violation.field)
            .collect();
        assert_eq!(
            fields,
            [
                "catalogue.certifications[1]",
                "catalogue.partner_attributes[0]",
                "catalogue.fact_fields.deal[0]"
            ]
        );
    }
}
