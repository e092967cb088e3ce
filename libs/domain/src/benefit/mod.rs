//! The benefits library of an org: what a tier can give, described once for all programs. How much
//! of it a tier gives is said by the program.
//!
//! Deliberately absent: who has a benefit. That follows from the tier that a partner holds and is
//! computed when somebody asks.

pub mod aggregate;
pub mod commands;
pub mod content;
pub mod defaults;
pub mod events;
pub mod library;
pub mod value;
pub mod yaml;

pub use aggregate::Benefit;
pub use commands::{BenefitCommand, CreateBenefit};
pub use content::{BenefitChanges, BenefitContent};
pub use defaults::default_benefits;
pub use events::BenefitEvent;
pub use library::{BenefitLibrary, benefits_of};
pub use value::{BenefitType, BenefitValue};
pub use yaml::{BenefitFile, benefit_from_yaml, benefit_to_yaml};
