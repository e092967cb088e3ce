//! The assessment: what follows for a standing from the facts as of a date.
//!
//! Pure and settled: applying the events that it gives and assessing again on the same inputs
//! gives none.
//!
//! Readings fixed here:
//! - A tier is reached when its own qualification is met; unknown never passes.
//! - Retention that is *unknown* neither starts nor ends a demotion process.
//! - A process starts on the day on which retention is found unmet, unless the same measures, taken
//!   as of that day, satisfy it: such a partner would recover at once.
//! - Recovery on any day before the end of the remediation cancels the process.
//! - The demotion falls on the day on which notice and remediation days have passed. What counts
//!   for it is what was satisfied as of the day before, the last of the remediation. Whoever
//!   qualifies again on the day of the demotion itself loses the tier and regains it.

mod demotion;
mod progress;
mod promotion;

use std::borrow::Cow;

use jiff::civil::Date;

use crate::aggregate::Decide;
use crate::ids::TierId;
use crate::program::{ProgramDefinition, Track};
use crate::rules::{
    Context, Evaluation, Explanation, FactSource, Mode, Outcome, Pricing, Requirement, evaluate,
};
use crate::standing::aggregate::Standing;
use crate::standing::events::{
    Basis, Cause, Closed, Direction, Ending, Evidence, Opened, PinReleased, StandingEvent,
    TierChange, TierSource,
};
use crate::standing::subject::{Pin, Terms, Version, in_force, next_effective};
use crate::time::{Calendar, PeriodUnit, next_day};

/// What follows from an assessment.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The new facts about the standing, in order; none when nothing changed.
    pub events: Vec<StandingEvent>,
    /// The standing after them; absent when nothing changed.
    pub standing: Option<Standing>,
    /// The next day on which the outcome could change by the passing of time alone.
    pub next_change: Option<Date>,
}

/// Assesses an enrollment as of a day.
///
/// `facts` must convert money to the currency of the version in force; `basis` is copied into the
/// events, with the version filled in.
pub fn assess<F: FactSource + ?Sized>(
    standing: &Standing,
    terms: &Terms,
    versions: &[Version],
    calendar: &Calendar,
    facts: &F,
    as_of: Date,
    basis: &Basis,
) -> Assessment {
    let mut work = Work {
        standing: Cow::Borrowed(standing),
        events: Vec::new(),
        next: None,
        terms,
        as_of,
        basis: basis.clone(),
        regains: false,
    };
    if work.standing.closed.is_some() || work.standing.unreadable {
        return work.done();
    }
    if as_of < terms.start {
        work.wake(Some(terms.start));
        return work.done();
    }
    work.wake(next_effective(versions, as_of));
    if let Some(version) = in_force(versions, as_of) {
        work.basis.program_version = version.number;
        if let Some(track) = version.definition.track(&terms.track) {
            let start = version.definition.program_year_start;
            let rules = Rules {
                track,
                calendar: &calendar.of_enrollment(start, terms.start),
                pricing: version.definition.pricing(),
                spared: version
                    .transition
                    .begins(version.effective, track, calendar),
                facts,
            };
            work.run(&rules);
        }
    }
    work.end();
    work.done()
}

/// How a requirement comes out for an enrollment as of a day, in a version of its program.
/// `calendar` is that of the org.
pub fn explain<F: FactSource + ?Sized>(
    requirement: &Requirement,
    standing: &Standing,
    terms: &Terms,
    definition: &ProgramDefinition,
    calendar: &Calendar,
    facts: &F,
    as_of: Date,
) -> Explanation {
    let mode = Mode::AtPeriodEnds;
    within(
        standing,
        terms,
        definition,
        calendar,
        as_of,
        mode,
        |context| evaluate(requirement, context, facts).explanation,
    )
}

/// Calls `look` with what an enrollment is evaluated in: its dates, its calendar, the currency of
/// the program. `calendar` is that of the org.
pub(crate) fn within<R>(
    standing: &Standing,
    terms: &Terms,
    definition: &ProgramDefinition,
    calendar: &Calendar,
    as_of: Date,
    mode: Mode,
    look: impl FnOnce(&Context<'_>) -> R,
) -> R {
    let calendar = calendar.of_enrollment(definition.program_year_start, terms.start);
    let pricing = definition.pricing();
    look(&Context {
        as_of,
        calendar: &calendar,
        enrolled_since: terms.start,
        tier_since: standing.tier_since,
        tiers: &standing.tiers,
        currency: pricing.currency,
        fixed: pricing.fixed,
        mode,
    })
}

/// Everything the requirements are evaluated against.
struct Rules<'a, F: FactSource + ?Sized> {
    track: &'a Track,
    calendar: &'a Calendar,
    pricing: Pricing<'a>,
    /// The first day on which a tier may be lost; absent: any.
    spared: Option<Date>,
    facts: &'a F,
}

