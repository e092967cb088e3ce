//! Measures: numbers out of facts, out of what is known about the enrollment, and out of other
//! numbers; and what they are compared with.

use jiff::civil::Date;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Across, Addend, Condition, Line, Rank, Requirement, Selection, TiersHeld, Window, is_default,
};
use crate::rules::fact::FactKind;
use crate::schema::ExactNumber;
use crate::time::PeriodUnit;

/// A number: made out of facts, of what is known about the enrollment and the partner, or of other
/// numbers.
///
/// Of numbers that are put together, one that is unknown makes the whole unknown; what becomes of
/// one that does not apply is said at each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// Points for facts, by weight and with caps.
    Points(Points),
    /// One number out of those of the groups into which a field divides the facts.
    Groups {
        /// The groups.
        groups: Grouping,
        /// Which number.
        take: Take,
        /// What it is without any group.
        #[serde(default)]
        when_none: WhenZero,
    },
    /// How many of the groups reach a threshold.
    CountGroups {
        /// The groups.
        groups: Grouping,
        /// What the number of a group must be.
        each: Threshold,
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
        /// Of each of these kinds a person needs one at least.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        holding: Vec<Condition>,
        /// For how long certifications are valid, by the day of their award, in place of the
        /// expiry that they carry: the last line that the award is not before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        validity: Vec<Validity>,
        /// Within `for_each`: the field that has to have the value of the group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        same: Option<String>,
    },
    /// How many seats can be filled by certified persons.
    Roles(Roles),
    /// How many facts, or how much of them, were in force.
    InForce(InForce),
    /// Whole days since the last of the facts; without any, since the start of the enrollment.
    DaysSince {
        /// Which facts.
        facts: Selection,
    },
    /// Whole months since the start of the enrollment.
    MonthsInProgram,
    /// Whole months since the present tier was reached.
    MonthsInTier,
    /// How many complete periods in a row, up to the last one, were spent wholly in these tiers.
    PeriodsInTier {
        /// Identifiers of the tiers.
        tiers: Vec<String>,
        /// Kind of period.
        unit: PeriodUnit,
    },
    /// A numeric attribute of the partner.
    PartnerNumber {
        /// Name of the attribute.
        attribute: String,
    },
    /// One number by another.
    Ratio {
        /// The part.
        of: Box<Measure>,
        /// The whole.
        to: Box<Measure>,
        /// What it is when the whole is zero.
        #[serde(default)]
        when_zero: WhenZero,
    },
    /// How many percent a number is above what it was, or below.
    Growth(Growth),
    /// The sum of numbers; what does not apply adds nothing.
    Total(Vec<Measure>),
    /// One number less another.
    Difference {
        /// The first.
        of: Box<Measure>,
        /// What is taken away.
        less: Box<Measure>,
    },
    /// A number times a constant.
    Times {
        /// The number.
        of: Box<Measure>,
        /// The constant.
        #[schemars(with = "ExactNumber")]
        by: Decimal,
    },
    /// The least of some numbers, of those that apply.
    Least(Vec<Measure>),
    /// The greatest of some numbers, of those that apply.
    Greatest(Vec<Measure>),
    /// What a table gives for a number, in steps.
    Steps {
        /// The number.
        of: Box<Measure>,
        /// The steps, from the lowest up. Below the first the result is zero.
        table: Vec<ScoreStep>,
    },
    /// What a table gives for a number, with straight lines between its points, and nothing beyond
    /// its ends.
    Linear {
        /// The number.
        of: Box<Measure>,
        /// The points, from the lowest up.
        table: Vec<ScorePoint>,
    },
    /// The mean of numbers by weight, of those that apply.
    Weighted(Vec<Weight>),
    /// How many tiers are held elsewhere, by the partner itself or by related companies.
    TiersHeld(TiersHeld),
    /// A number, with those of related companies added to it.
    Across(Across),
    /// The place among all enrollments of the track.
    Rank(Rank),
    /// The place in line for a tier that is limited in number.
    Line(Line),
    /// A number, as long as something holds; otherwise zero.
    Gate {
        /// What has to hold.
        when: Box<Requirement>,
        /// The number.
        of: Box<Measure>,
    },
}

/// Points for facts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// What gives points.
    pub table: Vec<PointsEntry>,
    /// A fact counts for the first entry that takes it, or for every one.
    #[serde(default)]
    pub take: Taken,
    /// Most points in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ExactNumber>")]
    pub most: Option<Decimal>,
}

/// For which entries of a table a fact counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// The first one that takes it. A fact of which this is not clear counts for none.
    #[default]
    First,
    /// Every one.
    Every,
}

/// One line of a table of points.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsEntry {
    /// What a person reads.
    pub name: String,
    /// Which facts.
    pub facts: Selection,
    /// Points for a fact, or for each `per` of it.
    #[schemars(with = "ExactNumber")]
    pub points: Decimal,
    /// Points are given for so much of something. Absent: for the fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
    /// Only the first so many facts, by date and then by identifier, give points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u32>,
    /// Most points for facts with the same value of a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_per: Option<MostPer>,
    /// Most points of this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ExactNumber>")]
    pub most: Option<Decimal>,
}

