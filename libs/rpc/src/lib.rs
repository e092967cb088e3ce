//! What every gRPC service of Tierline shares: refusals as statuses, who is calling and what they
//! may do, repeated requests, lists, filters, and conversions between messages and the domain.
//!
//! Nothing here decides anything about partner programs, and nothing here opens a connection.

pub mod access;
pub mod auth;
pub mod bulk;
pub mod caller;
pub mod command;
pub mod consistency;
pub mod convert;
pub mod dispatch;
pub mod field_mask;
pub mod filter;
pub mod layer;
pub mod limits;
pub mod order_by;
pub mod org_clock;
pub mod paging;
pub mod partners;
pub mod status;

pub use auth::{ApiKeys, AuthSettings, Verifier};
pub use caller::{Caller, Role};
pub use command::Call;
pub use dispatch::Commands;
pub use filter::Filter;
pub use layer::AuthLayer;
pub use org_clock::{OrgClock, OrgTime};
pub use status::{describe, from_command_error, from_rejection, internal};
