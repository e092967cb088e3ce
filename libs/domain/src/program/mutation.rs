//! Mutation testing of program files: every number, operator and day of a definition is changed a
//! little, and some case should notice. What no case notices is what nobody guards.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use crate::program::cases::run_case;
use crate::program::definition::ProgramDefinition;
use crate::program::file::Case;
use crate::program::validate::validate;
use crate::time::{next_day, previous_day};

/// Most changes that are tried of one definition; beyond that the rest is not looked at.
pub const MAX_MUTANTS: usize = 5_000;

/// What came of the changes of a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mutated {
    /// Changes that a case noticed.
    pub noticed: usize,
    /// Changes that no case noticed, each with its place and what was changed.
    pub unnoticed: Vec<String>,
    /// False when there were more than [`MAX_MUTANTS`].
    pub whole: bool,
}

/// Operators and their neighbours.
const OPERATORS: &[(&str, &str)] = &[
    ("gte", "gt"),
    ("gt", "gte"),
    ("lte", "lt"),
    ("lt", "lte"),
    ("all", "any"),
    ("any", "all"),
    ("every_period", "any_period"),
    ("any_period", "every_period"),
    ("least", "greatest"),
    ("greatest", "least"),
];
/// What people read, and what decides nothing.
const ASIDE: &[&str] = &[
    "id",
    "name",
    "description",
    "start_date",
    "end_date",
    "note",
    "color",
    "benefits",
    "catalogue",
    "lint",
    "slug",
];

/// Tries every small change of a definition against its cases. `seen` is told how many of how many
/// are done.
pub fn mutate(
    definition: &ProgramDefinition,
    cases: &[Case],
    seen: &mut dyn FnMut(usize, usize),
) -> Mutated {
    let whole = serde_json::to_value(definition).unwrap_or_default();
    let mut mutants = Vec::new();
    changes("", &whole, &mut mutants);
    let total = mutants.len().min(MAX_MUTANTS);
    let mut found = Mutated {
        whole: mutants.len() <= MAX_MUTANTS,
        ..Mutated::default()
    };
    for (done, (what, json)) in mutants.into_iter().take(MAX_MUTANTS).enumerate() {
        seen(done, total);
        // What could not be published is noticed by everybody.
        let Ok(changed) = serde_json::from_value::<ProgramDefinition>(json) else {
            continue;
        };
        if changed == *definition || validate(&changed).is_err() {
            continue;
        }
        let holds = |case: &Case| run_case(&changed, case).is_ok_and(|found| found.is_empty());
        match cases.iter().all(holds) {
            true => found.unnoticed.push(what),
            false => found.noticed += 1,
        }
    }
    found
}

/// Every change of a value, as what was changed and the value with the change.
fn changes(place: &str, value: &Json, found: &mut Vec<(String, Json)>) {
    match value {
        Json::Object(entries) => {
            swaps(place, entries, found);
            for (key, inside) in entries
                .iter()
                .filter(|(key, _)| !ASIDE.contains(&key.as_str()))
            {
                let below = match place {
                    "" => key.clone(),
                    place => format!("{place}.{key}"),
                };
                let mut inner = Vec::new();
                changes(&below, inside, &mut inner);
                found.extend(inner.into_iter().map(|(what, changed)| {
                    let mut entries = entries.clone();
                    entries.insert(key.clone(), changed);
                    (what, Json::Object(entries))
                }));
            }
        }
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let mut inner = Vec::new();
                changes(&format!("{place}[{}]", named(item, at)), item, &mut inner);
                found.extend(inner.into_iter().map(|(what, changed)| {
                    let mut items = items.clone();
                    items[at] = changed;
                    (what, Json::Array(items))
                }));
            }
        }
        Json::Number(_) | Json::String(_) => neighbours(place, value, found),
        Json::Bool(flag) => {
            found.push((format!("{place}: {flag} to {}", !flag), Json::Bool(!flag)))
        }
        Json::Null => {}
    }
}

