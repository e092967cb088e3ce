//! Deals: registered, approved, won or lost, corrected and reversed.

pub mod aggregate;
pub mod check;
pub mod commands;
pub mod events;
pub mod record;

pub use aggregate::Deal;
pub use commands::{DealCommand, RecordDeal, RegisterDeal, ReverseDeal};
pub use events::DealEvent;
pub use record::{Customer, DealChanges, DealRecord, DealSource, DealState};
