//! A definition without what is for administrators only: the notes of its criteria.

use crate::program::definition::ProgramDefinition;
use crate::rules::{Measure, Requirement};

/// The definition as everybody may see it.
pub fn without_notes(definition: &ProgramDefinition) -> ProgramDefinition {
    let mut shown = definition.clone();
    let tiers = shown.tracks.iter_mut().flat_map(|track| &mut track.tiers);
    for tier in tiers {
        let requirements = tier.qualification.iter_mut().chain(&mut tier.retention);
        requirements.for_each(in_requirement);
    }
    shown
}

fn in_requirement(requirement: &mut Requirement) {
    if let Requirement::Criterion(criterion) = requirement {
        criterion.note = None;
        in_measure(&mut criterion.measure);
    }
    requirement.each_child_mut(&mut in_requirement);
}

/// A measure may be gated by requirements, and so by criteria.
fn in_measure(measure: &mut Measure) {
    if let Measure::Gate { when, .. } = measure {
        in_requirement(when);
    }
    measure.each_child_mut(&mut in_measure);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::program::validate::tests::sample;

    fn criterion(measure: &Json) -> Json {
        json!({"criterion": {
            "id": "deals", "name": "Deals", "measure": measure,
            "needs": {"gte": "5"}, "note": "secret"
        }})
    }

    /// One requirement in every kind of requirement and measure that can hold another.
    fn nested() -> Json {
        let months = json!("months_in_program");
        let plain = criterion(&months);
        let gate = json!({"gate": {"when": plain, "of": months}});
        let measures = [
            json!({"ratio": {"of": gate, "to": gate}}),
            json!({"difference": {"of": gate, "less": gate}}),
            json!({"growth": {"of": gate}}),
            json!({"total": [gate]}),
            json!({"least": [gate]}),
            json!({"greatest": [gate]}),
            json!({"times": {"of": gate, "by": "2"}}),
            json!({"steps": {"of": gate, "table": []}}),
            json!({"linear": {"of": gate, "table": []}}),
            json!({"weighted": [{"name": "one", "weight": "1", "of": gate}]}),
            json!({"across": {"id": "a", "of": gate, "with": []}}),
            json!({"rank": {"id": "r", "of": gate}}),
            json!({"line": {"id": "l", "by": gate}}),
        ];
        let mut all: Vec<Json> = measures.iter().map(criterion).collect();
        let periods = json!({"unit": "quarter", "last": 2, "holds": plain});
        let window = json!({"rolling_months": 12});
        let groups = json!({
            "facts": {"kind": "deal", "date": "closed", "window": window}, "by": "customer"
        });
        all.extend([
            json!({"any": [plain]}),
            json!({"at_least": {"count": 1, "of": [plain]}}),
            json!({"not": plain}),
            json!({"information": plain}),
            json!({"every_period": periods}),
            json!({"any_period": periods}),
            json!({"streak": {"count": 1, "unit": "quarter", "last": 2, "holds": plain}}),
            json!({"sustained": {"duration": {"days": 3}, "holds": plain}}),
            json!({"any_day": {"window": window, "holds": plain}}),
            json!({"for_each": {"groups": groups, "holds": plain}}),
            json!({"best_of": [{"name": "one", "holds": plain}]}),
            json!({"where": {"holds": plain}}),
        ]);
        json!({ "all": all })
    }

    #[test]
    fn no_note_of_a_criterion_is_left_however_deep_it_is() {
        let mut definition = sample();
        let requirement: Requirement = serde_json::from_value(nested()).unwrap();
        definition.tracks[0].tiers[0].qualification = Some(requirement.clone());
        definition.tracks[0].tiers[0].retention = Some(requirement);
        let before = serde_json::to_string(&definition).unwrap();
        let after = serde_json::to_string(&without_notes(&definition)).unwrap();
        assert!(before.contains("secret"), "{before}");
        assert!(!after.contains("secret"), "{after}");
        assert_eq!(before.replace(",\"note\":\"secret\"", ""), after);
    }
}
