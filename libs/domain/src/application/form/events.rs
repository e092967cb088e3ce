//! What happens to a form. These types are the storage format: a shape once written stays
//! readable.

use serde::{Deserialize, Serialize};

use crate::application::form::content::FormContent;

/// The facts about a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FormEvent {
    /// Work on the next version was kept. With the first draft the form exists.
    FormDefined {
        /// The whole draft; replaces the one before. Names the form.
        content: Box<FormContent>,
    },
    /// A version was published and takes submissions from now on. It never changes again.
    FormPublished {
        /// Number of the version: 1, 2, 3, …
        version: u32,
        /// The whole content.
        content: Box<FormContent>,
    },
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(FormEvent, "tierline.application.v1", {
    FormDefined = "1.0",
    FormPublished = "1.0",
});
