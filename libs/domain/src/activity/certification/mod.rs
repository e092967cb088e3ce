//! Certifications that persons at a partner hold. They expire by date, not by an event.

pub mod aggregate;
pub mod commands;
pub mod events;

pub use aggregate::Certification;
pub use commands::{CertificationCommand, DescribeCertification};
pub use events::{CertificationEvent, CertificationRecord, Holder};
