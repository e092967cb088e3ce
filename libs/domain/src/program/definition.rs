//! What a program says: tracks, tiers, their requirements, and how tiers are gained and lost.
//! A definition is what gets published; a published one never changes.

use std::collections::BTreeSet;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{BenefitId, TierId, TrackId};
use crate::money::Currency;
use crate::program::badge::BadgeName;
use crate::program::remarks::{Catalogue, Suppression};
use crate::rules::{FixedRates, Pricing, Requirement};
use crate::time::PeriodUnit;

/// The whole content of a program version. In YAML exactly the serde form of this type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramDefinition {
    /// Identifier of the program, URL-safe, unique in the org.
    pub slug: String,
    /// What a person reads.
    pub name: String,
    /// Longer text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The first day on which a partner can be enrolled. Absent: any day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<Date>,
    /// The last day on which a partner can be enrolled. Absent: any day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<Date>,
    /// The currency in which sums of money are measured.
    pub currency: Currency,
    /// Month in which the year of the program begins, 1 to 12, where its rules speak of one.
    #[serde(default = "january", skip_serializing_if = "is_january")]
    pub program_year_start: i8,
    /// Exchange rates that the program fixes, the earliest table first. Empty: published rates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed_rates: Vec<FixedRates>,
    /// The tracks; at least one.
    pub tracks: Vec<Track>,
    /// The names that are meant, for the linter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<Catalogue>,
    /// Remarks of the linter that are known and wanted so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lint: Vec<Suppression>,
}

pub(super) fn january() -> i8 {
    1
}

pub(super) fn is_january(month: &i8) -> bool {
    *month == 1
}

/// A ladder of tiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Track {
    /// Identifier, unique in the program.
    pub id: TrackId,
    /// What a person reads.
    pub name: String,
    /// How tiers are gained.
    #[serde(default)]
    pub promotion: PromotionPolicy,
    /// How tiers are lost.
    #[serde(default)]
    pub demotion: DemotionPolicy,
    /// The tiers, highest first. The last one is the entry tier and has no qualification.
    pub tiers: Vec<Tier>,
}

/// One tier of a track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Identifier, unique in the track.
    pub id: TierId,
    /// What a person reads.
    pub name: String,
    /// Colour of the badge.
    #[serde(default)]
    pub color: Color,
    /// Image of the badge, uploaded before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<BadgeName>,
    /// What it takes to reach the tier. Absent only for the entry tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualification: Option<Requirement>,
    /// What it takes to keep the tier. Absent: the qualification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Requirement>,
    /// What the tier gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benefits: Vec<Benefit>,
}

impl Tier {
    /// What it takes to keep the tier.
    pub fn keeps(&self) -> Option<&Requirement> {
        self.retention.as_ref().or(self.qualification.as_ref())
    }

    /// The identifiers of everything that is measured for it, in its qualification and retention.
    pub fn criterion_ids(&self) -> BTreeSet<&str> {
        fn collect<'a>(requirement: &'a Requirement, ids: &mut BTreeSet<&'a str>) {
            match requirement {
                Requirement::Criterion(criterion) => {
                    ids.insert(&criterion.id);
                }
                Requirement::Partner { id, .. } => {
                    ids.insert(id);
                }
                _ => requirement.each_child(&mut |child| collect(child, ids)),
            }
        }
        let mut ids = BTreeSet::new();
        let requirements = self.qualification.iter().chain(&self.retention);
        requirements.for_each(|requirement| collect(requirement, &mut ids));
        ids
    }
}

/// Colour of a tier's badge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Color {
    Amber,
    Blue,
    Purple,
    Green,
    Orange,
    Red,
    Slate,
    #[default]
    Neutral,
}

/// One thing that a tier gives, such as deal protection days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Benefit {
    /// The benefit of the org's library. Absent: a benefit of this program alone, told by `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<BenefitId>,
    /// What a person reads, the same in every tier that has it. Absent where `id` names a benefit
    /// of the library, which knows the name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How much of it, as text: `30 days`, `15 %`, `dedicated`. For a benefit of the library it is
    /// checked by its type: `yes` or `no`, `15 %`, `5000 USD`, `60 days`, `4 hours`, or any words.
    pub value: String,
    /// The criterion that earns it, by its identifier in the qualification or retention of the
    /// tier. Absent: holding the tier does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earned_by: Option<String>,
}

impl Benefit {
    /// What tells it apart from others: the identifier in the library, or its name.
    pub fn key(&self) -> &str {
        self.id.as_ref().map_or(&self.name, BenefitId::as_str)
    }
}

/// How tiers are gained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PromotionPolicy {
    /// Decided by the system, or recommended to a person.
    pub mode: PromotionMode,
    /// To the highest tier that qualifies, or one tier at a time.
    pub step: Step,
    /// Only at the start of such a period; absent: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<PeriodUnit>,
    /// Whole months that must have been spent in the present tier.
    pub minimum_months_in_tier: u16,
}

/// Who decides a promotion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromotionMode {
    /// The system.
    #[default]
    Automatic,
    /// A person, on the system's recommendation.
    Recommend,
}

/// How far one decision moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// To the tier that the facts qualify for.
    #[default]
    Qualified,
    /// One tier.
    One,
}

/// How tiers are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DemotionPolicy {
    /// Never, recommended to a person, or decided by the system.
    pub mode: DemotionMode,
    /// To the tier that the facts qualify for, or one tier down.
    pub step: Step,
    /// Retention is looked at only at the start of such a period; absent: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<PeriodUnit>,
    /// Days of notice before the remediation begins.
    pub notice_days: u16,
    /// Days of remediation before the demotion.
    pub remediation_days: u16,
    /// Months of the path to re-earn the tier after a demotion.
    pub requalification_months: u16,
}

impl Default for DemotionPolicy {
    fn default() -> Self {
        Self {
            mode: DemotionMode::Automatic,
            step: Step::Qualified,
            review: None,
            notice_days: 30,
            remediation_days: 90,
            requalification_months: 6,
        }
    }
}

/// Who decides a demotion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DemotionMode {
    /// Tiers are never lost.
    Never,
    /// A person, on the system's recommendation.
    Recommend,
    /// The system.
    #[default]
    Automatic,
}

impl ProgramDefinition {
    /// How amounts of money are measured.
    pub fn pricing(&self) -> Pricing<'_> {
        Pricing {
            currency: self.currency,
            fixed: &self.fixed_rates,
        }
    }

    /// The track of this id.
    pub fn track(&self, id: &TrackId) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == *id)
    }
}

impl Track {
    /// Rank of the tier of this id: 0 is the highest.
    pub fn rank(&self, id: &TierId) -> Option<usize> {
        self.tiers.iter().position(|tier| tier.id == *id)
    }

    /// Every requirement of its tiers.
    pub fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.tiers
            .iter()
            .flat_map(|tier| tier.qualification.iter().chain(&tier.retention))
    }

    /// The tier without qualification, where every enrollment begins.
    pub fn entry(&self) -> Option<&Tier> {
        self.tiers.last()
    }
}
