//! Measures that look beyond one partner: at related companies, at other tracks and programs, at
//! the ranking of a track, and at the line for tiers that are limited in number.
//!
//! What they look at is supplied to the evaluation ([`crate::rules::Beyond`]). Where it is not,
//! they are unknown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, Duration, Measure, is_default};

/// Whose tiers or numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Company {
    /// The partner itself.
    Itself,
    /// The company that owns it.
    Parent,
    /// A company that it owns.
    Child,
    /// A company with the same parent.
    Sibling,
    /// Every related company, whatever the relation.
    Group,
}

/// How many tiers are held elsewhere: in other tracks and programs by the partner itself, or by
/// related companies. The tier of the enrollment that is assessed is not among them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TiersHeld {
    /// By whom.
    #[serde(default = "itself")]
    pub by: Vec<Company>,
    /// In this program. Absent: in any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// In this track. Absent: in any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<String>,
    /// Identifiers of the tiers; one of them.
    pub tiers: Vec<String>,
    /// Filter over `company`, `program`, `track`, `tier`, `since_date` and what else is known of
    /// the enrollment, such as `region`.
    #[serde(default, rename = "where", skip_serializing_if = "is_default")]
    pub filter: Condition,
    /// Held for at least so long. Absent: since today is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_for: Option<Duration>,
}

fn itself() -> Vec<Company> {
    vec![Company::Itself]
}

/// A number of the partner, and that of related companies added to it.
///
/// Numbers are added: a customer of two companies is two customers. Where the number of one of
/// them is not known, the sum is not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Across {
    /// The name under which the numbers of the others are supplied; in a track it always means
    /// the same measure.
    pub id: String,
    /// The number.
    pub of: Box<Measure>,
    /// Of which companies besides the partner itself.
    pub with: Vec<Company>,
}

/// The place of the partner among all enrollments of the track, by a number; the greatest is first.
///
/// Equal numbers share the better place, and the places after them stay empty: 1, 2, 2, 4.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rank {
    /// The name under which the place is supplied; in a track it always means the same measure.
    pub id: String,
    /// The number by which it is ranked.
    pub of: Box<Measure>,
    /// Only among partners with the same value of this attribute. Absent: among all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// What the result is.
    #[serde(default, rename = "as", skip_serializing_if = "is_default")]
    pub form: RankForm,
}

/// In what form a rank is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RankForm {
    /// The place; the best is 1.
    #[default]
    Place,
    /// The place in percent of all: of 120 the sixth is 5.
    Percent,
}

/// The place in line for a tier that is limited in number.
///
/// In line are all enrollments of the track that satisfy everything else that the tier asks for.
/// They stand by their number, the greatest first; of equal ones who has satisfied it for longer is
/// before the others, and then the identifier of the enrollment decides. No place is shared. Who is
/// not in line has the place that it would have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The name under which the place is supplied; there is one line for each tier.
    pub id: String,
    /// The number that orders the line.
    pub by: Box<Measure>,
    /// A line for each value of this attribute of the partner. Absent: one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
}
