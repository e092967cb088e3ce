//! What happens to the exchange rates of an org. These types are the storage format: a shape once
//! written stays readable.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::Currency;

/// The facts about exchange rates. They concern every partner of the org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RatesEvent {
    /// Rates were published. Each day replaces what was published for that day before.
    RatesPublished {
        /// Who says so, such as `ECB`.
        source: String,
        /// The currency of which one unit is worth the rates; the same in the whole stream.
        base: Currency,
        /// The days that are new or differ, ascending; at most
        /// [`crate::limits::RATE_DAYS_PER_EVENT`].
        days: Vec<RateDay>,
    },
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(RatesEvent, "tierline.program.v1", {
    RatesPublished = "1.0",
});

/// All rates of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateDay {
    /// The day. It has no time zone: it is the date that the publisher put on the rates.
    pub date: Date,
    /// How much of each currency one unit of the base is worth; more than zero.
    pub rates: BTreeMap<Currency, Decimal>,
}
