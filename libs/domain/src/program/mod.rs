//! Orgs, programs and exchange rates.

pub mod aggregate;
mod badge;
mod case_facts;
pub mod cases;
pub mod commands;
pub mod currency;
pub mod definition;
pub mod diff;
pub mod draft;
pub mod events;
pub mod file;
pub mod lint;
pub mod mutation;
mod names_beyond;
pub mod notes;
pub mod org;
pub mod rates;
pub mod remarks;
pub mod structure;
pub mod transition;
pub mod validate;
pub mod yaml;

pub use aggregate::{Program, PublishedVersion};
pub use badge::BadgeName;
pub use case_facts::case_facts_from_yaml;
pub use cases::{Difference, run_case};
pub use commands::{ApplyProgram, ProgramCommand, PublishDraft, Publisher};
pub use definition::{
    Benefit, Color, DemotionMode, DemotionPolicy, ProgramDefinition, PromotionMode,
    PromotionPolicy, Step, Tier, Track,
};
pub use draft::{DraftEdit, ProgramChanges, TierChanges, TrackChanges};
pub use events::ProgramEvent;
pub use file::{Case, program_file_from_yaml};
pub use notes::without_notes;
pub use remarks::{Catalogue, Suppression};
pub use transition::Transition;
pub use validate::validate;
pub use yaml::{program_from_yaml, program_to_yaml};
