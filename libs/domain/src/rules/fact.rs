//! A fact: one thing that happened at a partner, in the form that requirements look at.
//!
//! Deals, certifications, references, reviews and campaigns all become facts. A fact is the
//! present version of the thing: when the thing changes, its fact is replaced as a whole.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::rules::condition::Fields;
use crate::rules::value::Value;

/// What kind of thing happened. Kinds beyond the built-in ones are named by the org.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct FactKind(String);

impl FactKind {
    /// A deal: registered, approved, won, lost.
    pub const DEAL: &'static str = "deal";
    /// A certification held by a person at the partner.
    pub const CERTIFICATION: &'static str = "certification";

    /// The kind of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The state of a fact of this kind of which nothing else is said.
    pub fn usual_state(&self) -> &'static str {
        match self.0.as_str() {
            Self::DEAL => "won",
            Self::CERTIFICATION => "valid",
            _ => "recorded",
        }
    }

    /// The name of the kind.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The present version of one thing that happened at a partner.
///
/// Built-in field names, as conditions use them: `state`, `amount`, `currency`, `quantity`,
/// every key of `dates` with `_date` appended, and every key of `fields`; a field that is a date
/// may also be named with `_date` appended, where no other has that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What kind of thing.
    pub kind: FactKind,
    /// Identifier, unique within the kind and the org.
    pub id: String,
    /// Version of the thing: the sequence of the last event about it.
    pub version: u64,
    /// State in the life of its kind: a deal is `registered`, `approved`, `rejected`, `won`,
    /// `lost`, `withdrawn` or `reversed`; a certification is `valid` or `revoked`; others are
    /// `recorded` or `retracted`.
    pub state: String,
    /// Amount of money, net of partial reversals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// A number of something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    /// Named business dates: `registered`, `approved`, `expected_close`, `closed`, `awarded`,
    /// `expires`, `revoked`, `left`, `held`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dates: BTreeMap<String, Date>,
    /// Everything else: `customer`, `person`, `certification`, `level`, `source`, `region`,
    /// `product_lines`, `reversed_amount`, and attributes of the org's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
    /// Reason why the fact counts for nothing, if it was disqualified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disqualified: Option<String>,
}

impl Fact {
    /// The value of a named field; `None` is *unknown*, which is not zero.
    pub fn field(&self, name: &str) -> Option<Value> {
        Fields::get(self, name).map(Value::from)
    }

    /// The named business date: one of `dates`, or else an attribute that is a date. Records carry
    /// all their dates but `held` as attributes.
    pub fn date(&self, name: &str) -> Option<Date> {
        let own = self.dates.get(name).copied();
        own.or_else(|| match self.fields.get(name) {
            Some(Value::Date(date)) => Some(*date),
            _ => None,
        })
    }
}
