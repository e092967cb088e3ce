//! Replay: deciding everything again from the log, and comparing with what was recorded.
//!
//! Each recorded decision says how far the log had been read and for which day it was made. Replay
//! takes the inputs up to there, from scratch and without any index, assesses, and compares event
//! by event.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value as Json;

use crate::activity::facts;
use crate::aggregate::Decide;
use crate::any_event::AnyEvent;
use crate::enrollment::EnrollmentEvent;
use crate::ids::{EnrollmentId, ProgramId};
use crate::partner::Partner;
use crate::program::org::Org;
use crate::rejection::Rejection;
use crate::rules::{Beyond, Fact, NaiveFacts, WithBeyond};
use crate::standing::aggregate::Standing;
use crate::standing::assess::assess;
use crate::standing::events::{Basis, StandingEvent};
use crate::standing::past::{Observations, OrgHistory, OrgWide, PartnerHistory, Place};
use crate::standing::subject::{Terms, Version};

/// The world of one partner up to a number of its partition.
pub struct World<'h> {
    org_history: &'h OrgHistory,
    partner_history: &'h PartnerHistory,
    org_taken: usize,
    inputs_taken: usize,
    /// The org.
    pub org: Org,
    /// Published versions by program.
    pub versions: BTreeMap<ProgramId, Vec<Version>>,
    rates_seen: u64,
    pub(super) partner: Partner,
    facts: BTreeMap<(String, String), Fact>,
    observed: Observations,
    /// Enrollments of the partner.
    pub terms: BTreeMap<EnrollmentId, Terms>,
    /// The business date at the last input.
    pub today: Option<Date>,
}

impl<'h> World<'h> {
    /// The world before anything happened.
    pub fn new(org: &'h OrgHistory, partner: &'h PartnerHistory) -> Self {
        Self {
            org_history: org,
            partner_history: partner,
            org_taken: 0,
            inputs_taken: 0,
            org: Org::default(),
            versions: BTreeMap::new(),
            rates_seen: 0,
            partner: Partner::default(),
            facts: BTreeMap::new(),
            observed: Observations::default(),
            terms: BTreeMap::new(),
            today: None,
        }
    }

    /// Takes everything up to and including a number. Never goes back.
    ///
    /// # Errors
    /// When an input cannot be read.
    pub fn advance_to(&mut self, number: u64) -> Result<(), Rejection> {
        while let Some(step) = self.org_history.events.get(self.org_taken) {
            if step.number > number {
                break;
            }
            match &step.what {
                OrgWide::Org(event) => self.org.evolve(event),
                OrgWide::Version(program, version) => {
                    self.versions
                        .entry(program.clone())
                        .or_default()
                        .push((**version).clone());
                }
                OrgWide::Rates(sequence, _) => self.rates_seen = *sequence,
            }
            self.org_taken += 1;
        }
        while let Some((place, event)) = self.partner_history.inputs.get(self.inputs_taken) {
            if place.number > number {
                break;
            }
            self.take(place, event)?;
            self.inputs_taken += 1;
        }
        Ok(())
    }

    fn take(&mut self, place: &Place, event: &AnyEvent) -> Result<(), Rejection> {
        let date = self.org.today(place.recorded_at);
        self.today = Some(self.today.map_or(date, |today| today.max(date)));
        match event {
            AnyEvent::Partner(event) => self.partner.evolve(event),
            AnyEvent::Enrollment(event) => {
                let id = EnrollmentId::parse(place.stream.id())?;
                if let EnrollmentEvent::Enrolled(enrolled) = event {
                    self.terms.insert(id, Terms::of(enrolled));
                } else if let Some(terms) = self.terms.get_mut(&id) {
                    terms.evolve(event);
                }
            }
            AnyEvent::Surroundings(event) => self.observed.take(place, event)?,
            _ => self.take_fact(place, event),
        }
        Ok(())
    }

