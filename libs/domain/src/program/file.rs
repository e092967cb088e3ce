//! A program as a file: its definition, with cases that it has to pass.
//!
//! A case says what is known of one partner and what follows from it. Cases are run by
//! [`super::cases`], offline and by the same assessment that decides tiers.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{TierId, TrackId};
use crate::money::Currency;
use crate::program::definition::{ProgramDefinition, Track, is_january, january};
use crate::program::remarks::{Catalogue, Suppression};
use crate::rejection::Rejection;
use crate::rules::{Beyond, FactKind, FixedRates, Outcome, Value};
use crate::schema::ExactNumber;

/// A file: exactly a [`ProgramDefinition`], and cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramFile {
    slug: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_date: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_date: Option<Date>,
    currency: Currency,
    #[serde(default = "january", skip_serializing_if = "is_january")]
    program_year_start: i8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fixed_rates: Vec<FixedRates>,
    tracks: Vec<Track>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalogue: Option<Catalogue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lint: Vec<Suppression>,
    /// The cases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Case>,
}

impl ProgramFile {
    /// The definition and the cases.
    pub fn into_parts(self) -> (ProgramDefinition, Vec<Case>) {
        let definition = ProgramDefinition {
            slug: self.slug,
            name: self.name,
            description: self.description,
            start_date: self.start_date,
            end_date: self.end_date,
            currency: self.currency,
            program_year_start: self.program_year_start,
            fixed_rates: self.fixed_rates,
            tracks: self.tracks,
            catalogue: self.catalogue,
            lint: self.lint,
        };
        (definition, self.tests)
    }
}

/// What is known of one partner, and what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows; a sentence.
    pub name: String,
    /// The track. Absent: the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<TrackId>,
    /// First day of the enrollment. Absent: 1 January 2000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled: Option<Date>,
    /// The tiers held so far, the earliest first. Absent: the entry tier since the enrollment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldTier>,
    /// IANA name of the org's time zone does not matter for dates; the month in which its fiscal
    /// year begins does. Absent: January.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fiscal_year_start: Option<i8>,
    /// Attributes of the partner.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partner: BTreeMap<String, Value>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<CaseFact>,
    /// What lies beyond the partner: related companies, other tracks, the ranking, the line for
    /// limited tiers. States, the earliest first; each is in force until the next one. Absent:
    /// nothing of it is known.
    #[serde(default, skip_serializing_if = "Beyond::is_empty")]
    pub beyond: Beyond,
    /// Exchange rates: units of each currency for one euro.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<CaseRates>,
    /// The day as of which the assessment begins. From there on time runs to the last day that is
    /// asked about, and everything happens on its day. A tier that the partner is promoted to at
    /// the start is held since this day, however long ago it would have qualified; what it held
    /// before is said by `held`.
    pub from: Date,
    /// What follows, day by day; the first of them may be the day `from` itself.
    pub expect: Vec<Expected>,
}

/// A tier that was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldTier {
    /// The tier.
    pub tier: TierId,
    /// First day.
    pub since: Date,
}

/// One thing, or several equal ones, that happened at the partner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFact {
    /// Kind of fact, such as `deal`.
    pub kind: FactKind,
    /// How many of them. Each is a fact of its own; `{n}` in a text is its number, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u16>,
    /// State. Absent: `won` for a deal, `valid` for a certification, otherwise `recorded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Amount of money, such as `100000 USD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// A number of something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ExactNumber>")]
    pub quantity: Option<Decimal>,
    /// Named dates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dates: BTreeMap<String, Date>,
    /// Everything else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
}

/// Rates of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseRates {
    /// The day.
    pub on: Date,
    /// Units of each currency for one euro.
    #[schemars(with = "BTreeMap<Currency, ExactNumber>")]
    pub euro: BTreeMap<Currency, Decimal>,
}

/// What follows as of a day. What is not named is not asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The day.
    pub on: Date,
    /// The tier held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierId>,
    /// Whether a demotion process runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessState>,
    /// The tier that a person is asked to decide about, or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<Recommended>,
    /// How the qualification of a tier comes out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub qualifies: BTreeMap<TierId, Outcome>,
    /// How the requirement to keep a tier comes out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keeps: BTreeMap<TierId, Outcome>,
    /// The numbers of criteria, by identifier, as the first tier has them that names them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, ExactNumber>")]
    pub measured: BTreeMap<String, Decimal>,
    /// All criteria that keep a tier's qualification from being met, by identifier, in any order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unmet: BTreeMap<TierId, Vec<String>>,
}

/// What a person is asked to decide about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Recommended {
    /// Nothing: the word `none`.
    Nothing(NothingRecommended),
    /// This tier.
    Tier(TierId),
}

/// The word for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NothingRecommended {
    /// Nothing is recommended.
    None,
}

impl Recommended {
    /// The tier, if there is one.
    pub fn tier(&self) -> Option<&TierId> {
        match self {
            Self::Nothing(_) => None,
            Self::Tier(tier) => Some(tier),
        }
    }
}

/// Whether a demotion process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// None does.
    None,
    /// The notice was given.
    Notice,
    /// The remediation has begun.
    Remediation,
}

/// Reads a file with its cases. It is not checked beyond its form.
///
/// # Errors
/// `INVALID_REQUEST` on the field `definition`, with line and column, what is wrong, and for an
/// unknown name the names that are allowed.
pub fn program_file_from_yaml(text: &str) -> Result<(ProgramDefinition, Vec<Case>), Rejection> {
    super::yaml::read("definition", text).map(ProgramFile::into_parts)
}
