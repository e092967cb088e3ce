//! The names under which what lies beyond a partner is supplied: in a track each means one thing.

use std::collections::BTreeMap;

use crate::program::definition::Track;
use crate::rejection::Violations;
use crate::rules::{Measure, beyond_of};

/// What is supplied under a name.
#[derive(PartialEq)]
struct Meaning {
    of: Measure,
    per: Option<String>,
    /// The tier, for a line.
    tier: Option<usize>,
}

/// Notes every name that means two things.
pub(super) fn check(v: &mut Violations, path: &str, track: &Track) {
    let mut known: BTreeMap<(&'static str, String), Meaning> = BTreeMap::new();
    for (at, tier) in track.tiers.iter().enumerate() {
        let both = [
            ("qualification", &tier.qualification),
            ("retention", &tier.retention),
        ];
        for (field, requirement) in both {
            for measure in requirement.iter().flat_map(beyond_of) {
                let Some((name, meaning)) = meaning(measure, at) else {
                    continue;
                };
                let (kind, id) = &name;
                let text =
                    format!("the {kind} \"{id}\" means something else elsewhere in the track");
                match known.get(&name) {
                    Some(before) if *before != meaning => {
                        v.add(format!("{path}.tiers[{at}].{field}"), text);
                    }
                    Some(_) => {}
                    None => {
                        known.insert(name, meaning);
                    }
                }
            }
        }
    }
}

fn meaning(measure: Measure, tier: usize) -> Option<((&'static str, String), Meaning)> {
    let (kind, id, of, per, tier) = match measure {
        Measure::Across(across) => ("across", across.id, across.of, None, None),
        Measure::Rank(rank) => ("rank", rank.id, rank.of, rank.per, None),
        Measure::Line(line) => ("line", line.id, line.by, line.per, Some(tier)),
        _ => return None,
    };
    Some(((kind, id), Meaning { of: *of, per, tier }))
}

#[cfg(test)]
mod tests {
    use crate::program::validate;
    use crate::program::validate::tests::sample;
    use crate::rules::Requirement;

    fn criterion(measure: serde_json::Value) -> Option<Requirement> {
        let json = serde_json::json!({"criterion": {
            "id": "c", "name": "C", "measure": measure, "needs": {"lte": "10"}}});
        Some(serde_json::from_value(json).unwrap())
    }

    fn wrong(first: serde_json::Value, second: serde_json::Value) -> Vec<String> {
        let mut definition = sample();
        let tiers = &mut definition.tracks[0].tiers;
        let mut silver = tiers[0].clone();
        silver.id = crate::ids::TierId::parse("silver").unwrap();
        tiers[0].qualification = criterion(first);
        silver.qualification = criterion(second);
        tiers.insert(1, silver);
        let checked = validate(&definition);
        let violations = checked.err().map(|rejection| rejection.violations);
        let violations = violations.unwrap_or_default().into_iter();
        violations.map(|violation| violation.field).collect()
    }

    #[test]
    fn a_name_means_one_measure_in_a_track_and_a_line_one_tier() {
        let rank = |of: &str| serde_json::json!({"rank": {"id": "r", "of": of}});
        let (first, second) = (rank("months_in_program"), rank("months_in_tier"));
        assert_eq!(wrong(first.clone(), first.clone()), [""; 0]);
        let place = "tracks[0].tiers[1].qualification";
        assert_eq!(wrong(first.clone(), second), [place]);
        let percent = serde_json::json!({
            "rank": {"id": "r", "of": "months_in_program", "as": "percent"}});
        assert_eq!(wrong(first, percent), [""; 0]);
        let line = serde_json::json!({"line": {"id": "r", "by": "months_in_program"}});
        assert_eq!(wrong(line.clone(), line), [place]);
    }
}