struct Work<'a> {
    /// Copied when something happens to it.
    standing: Cow<'a, Standing>,
    events: Vec<StandingEvent>,
    next: Option<Date>,
    terms: &'a Terms,
    as_of: Date,
    basis: Basis,
    /// True when the tier was lost although the day itself satisfies what keeps it, so that it may
    /// be reached anew.
    regains: bool,
}

impl Work<'_> {
    fn done(self) -> Assessment {
        Assessment {
            events: self.events,
            standing: match self.standing {
                Cow::Borrowed(_) => None,
                Cow::Owned(standing) => Some(standing),
            },
            next_change: self.next,
        }
    }

    fn emit(&mut self, event: StandingEvent) {
        self.standing.to_mut().evolve(&event);
        self.events.push(event);
    }

    /// Asks to be looked at again on that day.
    fn wake(&mut self, day: Option<Date>) {
        if let Some(day) = day.filter(|day| *day > self.as_of) {
            self.next = Some(self.next.map_or(day, |next| next.min(day)));
        }
    }

    fn run<F: FactSource + ?Sized>(&mut self, rules: &Rules<'_, F>) {
        self.open(rules.track);
        if self.over().is_some() {
            return;
        }
        self.tier_must_exist(rules.track);
        let qualified = match self.active_pin(rules.track) {
            Some(pin) => {
                self.obey_pin(&pin, rules.track);
                None
            }
            None => self.decide(rules),
        };
        self.progress(rules, qualified);
    }

    fn open(&mut self, track: &Track) {
        if self.standing.tier.is_some() {
            return;
        }
        let placed = self
            .terms
            .placed
            .as_ref()
            .filter(|tier| track.rank(tier).is_some());
        let Some(tier) = placed.or(track.entry().map(|tier| &tier.id)) else {
            return;
        };
        let (tier_name, rank) = shown(track, tier);
        let source = if placed.is_some() {
            TierSource::Placed
        } else {
            TierSource::Entry
        };
        self.emit(StandingEvent::StandingOpened(Opened {
            as_of: self.as_of,
            basis: self.basis.clone(),
            enrollment: self.terms.enrollment.clone(),
            partner: self.terms.partner.clone(),
            program: self.terms.program.clone(),
            track: self.terms.track.clone(),
            tier: tier.clone(),
            tier_name,
            rank,
            since: self.terms.start,
            source,
        }));
    }

    /// How and when the enrollment ended, if it has by the as-of date.
    fn over(&self) -> Option<Ending> {
        if self.terms.terminated.is_some_and(|day| day <= self.as_of) {
            return Some(Ending::Terminated);
        }
        self.terms
            .end
            .is_some_and(|last| last < self.as_of)
            .then_some(Ending::Expired)
    }

    fn end(&mut self) {
        self.wake(self.terms.terminated);
        self.wake(self.terms.end.map(next_day));
        if let (Some(cause), Some(tier)) = (self.over(), self.standing.tier.clone()) {
            self.next = None;
            self.emit(StandingEvent::StandingClosed(Closed {
                as_of: self.as_of,
                basis: self.basis.clone(),
                tier,
                cause,
            }));
        }
    }

    fn tier_must_exist(&mut self, track: &Track) {
        let gone = self
            .standing
            .tier
            .as_ref()
            .is_some_and(|tier| track.rank(tier).is_none());
        if let (true, Some(entry)) = (gone, track.entry()) {
            let sentence = format!(
                "The version of the program in force from now on does not have the tier; moved to \
                 {}.",
                entry.name
            );
            let evidence = Evidence {
                sentence,
                explanation: None,
            };
            self.change(track, &entry.id, Cause::TierRemoved, evidence);
        }
    }

    fn change(&mut self, track: &Track, to: &TierId, cause: Cause, evidence: Evidence) {
        let Some(from) = self.standing.tier.clone() else {
            return;
        };
        let source = match cause {
            Cause::Pinned => TierSource::Pin,
            Cause::Approved => TierSource::Approved,
            _ => TierSource::Automatic,
        };
        let (from_name, before) = shown(track, &from);
        let (to_name, rank) = shown(track, to);
        let direction = if rank <= before {
            Direction::Promotion
        } else {
            Direction::Demotion
        };
        self.emit(StandingEvent::TierChanged(TierChange {
            as_of: self.as_of,
            basis: self.basis.clone(),
            from,
            to: to.clone(),
            from_name,
            to_name,
            rank,
            direction,
            cause,
            source,
            evidence,
        }));
    }

    fn active_pin(&mut self, track: &Track) -> Option<Pin> {
        let pin = self.terms.pin.clone()?;
        if pin.until.is_some_and(|until| until < self.as_of) || track.rank(&pin.tier).is_none() {
            return None;
        }
        self.wake(pin.until.map(next_day));
        Some(pin)
    }

    fn obey_pin(&mut self, pin: &Pin, track: &Track) {
        let held = self.standing.tier.as_ref() == Some(&pin.tier);
        if held && self.standing.source == TierSource::Pin {
            return;
        }
        let evidence = Evidence {
            sentence: format!("Pinned by hand: {}", pin.reason),
            explanation: None,
        };
        self.change(track, &pin.tier, Cause::Pinned, evidence);
    }

    /// Lets the facts decide. Gives the qualifications, where no change of tier has made them
    /// stale.
    fn decide<F: FactSource + ?Sized>(
        &mut self,
        rules: &Rules<'_, F>,
    ) -> Option<Vec<Option<Explanation>>> {
        if self.standing.source == TierSource::Pin {
            self.release_pin(rules);
        }
        self.obey_verdict(rules.track);
        let qualified = self.qualified(rules);
        let before = (self.standing.tier.clone(), self.standing.tier_since);
        // Promoted or not, the tier now held has a retention requirement to be looked at.
        self.promote(rules, &qualified);
        // Each round moves down one tier, so the ladder bounds the loop.
        for _ in 0..rules.track.tiers.len() {
            if !self.retain(rules, &qualified) {
                break;
            }
        }
        if std::mem::take(&mut self.regains) {
            let qualified = self.qualified(rules);
            self.promote(rules, &qualified);
        }
        let same = before == (self.standing.tier.clone(), self.standing.tier_since);
        same.then_some(qualified)
    }

    fn context<'c, F: FactSource + ?Sized>(
        &'c self,
        rules: &Rules<'c, F>,
        mode: Mode,
    ) -> Context<'c> {
        Context {
            as_of: self.as_of,
            calendar: rules.calendar,
            enrolled_since: self.terms.start,
            tier_since: self.standing.tier_since,
            tiers: &self.standing.tiers,
            currency: rules.pricing.currency,
            fixed: rules.pricing.fixed,
            mode,
        }
    }

    fn evaluate<F: FactSource + ?Sized>(
        &mut self,
        rules: &Rules<'_, F>,
        requirement: &Requirement,
        mode: Mode,
    ) -> Explanation {
        let context = self.context(rules, mode);
        let Evaluation {
            explanation,
            next_change,
        } = evaluate(requirement, &context, rules.facts);
        self.wake(next_change);
        explanation
    }

    /// For each tier, highest first, how its qualification came out; the entry tier has none.
    fn qualified<F: FactSource + ?Sized>(
        &mut self,
        rules: &Rules<'_, F>,
    ) -> Vec<Option<Explanation>> {
        rules
            .track
            .tiers
            .iter()
            .map(|tier| {
                let requirement = tier.qualification.as_ref()?;
                Some(self.evaluate(rules, requirement, Mode::AtPeriodEnds))
            })
            .collect()
    }

    fn release_pin<F: FactSource + ?Sized>(&mut self, rules: &Rules<'_, F>) {
        let Some(pinned) = self.standing.tier.clone() else {
            return;
        };
        let as_of = self.as_of;
        let basis = self.basis.clone();
        self.emit(StandingEvent::PinReleased(PinReleased {
            as_of,
            basis,
            tier: pinned.clone(),
        }));
        let qualified = self.qualified(rules);
        let target = highest(&qualified);
        let present = rules.track.rank(&pinned);
        if present == Some(target) {
            return;
        }
        let Some(tier) = rules.track.tiers.get(target) else {
            return;
        };
        let explanation = qualified.get(target).cloned().flatten();
        let sentence = format!("No longer pinned; the facts qualify for {}.", tier.name);
        let evidence = Evidence {
            sentence,
            explanation,
        };
        self.change(rules.track, &tier.id, Cause::PinReleased, evidence);
    }

    fn rank(&self, track: &Track) -> Option<usize> {
        self.standing
            .tier
            .as_ref()
            .and_then(|tier| track.rank(tier))
    }

    /// True when there is no review calendar or the day is the first of a period. Otherwise asks
    /// to be woken on the next such day.
    fn on_review_day(&mut self, review: Option<PeriodUnit>, calendar: &Calendar) -> bool {
        let Some(unit) = review else { return true };
        let period = unit.containing(self.as_of, calendar);
        if period.from == self.as_of {
            return true;
        }
        self.wake(Some(next_day(period.to)));
        false
    }
}

/// Name and rank of a tier, as people see them.
fn shown(track: &Track, id: &TierId) -> (String, u16) {
    match track.rank(id) {
        Some(rank) => (
            track.tiers[rank].name.clone(),
            u16::try_from(rank).unwrap_or(u16::MAX),
        ),
        None => (id.to_string(), u16::MAX),
    }
}

/// Rank of the highest tier whose qualification is met; the entry tier has none and always counts.
fn highest(qualified: &[Option<Explanation>]) -> usize {
    qualified
        .iter()
        .position(|explanation| match explanation {
            Some(explanation) => explanation.outcome == Outcome::Met,
            None => true,
        })
        .unwrap_or(qualified.len().saturating_sub(1))
}
