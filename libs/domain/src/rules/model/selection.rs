//! Which facts a measure looks at, over which days, and what is added up of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, is_default};
use crate::rules::fact::FactKind;
use crate::time::PeriodUnit;

/// Which facts a measure looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// Milestones: a fact counts so long after its date, unless it had ended by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// Within `for_each`: the field that has to have the value of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same: Option<String>,
}

/// A delay between what happened and the day on which it counts: a customer counts once it has
/// stayed for six months.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Whole months after the date of the selection.
    pub months: u16,
    /// The named date on which it ended. Reached before the months have passed, or on the very day
    /// on which they have: the fact does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
}

/// A stretch of days, relative to the as-of date and in the org's time zone. The as-of date itself
/// is the last day, but for complete periods, which end with the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// The last n months: from the day after (as-of minus n months) to as-of.
    RollingMonths(u16),
    /// The last n days, as-of included.
    RollingDays(u16),
    /// The period that contains the as-of date, from its start to the as-of date.
    Current(PeriodUnit),
    /// The last complete periods, without the one that runs.
    Complete {
        /// Kind of period.
        unit: PeriodUnit,
        /// How many.
        last: u16,
    },
    /// From the start of the enrollment.
    SinceEnrollment,
    /// Everything up to the as-of date.
    AllTime,
}

/// What is added up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Addend {
    /// The amount, converted to the program's currency at the rate of the selection's date.
    Amount,
    /// The quantity.
    Quantity,
    /// A numeric field.
    Field(String),
}
