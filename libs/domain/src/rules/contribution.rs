//! What one fact means for a series: what it adds, or why it does not count.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::money::{Currency, MAX_AMOUNT};
use crate::rules::condition::{FieldRef, Fields, Truth, folded};
use crate::rules::digest::Digest;
use crate::rules::fact::Fact;
use crate::rules::model::{Addend, Per};
use crate::rules::rates::{Fixed, RateOn, Rates, convert};
use crate::rules::series::{SeriesSpec, SeriesValue};

/// Largest absolute value of a quantity or numeric field that is added up; a larger one is
/// unknown. With [`MAX_VALUE_SCALE`] it keeps every sum exact.
pub const MAX_VALUE: Decimal = MAX_AMOUNT;
/// Most decimals of a value that is added up.
pub const MAX_VALUE_SCALE: u32 = 10;

/// What one fact means for a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contribution<'f> {
    /// It counts.
    Counted(Counted),
    /// It does not count.
    LeftOut {
        /// Its day in the series, if it has one.
        day: Option<Date>,
        /// Why it does not count.
        why: LeftOut<'f>,
    },
}

/// A fact that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Its day in the series.
    pub day: Date,
    /// What it adds.
    pub value: Decimal,
    /// For a distinct count: its value of the field, in the form that is compared.
    pub key: Option<String>,
    /// Its group, where the series is divided.
    pub group: Option<String>,
    /// The name of the group as the fact has it written, where a field divides the series.
    pub written: Option<String>,
    /// To which parts of the set it belongs.
    pub parts: PartSet,
    /// Digest of the fact and the value.
    pub digest: Digest,
    /// How its amount was converted, if it was.
    pub conversion: Option<Converted>,
}

/// How an amount was converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// The currency of the original amount.
    pub original: Currency,
    /// The rate of the original currency.
    pub from: RateOn,
    /// The rate of the currency of the program.
    pub to: RateOn,
}

/// Why a fact does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut<'f> {
    /// It is of another kind.
    OtherKind,
    /// A person took it out, with a reason.
    Disqualified(&'f str),
    /// It was recorded by mistake and retracted.
    Retracted,
    /// It does not have the date that would place it in time.
    Undated,
    /// The filter does not hold.
    Filtered,
    /// It had ended before the day on which it would have counted.
    Ended,
    /// The filter can not be decided: a field is missing or of another type.
    Unclear,
    /// It passes the filter but has no usable value to add up or to tell apart.
    NoValue,
    /// It passes the filter but there is no rate for its currency on its day.
    NoRate,
}

/// A set of positions among at most 64 parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartSet {
    bits: u64,
    len: u8,
}

impl PartSet {
    fn push(&mut self, inside: bool) {
        if self.len < 64 {
            self.bits |= u64::from(inside) << self.len;
            self.len += 1;
        }
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// True when there are no parts.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True when the fact belongs to the part at this position.
    pub fn contains(&self, at: usize) -> bool {
        at < self.len() && (self.bits >> at) & 1 == 1
    }
}

/// True when a fact counts for nothing, whatever a filter says.
pub(crate) fn void(fact: &Fact) -> Option<LeftOut<'_>> {
    if let Some(reason) = &fact.disqualified {
        return Some(LeftOut::Disqualified(reason));
    }
    (fact.state == "retracted").then_some(LeftOut::Retracted)
}

/// What a fact means for a series.
pub fn contribution<'f>(
    spec: &SeriesSpec<'_>,
    fact: &'f Fact,
    rates: &dyn Rates,
) -> Contribution<'f> {
    let left_out = |day, why| Contribution::LeftOut { day, why };
    if fact.kind != *spec.kind {
        return left_out(None, LeftOut::OtherKind);
    }
    let day = spec.day_of(fact);
    if let Some(why) = void(fact) {
        return left_out(day, why);
    }
    match spec.filter.holds(fact) {
        Truth::False => return left_out(day, LeftOut::Filtered),
        Truth::Unknown => return left_out(day, LeftOut::Unclear),
        Truth::True => {}
    }
    let Some(on) = day else {
        return left_out(None, LeftOut::Undated);
    };
    if spec.ended(fact, on) {
        return left_out(day, LeftOut::Ended);
    }
    let valued = spec
        .group_of(fact, on)
        .and_then(|group| Ok((group, value_of(spec, fact, on, rates)?)));
    let (group, value) = match valued {
        Ok(valued) => valued,
        Err(why) => return left_out(day, why),
    };
    let mut parts = PartSet::default();
    for part in &spec.parts {
        parts.push(part.holds(fact) == Truth::True);
    }
    Contribution::Counted(Counted {
        day: on,
        digest: fact_digest(fact, &value),
        value: value.number,
        key: value.key,
        group,
        written: spec.written(fact),
        parts,
        conversion: value.conversion,
    })
}

#[derive(Default)]
struct FactValue {
    number: Decimal,
    key: Option<String>,
    conversion: Option<Converted>,
}

