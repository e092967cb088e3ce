//! What happens to a segment. These types are the storage format: a shape once written stays
//! readable.

use serde::{Deserialize, Serialize};

use crate::ids::SegmentId;
use crate::segment::content::{SegmentChanges, SegmentContent};

/// The facts about a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SegmentEvent {
    /// The segment exists from now on and is in use.
    SegmentCreated {
        /// Identifier.
        segment: SegmentId,
        /// What it says.
        content: Box<SegmentContent>,
    },
    /// Some of what it says changed.
    SegmentEdited {
        /// What changed.
        changes: Box<SegmentChanges>,
    },
    /// It was taken out of use.
    SegmentArchived {},
    /// It was taken into use again.
    SegmentRestored {},
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(SegmentEvent, "tierline.program.v1", {
    SegmentCreated = "1.0",
    SegmentEdited = "1.0",
    SegmentArchived = "1.0",
    SegmentRestored = "1.0",
});
