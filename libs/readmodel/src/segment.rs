//! The segments table: a row per segment.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tierline_domain::SegmentId;
use tierline_domain::segment::{SegmentContent, SegmentFamily};

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRow {
    /// Identifier.
    pub segment: SegmentId,
    /// What it says.
    pub content: SegmentContent,
    /// True while it is out of use.
    #[serde(default)]
    pub archived: bool,
    /// When it was recorded that the segment exists.
    pub create_time: Timestamp,
    /// When a change was last recorded.
    pub update_time: Timestamp,
}

/// The columns of `read.segments` beside the common ones.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the columns of the table, under their names")]
pub struct SegmentColumns<'a> {
    pub name: &'a str,
    pub family: SegmentFamily,
    pub archived: bool,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

impl SegmentRow {
    /// What stands in the columns.
    pub fn columns(&self) -> SegmentColumns<'_> {
        SegmentColumns {
            name: &self.content.name,
            family: self.content.family,
            archived: self.archived,
            create_time: self.create_time,
            update_time: self.update_time,
        }
    }
}
