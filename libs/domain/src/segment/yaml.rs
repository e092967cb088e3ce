//! Segments as files: YAML exactly in the serde form of [`SegmentFile`].

use serde::{Deserialize, Serialize};

use crate::ids::SegmentId;
use crate::program::yaml;
use crate::rejection::Rejection;
use crate::rules::Condition;
use crate::segment::content::{SegmentContent, SegmentFamily};

/// A segment in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentFile {
    /// Identifier, URL-safe, unique in the org.
    pub id: SegmentId,
    /// What a person reads.
    pub name: String,
    /// By what it divides partners.
    pub family: SegmentFamily,
    /// Longer text; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which partners are in it, over their attributes.
    #[serde(rename = "where")]
    pub filter: Condition,
}

impl SegmentFile {
    /// A segment as a file.
    pub fn new(id: SegmentId, content: SegmentContent) -> Self {
        Self {
            id,
            name: content.name,
            family: content.family,
            description: content.description,
            filter: content.filter,
        }
    }

    /// What the segment says.
    pub fn content(self) -> SegmentContent {
        SegmentContent {
            name: self.name,
            description: self.description,
            family: self.family,
            filter: self.filter,
        }
    }
}

/// Reads a segment. It is not checked beyond its shape.
///
/// # Errors
/// `INVALID_REQUEST` on the field `segment`, with line and column, what is wrong, and for an
/// unknown name the names that are allowed.
pub fn segment_from_yaml(text: &str) -> Result<SegmentFile, Rejection> {
    yaml::read("segment", text)
}

/// Writes a segment.
///
/// # Errors
/// `INVALID_REQUEST` on the field `segment`, should it have no YAML form.
pub fn segment_to_yaml(segment: &SegmentFile) -> Result<String, Rejection> {
    yaml::write("segment", segment)
}
