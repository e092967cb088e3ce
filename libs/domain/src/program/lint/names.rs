//! Names that mean nothing: of certifications, attributes, fields, states, dates and tiers.
//!
//! States, dates of deals and certifications, and tiers are known to the system. Attributes, fields
//! and certifications are known from the catalogue of the definition, each list of it where it is
//! given, beside what every partner and every fact has. Where no list is given only a name is found
//! that occurs once and is nearly another one: one that is used more often, or one of the system.

use std::collections::{BTreeMap, BTreeSet};

use super::contradiction::states_of;
use super::walk::{Mention, What, mentions};
use super::{Findings, rules};
use crate::activity::{certification, deal, record};
use crate::partner::check::RESERVED_ATTRIBUTES;
use crate::program::definition::{ProgramDefinition, Track};
use crate::program::remarks::Catalogue;
use crate::rules::FactKind;

/// Most names for which a near one is looked for.
const MAX_SUGGESTED: usize = 50;
/// Most names of one sort that are compared with each other.
const MAX_COMPARED: usize = 200;
/// Longest name, in bytes, that is compared.
const MAX_LENGTH: usize = 64;

pub(super) fn check(findings: &mut Findings, definition: &ProgramDefinition) {
    let none = Catalogue::default();
    let catalogue = definition.catalogue.as_ref().unwrap_or(&none);
    let mut found = Vec::new();
    for (at, track) in definition.tracks.iter().enumerate() {
        let begin = found.len();
        of_track(track, &format!("tracks[{at}]"), &mut found);
        let tiers: Vec<&str> = track.tiers.iter().map(|tier| tier.id.as_str()).collect();
        let named = found[begin..].iter().filter(|one| one.what == What::Tier);
        for one in named.filter(|one| !known(&tiers, one.name)) {
            let text = format!("track {} has no tier \"{}\"", track.id, one.name);
            let text = with_suggestion(text, one.name, &tiers);
            findings.add(&rules::UNKNOWN_TIER, one.path.as_str(), text);
        }
    }
    let mut suggested = 0;
    let mut loose: BTreeMap<&What, Vec<&Mention<'_>>> = BTreeMap::new();
    for one in &found {
        match closed(&one.what, catalogue) {
            Closed::Names(names, rule, sort) if !is_known(one, &names) => {
                suggested += 1;
                let mut text = format!("{sort} \"{}\"", one.name);
                if suggested <= MAX_SUGGESTED {
                    text = with_suggestion(text, one.name, &names);
                }
                findings.add(rule, one.path.as_str(), text);
            }
            Closed::Names(..) | Closed::Elsewhere => {}
            Closed::Open => loose.entry(&one.what).or_default().push(one),
        }
    }
    for (what, named) in loose {
        slips(findings, what, &named);
    }
}

fn of_track<'a>(track: &'a Track, path: &str, found: &mut Vec<Mention<'a>>) {
    for (at, tier) in track.tiers.iter().enumerate() {
        let path = format!("{path}.tiers[{at}]");
        let both = [
            ("qualification", &tier.qualification),
            ("retention", &tier.retention),
        ];
        for (name, requirement) in both {
            if let Some(requirement) = requirement {
                mentions(requirement, &format!("{path}.{name}"), found);
            }
        }
    }
}

/// Whether all names of a sort are known.
enum Closed<'a> {
    /// These are all; the rule about others, and how a finding begins.
    Names(Vec<&'a str>, &'static rules::Rule, String),
    /// Nobody has said.
    Open,
    /// It is looked at elsewhere.
    Elsewhere,
}

fn closed<'a>(what: &What, catalogue: &'a Catalogue) -> Closed<'a> {
    let with = |own: &'a [String], system: &[&'static str]| {
        let own = own.iter().map(String::as_str);
        own.chain(system.iter().copied()).collect::<Vec<_>>()
    };
    match what {
        What::Tier => Closed::Elsewhere,
        What::State(kind) => {
            let sort = format!("facts of the kind {} have no state", kind.as_str());
            Closed::Names(states_of(kind).to_vec(), &rules::UNKNOWN_STATE, sort)
        }
        What::Date(kind) => match dates_of(kind) {
            Some(dates) => {
                let sort = format!("facts of the kind {} have no date", kind.as_str());
                Closed::Names(dates.to_vec(), &rules::UNKNOWN_DATE, sort)
            }
            None => Closed::Elsewhere,
        },
        What::Certification if catalogue.certifications.is_empty() => Closed::Open,
        What::Certification => {
            let sort = "the catalogue has no certification".to_owned();
            let names = with(&catalogue.certifications, &[]);
            Closed::Names(names, &rules::UNKNOWN_CERTIFICATION, sort)
        }
        What::Attribute if catalogue.partner_attributes.is_empty() => Closed::Open,
        What::Attribute => {
            let sort = "neither the catalogue nor the system has a partner attribute".to_owned();
            let names = with(&catalogue.partner_attributes, RESERVED_ATTRIBUTES);
            Closed::Names(names, &rules::UNKNOWN_ATTRIBUTE, sort)
        }
        What::Field(kind) => match catalogue.fact_fields.get(kind.as_str()) {
            Some(own) if !own.is_empty() => {
                let kind_name = kind.as_str();
                let sort = format!("neither the catalogue nor the system has a {kind_name} field");
                Closed::Names(with(own, fields_of(kind)), &rules::UNKNOWN_FIELD, sort)
            }
            _ => Closed::Open,
        },
    }
}

