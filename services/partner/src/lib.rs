//! Partners and their contacts, as gRPC commands.
//!
//! Nothing is decided here. A request becomes a command of the domain with its looked-up data, the
//! runner carries it out, and the folded state becomes the answer.

mod bulk;
mod convert;
mod service;

pub use service::{PartnerService, partner_server};