    fn take_fact(&mut self, place: &Place, event: &AnyEvent) {
        let Some((kind, activity)) = event.activity() else {
            return;
        };
        let id = place.stream.id();
        let key = (kind.to_owned(), id.to_owned());
        let before = self.facts.remove(&key);
        if let Some(fact) = facts::apply_event(before, id, activity, place.sequence) {
            self.facts.insert(key, fact);
        }
    }

    /// The facts of the partner.
    pub fn facts(&self) -> Vec<Fact> {
        self.facts.values().cloned().collect()
    }

    /// What was observed around an enrollment.
    pub fn around(&self, enrollment: &EnrollmentId) -> &Beyond {
        self.observed.around(enrollment)
    }

    /// The exchange rates as they were known.
    pub fn rates(&self) -> crate::rules::RatesAsKnown<'_> {
        self.org_history.rates.as_known_at(self.rates_seen)
    }

    /// Assesses an enrollment as of a day.
    fn assess(
        &self,
        enrollment: &EnrollmentId,
        standing: &Standing,
        as_of: Date,
        basis: &Basis,
    ) -> Vec<StandingEvent> {
        let Some(terms) = self.terms.get(enrollment) else {
            return Vec::new();
        };
        let versions = self
            .versions
            .get(&terms.program)
            .map_or(&[][..], Vec::as_slice);
        let facts = self.facts();
        let attributes = self.partner.attributes();
        let rates = self.rates();
        let facts = NaiveFacts {
            facts: &facts,
            attributes: &attributes,
            rates: &rates,
        };
        let source = WithBeyond {
            facts: &facts,
            beyond: self.around(enrollment),
        };
        let calendar = self.org.calendar();
        assess(standing, terms, versions, calendar, &source, as_of, basis).events
    }
}

/// What a replay found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// Enrollments looked at.
    pub enrollments: u64,
    /// Assessments repeated.
    pub assessments: u64,
    /// Recorded decisions compared.
    pub decisions: u64,
    /// Recorded states of progress compared.
    pub progress: u64,
    /// Where recorded and recomputed differ.
    pub differences: Vec<Difference>,
}

impl Replayed {
    /// Adds what another replay found.
    pub fn add(&mut self, other: Self) {
        self.enrollments += other.enrollments;
        self.assessments += other.assessments;
        self.decisions += other.decisions;
        self.progress += other.progress;
        self.differences.extend(other.differences);
    }
}

/// Where a recorded event differs from the recomputed one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// Sequence in the Standing stream.
    pub sequence: u64,
    /// Day of the assessment.
    pub as_of: Option<Date>,
    /// Path of the first field that differs, such as `TierChanged.to`.
    pub path: String,
    /// What was recorded; absent where nothing was.
    pub recorded: Option<String>,
    /// What follows from the inputs; absent where nothing does.
    pub recomputed: Option<String>,
}

/// Decides everything about a partner again, with all inputs up to `up_to`, and compares. With
/// `only`, just that enrollment.
///
/// # Errors
/// When an input cannot be read.
pub fn replay(
    org: &OrgHistory,
    partner: &PartnerHistory,
    only: Option<&EnrollmentId>,
    up_to: u64,
) -> Result<Replayed, Rejection> {
    let mut found = Replayed::default();
    let mut world = World::new(org, partner);
    let mut standings: BTreeMap<EnrollmentId, Standing> = BTreeMap::new();
    let mut groups: Vec<Group<'_>> = partner
        .recorded
        .iter()
        .filter(|(enrollment, _)| only.is_none_or(|only| only == *enrollment))
        .flat_map(|(enrollment, events)| grouped(enrollment, events))
        .filter(|group| group.basis.number <= up_to)
        .collect();
    // Stable: within an enrollment the numbers never go back.
    groups.sort_by_key(|group| group.basis.number);
    for group in groups {
        world.advance_to(group.basis.number)?;
        let standing = standings.entry(group.enrollment.clone()).or_default();
        let events = world.assess(group.enrollment, standing, group.as_of, group.basis);
        found.assessments += 1;
        for (_, event) in group.events {
            match event.is_decision() {
                true => found.decisions += 1,
                false => found.progress += 1,
            }
        }
        found.differences.extend(compare(&group, &events));
        for (_, event) in group.events {
            standing.evolve(event);
        }
    }
    world.advance_to(up_to)?;
    let enrollments: Vec<EnrollmentId> = world.terms.keys().cloned().collect();
    for enrollment in enrollments
        .iter()
        .filter(|id| only.is_none_or(|only| only == *id))
    {
        found.enrollments += 1;
        let standing = standings.entry(enrollment.clone()).or_default();
        found
            .differences
            .extend(missing(&world, enrollment, standing, up_to));
    }
    Ok(found)
}

