//! The append: one statement, no lock, no notification, no transaction around it.

mod batch;
mod copy;
mod failure;
mod group;
mod item;
mod statement;

pub use batch::{AppendInError, append_in};
pub use failure::{AppendFailure, StoredReceipt};
pub(crate) use failure::{read_holders, read_receipts};
pub(crate) use group::Appender;
pub use item::{AppendItem, NewEvent, NewReceipt};
