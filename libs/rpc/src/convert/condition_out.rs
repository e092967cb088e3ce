//! Conditions and thresholds as their messages.

use tierline_domain::rules::{Condition, Test, Threshold, Value};
use tierline_proto::program::v1 as pb;

use super::common::value_message;

/// A condition as its message.
pub fn condition(given: &Condition) -> pb::Condition {
    use pb::condition::Kind;
    let list = |items: &[Condition]| pb::ConditionList {
        items: items.iter().map(condition).collect(),
    };
    let kind = match given {
        Condition::All(items) => Kind::All(list(items)),
        Condition::Any(items) => Kind::Any(list(items)),
        Condition::Not(inner) => Kind::Negation(Box::new(condition(inner))),
        Condition::Field { name, test: given } => Kind::Field(pb::FieldCondition {
            name: name.clone(),
            test: Some(test(given)),
        }),
    };
    pb::Condition { kind: Some(kind) }
}

fn test(test: &Test) -> pb::Test {
    use pb::test::Kind;
    let list = |values: &[Value]| pb::ValueList {
        items: values.iter().map(value_message).collect(),
    };
    let kind = match test {
        Test::Equals(value) => Kind::Equals(value_message(value)),
        Test::Gte(value) => Kind::Gte(value_message(value)),
        Test::Lte(value) => Kind::Lte(value_message(value)),
        Test::Gt(value) => Kind::Gt(value_message(value)),
        Test::Lt(value) => Kind::Lt(value_message(value)),
        Test::Between { from, to } => Kind::Between(pb::ValueRange {
            lower: from.as_ref().map(value_message),
            upper: to.as_ref().map(value_message),
        }),
        Test::IncludesAny(values) => Kind::IncludesAny(list(values)),
        Test::IncludesAll(values) => Kind::IncludesAll(list(values)),
        Test::Exists(flag) => Kind::Exists(*flag),
    };
    pb::Test { kind: Some(kind) }
}

pub(super) fn threshold(threshold: &Threshold) -> pb::Threshold {
    use pb::threshold::Kind;
    let kind = match threshold {
        Threshold::Gte(number) => Kind::Gte(number.to_string()),
        Threshold::Gt(number) => Kind::Gt(number.to_string()),
        Threshold::Lte(number) => Kind::Lte(number.to_string()),
        Threshold::Lt(number) => Kind::Lt(number.to_string()),
        Threshold::Between { from, to } => Kind::Between(pb::NumberRange {
            lower: from.to_string(),
            upper: to.to_string(),
        }),
        Threshold::Equals(number) => Kind::Equals(number.to_string()),
    };
    pb::Threshold { kind: Some(kind) }
}
