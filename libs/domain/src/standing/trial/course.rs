//! The past of a partner played again under other rules, day by day.
//!
//! Facts, terms and rates come in the order in which they were recorded, each on its business day.
//! What has come is assessed at the end of the day, and within it wherever something was decided in
//! the past: the rules as they were lead to what was recorded, even where a deal was won and
//! reversed on one day. A timer that falls due is assessed at the beginning of its day, before
//! anything else happens.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;

use super::Draft;
use crate::activity::facts;
use crate::aggregate::Decide;
use crate::any_event::AnyEvent;
use crate::enrollment::EnrollmentEvent;
use crate::ids::EnrollmentId;
use crate::partner::Partner;
use crate::program::org::Org;
use crate::rejection::Rejection;
use crate::rules::{Fact, IndexedFacts, RatesAsKnown, Wanted, WithBeyond};
use crate::standing::aggregate::Standing;
use crate::standing::assess::assess;
use crate::standing::events::Basis;
use crate::standing::past::{Observations, OrgHistory, OrgWide, PartnerHistory, Place};
use crate::standing::subject::{Terms, Version};
use crate::surroundings::{Otherwise, SurroundingsEvent};

/// An enrollment on its course.
pub(super) struct Enrolled {
    pub(super) terms: Terms,
    pub(super) standing: Standing,
    next_change: Option<Date>,
}

/// A partner on its course.
pub(super) struct Course<'h> {
    history: &'h OrgHistory,
    draft: &'h Draft,
    /// The rules that decide.
    pub(super) versions: Vec<Version>,
    /// The rules as they were published.
    pub(super) published: Vec<Version>,
    pub(super) org: Org,
    partner: Partner,
    facts: HashMap<(&'static str, &'h str), Fact>,
    pub(super) index: IndexedFacts,
    rates_seen: u64,
    pub(super) observed: Observations,
    /// What the draft means otherwise than the rules by which anything was observed.
    otherwise: Otherwise,
    pub(super) enrollments: BTreeMap<EnrollmentId, Enrolled>,
    today: Option<Date>,
    dirty: bool,
}

impl<'h> Course<'h> {
    /// Before anything happened.
    pub(super) fn new(history: &'h OrgHistory, draft: &'h Draft) -> Self {
        let tried = draft.definition.as_ref().map(|definition| Version {
            number: 1,
            effective: Date::MIN,
            transition: crate::program::Transition::Now,
            definition: (**definition).clone(),
        });
        let mut wanted = Wanted::default();
        let mut want = |version: &Version| {
            for track in &version.definition.tracks {
                for requirement in track.requirements() {
                    wanted.add(requirement, version.definition.pricing());
                }
            }
        };
        match &tried {
            Some(version) => want(version),
            None => history.versions(&draft.program).for_each(want),
        }
        let index = wanted.index(&[], &history.rates.as_known_at(0), BTreeMap::new());
        let newest = history.versions(&draft.program).last();
        let otherwise = newest.zip(draft.definition.as_ref());
        let otherwise = otherwise.map(|(newest, draft)| Otherwise::of(&newest.definition, draft));
        let otherwise = otherwise.unwrap_or_default();
        Self {
            history,
            draft,
            versions: tried.into_iter().collect(),
            published: Vec::new(),
            org: Org::default(),
            partner: Partner::default(),
            facts: HashMap::new(),
            index,
            rates_seen: 0,
            observed: Observations::default(),
            otherwise,
            enrollments: BTreeMap::new(),
            today: None,
            dirty: false,
        }
    }

    /// Plays everything up to a number of the log, and then lets time pass to the last of `days`,
    /// which are in order. Calls `at` at the end of each of them.
    ///
    /// # Errors
    /// When an input cannot be read.
    pub(super) fn play(
        &mut self,
        partner: &'h PartnerHistory,
        up_to: u64,
        days: &[Date],
        mut at: impl FnMut(&Self, Date),
    ) -> Result<(), Rejection> {
        let mut days = days.iter().copied().peekable();
        let mut steps = self.history.events.iter().peekable();
        let mut inputs = partner.inputs.iter().peekable();
        let mut looks = looks(partner).into_iter().peekable();
        loop {
            let step = steps.peek().map(|step| step.number);
            let input = inputs.peek().map(|(place, _)| place.number);
            let next = step.into_iter().chain(input).min();
            let Some(number) = next.filter(|number| *number <= up_to) else {
                break;
            };
            while looks.next_if(|look| *look < number).is_some() {
                self.assess_touched();
            }
            if step == Some(number) {
                let Some(step) = steps.next() else { break };
                // Before it is founded, an org has no clock.
                if self.today.is_some() {
                    self.go_to(self.org.today(step.recorded_at), &mut days, &mut at);
                }
                self.take_of_org(&step.what);
                self.go_to(self.org.today(step.recorded_at), &mut days, &mut at);
            }
            if input == Some(number) {
                let Some((place, event)) = inputs.next() else {
                    break;
                };
                self.go_to(self.org.today(place.recorded_at), &mut days, &mut at);
                self.take(place, event)?;
            }
        }
        for day in days {
            self.end_of(day);
            at(self, day);
        }
        Ok(())
    }