/// So much of something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Per {
    /// How much.
    #[schemars(with = "ExactNumber")]
    pub each: Decimal,
    /// Of what.
    pub of: Addend,
    /// Only whole ones of a fact give points. Points for parts are rounded to ten decimals, half to
    /// even.
    #[serde(default, skip_serializing_if = "is_default")]
    pub whole: bool,
}

/// A cap for facts with the same value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MostPer {
    /// The field, such as `customer`.
    pub key: String,
    /// Most points.
    #[schemars(with = "ExactNumber")]
    pub most: Decimal,
}

/// Facts, divided by a field, with a number for each group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// Which facts.
    pub facts: Selection,
    /// The field that divides them. A fact without it has no value.
    pub by: String,
    /// What is added up in a group. Absent: facts are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Addend>,
}

/// Which number out of those of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// The middle one; of an even number the mean of the two in the middle.
    Median,
    /// The arithmetic mean.
    Mean,
    /// The least number that at least so many percent of the groups do not exceed: the nearest
    /// rank.
    Percentile(u8),
}

/// What a number is when what it would be divided by is zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenZero {
    /// It does not apply.
    #[default]
    NotApplicable,
    /// Zero.
    Zero,
    /// One.
    One,
}

/// For how long certifications are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// For awards from this day on, until that of the next line. Absent: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awarded_from: Option<Date>,
    /// Months; the last valid day is the one before the same day of the month.
    pub months: u16,
}

/// Seats to be filled by persons, by maximum matching: no other choice of persons fills more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The roles.
    pub roles: Vec<Role>,
    /// How many roles one person may fill.
    #[serde(default = "one")]
    pub per_person: u32,
    /// For how long certifications are valid, in place of the expiry that they carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validity: Vec<Validity>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// What a person reads.
    pub name: String,
    /// How many seats it has. A person fills one at most.
    #[serde(default = "one")]
    pub seats: u32,
    /// A person can fill it who holds a valid certification that passes the filter.
    #[serde(rename = "where")]
    pub filter: Condition,
}

/// Facts that last from one date to another: contracts, subscriptions, verifications.
///
/// A fact is in force from the day of its date `from` to that of `until`, which is its last day;
/// without `until` it does not end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InForce {
    /// Kind of fact.
    pub kind: FactKind,
    /// Filter over the fields of the fact.
    #[serde(default, rename = "where", skip_serializing_if = "is_default")]
    pub filter: Condition,
    /// The named date of the first day.
    pub from: String,
    /// The named date of the last day.
    pub until: String,
    /// When it has to be in force.
    #[serde(default)]
    pub when: When,
    /// It has to have begun in these days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Window>,
    /// What is added up. Absent: facts are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Addend>,
    /// Within `for_each`: the field that has to have the value of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same: Option<String>,
}

/// When a fact has to be in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// On the as-of date.
    #[default]
    Now,
    /// On at least one day of the window.
    Within(Window),
    /// On the day before the window begins: what there was at its start.
    Before(Window),
    /// On the day before the window begins, and on its last day: what was kept.
    Throughout(Window),
}

/// The growth of a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// The number.
    pub of: Box<Measure>,
    /// Against what it was so many months before.
    #[serde(default = "year")]
    pub months: u16,
    /// Below this there is nothing to grow from, and it does not apply; nor does it from zero.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(with = "ExactNumber")]
    pub minimum_base: Decimal,
    /// Only whole steps of so many percent count. Without: percents to ten decimals, half to even.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ExactNumber>")]
    pub step: Option<Decimal>,
}

/// What a number gives from a bound on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreStep {
    /// From this number on.
    #[schemars(with = "ExactNumber")]
    pub from: Decimal,
    /// The result.
    #[schemars(with = "ExactNumber")]
    pub gives: Decimal,
}

/// A point of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScorePoint {
    /// The number.
    #[schemars(with = "ExactNumber")]
    pub at: Decimal,
    /// The result.
    #[schemars(with = "ExactNumber")]
    pub gives: Decimal,
}

/// A number with its weight.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// What a person reads.
    pub name: String,
    /// The weight, more than zero.
    #[schemars(with = "ExactNumber")]
    pub weight: Decimal,
    /// The number.
    pub of: Measure,
}

fn year() -> u16 {
    12
}

fn one() -> u32 {
    1
}

/// A comparison of a measured number with a threshold. Inclusive or not is always explicit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Threshold {
    /// At least.
    Gte(#[schemars(with = "ExactNumber")] Decimal),
    /// More than.
    Gt(#[schemars(with = "ExactNumber")] Decimal),
    /// At most.
    Lte(#[schemars(with = "ExactNumber")] Decimal),
    /// Less than.
    Lt(#[schemars(with = "ExactNumber")] Decimal),
    /// Inclusive at both ends.
    Between {
        /// Lower bound.
        #[schemars(with = "ExactNumber")]
        from: Decimal,
        /// Upper bound.
        #[schemars(with = "ExactNumber")]
        to: Decimal,
    },
    /// Exactly.
    Equals(#[schemars(with = "ExactNumber")] Decimal),
}
