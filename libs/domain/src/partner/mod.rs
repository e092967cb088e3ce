//! Partners: the companies that take part, what is known about them, and their contacts.

pub mod commands;
pub mod events;
pub mod profile;

pub use commands::{CreatePartner, PartnerCommand, RecordPartner};
pub use events::{PartnerCreated, PartnerEvent};
pub use profile::{
    PartnerChanges, PartnerProfile, PartnerStage, PartnerStatus, PartnerType, Person,
};
