//! What happens to the record of an activity. These types are the storage format: a shape once
//! written stays readable.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ids::{PartnerId, RecordId};
use crate::money::Money;
use crate::rules::{FactKind, Value};

/// The facts about the record of an activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordEvent {
    /// Something took place at a partner.
    ActivityRecorded {
        /// Identifier of the record.
        record: RecordId,
        /// Where it took place; never changes.
        partner: PartnerId,
        /// Everything that was said about it.
        activity: Box<ActivityRecord>,
    },
    /// What was said was corrected.
    RecordAmended {
        /// Everything, as it is now. The kind is as before.
        activity: Box<ActivityRecord>,
    },
    /// It turned out not to count; final.
    RecordRetracted {
        /// Why; never empty.
        reason: String,
    },
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(RecordEvent, "tierline.activity.v1", {
    ActivityRecorded = "1.0",
    RecordAmended = "1.0",
    RecordRetracted = "1.0",
});

/// An activity as it was recorded. The partner stands beside it and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRecord {
    /// What kind of activity: `reference`, `review`, `campaign`, `training`, `survey` or a label
    /// of the org's own; not `deal` and not `certification`. Never changes.
    pub kind: FactKind,
    /// Identifier in another system; unique in the org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What a person reads.
    pub title: String,
    /// The business date on which it took place.
    pub held_date: Date,
    /// An amount of money: a budget, a fee, what was spent. Negative: given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// A number of something: leads, participants, a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    /// Attributes, for requirements and filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
}
