//! Conditions that hold for nothing. Only what is certain: a condition that cannot be decided here
//! counts as one that may hold.

use std::collections::BTreeMap;

use crate::rules::model::{Condition, Test};
use crate::rules::{FactKind, Truth, Value};

/// The states that facts of a kind can have.
pub(super) fn states_of(kind: &FactKind) -> &'static [&'static str] {
    match kind.as_str() {
        FactKind::DEAL => &[
            "registered",
            "approved",
            "rejected",
            "withdrawn",
            "expired",
            "won",
            "lost",
            "reversed",
        ],
        FactKind::CERTIFICATION => &["valid", "revoked"],
        _ => &["recorded", "retracted"],
    }
}

/// Why a condition never holds; `None` when it may. `kind` is the kind of the facts that are
/// filtered, or none where the condition is about the partner.
pub(super) fn never_true(condition: &Condition, kind: Option<&FactKind>) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(why) = flatten(condition, kind, &mut parts) {
        return Some(why);
    }
    for (at, part) in parts.iter().enumerate() {
        if let Condition::Not(inner) = part
            && parts
                .iter()
                .enumerate()
                .any(|(other, one)| other != at && *one == inner.as_ref())
        {
            return Some("the same is asked for and excluded".to_owned());
        }
    }
    let mut fields: BTreeMap<&str, Vec<(&Condition, &Test)>> = BTreeMap::new();
    for part in &parts {
        if let Condition::Field { name, test } = part {
            fields.entry(name).or_default().push((part, test));
        }
    }
    fields.iter().find_map(|(name, tests)| {
        let states = kind.filter(|_| *name == "state").map(states_of);
        clash(tests, states).then(|| format!("no \"{name}\" can be all that is asked of it"))
    })
}

/// The conditions that must all hold. A reason, where one of them never does by itself.
fn flatten<'a>(
    condition: &'a Condition,
    kind: Option<&FactKind>,
    parts: &mut Vec<&'a Condition>,
) -> Option<String> {
    match condition {
        Condition::All(inner) => inner.iter().find_map(|part| flatten(part, kind, parts)),
        Condition::Any(inner) => {
            let mut reasons = inner.iter().map(|part| never_true(part, kind));
            let first = reasons.next();
            match first {
                None => Some("one of no conditions is asked for".to_owned()),
                Some(Some(why)) if reasons.all(|reason| reason.is_some()) => Some(why),
                Some(_) => None,
            }
        }
        Condition::Not(_) | Condition::Field { .. } => {
            parts.push(condition);
            None
        }
    }
}

/// True when no value passes all tests of a field.
fn clash(tests: &[(&Condition, &Test)], states: Option<&[&str]>) -> bool {
    let absent = tests
        .iter()
        .any(|(_, test)| matches!(test, Test::Exists(false)));
    if absent {
        return tests
            .iter()
            .any(|(_, test)| !matches!(test, Test::Exists(false)));
    }
    if let Some(states) = states {
        return !states
            .iter()
            .any(|state| passes(tests, &Value::text(*state)));
    }
    for (_, test) in tests {
        if let Test::Equals(value) = test {
            return !passes(tests, value);
        }
    }
    let Some(empty) = bounds_clash(tests) else {
        return false;
    };
    // What has an order is a single value, and so one of those that are named.
    let named = tests.iter().find_map(|(_, test)| match test {
        Test::IncludesAny(values) => Some(values),
        _ => None,
    });
    empty || named.is_some_and(|values| !values.iter().any(|value| passes(tests, value)))
}

fn passes(tests: &[(&Condition, &Test)], value: &Value) -> bool {
    tests.iter().all(|(condition, _)| {
        let Condition::Field { name, .. } = condition else {
            return true;
        };
        let fields = BTreeMap::from([(name.clone(), value.clone())]);
        condition.holds(&fields) == Truth::True
    })
}

