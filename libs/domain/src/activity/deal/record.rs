//! A deal as it stands, in one piece: what imports carry, what the aggregate keeps, and what facts
//! are made of.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::partner::profile::{label, present};
use crate::rules::Value;

label!(
    /// Where a deal stands.
    DealState {
        /// Open, not approved.
        Registered = "registered",
        /// Open and approved by the vendor.
        Approved = "approved",
        /// Refused by the vendor.
        Rejected = "rejected",
        /// Taken back by the partner.
        Withdrawn = "withdrawn",
        /// The customer bought.
        Won = "won",
        /// The customer did not buy.
        Lost = "lost",
        /// Won once, and taken back completely.
        Reversed = "reversed",
    }
);

impl DealState {
    /// True while the deal may still be won or lost.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Registered | Self::Approved)
    }

    /// True for states that come with a closing date.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Won | Self::Lost | Self::Reversed)
    }
}

label!(
    /// The partner's part in the deal.
    DealSource {
        /// The partner found the customer.
        PartnerSourced = "partner_sourced",
        /// The partner helped.
        Influenced = "influenced",
    }
);

/// The buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Company name.
    pub name: String,
    /// Web domain, normalized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// A deal as it stands. Whose deal it is stands beside it and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DealRecord {
    /// Identifier in another system; unique in the org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What a person reads.
    pub name: String,
    /// Where it stands.
    pub state: DealState,
    /// The buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    /// The amount of the order, before reversals; never negative. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// How much of the amount was taken back by credit notes, in the currency of the amount.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub reversed_amount: Decimal,
    /// What was bought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub product_lines: Vec<String>,
    /// Region of the buyer, as the org names its regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The partner's part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<DealSource>,
    /// The business date of the registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_date: Option<Date>,
    /// The business date of the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_date: Option<Date>,
    /// The business date on which the order is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_close_date: Option<Date>,
    /// The business date on which it was won or lost. Present exactly in the states `won`, `lost`
    /// and `reversed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_date: Option<Date>,
    /// Why it was rejected, withdrawn, lost, reopened or last reversed; empty where nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Attributes of the org's own, for requirements and filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
}

impl DealRecord {
    /// An open deal of which only the name is known.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            external_id: None,
            name: name.into(),
            state: DealState::Registered,
            customer: None,
            amount: None,
            reversed_amount: Decimal::ZERO,
            product_lines: Vec::new(),
            region: None,
            source: None,
            registered_date: None,
            approved_date: None,
            expected_close_date: None,
            closed_date: None,
            reason: String::new(),
            attributes: BTreeMap::new(),
        }
    }

    /// The amount that is left after reversals.
    pub fn net_amount(&self) -> Option<Money> {
        let gross = self.amount?;
        Some(Money::new(
            gross.amount - self.reversed_amount,
            gross.currency,
        ))
    }
}

/// Corrections of a deal. An absent field stays as it is. In a field that may be empty,
/// `Some(None)` (JSON `null`) empties it. Lists and the attribute map are replaced as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DealChanges {
    /// What a person reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The buyer.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub customer: Option<Option<Customer>>,
    /// The amount before reversals.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub amount: Option<Option<Money>>,
    /// What was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_lines: Option<Vec<String>>,
    /// Region of the buyer.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub region: Option<Option<String>>,
    /// The partner's part in it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub source: Option<Option<DealSource>>,
    /// The business date of the registration.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub registered_date: Option<Option<Date>>,
    /// The business date on which the order is expected.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub expected_close_date: Option<Option<Date>>,
    /// The business date on which it was won or lost; only of a closed deal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_date: Option<Date>,
    /// Attributes of the org's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, Value>>,
}

macro_rules! each_field {
    ($each:ident) => {
        $each!(
            name,
            customer,
            amount,
            product_lines,
            region,
            source,
            registered_date,
            expected_close_date,
            attributes
        )
    };
}

impl DealChanges {
    /// What turns `from` into `to`, of that which can be corrected.
    pub fn between(from: &DealRecord, to: &DealRecord) -> Self {
        macro_rules! differences {
            ($($field:ident),+) => {
                Self {
                    closed_date: to.closed_date.filter(|_| from.closed_date != to.closed_date),
                    $($field: (from.$field != to.$field).then(|| to.$field.clone())),+
                }
            };
        }
        each_field!(differences)
    }

    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes the changes.
    pub fn apply_to(&self, record: &mut DealRecord) {
        macro_rules! replaced {
            ($($field:ident),+) => {
                $(if let Some(value) = &self.$field { record.$field = value.clone(); })+
            };
        }
        each_field!(replaced);
        if let Some(date) = self.closed_date {
            record.closed_date = Some(date);
        }
    }
}
