//! What a change of the currency of a program leaves as it was: thresholds are numbers, and nothing
//! converts them.

use serde::Serialize;
use serde_json::Value as Json;

use crate::money::Currency;
use crate::program::definition::ProgramDefinition;
use crate::rules::Requirement;

/// The change of the currency between two versions of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CurrencyChange {
    /// In which amounts were measured.
    pub before: Currency,
    /// In which they are measured from then on.
    pub after: Currency,
    /// Places of criteria that measure money and ask for the same number as before, such as
    /// `tracks[resell].tiers[gold].qualification: revenue`.
    pub same_numbers: Vec<String>,
    /// How many criteria measure money.
    pub of_money: usize,
}

/// What changes with the currency; `None` where it stays.
pub fn currency_change(
    before: &ProgramDefinition,
    after: &ProgramDefinition,
) -> Option<CurrencyChange> {
    if before.currency == after.currency {
        return None;
    }
    let (was, is) = (of_money(before), of_money(after));
    let of_money = is.len();
    let same_numbers = is
        .into_iter()
        .filter(|one| was.contains(one))
        .map(|(place, _)| place)
        .collect();
    Some(CurrencyChange {
        before: before.currency,
        after: after.currency,
        same_numbers,
        of_money,
    })
}

/// Places of criteria that measure money, with the numbers in them that are amounts.
fn of_money(definition: &ProgramDefinition) -> Vec<(String, Json)> {
    let mut found = Vec::new();
    for track in &definition.tracks {
        for tier in &track.tiers {
            let parts = [
                ("qualification", &tier.qualification),
                ("retention", &tier.retention),
            ];
            for (part, requirement) in parts {
                let place = format!("tracks[{}].tiers[{}].{part}", track.id, tier.id);
                if let Some(requirement) = requirement {
                    walk(requirement, &place, &mut found);
                }
            }
        }
    }
    found
}

fn walk(requirement: &Requirement, place: &str, found: &mut Vec<(String, Json)>) {
    if let Requirement::Criterion(criterion) = requirement {
        let measure = serde_json::to_value(&criterion.measure).unwrap_or_default();
        if speaks_of_amounts(&measure) {
            let mut numbers = vec![serde_json::to_value(criterion.needs).unwrap_or_default()];
            each_amount(&measure, &mut numbers);
            let place = format!("{place}: {}", criterion.id);
            found.push((place, Json::Array(numbers)));
        }
    }
    requirement.each_child(&mut |child| walk(child, place, found));
}

fn speaks_of_amounts(measure: &Json) -> bool {
    match measure {
        Json::Object(fields) => fields
            .iter()
            .any(|(key, value)| (key == "of" && value == "amount") || speaks_of_amounts(value)),
        Json::Array(items) => items.iter().any(speaks_of_amounts),
        _ => false,
    }
}

/// The numbers in a measure that are amounts: so many points for each.
fn each_amount(measure: &Json, numbers: &mut Vec<Json>) {
    match measure {
        Json::Object(fields) => {
            if let Some(each) = fields.get("each").filter(|_| speaks_of_amounts(measure)) {
                numbers.push(each.clone());
            }
            fields
                .values()
                .for_each(|value| each_amount(value, numbers));
        }
        Json::Array(items) => items.iter().for_each(|item| each_amount(item, numbers)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::program_from_yaml;

    const PROGRAM: &str = r"
slug: resale
name: Resale
currency: USD
tracks:
  - id: main
    name: Main
    tiers:
      - id: gold
        name: Gold
        qualification:
          all:
            - criterion:
                id: revenue
                name: R
                measure:
                  sum:
                    facts: &f { kind: deal, date: closed, window: { rolling_months: 12 } }
                    of: amount
                needs: { gte: 1000 }
            - criterion:
                id: deals
                name: D
                measure: { count: { facts: *f } }
                needs: { gte: 5 }
      - id: silver
        name: Silver
        qualification:
          criterion:
            id: points
            name: P
            measure:
              points:
                table: [{ name: Sold, facts: *f, points: 5, per: { each: 100, of: amount } }]
            needs: { gte: 50 }
      - { id: member, name: Member }
";

    fn change(from: &str, to: &str) -> Option<CurrencyChange> {
        let after = PROGRAM
            .replace("currency: USD", "currency: EUR")
            .replace(from, to);
        let read = |text: &str| program_from_yaml(text).unwrap();
        currency_change(&read(PROGRAM), &read(&after))
    }

    #[test]
    fn the_same_currency_is_no_change() {
        let definition = program_from_yaml(PROGRAM).unwrap();
        assert_eq!(currency_change(&definition, &definition), None);
    }

    #[test]
    fn thresholds_in_money_that_keep_their_number_are_named_and_others_are_not() {
        let gold = "tracks[main].tiers[gold].qualification: revenue";
        let silver = "tracks[main].tiers[silver].qualification: points";
        let all = change("none", "none").unwrap();
        assert_eq!((all.before, all.after), (Currency::USD, Currency::EUR));
        assert_eq!(all.same_numbers, [gold, silver]);
        assert_eq!(all.of_money, 2);
        assert_eq!(
            change("gte: 1000", "gte: 900").unwrap().same_numbers,
            [silver]
        );
        assert_eq!(
            change("each: 100", "each: 90").unwrap().same_numbers,
            [gold]
        );
        let unchanged_in_money = change("gte: 5 }", "gte: 6 }").unwrap();
        assert_eq!(unchanged_in_money.same_numbers, [gold, silver]);
    }
}
