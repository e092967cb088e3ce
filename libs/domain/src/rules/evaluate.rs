//! The evaluation of a requirement as of a day: an outcome with its explanation, and the next day
//! on which it could change by the passing of time alone.
//!
//! Readings fixed here:
//! - Facts dated after the as-of date do not count; they enter on their date.
//! - `every_period` and `any_period` evaluate what they hold as of the last day of each of the
//!   last complete periods, on the facts as they are known now.
//! - A fact whose filter can not be decided is left out and shown. A fact that passes but has no
//!   known value (no rate, no quantity, no key) makes the criterion unknown, unless the known facts
//!   decide it already.
//! - Children that are not applicable count neither way.
//!
//! How numbers are measured is in `measuring.rs`, what looks at several days in `through_time.rs`.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::ids::TierId;
use crate::money::Currency;
use crate::rules::beyond::Beyond;
use crate::rules::certified::Certificate;
use crate::rules::condition::{FieldRef, Fields, Truth};
use crate::rules::explain::{
    Explanation, Measured, MeasuredPart, Node, Outcome, PartnerCheck, capped, gap, judge, mean,
    reached_percent,
};
use crate::rules::fact::{Fact, FactKind};
use crate::rules::measuring::Reading;
use crate::rules::model::{
    Case, Condition, Criterion, Otherwise, Path, Requirement, Threshold, Where,
};
use crate::rules::rates::{FixedRates, Pricing};
use crate::rules::series::SeriesSpec;
use crate::rules::tally::Tally;
use crate::rules::value::Value;
use crate::rules::window::whole_months;
use crate::time::{Calendar, DateRange, next_day};

/// Where the facts of a partner come from.
pub trait FactSource {
    /// What the facts of a series add up to over some days; `None` when the source does not keep
    /// the series, which makes a criterion unknown.
    fn tally(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Tally>;

    /// The first day in a range on which the series has facts.
    fn first_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date>;

    /// The last day in a range on which the series has facts that count.
    fn last_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date>;

    /// The first day after a day on which the series has facts.
    fn next_day_after(&self, spec: &SeriesSpec<'_>, after: Date) -> Option<Date>;

    /// Calls `visit` with every certification fact.
    fn each_certificate<'a>(&'a self, visit: &mut dyn FnMut(Certificate<'a>));

    /// Calls `visit` with every fact of a kind. False when the source does not keep them, which
    /// makes a criterion unknown.
    fn each_fact<'a>(&'a self, kind: &FactKind, visit: &mut dyn FnMut(&'a Fact)) -> bool;

    /// The value of a partner attribute.
    fn attribute(&self, name: &str) -> Option<&Value>;

    /// What lies beyond the partner; `None` when the source does not supply it, which makes the
    /// measures that look there unknown.
    fn beyond(&self) -> Option<&Beyond> {
        None
    }
}

/// For which days complete periods are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As of the ends of the periods.
    AtPeriodEnds,
    /// As of the day of the assessment instead, once: the reading for recovery.
    AsOfToday,
}

/// What an evaluation depends on besides requirement and facts.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The day for which the requirement is evaluated.
    pub as_of: Date,
    /// How the org counts time.
    pub calendar: &'a Calendar,
    /// First day of the enrollment.
    pub enrolled_since: Date,
    /// Since when the present tier is held.
    pub tier_since: Date,
    /// The tiers that were held, the earliest first, each with its first day; the last one is the
    /// present tier. Empty: none yet.
    pub tiers: &'a [(TierId, Date)],
    /// The currency of the program.
    pub currency: Currency,
    /// The exchange rates that the program has fixed, if it has.
    pub fixed: &'a [FixedRates],
    /// For which days complete periods are evaluated.
    pub mode: Mode,
}

impl<'a> Context<'a> {
    /// How amounts are measured.
    pub fn pricing(&self) -> Pricing<'a> {
        Pricing {
            currency: self.currency,
            fixed: self.fixed,
        }
    }
}

/// How a requirement came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The outcome and why, node by node.
    pub explanation: Explanation,
    /// The first day after the as-of date on which a value could be another although no fact
    /// changes. Never late; `None`: never.
    pub next_change: Option<Date>,
}

