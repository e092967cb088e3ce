//! The language of requirements: a typed tree.
//!
//! A tree can be checked, explained node by node, drawn as progress bars, compared between
//! versions and kept up to date incrementally. It is written in YAML exactly as the serde form of
//! these types, and sent over gRPC as the messages of the same names.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::rules::fact::FactKind;
use crate::rules::value::Value;
use crate::time::PeriodUnit;

/// Deepest nesting of a requirement or condition.
pub const MAX_DEPTH: usize = 16;
/// Most nodes of one requirement tree, conditions included.
pub const MAX_NODES: usize = 500;

/// A filter over the fields of a fact or the attributes of a partner.
///
/// Three-valued: a missing value makes a condition *unknown*, and unknown never passes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// Which facts a measure looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Kind of fact.
    pub kind: FactKind,
    /// Filter over the fields of the fact. Default: all facts of the kind.
    #[serde(default, rename = "where", skip_serializing_if = "is_default")]
    pub filter: Condition,
    /// The named date that places a fact in time, such as `closed`.
    pub date: String,
    /// The days whose facts count.
    pub window: Window,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A stretch of days, relative to the as-of date and in the org's time zone. The as-of date
/// itself is always the last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last n months: from the day after (as-of minus n months) to as-of.
    RollingMonths(u16),
    /// The last n days, as-of included.
    RollingDays(u16),
    /// The period that contains the as-of date, from its start to the as-of date.
    Current(PeriodUnit),
    /// From the start of the enrollment.
    SinceEnrollment,
    /// Everything up to the as-of date.
    AllTime,
}

/// What is added up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addend {
    /// The amount, converted to the program's currency at the rate of the selection's date.
    Amount,
    /// The quantity.
    Quantity,
    /// A numeric field.
    Field(String),
}

/// A number made out of facts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// How many facts.
    Count {
        /// Which facts.
        facts: Selection,
    },
    /// How many different values of a field.
    CountDistinct {
        /// Which facts.
        facts: Selection,
        /// The field whose values are told apart.
        key: String,
    },
    /// The sum of something over the facts; signed.
    Sum {
        /// Which facts.
        facts: Selection,
        /// What is added up.
        of: Addend,
    },
    /// How many persons hold at least `at_least` different certifications that pass the filter
    /// and are valid on the as-of date: awarded on or before it, not revoked, and not expired
    /// (the expiry date is the last valid day).
    PersonsCertified {
        /// Filter over certification facts.
        #[serde(default, rename = "where", skip_serializing_if = "is_default")]
        filter: Condition,
        /// How many different certifications a person needs.
        #[serde(default = "one")]
        at_least: u32,
    },
    /// Whole months since the start of the enrollment.
    MonthsInProgram,
    /// Whole months since the present tier was reached.
    MonthsInTier,
    /// A numeric attribute of the partner.
    PartnerNumber {
        /// Name of the attribute.
        attribute: String,
    },
}

fn one() -> u32 {
    1
}

/// A comparison of a measured number with a threshold. Inclusive or not is always explicit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Threshold {
    /// At least.
    Gte(Decimal),
    /// More than.
    Gt(Decimal),
    /// At most.
    Lte(Decimal),
    /// Less than.
    Lt(Decimal),
    /// Inclusive at both ends.
    Between {
        /// Lower bound.
        from: Decimal,
        /// Upper bound.
        to: Decimal,
    },
    /// Exactly.
    Equals(Decimal),
}

/// A measure with a threshold: one line of a progress display.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Identifier, unique in the tree; the same id in other tiers marks the same criterion.
    pub id: String,
    /// What a person reads.
    pub name: String,
    /// The number.
    pub measure: Measure,
    /// What it must be.
    pub needs: Threshold,
    /// Minima for parts of the same filtered set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_which: Vec<OfWhich>,
    /// For administrators only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A threshold on the part of the same facts that also passes a further filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfWhich {
    /// What a person reads.
    pub name: String,
    /// The further filter.
    #[serde(rename = "where")]
    pub filter: Condition,
    /// What the same measure over the part must be.
    pub needs: Threshold,
}

/// A requirement: true, false, unknown or not applicable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Requirement {
    /// Every one holds.
    All(Vec<Requirement>),
    /// At least one holds.
    Any(Vec<Requirement>),
    /// At least `count` of them hold.
    AtLeast {
        /// How many.
        count: u32,
        /// Of these.
        of: Vec<Requirement>,
    },
    /// It does not hold.
    Not(Box<Requirement>),
    /// A measure compared with a threshold.
    Criterion(Box<Criterion>),
    /// As of the end of each of the last complete periods it holds.
    EveryPeriod(Periods),
    /// As of the end of at least one of the last complete periods it holds.
    AnyPeriod(Periods),
    /// A condition over the partner's attributes.
    Partner {
        /// Identifier, unique in the tree.
        id: String,
        /// What a person reads.
        name: String,
        /// The condition.
        #[serde(rename = "where")]
        filter: Condition,
    },
}

/// The last complete periods, and what must hold as of their ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Periods {
    /// Kind of period.
    pub unit: PeriodUnit,
    /// How many, counted back from the last one that is complete.
    pub last: u32,
    /// What must hold.
    pub holds: Box<Requirement>,
}
