//! Orgs, programs and exchange rates.

pub mod aggregate;
pub mod commands;
pub mod definition;
pub mod events;
pub mod lint;
pub mod org;
pub mod rates;
pub mod validate;
pub mod yaml;

pub use aggregate::{Program, PublishedVersion};
pub use commands::{ApplyProgram, ProgramCommand, PublishDraft};
pub use definition::{
    Benefit, Color, DemotionMode, DemotionPolicy, ProgramDefinition, PromotionMode,
    PromotionPolicy, Step, Tier, Track,
};
pub use events::ProgramEvent;
pub use validate::validate;
pub use yaml::{program_from_yaml, program_to_yaml};