/// The dates that facts of a kind can have, where that is settled.
fn dates_of(kind: &FactKind) -> Option<&'static [&'static str]> {
    match kind.as_str() {
        FactKind::DEAL => Some(&["registered", "approved", "expected_close", "closed"]),
        FactKind::CERTIFICATION => Some(&["awarded", "expires", "revoked", "left"]),
        _ => None,
    }
}

/// The fields that facts of a kind have without anybody's doing.
fn fields_of(kind: &FactKind) -> &'static [&'static str] {
    match kind.as_str() {
        FactKind::DEAL => deal::check::RESERVED_FIELDS,
        FactKind::CERTIFICATION => certification::aggregate::RESERVED_FIELDS,
        _ => record::aggregate::RESERVED_FIELDS,
    }
}

/// Names of fields and attributes are compared exactly, values as conditions compare them.
fn is_known(one: &Mention<'_>, names: &[&str]) -> bool {
    match one.what {
        What::Attribute | What::Field(_) | What::Date(_) => names.contains(&one.name),
        What::Certification | What::State(_) | What::Tier => known(names, one.name),
    }
}

fn known(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| folded(known) == folded(name))
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

fn with_suggestion(text: String, name: &str, names: &[&str]) -> String {
    match nearest(name, names) {
        Some(near) => format!("{text}; did you mean \"{near}\"?"),
        None => text,
    }
}

/// The nearest name that is no more than a third of it away.
fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let most = (name.chars().count() / 3).max(1);
    let near = names
        .iter()
        .filter_map(|known| Some((distance(name, known)?, *known)));
    near.filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
}

/// How many letters have to be changed; `None` for long names.
fn distance(one: &str, other: &str) -> Option<usize> {
    let short = one.len() <= MAX_LENGTH && other.len() <= MAX_LENGTH;
    short.then(|| strsim::osa_distance(&folded(one), &folded(other)))
}

/// Names that occur once and are nearly another one.
fn slips(findings: &mut Findings, what: &What, named: &[&Mention<'_>]) {
    let form = |name: &str| match what {
        What::Certification => folded(name),
        _ => name.to_owned(),
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for one in named {
        *counts.entry(form(one.name)).or_default() += 1;
    }
    let system: &[&str] = match what {
        What::Attribute => RESERVED_ATTRIBUTES,
        What::Field(kind) => fields_of(kind),
        _ => &[],
    };
    let used = counts
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(name, _)| name.as_str());
    let good: BTreeSet<&str> = used
        .take(MAX_COMPARED)
        .chain(system.iter().copied())
        .collect();
    let once = named
        .iter()
        .filter(|one| counts.get(&form(one.name)) == Some(&1));
    for one in once
        .filter(|one| !good.contains(one.name))
        .take(MAX_COMPARED)
    {
        if let Some(near) = good.iter().find(|good| is_slip(one.name, good)) {
            let text = format!("\"{}\" occurs once and is nearly \"{near}\"", one.name);
            findings.add(&rules::NAME_LOOKS_MISTYPED, one.path.as_str(), text);
        }
    }
}

/// Whether one name is the other with a slip: one letter of four, two at most, none of them a
/// digit, and no word more or less. Capitals alone are a slip, too.
fn is_slip(one: &str, other: &str) -> bool {
    let (one, other) = (folded(one), folded(other));
    let (longest, shortest) = {
        let (one, other) = (one.chars().count(), other.chars().count());
        (one.max(other), one.min(other))
    };
    let Some(distance) = distance(&one, &other) else {
        return false;
    };
    if distance == 0 {
        return true;
    }
    let words = |text: &str| {
        let parts = text.split(|letter: char| !letter.is_alphanumeric());
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    let letters = |text: &str| {
        text.chars()
            .filter(|one| !one.is_numeric())
            .collect::<String>()
    };
    let (own, others) = (words(&one), words(&other));
    let short = |word: &String| word.chars().count() < 4;
    let apart = own
        .iter()
        .zip(&others)
        .any(|(one, other)| one != other && (short(one) || short(other)));
    shortest >= 5
        && distance <= 2
        && distance * 4 <= longest
        && own.len() == others.len()
        && !apart
        && letters(&one) != letters(&other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_a_letter_or_two_in_a_long_word() {
        assert!(is_slip("employe_count", "employee_count"));
        assert!(is_slip("executve_sponsor", "executive_sponsor"));
        assert!(is_slip("Region", "region"));
        assert!(!is_slip("CKA", "CKS"));
        assert!(!is_slip("level 1", "level 2"));
        assert!(!is_slip("Associate I", "Associate II"));
        assert!(!is_slip("sales", "scale"));
        assert!(!is_slip("sql_mi", "sql_vm"));
    }

    #[test]
    fn the_nearest_name_is_not_far() {
        assert_eq!(nearest("closd", &["closed", "approved"]), Some("closed"));
        assert_eq!(nearest("won", &["lost", "approved"]), None);
    }
}
