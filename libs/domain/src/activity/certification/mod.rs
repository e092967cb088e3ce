//! Certifications that persons at a partner hold. They expire by date, not by an event.

pub mod commands;
pub mod events;

pub use commands::{CertificationCommand, DescribeCertification};
pub use events::{CertificationEvent, CertificationRecord, Holder};
