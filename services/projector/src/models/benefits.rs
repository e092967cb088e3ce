//! `read.benefits`: a row per benefit of the library.

use tierline_bus::ConsumerId;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::benefit::BenefitEvent;
use tierline_eventstore::LogEvent;
use tierline_readmodel::{BENEFITS, BenefitColumns, BenefitRow};

use crate::model::{Effect, Model, subject_of};

/// The benefits table.
pub struct Benefits;

impl Model for Benefits {
    type Row = BenefitRow;
    type Columns<'a> = BenefitColumns<'a>;

    const NAME: &'static str = "benefits";
    const CONSUMER: ConsumerId = BENEFITS;
    const BUILDER: ConsumerId = ConsumerId {
        name: "projector-benefits-build",
        version: BENEFITS.version,
    };
    const READS: &'static [&'static str] = &["Benefit"];
    const SELDOM: bool = true;
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("name", "text"),
        ("type", "text"),
        ("archived", "boolean"),
        ("create_time", "timestamptz"),
        ("update_time", "timestamptz"),
    ];

    fn key(event: &LogEvent, _content: &AnyEvent) -> Option<String> {
        subject_of(event).map(str::to_owned)
    }

    fn fold(row: &mut Option<BenefitRow>, event: &LogEvent, content: &AnyEvent) -> Effect {
        let AnyEvent::Benefit(change) = content else {
            return Effect::Unchanged;
        };
        match (row.as_mut(), change) {
            (_, BenefitEvent::Unknown { .. }) => return Effect::Skipped("event_unknown"),
            (None, BenefitEvent::BenefitCreated { benefit, content }) => {
                *row = Some(BenefitRow {
                    benefit: benefit.clone(),
                    content: (**content).clone(),
                    archived: false,
                    create_time: event.recorded_at,
                    update_time: event.recorded_at,
                });
            }
            (Some(_), BenefitEvent::BenefitCreated { .. }) => {
                return Effect::Skipped("benefit_created_twice");
            }
            (None, _) => return Effect::Skipped("benefit_unknown"),
            (Some(row), BenefitEvent::BenefitEdited { changes }) => {
                changes.apply_to(&mut row.content);
                row.update_time = event.recorded_at;
            }
            (Some(row), BenefitEvent::BenefitArchived {}) => {
                row.archived = true;
                row.update_time = event.recorded_at;
            }
            (Some(row), BenefitEvent::BenefitRestored {}) => {
                row.archived = false;
                row.update_time = event.recorded_at;
            }
        }
        Effect::Changed
    }

    fn columns(row: &BenefitRow) -> BenefitColumns<'_> {
        row.columns()
    }
}
