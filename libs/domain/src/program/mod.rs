//! Orgs, programs and exchange rates.

pub mod definition;

pub use definition::{
    Benefit, Color, DemotionMode, DemotionPolicy, ProgramDefinition, PromotionMode,
    PromotionPolicy, Step, Tier, Track,
};
