//! Between messages and the types of the domain. Reading a message names every field that is wrong;
//! writing one never fails.

mod benefit;
mod beyond;
mod beyond_out;
pub mod common;
mod composed;
mod composed_out;
mod condition;
mod condition_out;
mod content;
mod definition;
mod definition_out;
pub mod fields;
mod measure;
mod measure_out;
mod reader;
mod requirement;
mod requirement_out;
mod transition;

pub use benefit::{benefit_type, benefit_type_message};
pub use condition::condition;
pub use condition_out::condition as condition_message;
pub use content::DefinitionContent;
pub use definition::{definition, read_definition, tier, track};
pub use definition_out::{color_message, definition_message};
pub use reader::Reader;
pub use transition::{transition, transition_message};