    /// Ends every day before `date`, and begins it.
    fn go_to(
        &mut self,
        date: Date,
        days: &mut std::iter::Peekable<impl Iterator<Item = Date>>,
        at: &mut impl FnMut(&Self, Date),
    ) {
        if self.today.is_some_and(|today| date <= today) {
            return;
        }
        while let Some(day) = days.next_if(|day| *day < date) {
            self.end_of(day);
            at(self, day);
        }
        self.assess_touched();
        self.fire(date);
        self.today = Some(date);
    }

    fn end_of(&mut self, day: Date) {
        self.assess_touched();
        self.fire(day);
    }

    fn rates(&self) -> RatesAsKnown<'h> {
        self.history.rates.as_known_at(self.rates_seen)
    }

    fn take_of_org(&mut self, what: &OrgWide) {
        match what {
            OrgWide::Org(event) => self.org.evolve(event),
            OrgWide::Version(program, version) if *program == self.draft.program => {
                self.published.push((**version).clone());
                if self.draft.definition.is_none() {
                    self.versions.push((**version).clone());
                    self.dirty = true;
                }
            }
            OrgWide::Version(..) => {}
            OrgWide::Rates(sequence, first) => {
                let before = self.rates();
                self.rates_seen = *sequence;
                let after = self.rates();
                let Some(first) = first else { return };
                let dated = |fact: &&Fact| {
                    fact.amount.is_some() && fact.dates.values().any(|day| day >= first)
                };
                let touched = self.facts.values().filter(dated);
                self.dirty |= !self.index.revalue(touched, &before, &after).is_empty();
            }
        }
    }

    fn take(&mut self, place: &'h Place, event: &AnyEvent) -> Result<(), Rejection> {
        match event {
            AnyEvent::Partner(event) => {
                self.partner.evolve(event);
                self.index.set_attributes(self.partner.attributes());
            }
            AnyEvent::Enrollment(event) => {
                let id = EnrollmentId::parse(place.stream.id())?;
                self.take_terms(id, event);
            }
            AnyEvent::Surroundings(event) => self.take_observed(place, event)?,
            _ => {
                let Some((kind, activity)) = event.activity() else {
                    return Ok(());
                };
                let id = place.stream.id();
                let before = self.facts.remove(&(kind, id));
                let after = facts::apply_event(before.clone(), id, activity, place.sequence);
                self.index
                    .replace(before.as_ref(), after.as_ref(), &self.rates());
                if let Some(after) = after {
                    self.facts.insert((kind, id), after);
                }
            }
        }
        self.dirty = true;
        Ok(())
    }

    fn take_observed(&mut self, place: &Place, event: &SurroundingsEvent) -> Result<(), Rejection> {
        let mut event = event.clone();
        if let SurroundingsEvent::SurroundingsObserved(observed) = &mut event
            && let Some(enrolled) = self.enrollments.get(&observed.enrollment)
        {
            let track = &enrolled.terms.track;
            self.otherwise.forget_in(track, &mut observed.state);
        }
        self.observed.take(place, &event)
    }

    fn take_terms(&mut self, id: EnrollmentId, event: &EnrollmentEvent) {
        if let EnrollmentEvent::Enrolled(enrolled) = event {
            let terms = Terms::of(enrolled);
            if terms.program == self.draft.program {
                let enrolled = Enrolled {
                    terms,
                    standing: Standing::default(),
                    next_change: None,
                };
                self.enrollments.insert(id, enrolled);
            }
        } else if let Some(enrolled) = self.enrollments.get_mut(&id) {
            enrolled.terms.evolve(event);
        }
    }

    /// Assesses everything as of the present day, when anything happened on it.
    fn assess_touched(&mut self) {
        let (true, Some(today)) = (std::mem::take(&mut self.dirty), self.today) else {
            return;
        };
        for (id, enrolled) in &mut self.enrollments {
            let source = WithBeyond {
                facts: &self.index,
                beyond: self.observed.around(id),
            };
            enrolled.assess(&self.versions, &self.org, &source, today);
        }
    }

    /// Assesses each enrollment on each day up to `to` on which it asked to be looked at.
    fn fire(&mut self, to: Date) {
        for (id, enrolled) in &mut self.enrollments {
            let source = WithBeyond {
                facts: &self.index,
                beyond: self.observed.around(id),
            };
            while let Some(day) = enrolled.next_change.filter(|day| *day <= to) {
                enrolled.assess(&self.versions, &self.org, &source, day);
            }
        }
    }
}

/// How far the log had been read when something was decided in the past.
fn looks(partner: &PartnerHistory) -> BTreeSet<u64> {
    let recorded = partner.recorded.values().flatten();
    recorded
        .filter_map(|(_, event)| event.basis())
        .map(|basis| basis.number)
        .collect()
}

impl Enrolled {
    fn assess(
        &mut self,
        versions: &[Version],
        org: &Org,
        source: &WithBeyond<'_, IndexedFacts>,
        as_of: Date,
    ) {
        let done = assess(
            &self.standing,
            &self.terms,
            versions,
            org.calendar(),
            source,
            as_of,
            &Basis::default(),
        );
        // What is asked for again on the same day has been seen.
        self.next_change = done.next_change.filter(|next| *next > as_of);
        if let Some(standing) = done.standing {
            self.standing = standing;
        }
    }
}