/// What should have been recorded by now and was not.
fn missing(
    world: &World<'_>,
    enrollment: &EnrollmentId,
    standing: &Standing,
    up_to: u64,
) -> Option<Difference> {
    // A sandbox says what day it is; on real time it is the day of the last input.
    let today = match world.org.is_sandbox() {
        true => world.org.today(Timestamp::UNIX_EPOCH),
        false => world.today?,
    };
    let as_of = today.max(standing.last_as_of);
    let basis = Basis {
        number: up_to,
        ..Basis::default()
    };
    let events = world.assess(enrollment, standing, as_of, &basis);
    let decision = events.iter().find(|event| event.is_decision())?;
    Some(Difference {
        enrollment: enrollment.clone(),
        sequence: 0,
        as_of: Some(as_of),
        path: cqrs_es::DomainEvent::event_type(decision),
        recorded: None,
        recomputed: serde_json::to_string(decision).ok(),
    })
}

/// The recorded events of one assessment.
struct Group<'e> {
    enrollment: &'e EnrollmentId,
    as_of: Date,
    basis: &'e Basis,
    events: &'e [(u64, StandingEvent)],
}

fn grouped<'e>(enrollment: &'e EnrollmentId, events: &'e [(u64, StandingEvent)]) -> Vec<Group<'e>> {
    let same = |left: &(u64, StandingEvent), right: &(u64, StandingEvent)| {
        let key = |event: &StandingEvent| (event.basis().map(|b| b.number), event.as_of());
        key(&left.1) == key(&right.1)
    };
    events
        .chunk_by(same)
        .filter_map(|events| {
            let (_, first) = events.first()?;
            Some(Group {
                enrollment,
                as_of: first.as_of()?,
                basis: first.basis()?,
                events,
            })
        })
        .collect()
}

fn compare(group: &Group<'_>, recomputed: &[StandingEvent]) -> Option<Difference> {
    let longest = group.events.len().max(recomputed.len());
    for at in 0..longest {
        let recorded = group.events.get(at);
        let again = recomputed.get(at);
        let left = recorded.and_then(|(_, event)| serde_json::to_value(event).ok());
        let right = again.and_then(|event| serde_json::to_value(event).ok());
        if left == right {
            continue;
        }
        let (path, left, right) = first_difference(left.as_ref(), right.as_ref(), String::new());
        return Some(Difference {
            enrollment: group.enrollment.clone(),
            sequence: recorded.map_or(0, |(sequence, _)| *sequence),
            as_of: Some(group.as_of),
            path,
            recorded: left,
            recomputed: right,
        });
    }
    None
}

/// The path of the first difference, and what stands there on both sides.
fn first_difference(
    left: Option<&Json>,
    right: Option<&Json>,
    path: String,
) -> (String, Option<String>, Option<String>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match (left, right) {
        (Some(Json::Object(left)), Some(Json::Object(right))) => {
            let keys = left
                .keys()
                .chain(right.keys().filter(|key| !left.contains_key(*key)));
            for key in keys {
                if left.get(key) != right.get(key) {
                    return first_difference(left.get(key), right.get(key), below(key));
                }
            }
        }
        (Some(Json::Array(left)), Some(Json::Array(right))) => {
            for at in 0..left.len().max(right.len()) {
                if left.get(at) != right.get(at) {
                    return first_difference(left.get(at), right.get(at), below(&at.to_string()));
                }
            }
        }
        _ => {}
    }
    (path, left.map(Json::to_string), right.map(Json::to_string))
}
