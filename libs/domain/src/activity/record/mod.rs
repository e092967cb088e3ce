//! Records of everything else that happens at a partner: references, business reviews, campaigns,
//! trainings, surveys and the org's own kinds.

pub mod aggregate;
pub mod commands;
pub mod events;

pub use aggregate::Record;
pub use commands::{ActivityChanges, RecordActivity, RecordCommand};
pub use events::{ActivityRecord, RecordEvent};
