//! Forms: a draft that may be incomplete, and published versions that never change.

pub mod aggregate;
pub mod commands;
pub mod content;
pub mod events;
pub mod validate;
pub mod yaml;

pub use aggregate::Form;
pub use commands::FormCommand;
pub use content::{Agreement, Choice, FieldType, FormContent, FormField, FormSection};
pub use events::FormEvent;
pub use validate::validate;
pub use yaml::{form_from_yaml, form_to_yaml};
