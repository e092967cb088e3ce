//! `read.partners`: a row per partner with the tier of each enrollment.

use std::collections::{BTreeMap, BTreeSet};

use tierline_bus::ConsumerId;
use tierline_domain::EnrollmentId;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::enrollment::EnrollmentEvent;
use tierline_domain::partner::{PartnerCreated, PartnerEvent};
use tierline_domain::standing::StandingEvent;
use tierline_eventstore::LogEvent;
use tierline_readmodel::{NO_RANK, PARTNERS, PartnerColumns, PartnerRow, StandingLine};

use crate::model::{Effect, Model, PROGRESS, partner_of, subject_of};

/// The partners table.
pub struct Partners;

impl Model for Partners {
    type Row = PartnerRow;
    type Columns<'a> = PartnerColumns<'a>;

    const NAME: &'static str = "partners";
    const CONSUMER: ConsumerId = PARTNERS;
    const BUILDER: ConsumerId = ConsumerId {
        name: "projector-partners-build",
        version: PARTNERS.version,
    };
    const READS: &'static [&'static str] = &["Partner", "Enrollment", "Standing"];
    const PASSES_OVER: &'static [&'static str] = &[PROGRESS];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("name", "text"),
        ("name_search", "text"),
        ("domain", "text"),
        ("partner_type", "text"),
        ("status", "text"),
        ("stage", "text"),
        ("region", "text"),
        ("regions", "text[]"),
        ("country", "text"),
        ("industry", "text"),
        ("manager", "text"),
        ("tags", "text[]"),
        ("tier", "text"),
        ("tier_name", "text"),
        ("tier_rank", "integer"),
        ("programs", "text[]"),
        ("tracks", "text[]"),
        ("create_time", "timestamptz"),
        ("update_time", "timestamptz"),
    ];

    fn key(event: &LogEvent, _content: &AnyEvent) -> Option<String> {
        partner_of(event).map(str::to_owned)
    }

    fn fold(row: &mut Option<PartnerRow>, event: &LogEvent, content: &AnyEvent) -> Effect {
        match (row.as_mut(), content) {
            (None, AnyEvent::Partner(PartnerEvent::PartnerCreated(created))) => {
                *row = Some(begin(created, event));
                Effect::Changed
            }
            (None, _) => Effect::Skipped("partner_unknown"),
            (Some(row), AnyEvent::Partner(change)) => partner(row, event, change),
            (Some(row), AnyEvent::Enrollment(change)) => enrollment(row, event, change),
            (Some(row), AnyEvent::Standing(change)) => standing(row, event, change),
            _ => Effect::Unchanged,
        }
    }

    fn columns(row: &PartnerRow) -> PartnerColumns<'_> {
        row.columns()
    }
}

fn begin(created: &PartnerCreated, event: &LogEvent) -> PartnerRow {
    PartnerRow {
        partner: created.partner.clone(),
        profile: created.profile.clone(),
        status: created.status,
        tags: created.tags.iter().cloned().collect::<BTreeSet<_>>(),
        create_time: event.recorded_at,
        update_time: event.recorded_at,
        standings: BTreeMap::new(),
    }
}

fn partner(row: &mut PartnerRow, event: &LogEvent, change: &PartnerEvent) -> Effect {
    match change {
        PartnerEvent::PartnerCreated(_) => return Effect::Skipped("partner_created_twice"),
        PartnerEvent::PartnerEdited { changes } => changes.apply_to(&mut row.profile),
        // Who works at the partner is not shown, but that something changed is.
        PartnerEvent::ContactAdded { .. }
        | PartnerEvent::ContactEdited { .. }
        | PartnerEvent::ContactRemoved { .. }
        | PartnerEvent::PrimaryContactChanged { .. } => {}
        PartnerEvent::PartnerTagged { tags } => row.tags.extend(tags.iter().cloned()),
        PartnerEvent::PartnerUntagged { tags } => row.tags.retain(|tag| !tags.contains(tag)),
        PartnerEvent::PartnerStatusChanged { to, .. } => row.status = *to,
        PartnerEvent::Unknown { .. } => return Effect::Skipped("event_unknown"),
    }
    row.update_time = event.recorded_at;
    Effect::Changed
}

fn enrollment(row: &mut PartnerRow, event: &LogEvent, change: &EnrollmentEvent) -> Effect {
    match change {
        EnrollmentEvent::Enrolled(enrolled) => {
            let line = StandingLine {
                program: enrolled.program.clone(),
                track: enrolled.track.clone(),
                tier: None,
                tier_name: String::new(),
                rank: NO_RANK,
                since: enrolled.start_date,
                closed: false,
            };
            row.standings.insert(enrolled.enrollment.clone(), line);
            Effect::Changed
        }
        // An enrollment that was assessed is closed by its standing; one that never was ends here.
        EnrollmentEvent::EnrollmentTerminated { .. }
        | EnrollmentEvent::EnrollmentExpired { .. } => on_line(row, event, |line| {
            let ends = line.tier.is_none() && !line.closed;
            line.closed |= ends;
            ends
        }),
        EnrollmentEvent::Unknown { .. } => Effect::Skipped("event_unknown"),
        _ => Effect::Unchanged,
    }
}

fn standing(row: &mut PartnerRow, event: &LogEvent, change: &StandingEvent) -> Effect {
    match change {
        StandingEvent::StandingOpened(opened) => {
            let line = StandingLine {
                program: opened.program.clone(),
                track: opened.track.clone(),
                tier: Some(opened.tier.clone()),
                tier_name: opened.tier_name.clone(),
                rank: opened.rank,
                since: opened.since,
                closed: false,
            };
            row.standings.insert(opened.enrollment.clone(), line);
            Effect::Changed
        }
        StandingEvent::TierChanged(change) => on_line(row, event, |line| {
            line.tier = Some(change.to.clone());
            line.tier_name.clone_from(&change.to_name);
            line.rank = change.rank;
            line.since = change.as_of;
            true
        }),
        StandingEvent::StandingClosed(_) => on_line(row, event, |line| {
            line.closed = true;
            true
        }),
        StandingEvent::Unknown { .. } => Effect::Skipped("event_unknown"),
        _ => Effect::Unchanged,
    }
}

/// Changes the line of the enrollment that the event is about; `change` tells whether it did.
fn on_line(
    row: &mut PartnerRow,
    event: &LogEvent,
    change: impl FnOnce(&mut StandingLine) -> bool,
) -> Effect {
    let enrollment = subject_of(event).and_then(|id| EnrollmentId::parse(id).ok());
    match enrollment.and_then(|id| row.standings.get_mut(&id)) {
        None => Effect::Skipped("enrollment_unknown"),
        Some(line) => {
            if change(line) {
                Effect::Changed
            } else {
                Effect::Unchanged
            }
        }
    }
}