impl FactValue {
    fn of(number: Decimal) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }
}

fn value_of(
    spec: &SeriesSpec<'_>,
    fact: &Fact,
    on: Date,
    rates: &dyn Rates,
) -> Result<FactValue, LeftOut<'static>> {
    match &spec.value {
        SeriesValue::Count => Ok(FactValue::of(Decimal::ONE)),
        SeriesValue::Distinct(name) => {
            let key = fact.get(name).and_then(key_text).ok_or(LeftOut::NoValue)?;
            Ok(FactValue {
                key: Some(key),
                ..FactValue::of(Decimal::ONE)
            })
        }
        SeriesValue::Amount(currency) => amount_in(*currency, fact, on, rates),
        SeriesValue::FixedAmount { currency, fixed } => {
            amount_in(*currency, fact, on, &Fixed(fixed))
        }
        SeriesValue::Quantity => quantity(fact),
        SeriesValue::Field(name) => number_in(fact, name),
        SeriesValue::Points {
            points, per: None, ..
        } => bounded(*points),
        SeriesValue::Points {
            points,
            per: Some(per),
            currency,
            fixed,
        } => {
            let base = match &per.of {
                Addend::Amount if fixed.is_empty() => amount_in(*currency, fact, on, rates),
                Addend::Amount => amount_in(*currency, fact, on, &Fixed(fixed)),
                Addend::Quantity => quantity(fact),
                Addend::Field(name) => number_in(fact, name),
            }?;
            let number = points_for(base.number, *points, per).ok_or(LeftOut::NoValue)?;
            Ok(FactValue {
                number: bounded(number)?.number,
                ..base
            })
        }
    }
}

/// So many points for each `per.each` of a number.
fn points_for(number: Decimal, points: Decimal, per: &Per) -> Option<Decimal> {
    let times = number.checked_div(per.each)?;
    let times = if per.whole { times.trunc() } else { times };
    Some(times.checked_mul(points)?.round_dp(MAX_VALUE_SCALE))
}

fn quantity(fact: &Fact) -> Result<FactValue, LeftOut<'static>> {
    bounded(fact.quantity.ok_or(LeftOut::NoValue)?)
}

fn number_in(fact: &Fact, name: &str) -> Result<FactValue, LeftOut<'static>> {
    match fact.get(name) {
        Some(FieldRef::Number(number)) => bounded(number),
        _ => Err(LeftOut::NoValue),
    }
}

fn amount_in(
    currency: Currency,
    fact: &Fact,
    on: Date,
    rates: &dyn Rates,
) -> Result<FactValue, LeftOut<'static>> {
    let money = fact.amount.ok_or(LeftOut::NoValue)?;
    if money.currency == currency {
        return bounded(money.amount);
    }
    let done = convert(money, currency, on, rates).ok_or(LeftOut::NoRate)?;
    Ok(FactValue {
        number: done.money.amount,
        key: None,
        conversion: Some(Converted {
            original: money.currency,
            from: done.from,
            to: done.to,
        }),
    })
}

/// A number as it is added up; too large or too fine, it is none.
pub(crate) fn value_of_fact(number: Decimal) -> Result<Decimal, LeftOut<'static>> {
    bounded(number).map(|value| value.number)
}

fn bounded(number: Decimal) -> Result<FactValue, LeftOut<'static>> {
    let number = number.normalize();
    if number.abs() <= MAX_VALUE && number.scale() <= MAX_VALUE_SCALE {
        Ok(FactValue::of(number))
    } else {
        Err(LeftOut::NoValue)
    }
}

/// The text under which a value is told apart from others; `None` for blank texts and lists.
pub(crate) fn key_text(field: FieldRef<'_>) -> Option<String> {
    match field {
        FieldRef::Text(text) => Some(folded(text)).filter(|text| !text.is_empty()),
        FieldRef::Number(number) => Some(number.normalize().to_string()),
        FieldRef::Flag(flag) => Some(flag.to_string()),
        FieldRef::Date(date) => Some(date.to_string()),
        FieldRef::List(_) => None,
    }
}

fn fact_digest(fact: &Fact, value: &FactValue) -> Digest {
    let number = value.number.normalize().serialize();
    let key = value.key.as_deref().unwrap_or_default();
    Digest::of(&[
        fact.kind.as_str().as_bytes(),
        fact.id.as_bytes(),
        &fact.version.to_le_bytes(),
        &number,
        key.as_bytes(),
    ])
}

/// The day of a contribution, if it leaves a trace in a tally.
pub(crate) fn traced_day(contribution: &Contribution<'_>) -> Option<Date> {
    match contribution {
        Contribution::Counted(counted) => Some(counted.day),
        Contribution::LeftOut { day, why } => match why {
            LeftOut::Unclear | LeftOut::NoValue | LeftOut::NoRate => *day,
            _ => None,
        },
    }
}
