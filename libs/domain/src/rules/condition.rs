//! Conditions: filters with three truth values.
//!
//! Readings fixed here:
//! - A missing value makes a comparison unknown, and so does a value of another type. A text that
//!   is blank after trimming counts as missing; an empty list is a value.
//! - Texts compare without regard to case, after trimming; `gt` and its kin order them so, too.
//! - Flags and lists have no order: comparing them by size is unknown.
//! - `equals` on a list means the same elements, in any order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::rules::fact::Fact;
use crate::rules::model::{Condition, Test};
use crate::rules::value::Value;

/// Kleene's three truth values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can say.
    Unknown,
}

impl Truth {
    /// The opposite; of unknown it is unknown.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    /// False as soon as one is false; otherwise unknown as soon as one is unknown.
    pub fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::True;
        for truth in truths {
            match truth {
                Self::False => return Self::False,
                Self::Unknown => result = Self::Unknown,
                Self::True => {}
            }
        }
        result
    }

    /// True as soon as one is true; otherwise unknown as soon as one is unknown.
    pub fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        Self::all(truths.into_iter().map(Self::negated)).negated()
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::True } else { Self::False }
    }
}

/// A borrowed [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldRef<'a> {
    /// A text.
    Text(&'a str),
    /// An exact number.
    Number(Decimal),
    /// True or false.
    Flag(bool),
    /// A business date.
    Date(Date),
    /// A list of texts.
    List(&'a [String]),
}

impl<'a> From<&'a Value> for FieldRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Number(number) => Self::Number(*number),
            Value::Flag(flag) => Self::Flag(*flag),
            Value::Date(date) => Self::Date(*date),
            Value::List(items) => Self::List(items),
        }
    }
}

impl From<FieldRef<'_>> for Value {
    fn from(field: FieldRef<'_>) -> Self {
        match field {
            FieldRef::Text(text) => Self::Text(text.to_owned()),
            FieldRef::Number(number) => Self::Number(number),
            FieldRef::Flag(flag) => Self::Flag(flag),
            FieldRef::Date(date) => Self::Date(date),
            FieldRef::List(items) => Self::List(items.to_vec()),
        }
    }
}

/// Named values that a condition can look at.
pub trait Fields {
    /// The value of the name; `None` when there is none.
    fn get(&self, name: &str) -> Option<FieldRef<'_>>;
}

impl Fields for Fact {
    fn get(&self, name: &str) -> Option<FieldRef<'_>> {
        match name {
            "state" => Some(FieldRef::Text(&self.state)),
            "amount" => self.amount.map(|money| FieldRef::Number(money.amount)),
            "currency" => self
                .amount
                .as_ref()
                .map(|money| FieldRef::Text(money.currency.as_str())),
            "quantity" => self.quantity.map(FieldRef::Number),
            _ => {
                let short = name.strip_suffix("_date");
                let own = short.and_then(|short| self.dates.get(short).copied());
                let field = || self.fields.get(name).map(FieldRef::from);
                let dated = || short.and_then(|short| self.date(short)).map(FieldRef::Date);
                own.map(FieldRef::Date).or_else(field).or_else(dated)
            }
        }
    }
}

impl Fields for BTreeMap<String, Value> {
    fn get(&self, name: &str) -> Option<FieldRef<'_>> {
        BTreeMap::get(self, name).map(FieldRef::from)
    }
}

impl Condition {
    /// Whether the condition holds for these fields.
    pub fn holds<F: Fields + ?Sized>(&self, fields: &F) -> Truth {
        match self {
            Self::All(parts) => Truth::all(parts.iter().map(|part| part.holds(fields))),
            Self::Any(parts) => Truth::any(parts.iter().map(|part| part.holds(fields))),
            Self::Not(part) => part.holds(fields).negated(),
            Self::Field { name, test } => test.holds(present(fields.get(name))),
        }
    }

    /// Calls `visit` with the name of every field that the condition looks at.
    pub fn each_field<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.each_field(visit);
                }
            }
            Self::Not(part) => part.each_field(visit),
            Self::Field { name, .. } => visit(name),
        }
    }
}