/// Evaluates a requirement.
pub fn evaluate<F: FactSource + ?Sized>(
    requirement: &Requirement,
    context: &Context<'_>,
    source: &F,
) -> Evaluation {
    let mut run = Run::new(context, source);
    let explanation = run.requirement(requirement);
    Evaluation {
        explanation,
        next_change: run.next_change,
    }
}

pub(super) struct Run<'a, F: ?Sized> {
    pub(super) context: &'a Context<'a>,
    pub(super) source: &'a F,
    pub(super) as_of: Date,
    /// True inside a complete period: what is known of it no longer changes by the passing of time.
    pub(super) settled: bool,
    pub(super) next_change: Option<Date>,
    /// The group that is looked at, inside `for_each`.
    pub(super) group: Option<String>,
}

impl<'a, F: FactSource + ?Sized> Run<'a, F> {
    pub(super) fn new(context: &'a Context<'a>, source: &'a F) -> Self {
        Self {
            context,
            source,
            as_of: context.as_of,
            settled: false,
            next_change: None,
            group: None,
        }
    }
}

impl<F: FactSource + ?Sized> Run<'_, F> {
    /// Notes a day on which a value could change.
    pub(super) fn changes_on(&mut self, day: Option<Date>) {
        if let Some(day) = day.filter(|day| !self.settled && *day > self.as_of) {
            self.next_change = Some(self.next_change.map_or(day, |next| next.min(day)));
        }
    }

    pub(super) fn requirement(&mut self, requirement: &Requirement) -> Explanation {
        match requirement {
            Requirement::All(parts) => {
                let children = self.each(parts);
                let outcome = at_least(applicable(&children), &children);
                Explanation::group(Node::All, outcome, children, usize::MAX)
            }
            Requirement::Any(parts) => {
                let children = self.each(parts);
                let outcome = at_least(1, &children);
                Explanation::group(Node::Any, outcome, children, 1)
            }
            Requirement::AtLeast { count, of } => {
                let children = self.each(of);
                let need = usize::try_from(*count).unwrap_or(usize::MAX);
                let outcome = at_least(need, &children);
                let mut node = Explanation::group(Node::AtLeast, outcome, children, need);
                node.need = Some(*count);
                node
            }
            Requirement::Not(part) => {
                let child = self.requirement(part);
                let outcome = negated(child.outcome);
                let mut node = Explanation::new(Node::Not, outcome);
                node.percent = Some(capped(0, outcome));
                node.children.push(child);
                node
            }
            Requirement::Criterion(criterion) => self.criterion(criterion),
            Requirement::EveryPeriod(periods) => {
                let children = self.periods(periods.unit, periods.last, &periods.holds);
                let outcome = at_least(applicable(&children), &children);
                let mut node = Explanation::group(Node::EveryPeriod, outcome, children, usize::MAX);
                node.period = Some(periods.unit);
                node
            }
            Requirement::AnyPeriod(periods) => {
                let children = self.periods(periods.unit, periods.last, &periods.holds);
                let outcome = at_least(1, &children);
                let mut node = Explanation::group(Node::AnyPeriod, outcome, children, 1);
                node.period = Some(periods.unit);
                node
            }
            Requirement::Streak {
                count,
                unit,
                last,
                holds,
            } => self.streak(*count, *unit, *last, holds),
            Requirement::Sustained(sustained) => self.sustained(sustained),
            Requirement::AnyDay { window, holds } => self.any_day(*window, holds),
            Requirement::ForEach(each) => self.for_each(each),
            Requirement::BestOf(paths) => self.best_of(paths),
            Requirement::Where(place) => self.place(place),
            Requirement::Information(part) => {
                let child = self.requirement(part);
                let mut node = Explanation::new(Node::Information, Outcome::NotApplicable);
                node.children.push(child);
                node
            }
            Requirement::Partner { id, name, filter } => self.partner(id, name, filter),
        }
    }

    fn each(&mut self, parts: &[Requirement]) -> Vec<Explanation> {
        parts.iter().map(|part| self.requirement(part)).collect()
    }

    fn best_of(&mut self, paths: &[Path]) -> Explanation {
        let children: Vec<Explanation> = paths
            .iter()
            .map(|path| self.requirement(&path.holds).inside(Node::Path, &path.name))
            .collect();
        let outcome = at_least(1, &children);
        let nearness = |child: &Explanation| (child.outcome == Outcome::Met, child.percent);
        // Of equals the first.
        let chosen = (0..children.len())
            .rev()
            .max_by_key(|at| nearness(&children[*at]));
        let mut node = Explanation::group(Node::BestOf, outcome, children, 1);
        node.chosen = chosen.and_then(|at| u32::try_from(at).ok());
        node
    }

    fn place(&mut self, place: &Where) -> Explanation {
        self.changes_on(place.from);
        self.changes_on(place.until.map(next_day));
        let early = place.from.is_some_and(|from| self.as_of < from);
        let late = place.until.is_some_and(|until| self.as_of > until);
        let here = match early || late {
            true => Truth::False,
            false => self.holds_for_partner(&place.filter),
        };
        let elsewhere = match place.otherwise {
            Otherwise::NotApplicable => Outcome::NotApplicable,
            Otherwise::Unmet => Outcome::Unmet,
        };
        let mut node = match here {
            Truth::True => {
                let child = self.requirement(&place.holds);
                let mut node = Explanation::new(Node::Where, child.outcome);
                node.percent = child.percent;
                node.children.push(child);
                node
            }
            Truth::False => Explanation::new(Node::Where, elsewhere),
            Truth::Unknown => Explanation::new(Node::Where, Outcome::Unknown),
        };
        node.place = Some(Box::new(crate::rules::explain::Place {
            filter: place.filter.clone(),
            from: place.from,
            until: place.until,
        }));
        node
    }

    /// Whether a condition holds for the partner and its enrollment.
    pub(super) fn holds_for_partner(&mut self, filter: &Condition) -> Truth {
        let (mut dated, mut placed) = (false, false);
        filter.each_field(&mut |name| {
            dated |= name.starts_with("months_in_");
            placed |= name == "current_tier";
        });
        for (_, since) in self.context.tiers.iter().filter(|_| placed) {
            self.changes_on(Some(*since));
        }
        if dated {
            for since in [self.context.enrolled_since, self.context.tier_since] {
                self.months_since(since);
            }
        }
        filter.holds(&Enrollment {
            source: self.source,
            context: self.context,
            as_of: self.as_of,
        })
    }

    fn criterion(&mut self, criterion: &Criterion) -> Explanation {
        let mut reading = self.measure(&criterion.measure, &criterion.of_which);
        let mut needs = criterion.needs;
        for Case {
            filter,
            needs: other,
        } in &criterion.cases
        {
            match self.holds_for_partner(filter) {
                Truth::False => continue,
                Truth::True => needs = *other,
                Truth::Unknown => reading.vague = true,
            }
            break;
        }
        explain_criterion(criterion, needs, reading)
    }

    fn partner(&mut self, id: &str, name: &str, filter: &Condition) -> Explanation {
        explain_partner(id, name, filter, &Attributes(self.source))
    }
}

