//! Conditions: filters over the fields of a fact or the attributes of a partner.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::value::Value;

/// A filter over the fields of a fact or the attributes of a partner.
///
/// Three-valued: a missing value makes a condition *unknown*, and unknown never passes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// Every one holds. Empty: always true.
    All(Vec<Condition>),
    /// At least one holds. Empty: never true.
    Any(Vec<Condition>),
    /// It does not hold. The opposite of unknown is unknown.
    Not(Box<Condition>),
    /// A field compared with a value.
    Field {
        /// Name of the field or attribute.
        name: String,
        /// Operator and value.
        #[serde(rename = "is")]
        test: Test,
    },
}

impl Default for Condition {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// An operator and its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Test {
    /// Equal; texts without regard to case, after trimming.
    Equals(Value),
    /// At least.
    Gte(Value),
    /// At most.
    Lte(Value),
    /// More than.
    Gt(Value),
    /// Less than.
    Lt(Value),
    /// Inclusive at both ends; a missing bound is open.
    Between {
        /// Lower bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Value>,
        /// Upper bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Value>,
    },
    /// The field, or one element of its list, is one of these.
    IncludesAny(Vec<Value>),
    /// Every one of these is the field or an element of its list.
    IncludesAll(Vec<Value>),
    /// True: the field has a value. False: it has none. Never unknown.
    Exists(bool),
}
