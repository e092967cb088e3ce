//! `read.segments`: a row per segment.

use tierline_bus::ConsumerId;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::segment::SegmentEvent;
use tierline_eventstore::LogEvent;
use tierline_readmodel::{SEGMENTS, SegmentColumns, SegmentRow};

use crate::model::{Effect, Model, subject_of};

/// The segments table.
pub struct Segments;

impl Model for Segments {
    type Row = SegmentRow;
    type Columns<'a> = SegmentColumns<'a>;

    const NAME: &'static str = "segments";
    const CONSUMER: ConsumerId = SEGMENTS;
    const BUILDER: ConsumerId = ConsumerId {
        name: "projector-segments-build",
        version: SEGMENTS.version,
    };
    const READS: &'static [&'static str] = &["Segment"];
    const SELDOM: bool = true;
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("name", "text"),
        ("family", "text"),
        ("archived", "boolean"),
        ("create_time", "timestamptz"),
        ("update_time", "timestamptz"),
    ];

    fn key(event: &LogEvent, _content: &AnyEvent) -> Option<String> {
        subject_of(event).map(str::to_owned)
    }

    fn fold(row: &mut Option<SegmentRow>, event: &LogEvent, content: &AnyEvent) -> Effect {
        let AnyEvent::Segment(change) = content else {
            return Effect::Unchanged;
        };
        match (row.as_mut(), change) {
            (_, SegmentEvent::Unknown { .. }) => return Effect::Skipped("event_unknown"),
            (None, SegmentEvent::SegmentCreated { segment, content }) => {
                *row = Some(SegmentRow {
                    segment: segment.clone(),
                    content: (**content).clone(),
                    archived: false,
                    create_time: event.recorded_at,
                    update_time: event.recorded_at,
                });
            }
            (Some(_), SegmentEvent::SegmentCreated { .. }) => {
                return Effect::Skipped("segment_created_twice");
            }
            (None, _) => return Effect::Skipped("segment_unknown"),
            (Some(row), SegmentEvent::SegmentEdited { changes }) => {
                changes.apply_to(&mut row.content);
                row.update_time = event.recorded_at;
            }
            (Some(row), SegmentEvent::SegmentArchived {}) => {
                row.archived = true;
                row.update_time = event.recorded_at;
            }
            (Some(row), SegmentEvent::SegmentRestored {}) => {
                row.archived = false;
                row.update_time = event.recorded_at;
            }
        }
        Effect::Changed
    }

    fn columns(row: &SegmentRow) -> SegmentColumns<'_> {
        row.columns()
    }
}
