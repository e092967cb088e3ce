//! What differs between two definitions, place by place.
//!
//! Tracks, tiers, benefits and the parts of a requirement are found again by their identifiers and
//! names, so that one that was put in between is not a change of all that follow it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::program::definition::ProgramDefinition;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The place, such as `tracks[resell].tiers[gold].qualification.all[revenue].needs.gte`.
    pub place: String,
    /// What stood there: a text or number as it is, everything else as JSON; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What stands there, in the same form; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Every difference, in the order of the definition.
pub fn diff(before: &ProgramDefinition, after: &ProgramDefinition) -> Vec<Change> {
    let json = |definition| serde_json::to_value(definition).unwrap_or_default();
    let mut changes = Vec::new();
    compare("", &json(before), &json(after), &mut changes);
    changes
}

fn compare(place: &str, before: &Json, after: &Json, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => {
            compare_objects(place, before, after, changes);
        }
        (Json::Array(before), Json::Array(after)) => compare_lists(place, before, after, changes),
        _ => changes.push(Change {
            place: place.to_owned(),
            before: Some(text(before)),
            after: Some(text(after)),
        }),
    }
}

/// Numbers are exact, and stand as texts in JSON.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn compare_objects(
    place: &str,
    before: &Map<String, Json>,
    after: &Map<String, Json>,
    changes: &mut Vec<Change>,
) {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let below = match place {
            "" => key.clone(),
            place => format!("{place}.{key}"),
        };
        both(&below, before.get(key), after.get(key), changes);
    }
}

fn both(place: &str, before: Option<&Json>, after: Option<&Json>, changes: &mut Vec<Change>) {
    match (before, after) {
        (Some(before), Some(after)) => compare(place, before, after, changes),
        (before, after) => changes.push(Change {
            place: place.to_owned(),
            before: before.map(text),
            after: after.map(text),
        }),
    }
}

fn compare_lists(place: &str, before: &[Json], after: &[Json], changes: &mut Vec<Change>) {
    let (Some(left), Some(right)) = (names(before), names(after)) else {
        for at in 0..before.len().max(after.len()) {
            let below = format!("{place}[{at}]");
            both(&below, before.get(at), after.get(at), changes);
        }
        return;
    };
    let find = |names: &[String], name: &String| names.iter().position(|one| one == name);
    let added = right.iter().filter(|name| !left.contains(name));
    for name in left.iter().chain(added) {
        let was = find(&left, name).and_then(|at| before.get(at));
        let is = find(&right, name).and_then(|at| after.get(at));
        both(&format!("{place}[{name}]"), was, is, changes);
    }
    let kept = |names: &[String], others: &[String]| -> Vec<String> {
        let kept = names.iter().filter(|name| others.contains(name));
        kept.cloned().collect()
    };
    let (was, is) = (kept(&left, &right), kept(&right, &left));
    if was != is {
        changes.push(Change {
            place: format!("{place} (order)"),
            before: Some(was.join(", ")),
            after: Some(is.join(", ")),
        });
    }
}

/// What tells the entries of a list apart; `None` when they cannot be told apart.
fn names(list: &[Json]) -> Option<Vec<String>> {
    let names: Vec<String> = list.iter().map(name).collect::<Option<_>>()?;
    let different: BTreeSet<&String> = names.iter().collect();
    (different.len() == names.len()).then_some(names)
}

/// The identifier or name of an entry: its own, or for a part of a requirement that of what it
/// holds, with the way there.
fn name(entry: &Json) -> Option<String> {
    let object = entry.as_object()?;
    for key in ["id", "name"] {
        if let Some(Json::String(name)) = object.get(key) {
            return Some(name.clone());
        }
    }
    let mut only = object.iter();
    let ((key, inside), None) = (only.next()?, only.next()) else {
        return object.get("holds").and_then(name);
    };
    let found = match inside {
        Json::Array(_) => None,
        inside => name(inside),
    };
    match (key.as_str(), found) {
        ("criterion" | "partner", found) => found,
        (key, Some(found)) => Some(format!("{key} {found}")),
        (key, None) => Some(key.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::yaml::program_from_yaml;

    const PROGRAM: &str = include_str!("../../../../programs/three-tier.yaml");

    fn places(text: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let before = program_from_yaml(PROGRAM).unwrap();
        let after = program_from_yaml(text).unwrap();
        let changes = diff(&before, &after);
        changes
            .into_iter()
            .map(|one| (one.place, one.before, one.after))
            .collect()
    }

    #[test]
    fn a_program_does_not_differ_from_itself() {
        assert_eq!(places(PROGRAM), []);
    }

    #[test]
    fn a_threshold_is_found_at_its_tier_and_criterion() {
        let changed = PROGRAM.replacen("needs: { gte: 5 }", "needs: { gte: 6 }", 1);
        let at = |tier: &str, requirement: &str| {
            format!("tracks[resell].tiers[{tier}].{requirement}.all[certified-professionals]")
        };
        // The criterion is written once and used twice.
        let place = |requirement| format!("{}.criterion.needs.gte", at("gold", requirement));
        let (five, six) = (Some("5".to_owned()), Some("6".to_owned()));
        assert_eq!(
            places(&changed),
            [
                (place("qualification"), five.clone(), six.clone()),
                (place("retention"), five, six)
            ]
        );
    }

    #[test]
    fn a_benefit_that_is_taken_away_leaves_the_others_alone() {
        let line = "          - { name: Rebate, value: \"10 % above 500,000 USD\" }\n";
        let changed = PROGRAM.replacen(line, "", 1);
        let found = places(&changed);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "tracks[resell].tiers[gold].benefits[Rebate]");
        assert_eq!(found[0].2, None);
    }

    #[test]
    fn a_benefit_of_the_library_is_found_by_its_identifier() {
        let line = "{ name: Rebate, value: \"10 % above 500,000 USD\" }";
        let with = |value: &str| {
            let given = format!("{{ id: rebate, value: {value} }}");
            program_from_yaml(&PROGRAM.replacen(line, &given, 1)).unwrap()
        };
        let changes = diff(&with("10 %"), &with("12 %"));
        assert_eq!(changes.len(), 1);
        let place = "tracks[resell].tiers[gold].benefits[rebate].value";
        assert_eq!(changes[0].place, place);
        assert_eq!(changes[0].after.as_deref(), Some("12 %"));
    }

    #[test]
    fn tiers_that_change_places_are_one_change() {
        let mut after = program_from_yaml(PROGRAM).unwrap();
        after.tracks[0].tiers.swap(0, 1);
        let before = program_from_yaml(PROGRAM).unwrap();
        let changes = diff(&before, &after);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].place, "tracks[resell].tiers (order)");
        assert_eq!(changes[0].after.as_deref(), Some("silver, gold, bronze"));
    }
}
