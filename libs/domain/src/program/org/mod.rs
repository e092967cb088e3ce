//! The org: the vendor that runs programs, its calendar and its clock.

mod aggregate;
mod commands;
mod events;

pub use aggregate::Org;
pub use commands::{ClockTime, CreateOrg, OrgCommand};
pub use events::{OrgEvent, OrgKind};
