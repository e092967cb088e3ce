//! Segments: named parts of an org's partners, each told by a condition over their attributes.
//!
//! Deliberately absent: who is in a segment. That follows from the condition and the attributes of
//! a partner at any moment, and is computed when somebody asks.

pub mod aggregate;
pub mod commands;
pub mod content;
pub mod defaults;
pub mod events;
pub mod yaml;

pub use aggregate::Segment;
pub use commands::{CreateSegment, SegmentCommand};
pub use content::{SegmentChanges, SegmentContent, SegmentFamily};
pub use defaults::default_segments;
pub use events::SegmentEvent;
pub use yaml::{SegmentFile, segment_from_yaml, segment_to_yaml};