/// How a condition over the attributes of a partner comes out, and what they were.
pub fn explain_partner<A: Fields + ?Sized>(
    id: &str,
    name: &str,
    filter: &Condition,
    attributes: &A,
) -> Explanation {
    let outcome = match filter.holds(attributes) {
        Truth::True => Outcome::Met,
        Truth::False => Outcome::Unmet,
        Truth::Unknown => Outcome::Unknown,
    };
    let mut check = PartnerCheck {
        filter: filter.clone(),
        found: std::collections::BTreeMap::new(),
    };
    filter.each_field(&mut |field| {
        if let Some(value) = attributes.get(field) {
            check.found.insert(field.to_owned(), value.into());
        }
    });
    let mut node = Explanation::new(Node::Partner, outcome);
    node.id = Some(id.to_owned());
    node.name = Some(name.to_owned());
    node.percent = Some(capped(0, outcome));
    node.partner = Some(Box::new(check));
    node
}

struct Attributes<'a, F: ?Sized>(&'a F);

impl<F: FactSource + ?Sized> Fields for Attributes<'_, F> {
    fn get(&self, name: &str) -> Option<FieldRef<'_>> {
        self.0.attribute(name).map(FieldRef::from)
    }
}

/// The attributes of a partner, and how its enrollment stands.
struct Enrollment<'a, F: ?Sized> {
    source: &'a F,
    context: &'a Context<'a>,
    as_of: Date,
}

