//! What the log says of a partner and of its org, in the order in which it was recorded: what
//! replay and trials go through again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
use crate::rules::{Beyond, RateTable};
use crate::standing::events::StandingEvent;
use crate::standing::subject::Version;
use crate::surroundings::{Surroundings, SurroundingsEvent};

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
    /// Shared between the partitions of one run: all of them carry the same rates.
    pub(super) rates: Arc<RateTable>,
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

    /// Takes over the rates of another partition, without reading them again. `numbers` says where
    /// this partition has them: the version of their stream, and the number. False, and nothing is
    /// taken over, when the other one does not know all of them.
    pub fn take_rates_of(&mut self, other: &Self, numbers: &[(u64, u64)]) -> bool {
        let of_others: BTreeMap<u64, &OrgStep> = other
            .events
            .iter()
            .filter_map(|step| match step.what {
                OrgWide::Rates(sequence, _) => Some((sequence, step)),
                _ => None,
            })
            .collect();
        let found = numbers.iter().map(|(sequence, number)| {
            let OrgStep {
                recorded_at, what, ..
            } = of_others.get(sequence)?;
            let OrgWide::Rates(sequence, first) = what else {
                return None;
            };
            Some(OrgStep {
                number: *number,
                recorded_at: *recorded_at,
                what: OrgWide::Rates(*sequence, *first),
            })
        });
        let Some(steps) = found.collect::<Option<Vec<_>>>() else {
            return false;
        };
        self.events.extend(steps);
        self.events.sort_by_key(|step| step.number);
        self.rates = Arc::clone(&other.rates);
        true
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
                Arc::make_mut(&mut self.rates).take(place.sequence, *base, days);
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

/// Nothing was observed around an enrollment.
pub(super) static NOTHING_OBSERVED: Beyond = Beyond { states: Vec::new() };

/// What was observed around the enrollments of a partner, as far as the log has been read.
#[derive(Debug, Default)]
pub(super) struct Observations(BTreeMap<EnrollmentId, Surroundings>);

impl Observations {
    /// Takes the next observation.
    ///
    /// # Errors
    /// When the stream is not named as one of an enrollment.
    pub(super) fn take(
        &mut self,
        place: &Place,
        event: &SurroundingsEvent,
    ) -> Result<(), Rejection> {
        let id = EnrollmentId::parse(place.stream.id())?;
        self.0.entry(id).or_default().evolve(event);
        Ok(())
    }

    /// What is known to lie beyond an enrollment.
    pub(super) fn around(&self, enrollment: &EnrollmentId) -> &Beyond {
        let known = self.0.get(enrollment);
        known.map_or(&NOTHING_OBSERVED, |known| &known.beyond)
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

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::money::Currency;
    use crate::program::rates::RateDay;

    fn rates(day: Date) -> AnyEvent {
        AnyEvent::Rates(RatesEvent::RatesPublished {
            source: "ECB".to_owned(),
            base: Currency::EUR,
            days: vec![RateDay {
                date: day,
                rates: [(Currency::USD, 1.into())].into(),
            }],
        })
    }

    fn moved() -> AnyEvent {
        AnyEvent::Org(OrgEvent::ClockAdvanced {
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::from_second(1).unwrap(),
        })
    }

    /// Rates, a clock, rates; numbered from `first` on. Without rates where that is wanted.
    fn history(first: u64, with_rates: bool) -> OrgHistory {
        let mut history = OrgHistory::default();
        let events = [
            (1, rates(date(2026, 3, 2)), true),
            (7, moved(), false),
            (2, rates(date(2026, 3, 3)), true),
        ];
        for (number, (sequence, event, of_rates)) in (first..).zip(events) {
            let place = Place {
                number,
                sequence,
                stream: StreamId::from("acme/rates".to_owned()),
                recorded_at: Timestamp::UNIX_EPOCH,
            };
            if with_rates || !of_rates {
                history.take(&place, &event).unwrap();
            }
        }
        history
    }

    #[test]
    fn rates_of_another_partition_are_taken_over_at_the_numbers_of_this_one() {
        let known = history(10, true);
        let mut beside = history(40, false);
        assert!(beside.take_rates_of(&known, &[(1, 40), (2, 42)]));
        assert_eq!(format!("{beside:?}"), format!("{:?}", history(40, true)));
    }

    #[test]
    fn rates_that_the_other_partition_does_not_know_are_not_taken_over() {
        let known = history(10, true);
        let mut beside = history(40, false);
        assert!(!beside.take_rates_of(&known, &[(1, 40), (2, 42), (3, 43)]));
        assert_eq!(beside.events.len(), 1);
    }
}
