//! Partners: the companies that take part, what is known about them, and their contacts.

pub mod aggregate;
pub mod check;
pub mod commands;
pub mod domain_name;
pub mod events;
pub mod profile;

pub use aggregate::{Contact, Partner};
pub use commands::{CreatePartner, PartnerCommand, RecordPartner};
pub use domain_name::normalize_domain;
pub use events::{PartnerCreated, PartnerEvent};
pub use profile::{
    PartnerChanges, PartnerProfile, PartnerStage, PartnerStatus, PartnerType, Person,
};
