//! What the log says of a partner and of its org, in the order in which it was recorded: what
//! replay and trials go through again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::aggregate::Decide;
use crate::any_event::AnyEvent;
use crate::enrollment::EnrollmentEvent;
use crate::ids::{EnrollmentId, ProgramId, StreamId};
use crate::program::ProgramEvent;
use crate::program::org::{Org, OrgEvent};
use crate::program::rates::RatesEvent;
use crate::rejection::Rejection;
use crate::rules::RateTable;
use crate::standing::events::StandingEvent;
use crate::standing::subject::Version;

/// Where an event stands in its partition and its stream.
#[derive(Debug, Clone)]
pub struct Place {
    /// Number within the partition.
    pub number: u64,
    /// Version of the stream after the event.
    pub sequence: u64,
    /// The stream.
    pub stream: StreamId,
    /// When the event was recorded.
    pub recorded_at: Timestamp,
}

/// What concerns all partners of an org, as one partition of the log carries it.
#[derive(Debug, Default)]
pub struct OrgHistory {
    pub(super) events: Vec<OrgStep>,
    pub(super) rates: RateTable,
}

/// An event that concerns the whole org.
#[derive(Debug)]
pub(super) struct OrgStep {
    /// Number within the partition.
    pub(super) number: u64,
    /// When it was recorded.
    pub(super) recorded_at: Timestamp,
    pub(super) what: OrgWide,
}

#[derive(Debug)]
pub(super) enum OrgWide {
    Org(OrgEvent),
    Version(ProgramId, Box<Version>),
    /// Rates became known: the version of their stream, and the first day that they are of.
    Rates(u64, Option<Date>),
}

impl OrgHistory {
    /// The org after everything that is known of it.
    pub fn org(&self) -> Org {
        let mut org = Org::default();
        for step in &self.events {
            if let OrgWide::Org(event) = &step.what {
                org.evolve(event);
            }
        }
        org
    }

    /// The versions of a program, in the order in which they were published.
    pub fn versions(&self, program: &ProgramId) -> impl Iterator<Item = &Version> {
        self.events.iter().filter_map(move |step| match &step.what {
            OrgWide::Version(of, version) if of == program => Some(&**version),
            _ => None,
        })
    }

    /// Takes the next event of the org; those that concern single partners are ignored.
    ///
    /// # Errors
    /// When the stream of a program is not named as one.
    pub fn take(&mut self, place: &Place, event: &AnyEvent) -> Result<(), Rejection> {
        let entry = match event {
            AnyEvent::Org(event) => OrgWide::Org(event.clone()),
            AnyEvent::Program(ProgramEvent::ProgramVersionPublished {
                version,
                effective_date,
                transition,
                definition,
                ..
            }) => {
                let version = Version {
                    number: *version,
                    effective: *effective_date,
                    transition: *transition,
                    definition: (**definition).clone(),
                };
                OrgWide::Version(ProgramId::parse(place.stream.id())?, Box::new(version))
            }
            AnyEvent::Rates(RatesEvent::RatesPublished { base, days, .. }) => {
                self.rates.take(place.sequence, *base, days);
                OrgWide::Rates(place.sequence, days.iter().map(|day| day.date).min())
            }
            _ => return Ok(()),
        };
        self.events.push(OrgStep {
            number: place.number,
            recorded_at: place.recorded_at,
            what: entry,
        });
        Ok(())
    }
}

/// Everything about one partner, as its partition of the log carries it.
#[derive(Debug, Default)]
pub struct PartnerHistory {
    pub(super) inputs: Vec<(Place, AnyEvent)>,
    pub(super) recorded: BTreeMap<EnrollmentId, Vec<(u64, StandingEvent)>>,
}

impl PartnerHistory {
    /// Takes the next event of the partner.
    ///
    /// # Errors
    /// When the stream of a standing is not named as one.
    pub fn take(&mut self, place: Place, event: AnyEvent) -> Result<(), Rejection> {
        if let AnyEvent::Standing(event) = event {
            let enrollment = EnrollmentId::parse(place.stream.id())?;
            self.recorded
                .entry(enrollment)
                .or_default()
                .push((place.sequence, event));
        } else {
            self.inputs.push((place, event));
        }
        Ok(())
    }

    /// The programs that the partner was ever enrolled in.
    pub fn programs(&self) -> BTreeSet<ProgramId> {
        let enrolled = self.inputs.iter().filter_map(|(_, event)| match event {
            AnyEvent::Enrollment(EnrollmentEvent::Enrolled(enrolled)) => Some(enrolled),
            _ => None,
        });
        enrolled.map(|enrolled| enrolled.program.clone()).collect()
    }

    /// The recorded events of a standing with their sequences, in order.
    pub fn recorded(&self, enrollment: &EnrollmentId) -> &[(u64, StandingEvent)] {
        self.recorded.get(enrollment).map_or(&[], Vec::as_slice)
    }
}
