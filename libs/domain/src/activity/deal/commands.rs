//! What may be asked of a deal.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::activity::deal::record::{Customer, DealChanges, DealRecord, DealSource};
use crate::ids::{DealId, PartnerId};
use crate::money::Money;
use crate::partner::PartnerStatus;
use crate::rules::Value;

/// The commands of a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DealCommand {
    /// Register the deal.
    Register(Box<RegisterDeal>),
    /// Approve a registered deal. On the same date again: nothing to do.
    Approve {
        /// The business date of the approval.
        approved_date: Date,
    },
    /// Refuse a registered deal. For the same reason again: nothing to do.
    Reject {
        /// Why; required.
        reason: String,
    },
    /// Take an open deal back. Again: nothing to do.
    Withdraw {
        /// Why; may be empty.
        reason: String,
    },
    /// The customer bought. Only of an open deal: approval is not required, since deals are won
    /// before anybody looked at their registration; a closed or rejected deal is reopened first.
    /// With the same date and amount again: nothing to do.
    Win {
        /// The business date of the order.
        closed_date: Date,
        /// The amount of the order. Absent: as known before.
        amount: Option<Money>,
    },
    /// The customer did not buy. Only of an open deal. With the same date again: nothing to do.
    Lose {
        /// The business date of the loss.
        closed_date: Date,
        /// Why; may be empty.
        reason: String,
    },
    /// Open a closed, rejected or withdrawn deal again.
    Reopen {
        /// Why; may be empty.
        reason: String,
    },
    /// Correct what was said, in any state. Values that are the same already are left out;
    /// nothing left: nothing to do.
    Amend(Box<DealChanges>),
    /// Take a won deal back, in whole or in part.
    Reverse(ReverseDeal),
    /// Take the whole state from another system: creates the deal where it is missing. The same
    /// state as known: nothing to do. The other system is the master of the deals it records:
    /// what it says replaces what was entered by hand.
    Record(Box<RecordDeal>),
}

/// Register a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterDeal {
    /// Identifier of the deal.
    pub deal: DealId,
    /// Whose deal it is.
    pub partner: PartnerId,
    /// Looked up: the status of the partner. Suspended and inactive partners register nothing.
    pub partner_status: PartnerStatus,
    /// Identifier in another system; unique in the org.
    pub external_id: Option<String>,
    /// What a person reads.
    pub name: String,
    /// The buyer.
    pub customer: Option<Customer>,
    /// The expected amount.
    pub amount: Option<Money>,
    /// What is to be bought.
    pub product_lines: Vec<String>,
    /// Region of the buyer.
    pub region: Option<String>,
    /// The partner's part in it.
    pub source: Option<DealSource>,
    /// The business date of the registration.
    pub registered_date: Date,
    /// The business date on which the order is expected.
    pub expected_close_date: Option<Date>,
    /// Attributes of the org's own.
    pub attributes: BTreeMap<String, Value>,
}

/// Take a won deal back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseDeal {
    /// The business date of the credit note; not before the closing date.
    pub date: Date,
    /// How much is taken back: more than zero, in the currency of the deal, at most what is left.
    /// Absent: everything that is left.
    pub amount: Option<Money>,
    /// Why; required.
    pub reason: String,
}

/// The whole state of a deal, from another system. Historic deals of partners that do not take
/// part any more are taken too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordDeal {
    /// Identifier of the deal.
    pub deal: DealId,
    /// Whose deal it is.
    pub partner: PartnerId,
    /// The whole state.
    pub record: DealRecord,
}
