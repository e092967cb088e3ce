//! What may be asked of a segment.

use crate::ids::SegmentId;
use crate::segment::content::{SegmentChanges, SegmentContent};

/// The commands of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentCommand {
    /// Create the segment.
    Create(Box<CreateSegment>),
    /// Create the segment where it is missing. One that exists stays as it is, archived or not.
    Seed(Box<CreateSegment>),
    /// Change it. Values that are the same already are left out; nothing left: nothing to do.
    Edit(Box<SegmentChanges>),
    /// Take it out of use. Out of use already: nothing to do.
    Archive,
    /// Take it into use again. In use: nothing to do.
    Restore,
}

/// Create a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSegment {
    /// Identifier, URL-safe, unique in the org.
    pub segment: SegmentId,
    /// What it says.
    pub content: SegmentContent,
    /// How many segments the org has already; at most [`crate::limits::SEGMENTS`] of them.
    pub others: usize,
}