/// Whether the bounds leave nothing; `None` without any bound.
fn bounds_clash(tests: &[(&Condition, &Test)]) -> Option<bool> {
    let mut low: Vec<(Value, bool)> = Vec::new();
    let mut high: Vec<(Value, bool)> = Vec::new();
    for (_, test) in tests {
        match test {
            Test::Gte(value) => low.push((comparable(value), true)),
            Test::Gt(value) => low.push((comparable(value), false)),
            Test::Lte(value) => high.push((comparable(value), true)),
            Test::Lt(value) => high.push((comparable(value), false)),
            Test::Between { from, to } => {
                low.extend(from.as_ref().map(|value| (comparable(value), true)));
                high.extend(to.as_ref().map(|value| (comparable(value), true)));
            }
            _ => {}
        }
    }
    let mut all = low
        .iter()
        .chain(&high)
        .map(|(value, _)| std::mem::discriminant(value));
    let first = all.next()?;
    if all.any(|other| other != first) {
        return Some(true);
    }
    let unordered = |(value, _): &(Value, bool)| matches!(value, Value::Flag(_) | Value::List(_));
    if low.iter().chain(&high).any(unordered) {
        return Some(true);
    }
    Some(low.iter().any(|(from, from_included)| {
        high.iter()
            .any(|(to, to_included)| from > to || (from == to && !(*from_included && *to_included)))
    }))
}

/// The form in which values are compared.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.trim().to_lowercase()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(yaml: &str) -> bool {
        let condition: Condition = serde_saphyr::from_str(yaml).unwrap();
        never_true(&condition, Some(&FactKind::new("deal"))).is_some()
    }

    fn both(one: &str, two: &str) -> bool {
        let field = |test| format!("{{field: {{name: x, is: {test}}}}}");
        never(&format!("all: [{}, {}]", field(one), field(two)))
    }

    #[test]
    fn two_values_of_one_field_exclude_each_other() {
        assert!(both("{equals: a}", "{equals: b}"));
        assert!(!both("{equals: a}", "{equals: ' A '}"));
        assert!(both("{equals: a}", "{equals: 1}"));
        assert!(both("{equals: a}", "{includes_any: [b, c]}"));
        assert!(!both("{equals: b}", "{includes_any: [b, c]}"));
        assert!(both("{equals: 5}", "{gte: 10}"));
        assert!(!both("{equals: 10}", "{gte: 10}"));
    }

    #[test]
    fn a_list_may_have_several_values() {
        assert!(!both("{includes_any: [a]}", "{includes_any: [b]}"));
        assert!(!both("{includes_all: [a]}", "{includes_all: [b]}"));
        assert!(both("{includes_any: [1, 2]}", "{gte: 3}"));
        assert!(!both("{includes_any: [1, 3]}", "{gte: 3}"));
    }

    #[test]
    fn bounds_may_leave_nothing() {
        assert!(both("{gte: 10}", "{lte: 5}"));
        assert!(!both("{gte: 5}", "{lte: 5}"));
        assert!(both("{gt: 5}", "{lte: 5}"));
        assert!(both("{gte: 5}", "{lt: {date: 2026-01-01}}"));
        assert!(both("{between: {from: 1, to: 5}}", "{gt: 5}"));
        assert!(!both("{between: {from: 1}}", "{gt: 5}"));
    }

    #[test]
    fn what_is_absent_is_nothing_else() {
        assert!(both("{exists: false}", "{equals: a}"));
        assert!(both("{exists: false}", "{exists: true}"));
        assert!(!both("{exists: false}", "{exists: false}"));
        assert!(!both("{exists: true}", "{equals: a}"));
    }

    #[test]
    fn groups_are_looked_into() {
        let a = "{field: {name: x, is: {equals: a}}}";
        let b = "{field: {name: x, is: {equals: b}}}";
        assert!(never(&format!("all: [{a}, {{not: {a}}}]")));
        assert!(!never(&format!("all: [{a}, {{not: {b}}}]")));
        assert!(never("any: []"));
        assert!(!never("all: []"));
        assert!(never(&format!(
            "any: [{{all: [{a}, {b}]}}, {{all: [{b}, {a}]}}]"
        )));
        assert!(!never(&format!("any: [{{all: [{a}, {b}]}}, {b}]")));
    }

    #[test]
    fn states_are_those_of_the_kind() {
        assert!(never("field: {name: state, is: {equals: valid}}"));
        assert!(!never("field: {name: state, is: {equals: Won}}"));
        let two = "all: [{field: {name: state, is: {includes_any: [won, lost]}}}, \
                   {field: {name: state, is: {includes_any: [approved]}}}]";
        assert!(never(two));
    }
}
