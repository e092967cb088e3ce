//! Requirements: what must hold, true, false, unknown or not applicable.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, Grouping, Measure, Threshold, Window, is_default};
use crate::time::PeriodUnit;

/// A measure with a threshold: one line of a progress display.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// What it must be instead for some partners: the first case that holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<Case>,
    /// Minima for parts of the same filtered set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_which: Vec<OfWhich>,
    /// For administrators only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A threshold for some partners: those of a market or a size, new ones, those in a tier.
///
/// Besides the attributes of the partner, the condition sees `current_tier`, `months_in_tier` and
/// `months_in_program`. Where it cannot be decided, it is not known what is needed, and the
/// criterion is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// For which partners.
    #[serde(rename = "where")]
    pub filter: Condition,
    /// What the measure must be.
    pub needs: Threshold,
}

/// A threshold on the part of the same facts that also passes a further filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// As of the ends of so many periods in a row, among the last complete ones, it holds.
    Streak {
        /// How many in a row.
        count: u32,
        /// Kind of period.
        unit: PeriodUnit,
        /// Among so many, counted back from the last one that is complete.
        last: u32,
        /// What must hold.
        holds: Box<Requirement>,
    },
    /// It has held on every day for some time, the as-of date included.
    Sustained(Sustained),
    /// It holds as of at least one day of the window.
    AnyDay {
        /// The days.
        window: Window,
        /// What must hold.
        holds: Box<Requirement>,
    },
    /// For every group of facts it holds.
    ForEach(ForEach),
    /// One of several complete ways holds; the explanation names the one that is nearest.
    BestOf(Vec<Path>),
    /// It holds, where and while it is asked for.
    Where(Where),
    /// It is shown and counts neither way.
    Information(Box<Requirement>),
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Periods {
    /// Kind of period.
    pub unit: PeriodUnit,
    /// How many, counted back from the last one that is complete.
    pub last: u32,
    /// What must hold.
    pub holds: Box<Requirement>,
}

/// Something that has held for some time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sustained {
    /// For how long.
    pub duration: Duration,
    /// For longer than that, not just as long.
    #[serde(default, skip_serializing_if = "is_default")]
    pub longer: bool,
    /// What must have held.
    pub holds: Box<Requirement>,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duration {
    /// Days.
    Days(u16),
    /// Months.
    Months(u16),
}

/// A requirement for every group of facts. Without any group it does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// The groups.
    pub groups: Grouping,
    /// Only groups whose number satisfies this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub having: Option<Threshold>,
    /// Only the groups with the greatest numbers: so many, and those that are equal to the last of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greatest: Option<u32>,
    /// What must hold for each; selections in it say by `same` which field has to have the value of
    /// the group.
    pub holds: Box<Requirement>,
}

/// A complete way to meet a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// What a person reads.
    pub name: String,
    /// What must hold.
    pub holds: Requirement,
}

/// A requirement that is asked for only in some places or at some time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// For which partners, as in [`Case`]. Absent: for all.
    #[serde(default, rename = "where", skip_serializing_if = "is_default")]
    pub filter: Condition,
    /// First day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// What must hold.
    pub holds: Box<Requirement>,
    /// What it is elsewhere and at other times.
    #[serde(default)]
    pub otherwise: Otherwise,
}

/// What a requirement is where it is not asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It does not apply and counts neither way.
    #[default]
    NotApplicable,
    /// It is not met: what it opens is not available there.
    Unmet,
}
