//! What happens to a deal. These types are the storage format: a shape once written stays
//! readable.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::activity::deal::record::{DealChanges, DealRecord};
use crate::ids::{DealId, PartnerId};
use crate::money::Money;

/// The facts about a deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DealEvent {
    /// A partner registered the deal. Its state is `registered`.
    DealRegistered {
        /// Identifier of the deal.
        deal: DealId,
        /// Whose deal it is; never changes.
        partner: PartnerId,
        /// Everything that was said about it.
        record: Box<DealRecord>,
    },
    /// The whole present state was taken from another system; replaces what was known.
    DealImported {
        /// Identifier of the deal.
        deal: DealId,
        /// Whose deal it is; never changes.
        partner: PartnerId,
        /// The whole state.
        record: Box<DealRecord>,
    },
    /// The vendor approved the registration.
    DealApproved {
        /// The business date of the approval.
        approved_date: Date,
    },
    /// The vendor refused the registration.
    DealRejected {
        /// Why; never empty.
        reason: String,
    },
    /// The partner took the registration back.
    DealWithdrawn {
        /// Why; may be empty.
        reason: String,
    },
    /// The customer bought.
    DealWon {
        /// The business date of the order.
        closed_date: Date,
        /// The amount of the order. Absent: as known before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Money>,
    },
    /// The customer did not buy.
    DealLost {
        /// The business date of the loss.
        closed_date: Date,
        /// Why; may be empty.
        reason: String,
    },
    /// A closed, rejected or withdrawn deal is open again: approved where it had been approved,
    /// registered otherwise. The closing date and all reversals are void.
    DealReopened {
        /// Why; may be empty.
        reason: String,
    },
    /// What was said about the deal was corrected; the state stays. A won deal may be corrected.
    DealAmended {
        /// Only what differs from before.
        changes: Box<DealChanges>,
    },
    /// A won deal was taken back, in whole or in part: a credit note.
    DealReversed {
        /// The business date of the credit note.
        date: Date,
        /// How much was taken back by this note, in the currency of the deal. Absent where the
        /// deal has no amount.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Decimal>,
        /// Nothing of the deal is left: its state is `reversed`.
        complete: bool,
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

crate::stored_events!(DealEvent, "tierline.activity.v1", {
    DealRegistered = "1.0",
    DealImported = "1.0",
    DealApproved = "1.0",
    DealRejected = "1.0",
    DealWithdrawn = "1.0",
    DealWon = "1.0",
    DealLost = "1.0",
    DealReopened = "1.0",
    DealAmended = "1.0",
    DealReversed = "1.0",
});
