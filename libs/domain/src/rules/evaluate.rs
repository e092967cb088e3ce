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

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::money::Currency;
use crate::rules::certified::{self, Certificate};
use crate::rules::condition::{FieldRef, Fields, Truth};
use crate::rules::explain::{
    Explanation, Measured, MeasuredPart, Node, Outcome, PartnerCheck, Unit, capped, gap, judge,
    mean, reached_percent,
};
use crate::rules::model::{Condition, Criterion, Measure, Periods, Requirement, Window};
use crate::rules::series::{SeriesSpec, SeriesValue};
use crate::rules::tally::Tally;
use crate::rules::value::Value;
use crate::rules::window::{next_month_mark, whole_months};
use crate::time::{Calendar, DateRange, next_day};

/// Where the facts of a partner come from.
pub trait FactSource {
    /// What the facts of a series add up to over some days; `None` when the source does not keep
    /// the series, which makes a criterion unknown.
    fn tally(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Tally>;

    /// The first day in a range on which the series has facts.
    fn first_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date>;

    /// The first day after a day on which the series has facts.
    fn next_day_after(&self, spec: &SeriesSpec<'_>, after: Date) -> Option<Date>;

    /// Calls `visit` with every certification fact.
    fn each_certificate<'a>(&'a self, visit: &mut dyn FnMut(Certificate<'a>));

    /// The value of a partner attribute.
    fn attribute(&self, name: &str) -> Option<&Value>;
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
    /// The currency of the program.
    pub currency: Currency,
    /// For which days complete periods are evaluated.
    pub mode: Mode,
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
    let mut run = Run {
        context,
        source,
        as_of: context.as_of,
        settled: false,
        next_change: None,
    };
    let explanation = run.requirement(requirement);
    Evaluation {
        explanation,
        next_change: run.next_change,
    }
}

struct Run<'a, F: ?Sized> {
    context: &'a Context<'a>,
    source: &'a F,
    as_of: Date,
    /// True inside a complete period: what is known of it no longer changes by the passing of time.
    settled: bool,
    next_change: Option<Date>,
}

impl<F: FactSource + ?Sized> Run<'_, F> {
    /// Notes a day on which a value could change.
    fn changes_on(&mut self, day: Option<Date>) {
        if let Some(day) = day.filter(|day| !self.settled && *day > self.as_of) {
            self.next_change = Some(self.next_change.map_or(day, |next| next.min(day)));
        }
    }

    fn requirement(&mut self, requirement: &Requirement) -> Explanation {
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
                let children = self.periods(periods);
                let outcome = at_least(applicable(&children), &children);
                let mut node = Explanation::group(Node::EveryPeriod, outcome, children, usize::MAX);
                node.period = Some(periods.unit);
                node
            }
            Requirement::AnyPeriod(periods) => {
                let children = self.periods(periods);
                let outcome = at_least(1, &children);
                let mut node = Explanation::group(Node::AnyPeriod, outcome, children, 1);
                node.period = Some(periods.unit);
                node
            }
            Requirement::Partner { id, name, filter } => self.partner(id, name, filter),
        }
    }

    fn each(&mut self, parts: &[Requirement]) -> Vec<Explanation> {
        parts.iter().map(|part| self.requirement(part)).collect()
    }

    fn periods(&mut self, periods: &Periods) -> Vec<Explanation> {
        let period_node = |kind, as_of, child: Explanation| {
            let mut node = Explanation::new(kind, child.outcome);
            node.percent = child.percent;
            node.as_of = Some(as_of);
            node.children.push(child);
            node
        };
        let today = self.as_of;
        if self.context.mode == Mode::AsOfToday {
            let child = self.requirement(&periods.holds);
            return vec![period_node(Node::Today, today, child)];
        }
        let calendar = self.context.calendar;
        self.changes_on(Some(next_day(periods.unit.containing(today, calendar).to)));
        let complete = periods.unit.complete_before(today, periods.last, calendar);
        let was_settled = std::mem::replace(&mut self.settled, true);
        let children = complete
            .iter()
            .map(|period| {
                self.as_of = period.to;
                let child = self.requirement(&periods.holds);
                period_node(Node::PeriodEnd, period.to, child)
            })
            .collect();
        self.as_of = today;
        self.settled = was_settled;
        children
    }

    fn criterion(&mut self, criterion: &Criterion) -> Explanation {
        let reading = match &criterion.measure {
            Measure::Count { .. } | Measure::CountDistinct { .. } | Measure::Sum { .. } => {
                SeriesSpec::of(criterion, self.context.currency)
                    .map(|(spec, window)| self.series(&spec, window))
                    .unwrap_or_default()
            }
            Measure::PersonsCertified { filter, at_least } => {
                let (reading, next) = certified::read(
                    self.source,
                    filter,
                    *at_least,
                    &criterion.of_which,
                    self.as_of,
                );
                self.changes_on(next);
                reading
            }
            Measure::MonthsInProgram => self.months_since(self.context.enrolled_since),
            Measure::MonthsInTier => self.months_since(self.context.tier_since),
            Measure::PartnerNumber { attribute } => {
                match self.source.attribute(attribute).map(FieldRef::from) {
                    Some(FieldRef::Number(number)) => Reading::of(number.normalize()),
                    _ => Reading::default(),
                }
            }
        };
        explain_criterion(criterion, reading, self.context.currency)
    }

    fn series(&mut self, spec: &SeriesSpec<'_>, window: Window) -> Reading {
        let context = self.context;
        let days = window.days(self.as_of, context.calendar, context.enrolled_since);
        if !self.settled {
            self.changes_on(self.source.next_day_after(spec, self.as_of));
            if window.left_on(days.to, context.calendar).is_some() {
                let first = self.source.first_day_in(spec, days);
                let left = first.and_then(|day| window.left_on(day, context.calendar));
                self.changes_on(left);
            }
        }
        let Some(tally) = self.source.tally(spec, days) else {
            return Reading::default();
        };
        Reading {
            number: Some(spec.measured(&tally)),
            parts: (0..spec.parts.len())
                .map(|at| spec.measured_part(&tally, at))
                .collect(),
            open: tally.valueless > 0 || tally.unconverted > 0,
            money: matches!(spec.value, SeriesValue::Amount(_)),
            window: Some((window, days)),
            tally,
        }
    }

    fn months_since(&mut self, since: Date) -> Reading {
        self.changes_on(Some(next_month_mark(since, self.as_of)));
        Reading::of(whole_months(since, self.as_of).into())
    }

    fn partner(&mut self, id: &str, name: &str, filter: &Condition) -> Explanation {
        let attributes = Attributes(self.source);
        let outcome = match filter.holds(&attributes) {
            Truth::True => Outcome::Met,
            Truth::False => Outcome::Unmet,
            Truth::Unknown => Outcome::Unknown,
        };
        let mut check = PartnerCheck {
            filter: filter.clone(),
            found: std::collections::BTreeMap::new(),
        };
        filter.each_field(&mut |field| {
            if let Some(value) = self.source.attribute(field) {
                check.found.insert(field.to_owned(), value.clone());
            }
        });
        let mut node = Explanation::new(Node::Partner, outcome);
        node.id = Some(id.to_owned());
        node.name = Some(name.to_owned());
        node.percent = Some(capped(0, outcome));
        node.partner = Some(Box::new(check));
        node
    }
}

