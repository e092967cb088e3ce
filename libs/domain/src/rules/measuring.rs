//! How the number of a measure is found as of a day.
//!
//! Readings fixed here:
//! - Of numbers that are put together, one that is unknown, or open because facts have no value,
//!   makes the whole unknown.
//! - What does not apply adds nothing to a total, is no candidate for the least and the greatest,
//!   and takes no weight; a ratio, a difference, a product, a growth or a score of it does not
//!   apply.
//! - Percents of growth and quotients are rounded to ten decimals, half to even.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::rules::certified::{self, Persons};
use crate::rules::condition::FieldRef;
use crate::rules::contribution::MAX_VALUE_SCALE;
use crate::rules::evaluate::{FactSource, Run};
use crate::rules::explain::{Found, Input, Outcome, Unit};
use crate::rules::model::{
    Addend, Grouping, Growth, Measure, OfWhich, Points, Take, Weight, WhenZero, Window,
};
use crate::rules::roles;
use crate::rules::score;
use crate::rules::series::{GroupBy, SeriesSpec, SeriesValue};
use crate::rules::tally::Tally;
use crate::rules::window::{first_reaching, next_month_mark, whole_months};
use crate::time::{DateRange, PeriodUnit, add_months, next_day};

/// The number of each group, by group.
pub(crate) type GroupNumbers = Vec<(String, Decimal)>;

/// What a measure gave.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The number; `None` when nobody can say.
    pub(crate) number: Option<Decimal>,
    /// What kind of number.
    pub(crate) unit: Unit,
    /// False when the measure does not apply.
    pub(crate) applies: bool,
    /// The parts of the set that have minima of their own.
    pub(crate) parts: Vec<Decimal>,
    /// True when facts of the set have a value that nobody knows, which cannot lower the number.
    pub(crate) open: bool,
    /// True when the number may be any other.
    pub(crate) vague: bool,
    /// What facts it is made of.
    pub(crate) found: Found,
    /// The numbers that it is made of.
    pub(crate) inputs: Vec<Input>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            number: None,
            unit: Unit::Number,
            applies: true,
            parts: Vec::new(),
            open: false,
            vague: false,
            found: Found::default(),
            inputs: Vec::new(),
        }
    }
}

impl Reading {
    pub(crate) fn of(number: Decimal, unit: Unit) -> Self {
        Self {
            number: Some(number.normalize()),
            unit,
            ..Self::default()
        }
    }

    fn not_applicable() -> Self {
        Self {
            applies: false,
            ..Self::default()
        }
    }

    /// The number, where it is the only one that it can be.
    pub(crate) fn settled(&self) -> Option<Decimal> {
        self.number.filter(|_| !self.open && !self.vague)
    }

    pub(crate) fn input(self, name: &str) -> Input {
        Input {
            name: name.to_owned(),
            number: self.number,
            applies: self.applies,
            unit: self.unit,
            found: self.found,
            note: None,
            inputs: self.inputs,
        }
    }
}

