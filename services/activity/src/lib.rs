//! What partners do, as gRPC commands: deals, certifications, and records of everything else.
//!
//! Nothing is decided here. A request becomes a command of the domain with its looked-up data, the
//! runner carries it out, and the folded state becomes the answer.

mod certifications;
mod deals;
mod records;

pub use certifications::{CertificationService, certification_server};
pub use deals::{DealService, deal_server};
pub use records::{RecordService, record_server};
