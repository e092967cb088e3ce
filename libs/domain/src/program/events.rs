//! What happens to a program. These types are the storage format: a shape once written stays
//! readable.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ids::ProgramId;
use crate::program::definition::ProgramDefinition;
use crate::program::transition::Transition;

/// The facts about a program. They concern every partner of the org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramEvent {
    /// The program exists from now on; nothing is in force yet.
    ProgramCreated {
        /// Identifier of the program: its slug.
        program: ProgramId,
        /// What a person reads, until a definition says otherwise.
        name: String,
    },
    /// Work on the next version was kept. Drafts concern nobody but their authors.
    ProgramDraftSaved {
        /// The whole draft; replaces the one before.
        definition: Box<ProgramDefinition>,
    },
    /// The draft was thrown away.
    ProgramDraftDiscarded {},
    /// A version was published. It never changes again.
    ProgramVersionPublished {
        /// Number of the version: 1, 2, 3, …
        version: u32,
        /// The first business date on which the version is in force. Where several versions have
        /// begun, the one with the highest number is in force.
        effective_date: Date,
        /// Why it was published, in the author's words; may be empty.
        note: String,
        /// From when on tiers may be lost under it.
        #[serde(default, skip_serializing_if = "Transition::is_usual")]
        transition: Transition,
        /// The whole content.
        definition: Box<ProgramDefinition>,
        /// The actor who published it, such as `user:ada`; empty: written by a release that left
        /// it to the metadata.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        author: String,
        /// When it was published, by the clock of the org; absent as the author.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        publish_time: Option<Timestamp>,
    },
    /// The program takes no more versions and no more enrollments.
    ProgramArchived {},
    /// The program takes versions and enrollments again.
    ProgramRestored {},
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(ProgramEvent, "tierline.program.v1", {
    ProgramCreated = "1.0",
    ProgramDraftSaved = "1.0",
    ProgramDraftDiscarded = "1.0",
    ProgramVersionPublished = "1.0",
    ProgramArchived = "1.0",
    ProgramRestored = "1.0",
});