impl<F: FactSource + ?Sized> Run<'_, F> {
    pub(super) fn measure(&mut self, measure: &Measure, of_which: &[OfWhich]) -> Reading {
        let pricing = self.context.pricing();
        match measure {
            Measure::Count { facts }
            | Measure::CountDistinct { facts, .. }
            | Measure::Sum { facts, .. } => match measure.series(pricing) {
                Some((spec, window)) => {
                    let mut reading = self.series(&spec.with_parts(of_which), window);
                    if facts.same.is_some() && self.group.is_none() {
                        reading.number = None;
                    }
                    reading
                }
                None => Reading::default(),
            },
            Measure::Points(points) => self.points(points),
            Measure::Groups {
                groups,
                take,
                when_none,
            } => self.groups(groups, *take, *when_none),
            Measure::CountGroups { groups, each } => self.count_groups(groups, *each),
            Measure::PersonsCertified {
                filter,
                at_least,
                holding,
                validity,
                same,
            } => {
                let same = match (same, &self.group) {
                    (None, _) => None,
                    (Some(field), Some(group)) => Some((field.as_str(), group.as_str())),
                    (Some(_), None) => return Reading::default(),
                };
                let wanted = Persons {
                    filter,
                    at_least: *at_least,
                    holding,
                    validity,
                    same,
                };
                let (reading, next) = certified::read(self.source, &wanted, of_which, self.as_of);
                self.changes_on(next);
                reading
            }
            Measure::Roles(wanted) => {
                let (reading, next) = roles::read(self.source, wanted, self.as_of);
                self.changes_on(next);
                reading
            }
            Measure::InForce(wanted) => self.in_force(wanted),
            Measure::DaysSince { .. } => self.days_since(measure),
            Measure::MonthsInProgram => self.months_since(self.context.enrolled_since),
            Measure::MonthsInTier => self.months_since(self.context.tier_since),
            Measure::PeriodsInTier { tiers, unit } => self.periods_in_tier(tiers, *unit),
            Measure::PartnerNumber { attribute } => {
                match self.source.attribute(attribute).map(FieldRef::from) {
                    Some(FieldRef::Number(number)) => Reading::of(number, Unit::Number),
                    _ => Reading::default(),
                }
            }
            Measure::TiersHeld(wanted) => self.tiers_held(wanted),
            Measure::Across(across) => self.across(across),
            Measure::Rank(rank) => self.rank(rank),
            Measure::Line(line) => self.line(line),
            composed => self.composed(composed),
        }
    }

    fn composed(&mut self, measure: &Measure) -> Reading {
        match measure {
            Measure::Ratio { of, to, when_zero } => {
                let (of, to) = (self.measure(of, &[]), self.measure(to, &[]));
                let unit = Unit::Ratio;
                let value = |of: Decimal, to: Decimal| match to.is_zero() {
                    true => if_zero(*when_zero, unit),
                    false => of.checked_div(to).map(|number| rounded(number, unit)),
                };
                pair([("of", of), ("to", to)], value)
            }
            Measure::Difference { of, less } => {
                let (of, less) = (self.measure(of, &[]), self.measure(less, &[]));
                let unit = common([of.unit, less.unit]);
                let value = |of: Decimal, less: Decimal| {
                    of.checked_sub(less).map(|number| Reading::of(number, unit))
                };
                pair([("of", of), ("less", less)], value)
            }
            Measure::Growth(growth) => self.growth(growth),
            Measure::Total(parts) => self.put_together(parts, |numbers| {
                let mut sum = Some(Decimal::ZERO);
                for number in numbers {
                    sum = sum.and_then(|sum| sum.checked_add(*number));
                }
                sum
            }),
            Measure::Least(parts) => {
                self.put_together(parts, |numbers| numbers.iter().min().copied())
            }
            Measure::Greatest(parts) => {
                self.put_together(parts, |numbers| numbers.iter().max().copied())
            }
            Measure::Times { of, by } => {
                let inner = self.measure(of, &[]);
                let unit = inner.unit;
                mapped(inner, unit, |number| number.checked_mul(*by))
            }
            Measure::Steps { of, table } => {
                let inner = self.measure(of, &[]);
                mapped(inner, Unit::Points, |number| {
                    Some(score::step(table, number))
                })
            }
            Measure::Linear { of, table } => {
                let inner = self.measure(of, &[]);
                mapped(inner, Unit::Points, |number| score::linear(table, number))
            }
            Measure::Weighted(parts) => self.weighted(parts),
            Measure::Gate { when, of } => {
                let gate = self.requirement(when);
                let mut reading = match gate.outcome {
                    Outcome::Met | Outcome::NotApplicable => self.measure(of, &[]),
                    Outcome::Unmet => Reading::of(Decimal::ZERO, Unit::Number),
                    Outcome::Unknown => Reading::default(),
                };
                reading.found = Found::default();
                let note = gate.sentence();
                let mut input = Reading::default().input("gate");
                input.note = Some(note);
                reading.inputs.insert(0, input);
                reading
            }
            _ => Reading::default(),
        }
    }

    fn series(&mut self, spec: &SeriesSpec<'_>, window: Window) -> Reading {
        let (tally, days) = self.tally(spec, window);
        let Some(tally) = tally else {
            return Reading::default();
        };
        let unit = match &spec.value {
            SeriesValue::Count | SeriesValue::Distinct(_) => Unit::Things,
            SeriesValue::Amount(currency) | SeriesValue::FixedAmount { currency, .. } => {
                Unit::Money(*currency)
            }
            SeriesValue::Quantity | SeriesValue::Field(_) => Unit::Number,
            SeriesValue::Points { .. } => Unit::Points,
        };
        // Inside `for_each` only the facts of the group; what is left out is left out of all.
        let of_group = match (&spec.group, &self.group) {
            (Some(GroupBy::Field(_)), Some(group)) => {
                Some(tally.groups.get(group).cloned().unwrap_or_default())
            }
            _ => None,
        };
        let counted = of_group.as_ref().unwrap_or(&tally);
        Reading {
            number: Some(spec.measured(counted)),
            unit,
            parts: (0..spec.parts.len())
                .map(|at| spec.measured_part(counted, at))
                .collect(),
            open: tally.valueless > 0 || tally.unconverted > 0,
            found: Found {
                unclear: tally.unclear,
                valueless: tally.valueless,
                unconverted: tally.unconverted,
                ..Found::of(counted, window, days)
            },
            ..Reading::default()
        }
    }

    /// The tally of a series over a window, and the days of the window; notes when it will change.
    pub(super) fn tally(
        &mut self,
        spec: &SeriesSpec<'_>,
        window: Window,
    ) -> (Option<Tally>, DateRange) {
        let days = self.days(window);
        if !self.settled {
            self.window_changes(window, days, |source, days| {
                (
                    source.first_day_in(spec, days),
                    source.next_day_after(spec, days.to),
                )
            });
        }
        (self.source.tally(spec, days), days)
    }

    pub(super) fn days(&self, window: Window) -> DateRange {
        let context = self.context;
        window.days(self.as_of, context.calendar, context.enrolled_since)
    }

    /// Notes the days on which what happened leaves the window or enters it.
    fn window_changes(
        &mut self,
        window: Window,
        days: DateRange,
        look: impl FnOnce(&F, DateRange) -> (Option<Date>, Option<Date>),
    ) {
        let calendar = self.context.calendar;
        let (first, next) = look(self.source, days);
        match window {
            Window::Complete { unit, .. } => {
                self.changes_on(Some(next_day(unit.containing(self.as_of, calendar).to)));
            }
            _ => {
                self.changes_on(next);
                let left = first.and_then(|day| window.left_on(day, calendar));
                self.changes_on(left);
            }
        }
    }

    fn points(&mut self, points: &Points) -> Reading {
        let mut total = Some(Decimal::ZERO);
        let mut whole = Reading::default();
        for (at, entry) in points.table.iter().enumerate() {
            let spec = points.spec(at, self.context.pricing());
            let (tally, days) = self.tally(&spec, entry.facts.window);
            let Some(tally) = tally else {
                return Reading::default();
            };
            whole.open |= tally.valueless > 0 || tally.unconverted > 0;
            let plain = spec.measured(&tally);
            let capped = score::capped(entry, &spec, &tally);
            total = total.and_then(|total| total.checked_add(capped));
            whole.inputs.push(Input {
                name: entry.name.clone(),
                number: Some(capped),
                applies: true,
                unit: Unit::Points,
                found: Found::of(&tally, entry.facts.window, days),
                note: (capped != plain).then(|| format!("{} without the cap", plain.normalize())),
                inputs: Vec::new(),
            });
        }
        // What is not known could be taken away from, where points are.
        whole.vague = whole.open && points.table.iter().any(|e| e.points < Decimal::ZERO);
        whole.unit = Unit::Points;
        whole.number = total.map(|total| points.most.map_or(total, |most| total.min(most)));
        whole
    }

    /// The numbers of the groups, by group.
    pub(super) fn numbers_of(
        &mut self,
        groups: &Grouping,
    ) -> Option<(GroupNumbers, Tally, DateRange)> {
        let spec = groups.spec(self.context.pricing());
        let (tally, days) = self.tally(&spec, groups.facts.window);
        let tally = tally?;
        let numbers = tally
            .groups
            .iter()
            .map(|(group, tally)| (group.clone(), spec.measured(tally)))
            .collect();
        Some((numbers, tally, days))
    }

    fn groups(&mut self, groups: &Grouping, take: Take, when_none: WhenZero) -> Reading {
        let Some((numbers, tally, days)) = self.numbers_of(groups) else {
            return Reading::default();
        };
        let unit = self.unit_of(groups.of.as_ref());
        let numbers = numbers.into_iter().map(|(_, number)| number).collect();
        let mut reading = match score::take(take, numbers) {
            Some(number) => Reading::of(number, unit),
            None => if_zero(when_none, unit).unwrap_or_default(),
        };
        reading.vague = tally.valueless > 0 || tally.unconverted > 0;
        reading.found = Found::of(&tally, groups.facts.window, days);
        reading
    }

    fn count_groups(&mut self, groups: &Grouping, each: crate::rules::model::Threshold) -> Reading {
        let Some((numbers, tally, days)) = self.numbers_of(groups) else {
            return Reading::default();
        };
        let reached = numbers.iter().filter(|(_, number)| {
            crate::rules::explain::judge(each, *number, false) == Outcome::Met
        });
        let mut reading = Reading::of(reached.count().into(), Unit::Things);
        reading.vague = tally.valueless > 0 || tally.unconverted > 0;
        reading.found = Found::of(&tally, groups.facts.window, days);
        reading
    }

    fn unit_of(&self, of: Option<&Addend>) -> Unit {
        match of {
            None => Unit::Things,
            Some(Addend::Amount) => Unit::Money(self.context.currency),
            Some(Addend::Quantity | Addend::Field(_)) => Unit::Number,
        }
    }

    fn days_since(&mut self, measure: &Measure) -> Reading {
        let Some((spec, window)) = measure.series(self.context.pricing()) else {
            return Reading::default();
        };
        let days = self.days(window);
        let last = self.source.last_day_in(&spec, days);
        let since = last.unwrap_or(self.context.enrolled_since);
        self.changes_on(Some(next_day(self.as_of)));
        let passed = self.as_of.since(since).map_or(0, |span| span.get_days());
        let mut reading = Reading::of(Decimal::from(passed.max(0)), Unit::Days);
        reading.found.window = Some(window);
        reading.found.days = Some(days);
        reading.found.counted = u64::from(last.is_some());
        reading
    }

    pub(super) fn months_since(&mut self, since: Date) -> Reading {
        self.changes_on(Some(next_month_mark(since, self.as_of)));
        Reading::of(whole_months(since, self.as_of).into(), Unit::Months)
    }

    fn periods_in_tier(&mut self, tiers: &[String], unit: PeriodUnit) -> Reading {
        let context = self.context;
        let calendar = context.calendar;
        let running = unit.containing(self.as_of, calendar);
        self.changes_on(Some(next_day(running.to)));
        let mut count = 0_u32;
        let mut period = unit.containing(crate::time::previous_day(running.from), calendar);
        let first = context.tiers.first().map(|(_, since)| *since);
        while first.is_some_and(|first| first <= period.from)
            && held_throughout(context.tiers, tiers, period)
        {
            count += 1;
            period = unit.containing(crate::time::previous_day(period.from), calendar);
        }
        Reading::of(count.into(), Unit::Things)
    }

    fn growth(&mut self, growth: &Growth) -> Reading {
        let now = self.measure(&growth.of, &[]);
        let months = i32::from(growth.months);
        let then = add_months(self.as_of, -months);
        let (before, next) = self.on_day(then, |run| run.measure(&growth.of, &[]));
        self.changes_on(next.map(|day| first_reaching(day, months)));
        // The day before moves along with the as-of date.
        let value = |now: Decimal, before: Decimal| {
            if before <= Decimal::ZERO || before < growth.minimum_base {
                return Some(Reading::not_applicable());
            }
            let percent = now
                .checked_sub(before)?
                .checked_mul(Decimal::ONE_HUNDRED)?
                .checked_div(before)?;
            let percent = match growth.step {
                Some(step) => percent.checked_div(step)?.trunc().checked_mul(step)?,
                None => percent,
            };
            Some(rounded(percent, Unit::Percent))
        };
        pair([("now", now), ("before", before)], value)
    }

    fn put_together(
        &mut self,
        parts: &[Measure],
        value: impl FnOnce(&[Decimal]) -> Option<Decimal>,
    ) -> Reading {
        let readings: Vec<Reading> = parts.iter().map(|part| self.measure(part, &[])).collect();
        let unit = common(readings.iter().map(|reading| reading.unit));
        let applying = readings.iter().filter(|reading| reading.applies);
        let numbers: Option<Vec<Decimal>> = applying.map(Reading::settled).collect();
        let mut reading = match numbers.as_deref() {
            Some([]) => Reading::not_applicable(),
            Some(numbers) => value(numbers)
                .map(|number| Reading::of(number, unit))
                .unwrap_or_default(),
            None => Reading::default(),
        };
        let named = readings.into_iter().enumerate();
        reading.inputs = named
            .map(|(at, reading)| reading.input(&(at + 1).to_string()))
            .collect();
        reading
    }

    fn weighted(&mut self, parts: &[Weight]) -> Reading {
        let readings: Vec<Reading> = parts
            .iter()
            .map(|part| self.measure(&part.of, &[]))
            .collect();
        let both = readings
            .iter()
            .zip(parts)
            .filter(|(reading, _)| reading.applies);
        let weighed: Option<Vec<(Decimal, Decimal)>> = both
            .map(|(reading, part)| Some((reading.settled()?, part.weight)))
            .collect();
        let mut reading = match weighed.as_deref() {
            Some([]) => Reading::not_applicable(),
            Some(weighed) => score::weighted(weighed)
                .map(|number| rounded(number, Unit::Points))
                .unwrap_or_default(),
            None => Reading::default(),
        };
        reading.inputs = readings
            .into_iter()
            .zip(parts)
            .map(|(reading, part)| reading.input(&part.name))
            .collect();
        reading
    }
}

