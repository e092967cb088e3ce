//! `read.forms`: a row per form.

use tierline_bus::ConsumerId;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::application::FormEvent;
use tierline_eventstore::LogEvent;
use tierline_readmodel::{FORMS, FormColumns, FormRow};

use crate::model::{Effect, Model, subject_of};

/// The forms table.
pub struct Forms;

impl Model for Forms {
    type Row = FormRow;
    type Columns<'a> = FormColumns<'a>;

    const NAME: &'static str = "forms";
    const CONSUMER: ConsumerId = FORMS;
    const BUILDER: ConsumerId = ConsumerId {
        name: "projector-forms-build",
        version: FORMS.version,
    };
    const READS: &'static [&'static str] = &["Form"];
    const SELDOM: bool = true;
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("title", "text"),
        ("published", "boolean"),
        ("has_draft", "boolean"),
        ("create_time", "timestamptz"),
        ("update_time", "timestamptz"),
    ];

    fn key(event: &LogEvent, _content: &AnyEvent) -> Option<String> {
        subject_of(event).map(str::to_owned)
    }

    fn fold(row: &mut Option<FormRow>, event: &LogEvent, content: &AnyEvent) -> Effect {
        let AnyEvent::Form(change) = content else {
            return Effect::Unchanged;
        };
        match (row.as_mut(), change) {
            (_, FormEvent::Unknown { .. }) => Effect::Skipped("event_unknown"),
            (None, FormEvent::FormDefined { content }) => {
                *row = Some(FormRow {
                    form: content.form.clone(),
                    title: content.title.clone(),
                    newest_version: 0,
                    publish_time: None,
                    has_draft: true,
                    create_time: event.recorded_at,
                    update_time: event.recorded_at,
                });
                Effect::Changed
            }
            (None, FormEvent::FormPublished { .. }) => Effect::Skipped("form_unknown"),
            (Some(row), FormEvent::FormDefined { content }) => {
                if row.newest_version == 0 {
                    row.title.clone_from(&content.title);
                }
                row.has_draft = true;
                row.update_time = event.recorded_at;
                Effect::Changed
            }
            (Some(row), FormEvent::FormPublished { version, .. })
                if *version <= row.newest_version =>
            {
                Effect::Skipped("version_published_twice")
            }
            (Some(row), FormEvent::FormPublished { version, content }) => {
                row.title.clone_from(&content.title);
                row.newest_version = *version;
                row.publish_time = Some(event.recorded_at);
                row.has_draft = false;
                row.update_time = event.recorded_at;
                Effect::Changed
            }
        }
    }

    fn columns(row: &FormRow) -> FormColumns<'_> {
        row.columns()
    }
}