fn present(field: Option<FieldRef<'_>>) -> Option<FieldRef<'_>> {
    field.filter(|field| !matches!(field, FieldRef::Text(text) if text.trim().is_empty()))
}

impl Test {
    fn holds(&self, field: Option<FieldRef<'_>>) -> Truth {
        if let Self::Exists(wanted) = self {
            return Truth::from(field.is_some() == *wanted);
        }
        let Some(field) = field else {
            return Truth::Unknown;
        };
        match self {
            Self::Equals(value) => equals(field, value.into()),
            Self::Gte(value) => ordered(field, value, Ordering::is_ge),
            Self::Lte(value) => ordered(field, value, Ordering::is_le),
            Self::Gt(value) => ordered(field, value, Ordering::is_gt),
            Self::Lt(value) => ordered(field, value, Ordering::is_lt),
            Self::Between { from, to } => {
                let lower = from
                    .as_ref()
                    .map(|value| ordered(field, value, Ordering::is_ge));
                let upper = to
                    .as_ref()
                    .map(|value| ordered(field, value, Ordering::is_le));
                Truth::all([lower, upper].into_iter().flatten())
            }
            Self::IncludesAny(values) => Truth::any(values.iter().map(|v| includes(field, v))),
            Self::IncludesAll(values) => Truth::all(values.iter().map(|v| includes(field, v))),
            Self::Exists(_) => Truth::Unknown,
        }
    }
}

fn ordered(field: FieldRef<'_>, value: &Value, wanted: fn(Ordering) -> bool) -> Truth {
    let order = match (field, FieldRef::from(value)) {
        (FieldRef::Number(left), FieldRef::Number(right)) => left.cmp(&right),
        (FieldRef::Date(left), FieldRef::Date(right)) => left.cmp(&right),
        (FieldRef::Text(left), FieldRef::Text(right)) => folded(left).cmp(&folded(right)),
        _ => return Truth::Unknown,
    };
    wanted(order).into()
}

fn equals(field: FieldRef<'_>, value: FieldRef<'_>) -> Truth {
    match (field, value) {
        (FieldRef::Text(left), FieldRef::Text(right)) => same_text(left, right).into(),
        (FieldRef::Number(left), FieldRef::Number(right)) => (left == right).into(),
        (FieldRef::Flag(left), FieldRef::Flag(right)) => (left == right).into(),
        (FieldRef::Date(left), FieldRef::Date(right)) => (left == right).into(),
        (FieldRef::List(left), FieldRef::List(right)) => {
            let within = |one: &[String], other: &[String]| {
                one.iter()
                    .all(|item| other.iter().any(|o| same_text(item, o)))
            };
            (within(left, right) && within(right, left)).into()
        }
        _ => Truth::Unknown,
    }
}

fn includes(field: FieldRef<'_>, value: &Value) -> Truth {
    match (field, value) {
        (FieldRef::List(items), Value::Text(text)) => {
            items.iter().any(|item| same_text(item, text)).into()
        }
        _ => equals(field, value.into()),
    }
}

/// True when two texts are the same without regard to case, after trimming.
pub(crate) fn same_text(left: &str, right: &str) -> bool {
    let (left, right) = (left.trim(), right.trim());
    if left.is_ascii() && right.is_ascii() {
        left.eq_ignore_ascii_case(right)
    } else {
        left.to_lowercase() == right.to_lowercase()
    }
}

/// The form in which texts are compared.
pub(crate) fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn fields() -> BTreeMap<String, Value> {
        [
            ("tier", Value::text("  Gold ")),
            ("city", Value::text("ÖTZTAL")),
            ("blank", Value::text("  ")),
            ("size", Value::Number("12.50".parse().unwrap())),
            ("active", Value::Flag(true)),
            ("since", Value::Date(date(2024, 2, 29))),
            ("lines", Value::List(vec!["Cloud".into(), "Data ".into()])),
            ("none", Value::List(Vec::new())),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn holds(yaml: &str) -> Truth {
        let condition: Condition = serde_saphyr::from_str(yaml).unwrap();
        condition.holds(&fields())
    }

    #[test]
    fn texts_compare_without_case_and_blanks() {
        use Truth::{False, True, Unknown};
        assert_eq!(holds("field: {name: tier, is: {equals: gold}}"), True);
        assert_eq!(holds("field: {name: city, is: {equals: ' ötztal'}}"), True);
        assert_eq!(holds("field: {name: tier, is: {equals: silver}}"), False);
        assert_eq!(holds("field: {name: tier, is: {gt: AAA}}"), True);
        assert_eq!(holds("field: {name: blank, is: {equals: x}}"), Unknown);
    }

    #[test]
    fn bounds_are_inclusive_exactly_where_they_say_so() {
        use Truth::{False, True};
        for (operator, value, wanted) in [
            ("gte", "12.5", True),
            ("gte", "12.51", False),
            ("gt", "12.5", False),
            ("gt", "12.49", True),
            ("lte", "12.5", True),
            ("lte", "12.49", False),
            ("lt", "12.5", False),
            ("lt", "12.51", True),
            ("equals", "12.500", True),
        ] {
            let yaml = format!("field: {{name: size, is: {{{operator}: {value}}}}}");
            assert_eq!(holds(&yaml), wanted, "{yaml}");
        }
    }

    #[test]
    fn between_is_inclusive_and_a_missing_bound_is_open() {
        use Truth::{False, True};
        for (between, wanted) in [
            ("{from: 12.5, to: 12.5}", True),
            ("{from: 12.6}", False),
            ("{from: 12.5}", True),
            ("{to: 12.5}", True),
            ("{to: 12.4}", False),
            ("{}", True),
        ] {
            let yaml = format!("field: {{name: size, is: {{between: {between}}}}}");
            assert_eq!(holds(&yaml), wanted, "{yaml}");
        }
        let leap = "field: {name: since, is: {between: {from: {date: 2024-02-29}, \
                    to: {date: 2024-03-01}}}}";
        assert_eq!(holds(leap), True);
    }

    #[test]
    fn includes_looks_into_lists_and_at_single_values() {
        use Truth::{False, True, Unknown};
        for (name, test, wanted) in [
            ("lines", "{includes_any: [cloud, other]}", True),
            ("lines", "{includes_any: [other]}", False),
            ("lines", "{includes_any: []}", False),
            ("lines", "{includes_all: [DATA, cloud]}", True),
            ("lines", "{includes_all: [data, other]}", False),
            ("lines", "{includes_all: []}", True),
            ("tier", "{includes_any: [silver, GOLD]}", True),
            ("tier", "{includes_all: [gold, silver]}", False),
            ("none", "{includes_any: [cloud]}", False),
            ("missing", "{includes_any: [cloud]}", Unknown),
            ("lines", "{equals: [data, Cloud]}", True),
            ("lines", "{equals: [data]}", False),
        ] {
            let yaml = format!("field: {{name: {name}, is: {test}}}");
            assert_eq!(holds(&yaml), wanted, "{yaml}");
        }
    }

    #[test]
    fn missing_values_and_other_types_are_unknown_but_exists_always_knows() {
        use Truth::{False, True, Unknown};
        for (name, test, wanted) in [
            ("missing", "{equals: 1}", Unknown),
            ("tier", "{equals: 1}", Unknown),
            ("tier", "{gte: 1}", Unknown),
            ("size", "{equals: '12.5'}", Unknown),
            ("active", "{gt: false}", Unknown),
            ("active", "{equals: true}", True),
            ("missing", "{exists: true}", False),
            ("missing", "{exists: false}", True),
            ("tier", "{exists: true}", True),
            ("blank", "{exists: true}", False),
            ("none", "{exists: true}", True),
        ] {
            let yaml = format!("field: {{name: {name}, is: {test}}}");
            assert_eq!(holds(&yaml), wanted, "{yaml}");
        }
    }

    #[test]
    fn unknown_combines_as_kleene_says() {
        use Truth::{False, True, Unknown};
        let all = [True, False, Unknown];
        for left in all {
            for right in all {
                let both = Truth::all([left, right]);
                let either = Truth::any([left, right]);
                assert_eq!(both == True, left == True && right == True);
                assert_eq!(both == False, left == False || right == False);
                assert_eq!(either == True, left == True || right == True);
                assert_eq!(either == False, left == False && right == False);
            }
        }
        assert_eq!(
            holds("not: {field: {name: missing, is: {equals: 1}}}"),
            Unknown
        );
        assert_eq!(holds("all: []"), True);
        assert_eq!(holds("any: []"), False);
        let rescued = "any: [{field: {name: missing, is: {equals: 1}}}, \
                       {field: {name: tier, is: {equals: gold}}}]";
        assert_eq!(holds(rescued), True);
    }
}