/// True when each day of the period was spent in one of the tiers.
fn held_throughout(
    history: &[(crate::ids::TierId, Date)],
    tiers: &[String],
    period: DateRange,
) -> bool {
    let mut entries = history.iter().enumerate();
    entries.all(|(at, (tier, since))| {
        let until = history.get(at + 1).map_or(Date::MAX, |(_, next)| *next);
        let empty = until <= *since;
        let apart = until <= period.from || *since > period.to;
        empty || apart || tiers.iter().any(|wanted| wanted == tier.as_str())
    })
}

/// The unit that all have in common.
fn common(units: impl IntoIterator<Item = Unit>) -> Unit {
    let mut units = units.into_iter();
    let Some(first) = units.next() else {
        return Unit::Number;
    };
    match units.all(|unit| unit == first) {
        true => first,
        false => Unit::Number,
    }
}

fn rounded(number: Decimal, unit: Unit) -> Reading {
    Reading::of(number.round_dp(MAX_VALUE_SCALE), unit)
}

fn if_zero(when: WhenZero, unit: Unit) -> Option<Reading> {
    Some(match when {
        WhenZero::NotApplicable => Reading::not_applicable(),
        WhenZero::Zero => Reading::of(Decimal::ZERO, unit),
        WhenZero::One => Reading::of(Decimal::ONE, unit),
    })
}

/// A number out of two.
fn pair(
    inputs: [(&str, Reading); 2],
    value: impl FnOnce(Decimal, Decimal) -> Option<Reading>,
) -> Reading {
    let [(_, first), (_, second)] = &inputs;
    let mut reading = if !first.applies || !second.applies {
        Reading::not_applicable()
    } else {
        match (first.settled(), second.settled()) {
            (Some(first), Some(second)) => value(first, second).unwrap_or_default(),
            _ => Reading::default(),
        }
    };
    reading.inputs = inputs
        .into_iter()
        .map(|(name, input)| input.input(name))
        .collect();
    reading
}

/// A number out of one.
fn mapped(inner: Reading, unit: Unit, value: impl FnOnce(Decimal) -> Option<Decimal>) -> Reading {
    let mut reading = match (inner.applies, inner.settled()) {
        (false, _) => Reading::not_applicable(),
        (true, Some(number)) => value(number)
            .map(|number| rounded(number, unit))
            .unwrap_or_default(),
        (true, None) => Reading::default(),
    };
    reading.inputs = vec![inner.input("of")];
    reading
}