struct Attributes<'a, F: ?Sized>(&'a F);

impl<F: FactSource + ?Sized> Fields for Attributes<'_, F> {
    fn get(&self, name: &str) -> Option<FieldRef<'_>> {
        self.0.attribute(name).map(FieldRef::from)
    }
}

/// What a measure gave.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) number: Option<Decimal>,
    pub(crate) parts: Vec<Decimal>,
    /// True when facts of the set have a value that nobody knows.
    pub(crate) open: bool,
    pub(crate) money: bool,
    pub(crate) window: Option<(Window, DateRange)>,
    pub(crate) tally: Tally,
}

impl Reading {
    fn of(number: Decimal) -> Self {
        Self {
            number: Some(number),
            ..Self::default()
        }
    }
}

fn explain_criterion(criterion: &Criterion, reading: Reading, currency: Currency) -> Explanation {
    let judged = |needs, number: Option<Decimal>| match number {
        Some(number) => judge(needs, number, reading.open),
        None => Outcome::Unknown,
    };
    let mut outcomes = vec![judged(criterion.needs, reading.number)];
    let mut percents = vec![share(criterion.needs, reading.number)];
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
    let outcome = every(&outcomes);
    let mut node = Explanation::new(Node::Criterion, outcome);
    node.id = Some(criterion.id.clone());
    node.name = Some(criterion.name.clone());
    node.percent = Some(capped(mean(&percents), outcome));
    node.value = Some(Box::new(Measured {
        number: reading.number,
        unit: unit_of(&criterion.measure, reading.money, currency),
        needs: criterion.needs,
        gap: reading
            .number
            .and_then(|number| gap(criterion.needs, number)),
        window: reading.window.map(|(window, _)| window),
        days: reading.window.map(|(_, days)| days),
        of_which,
        counted: reading.tally.count,
        unclear: reading.tally.unclear,
        valueless: reading.tally.valueless,
        unconverted: reading.tally.unconverted,
        converted: reading.tally.converted,
        digest: reading.tally.digest,
    }));
    node
}

fn share(needs: crate::rules::model::Threshold, number: Option<Decimal>) -> u8 {
    number.map_or(0, |number| reached_percent(needs, number))
}

fn unit_of(measure: &Measure, money: bool, currency: Currency) -> Unit {
    match measure {
        Measure::Count { .. } | Measure::CountDistinct { .. } => Unit::Things,
        Measure::Sum { .. } if money => Unit::Money(currency),
        Measure::Sum { .. } | Measure::PartnerNumber { .. } => Unit::Number,
        Measure::PersonsCertified { .. } => Unit::Persons,
        Measure::MonthsInProgram | Measure::MonthsInTier => Unit::Months,
    }
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

fn applicable(children: &[Explanation]) -> usize {
    children
        .iter()
        .filter(|child| child.outcome != Outcome::NotApplicable)
        .count()
}

/// Whether at least so many of the children hold. Where none of them applies, the group does not.
fn at_least(need: usize, children: &[Explanation]) -> Outcome {
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
