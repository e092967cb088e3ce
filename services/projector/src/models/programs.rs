//! `read.programs`: a row per program with every published version.

use std::collections::BTreeMap;

use tierline_bus::ConsumerId;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::program::ProgramEvent;
use tierline_eventstore::LogEvent;
use tierline_readmodel::{PROGRAMS, ProgramColumns, ProgramRow, PublishedRow};

use crate::model::{Effect, Model, subject_of};

/// The programs table.
pub struct Programs;

impl Model for Programs {
    type Row = ProgramRow;
    type Columns<'a> = ProgramColumns<'a>;

    const NAME: &'static str = "programs";
    const CONSUMER: ConsumerId = PROGRAMS;
    const BUILDER: ConsumerId = ConsumerId {
        name: "projector-programs-build",
        version: PROGRAMS.version,
    };
    const READS: &'static [&'static str] = &["Program"];
    const SELDOM: bool = true;
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("name", "text"),
        ("newest_version", "integer"),
        ("effective_date", "date"),
        ("currency", "text"),
        ("archived", "boolean"),
    ];

    fn partitions() -> Vec<u8> {
        vec![0]
    }

    fn key(event: &LogEvent, _content: &AnyEvent) -> Option<String> {
        subject_of(event).map(str::to_owned)
    }

    fn fold(row: &mut Option<ProgramRow>, event: &LogEvent, content: &AnyEvent) -> Effect {
        let AnyEvent::Program(change) = content else {
            return Effect::Unchanged;
        };
        match (row.as_mut(), change) {
            (None, ProgramEvent::ProgramCreated { program, name }) => {
                *row = Some(ProgramRow {
                    program: program.clone(),
                    name: name.clone(),
                    versions: Vec::new(),
                    archived: false,
                    create_time: event.recorded_at,
                });
                Effect::Changed
            }
            (_, ProgramEvent::Unknown { .. }) => Effect::Skipped("event_unknown"),
            (
                _,
                ProgramEvent::ProgramDraftSaved { .. } | ProgramEvent::ProgramDraftDiscarded {},
            ) => Effect::Unchanged,
            (None, _) => Effect::Skipped("program_unknown"),
            (Some(_), ProgramEvent::ProgramCreated { .. }) => {
                Effect::Skipped("program_created_twice")
            }
            (Some(row), ProgramEvent::ProgramArchived {}) => {
                row.archived = true;
                Effect::Changed
            }
            (Some(row), ProgramEvent::ProgramRestored {}) => {
                row.archived = false;
                Effect::Changed
            }
            (Some(row), ProgramEvent::ProgramVersionPublished { version, .. })
                if row.newest().is_some_and(|newest| newest.number >= *version) =>
            {
                Effect::Skipped("version_published_twice")
            }
            (
                Some(row),
                ProgramEvent::ProgramVersionPublished {
                    version,
                    effective_date,
                    note,
                    definition,
                    ..
                },
            ) => {
                row.name.clone_from(&definition.name);
                row.versions.push(PublishedRow {
                    number: *version,
                    effective_date: *effective_date,
                    note: note.clone(),
                    actor: actor(event),
                    publish_time: event.recorded_at,
                    definition: (**definition).clone(),
                });
                Effect::Changed
            }
        }
    }

    fn columns(row: &ProgramRow) -> ProgramColumns<'_> {
        row.columns()
    }
}

/// Who caused the event, out of its metadata; empty when it does not say.
fn actor(event: &LogEvent) -> String {
    serde_json::from_str::<BTreeMap<String, String>>(&event.metadata)
        .ok()
        .and_then(|mut metadata| metadata.remove("actor"))
        .unwrap_or_default()
}