fn swaps(place: &str, entries: &Map<String, Json>, found: &mut Vec<(String, Json)>) {
    let mut only = entries.iter();
    let (Some((key, inside)), None) = (only.next(), only.next()) else {
        return;
    };
    // One part alone means the same for all and any.
    if inside.as_array().is_some_and(|parts| parts.len() < 2) {
        return;
    }
    for (_, other) in OPERATORS.iter().filter(|(from, _)| from == key) {
        let swapped = Map::from_iter([((*other).to_owned(), inside.clone())]);
        found.push((format!("{place}: {key} to {other}"), Json::Object(swapped)));
    }
}

/// The next number or day on either side.
fn neighbours(place: &str, value: &Json, found: &mut Vec<(String, Json)>) {
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Ok(day) = text.parse::<Date>() {
        for other in [previous_day(day), next_day(day)] {
            let changed = Json::String(other.to_string());
            found.push((format!("{place}: {day} to {other}"), changed));
        }
    }
    let Ok(number) = Decimal::from_str_exact(&text) else {
        return;
    };
    let step = Decimal::new(1, number.scale());
    for other in [number.checked_sub(step), number.checked_add(step)] {
        let Some(other) = other else { continue };
        let changed = match value {
            Json::String(_) => Json::String(other.to_string()),
            _ => serde_json::from_str(&other.to_string()).unwrap_or(Json::Null),
        };
        found.push((format!("{place}: {number} to {other}"), changed));
    }
}

/// The identifier of an entry, where it has one.
fn named(item: &Json, at: usize) -> String {
    let inside = |key: &str| item.get(key).and_then(|inside| inside.get("id"));
    let id = item.get("id").or_else(|| inside("criterion"));
    match id.or_else(|| inside("partner")) {
        Some(Json::String(id)) => id.clone(),
        _ => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::file::program_file_from_yaml;

    fn mutated(cases: &str) -> Mutated {
        let text = format!(
            "slug: resale\nname: Resale\ncurrency: EUR\ntracks:\n  - id: main\n    name: Main\n    \
             demotion: {{ mode: never }}\n    tiers:\n      - id: gold\n        \
             name: Gold\n        qualification:\n          criterion:\n            id: deals\n\
             \x20           name: Deals\n\
             \x20           measure: {{ count: {{ facts: {{ kind: deal, date: closed, window: \
             all_time }} }} }}\n            needs: {{ gte: 3 }}\n      - id: member\n        \
             name: Member\ntests:\n{cases}"
        );
        let (definition, cases) = program_file_from_yaml(&text).unwrap();
        mutate(&definition, &cases, &mut |_, _| {})
    }

    fn case(deals: u8, tier: &str) -> String {
        format!(
            "  - name: {deals}\n    from: 2026-01-01\n    facts: [{{ kind: deal, times: {deals}, \
             dates: {{ closed: 2025-01-01 }} }}]\n    expect:\n      - {{ on: 2026-01-01, tier: {tier} }}\n"
        )
    }

    fn of_threshold(found: &Mutated) -> Vec<&str> {
        let unnoticed = found.unnoticed.iter();
        let changes = unnoticed.filter_map(|what| what.split_once(".needs"));
        changes.map(|(_, change)| change).collect()
    }

    #[test]
    fn cases_on_both_sides_of_a_threshold_guard_it() {
        let found = mutated(&format!("{}{}", case(3, "gold"), case(2, "member")));
        assert_eq!(of_threshold(&found), [""; 0]);
        assert!(found.noticed >= 3, "{found:?}");
    }

    #[test]
    fn what_a_case_far_from_the_threshold_does_not_notice_is_named() {
        let found = mutated(&case(9, "gold"));
        assert_eq!(
            of_threshold(&found),
            [": gte to gt", ".gte: 3 to 2", ".gte: 3 to 4"]
        );
    }
}
