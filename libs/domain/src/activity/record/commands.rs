//! What may be asked of the record of an activity.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::activity::record::events::ActivityRecord;
use crate::ids::{PartnerId, RecordId};
use crate::money::Money;
use crate::rules::Value;

/// The commands of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordCommand {
    /// Record an activity: creates the record where it is missing, corrects it where something
    /// differs. The same content as known: nothing to do.
    Record(Box<RecordActivity>),
    /// Correct what was said. Values that are the same already are left out; nothing left:
    /// nothing to do.
    Amend(Box<ActivityChanges>),
    /// It does not count. Final. Again: nothing to do.
    Retract {
        /// Why; required.
        reason: String,
    },
}

/// Record an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordActivity {
    /// Identifier of the record.
    pub record: RecordId,
    /// Where it took place.
    pub partner: PartnerId,
    /// Everything about it.
    pub activity: ActivityRecord,
}

/// Corrections. An absent field stays as it is; `Some(None)` empties it. The attribute map is
/// replaced as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityChanges {
    /// What a person reads.
    pub title: Option<String>,
    /// The business date on which it took place.
    pub held_date: Option<Date>,
    /// An amount of money.
    pub amount: Option<Option<Money>>,
    /// A number of something.
    pub quantity: Option<Option<Decimal>>,
    /// Attributes.
    pub attributes: Option<BTreeMap<String, Value>>,
}