impl<F: FactSource + ?Sized> Fields for Enrollment<'_, F> {
    fn get(&self, name: &str) -> Option<FieldRef<'_>> {
        let months = |since| FieldRef::Number(whole_months(since, self.as_of).into());
        match name {
            "months_in_program" => Some(months(self.context.enrolled_since)),
            "months_in_tier" => Some(months(self.context.tier_since)),
            "current_tier" => {
                let held = |entry: &&(TierId, Date)| entry.1 <= self.as_of;
                let (tier, _) = self.context.tiers.iter().rfind(held)?;
                Some(FieldRef::Text(tier.as_str()))
            }
            _ => self.source.attribute(name).map(FieldRef::from),
        }
    }
}

fn explain_criterion(criterion: &Criterion, needs: Threshold, reading: Reading) -> Explanation {
    let judged = |needs, number: Option<Decimal>| match number {
        Some(_) if reading.vague => Outcome::Unknown,
        Some(number) => judge(needs, number, reading.open),
        None => Outcome::Unknown,
    };
    let mut outcomes = vec![judged(needs, reading.number)];
    let mut percents = vec![share(needs, reading.number)];
    let mut of_which = Vec::with_capacity(criterion.of_which.len());
    for (at, part) in criterion.of_which.iter().enumerate() {
        let number = reading
            .number
            .map(|_| reading.parts.get(at).copied().unwrap_or_default());
        let outcome = judged(part.needs, number);
        outcomes.push(outcome);
        percents.push(share(part.needs, number));
        of_which.push(MeasuredPart {
            name: part.name.clone(),
            outcome,
            number,
            needs: part.needs,
            gap: number.and_then(|number| gap(part.needs, number)),
        });
    }
    let outcome = match reading.applies {
        true => every(&outcomes),
        false => Outcome::NotApplicable,
    };
    let mut node = Explanation::new(Node::Criterion, outcome);
    node.id = Some(criterion.id.clone());
    node.name = Some(criterion.name.clone());
    node.percent = reading.applies.then(|| capped(mean(&percents), outcome));
    let found = reading.found;
    node.value = Some(Box::new(Measured {
        number: reading.number,
        unit: reading.unit,
        needs,
        gap: reading.number.and_then(|number| gap(needs, number)),
        window: found.window,
        days: found.days,
        of_which,
        counted: found.counted,
        unclear: found.unclear,
        valueless: found.valueless,
        unconverted: found.unconverted,
        converted: found.converted,
        digest: found.digest,
        beyond: found.beyond,
        inputs: reading.inputs,
    }));
    node
}

fn share(needs: Threshold, number: Option<Decimal>) -> u8 {
    number.map_or(0, |number| reached_percent(needs, number))
}

fn every(outcomes: &[Outcome]) -> Outcome {
    if outcomes.contains(&Outcome::Unmet) {
        Outcome::Unmet
    } else if outcomes.contains(&Outcome::Unknown) {
        Outcome::Unknown
    } else {
        Outcome::Met
    }
}

fn negated(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Met => Outcome::Unmet,
        Outcome::Unmet => Outcome::Met,
        Outcome::Unknown | Outcome::NotApplicable => outcome,
    }
}

pub(super) fn applicable(children: &[Explanation]) -> usize {
    children
        .iter()
        .filter(|child| child.outcome != Outcome::NotApplicable)
        .count()
}

/// Whether at least so many of the children hold. Where none of them applies, the group does not.
pub(super) fn at_least(need: usize, children: &[Explanation]) -> Outcome {
    if !children.is_empty() && applicable(children) == 0 {
        return Outcome::NotApplicable;
    }
    let number = |outcome| {
        children
            .iter()
            .filter(|child| child.outcome == outcome)
            .count()
    };
    let met = number(Outcome::Met);
    if met >= need {
        Outcome::Met
    } else if met + number(Outcome::Unknown) >= need {
        Outcome::Unknown
    } else {
        Outcome::Unmet
    }
}
