//! Facts that last from one date to another, looked at as of a day.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::money::Currency;
use crate::rules::condition::{Fields, Truth};
use crate::rules::contribution::{LeftOut, key_text, value_of_fact, void};
use crate::rules::digest::Digest;
use crate::rules::evaluate::{FactSource, Run};
use crate::rules::explain::{Found, Unit};
use crate::rules::fact::Fact;
use crate::rules::measuring::Reading;
use crate::rules::model::{Addend, InForce, When, Window};
use crate::rules::tally::Tally;
use crate::time::{DateRange, next_day, previous_day};

/// The days that matter, as of a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Days {
    /// It has to be in force on one of these, or on the first and the last of them.
    when: DateRange,
    both: bool,
    began: Option<DateRange>,
}

impl Days {
    /// The days of the windows are given by `days`.
    pub(crate) fn of(wanted: &InForce, as_of: Date, days: impl Fn(Window) -> DateRange) -> Self {
        let on = |day| DateRange { from: day, to: day };
        let when = match wanted.when {
            When::Now => on(as_of),
            When::Within(window) => days(window),
            When::Before(window) => on(previous_day(days(window).from)),
            When::Throughout(window) => DateRange {
                from: previous_day(days(window).from),
                to: days(window).to,
            },
        };
        Self {
            when,
            both: matches!(wanted.when, When::Throughout(_)),
            began: wanted.began.map(days),
        }
    }

    fn contain(&self, from: Date, until: Date) -> bool {
        let on_time = match self.both {
            true => from <= self.when.from && until >= self.when.to,
            false => from <= self.when.to && until >= self.when.from,
        };
        from <= until && on_time && self.began.is_none_or(|days| days.contains(from))
    }
}

/// What a fact means for the measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lasting<'f> {
    /// It counts, with this number.
    Counted(Decimal),
    /// It was not in force when it should have been, or did not begin when it should have.
    Apart,
    /// It does not count.
    LeftOut(LeftOut<'f>),
}

/// What a fact means for the measure. Amounts have to be in the currency of the program: over time
/// no day is the right one for a rate.
pub(crate) fn lasting<'f>(
    wanted: &InForce,
    fact: &'f Fact,
    days: &Days,
    group: Option<&str>,
    currency: Currency,
) -> Lasting<'f> {
    if let Some(why) = void(fact) {
        return Lasting::LeftOut(why);
    }
    match wanted.filter.holds(fact) {
        Truth::False => return Lasting::LeftOut(LeftOut::Filtered),
        Truth::Unknown => return Lasting::LeftOut(LeftOut::Unclear),
        Truth::True => {}
    }
    let Some(from) = fact.date(&wanted.from) else {
        return Lasting::LeftOut(LeftOut::Undated);
    };
    if !days.contain(from, fact.date(&wanted.until).unwrap_or(Date::MAX)) {
        return Lasting::Apart;
    }
    if let Some(same) = &wanted.same {
        let key = fact.get(same).and_then(key_text);
        match (key.as_deref(), group) {
            (Some(key), Some(group)) if key == group => {}
            (Some(_), Some(_)) => return Lasting::LeftOut(LeftOut::Filtered),
            _ => return Lasting::LeftOut(LeftOut::NoValue),
        }
    }
    match number_of(wanted.of.as_ref(), fact, currency) {
        Ok(number) => Lasting::Counted(number),
        Err(why) => Lasting::LeftOut(why),
    }
}

fn number_of(
    of: Option<&Addend>,
    fact: &Fact,
    currency: Currency,
) -> Result<Decimal, LeftOut<'static>> {
    match of {
        None => Ok(Decimal::ONE),
        Some(Addend::Amount) => match fact.amount {
            Some(money) if money.currency == currency => value_of_fact(money.amount),
            Some(_) => Err(LeftOut::NoRate),
            None => Err(LeftOut::NoValue),
        },
        Some(Addend::Quantity) => value_of_fact(fact.quantity.ok_or(LeftOut::NoValue)?),
        Some(Addend::Field(name)) => match fact.get(name) {
            Some(crate::rules::condition::FieldRef::Number(number)) => value_of_fact(number),
            _ => Err(LeftOut::NoValue),
        },
    }
}

impl<F: FactSource + ?Sized> Run<'_, F> {
    pub(super) fn in_force(&mut self, wanted: &InForce) -> Reading {
        let days = Days::of(wanted, self.as_of, |window| self.days(window));
        let currency = self.context.currency;
        let (mut tally, mut sum) = (Tally::default(), Decimal::ZERO);
        let mut edges = Vec::new();
        let source = self.source;
        let group = self.group.clone();
        let kept = source.each_fact(&wanted.kind, &mut |fact| {
            let found = lasting(wanted, fact, &days, group.as_deref(), currency);
            let shown = !matches!(
                found,
                Lasting::LeftOut(LeftOut::Filtered | LeftOut::Retracted | LeftOut::Disqualified(_))
            );
            if shown {
                edges.extend(fact.date(&wanted.from));
                edges.extend(fact.date(&wanted.until).map(next_day));
            }
            match found {
                Lasting::Counted(number) => {
                    tally.count += 1;
                    sum = sum.saturating_add(number);
                    tally.digest.add(Digest::of(&[
                        fact.kind.as_str().as_bytes(),
                        fact.id.as_bytes(),
                        &fact.version.to_le_bytes(),
                    ]));
                }
                Lasting::LeftOut(LeftOut::Unclear) => tally.unclear += 1,
                Lasting::LeftOut(LeftOut::NoValue) => tally.valueless += 1,
                Lasting::LeftOut(LeftOut::NoRate) => tally.unconverted += 1,
                Lasting::LeftOut(_) | Lasting::Apart => {}
            }
        });
        if !kept {
            return Reading::default();
        }
        self.edges_change(wanted, &edges);
        let unit = match wanted.of {
            None => Unit::Things,
            Some(Addend::Amount) => Unit::Money(currency),
            Some(Addend::Quantity | Addend::Field(_)) => Unit::Number,
        };
        Reading {
            open: tally.valueless > 0 || tally.unconverted > 0,
            found: Found::undated(&tally),
            ..Reading::of(sum, unit)
        }
    }

    /// A fact changes sides when its first day, or the day after its last, enters or leaves.
    fn edges_change(&mut self, wanted: &InForce, edges: &[Date]) {
        let calendar = self.context.calendar;
        let when = match wanted.when {
            When::Now => None,
            When::Within(window) | When::Before(window) | When::Throughout(window) => Some(window),
        };
        let windows = [when, wanted.began];
        for window in windows.into_iter().flatten() {
            if let Window::Complete { unit, .. } = window {
                let running = unit.containing(self.as_of, calendar);
                self.changes_on(Some(next_day(running.to)));
            }
        }
        for edge in edges {
            self.changes_on(Some(*edge));
            for window in windows.into_iter().flatten() {
                for day in [previous_day(*edge), *edge] {
                    self.changes_on(window.left_on(day, calendar));
                }
            }
        }
    }
}
