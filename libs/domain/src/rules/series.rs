//! A series: the part of a measure that does not depend on the window or the as-of date, kept as
//! one [`Tally`] per day. Criteria that differ only in window or threshold share a series.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::money::{Currency, MAX_AMOUNT};
use crate::rules::condition::{FieldRef, Fields, Truth, folded};
use crate::rules::digest::Digest;
use crate::rules::fact::{Fact, FactKind};
use crate::rules::model::{Addend, Condition, Criterion, Measure, Selection, Window};
use crate::rules::rates::{RateOn, Rates, convert};
use crate::rules::tally::Tally;
use crate::time::DateRange;

/// Largest absolute value of a quantity or numeric field that is added up; a larger one is
/// unknown. With [`MAX_VALUE_SCALE`] it keeps every sum exact.
pub const MAX_VALUE: Decimal = MAX_AMOUNT;
/// Most decimals of a value that is added up.
pub const MAX_VALUE_SCALE: u32 = 10;

/// What a series is made of. Two criteria with equal specs share a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeriesSpec<'a> {
    /// Kind of the facts.
    pub kind: Cow<'a, FactKind>,
    /// Filter over the facts.
    #[serde(rename = "where")]
    pub filter: Cow<'a, Condition>,
    /// The named date that places a fact in time.
    pub date: Cow<'a, str>,
    /// What is made of each fact.
    pub value: SeriesValue<'a>,
    /// Further filters that make parts of the set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Cow<'a, Condition>>,
}

/// What is made of each fact of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesValue<'a> {
    /// One.
    Count,
    /// Its value of a field, told apart.
    Distinct(Cow<'a, str>),
    /// Its amount in a currency.
    Amount(Currency),
    /// Its quantity.
    Quantity,
    /// A numeric field.
    Field(Cow<'a, str>),
}

/// A stable short name of a [`SeriesSpec`], for storage: the first half of the SHA-256 of its
/// JSON, as 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesKey(String);

impl SeriesKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> SeriesSpec<'a> {
    /// The series and the window of a criterion that is measured over dated facts; `None` for the
    /// other measures. `currency` is the currency of the program.
    pub fn of(criterion: &'a Criterion, currency: Currency) -> Option<(Self, Window)> {
        let (facts, value) = match &criterion.measure {
            Measure::Count { facts } => (facts, SeriesValue::Count),
            Measure::CountDistinct { facts, key } => {
                (facts, SeriesValue::Distinct(Cow::Borrowed(key)))
            }
            Measure::Sum { facts, of } => (
                facts,
                match of {
                    Addend::Amount => SeriesValue::Amount(currency),
                    Addend::Quantity => SeriesValue::Quantity,
                    Addend::Field(name) => SeriesValue::Field(Cow::Borrowed(name)),
                },
            ),
            Measure::PersonsCertified { .. }
            | Measure::MonthsInProgram
            | Measure::MonthsInTier
            | Measure::PartnerNumber { .. } => return None,
        };
        let parts = criterion.of_which.iter();
        let parts = parts.map(|part| Cow::Borrowed(&part.filter)).collect();
        Some((Self::over(facts, value, parts), facts.window))
    }

    fn over(facts: &'a Selection, value: SeriesValue<'a>, parts: Vec<Cow<'a, Condition>>) -> Self {
        Self {
            kind: Cow::Borrowed(&facts.kind),
            filter: Cow::Borrowed(&facts.filter),
            date: Cow::Borrowed(&facts.date),
            value,
            parts,
        }
    }

    /// The same spec with everything owned.
    pub fn into_owned(self) -> SeriesSpec<'static> {
        SeriesSpec {
            kind: Cow::Owned(self.kind.into_owned()),
            filter: Cow::Owned(self.filter.into_owned()),
            date: Cow::Owned(self.date.into_owned()),
            value: match self.value {
                SeriesValue::Count => SeriesValue::Count,
                SeriesValue::Distinct(key) => SeriesValue::Distinct(Cow::Owned(key.into_owned())),
                SeriesValue::Amount(currency) => SeriesValue::Amount(currency),
                SeriesValue::Quantity => SeriesValue::Quantity,
                SeriesValue::Field(name) => SeriesValue::Field(Cow::Owned(name.into_owned())),
            },
            parts: self
                .parts
                .into_iter()
                .map(|part| Cow::Owned(part.into_owned()))
                .collect(),
        }
    }

    /// The stable name of the series. Texts in it must never change: stored rows are found by it.
    pub fn key(&self) -> SeriesKey {
        let json = serde_json::to_vec(self).expect("a spec has only text keys");
        let hash = Sha256::digest(&json);
        SeriesKey(hex::encode(&hash[..16]))
    }

    /// The number that a tally of this series measures.
    pub fn measured(&self, tally: &Tally) -> Decimal {
        self.number(tally.count, tally.sum, tally.keys.len())
    }

    /// The number that each part of a tally of this series measures.
    pub fn measured_part(&self, tally: &Tally, at: usize) -> Decimal {
        tally.parts.get(at).map_or(Decimal::ZERO, |part| {
            self.number(part.count, part.sum, part.keys.len())
        })
    }

    fn number(&self, count: u64, sum: Decimal, keys: usize) -> Decimal {
        match self.value {
            SeriesValue::Count => count.into(),
            SeriesValue::Distinct(_) => keys.into(),
            SeriesValue::Amount(_) | SeriesValue::Quantity | SeriesValue::Field(_) => {
                sum.normalize()
            }
        }
    }

    /// The day on which a fact counts, if it is of the kind and has the date.
    pub fn day_of(&self, fact: &Fact) -> Option<Date> {
        (fact.kind == *self.kind)
            .then(|| fact.date(&self.date))
            .flatten()
    }
}

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
    let day = fact.date(&spec.date);
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
    let value = match value_of(spec, fact, on, rates) {
        Ok(value) => value,
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

fn value_of(
    spec: &SeriesSpec<'_>,
    fact: &Fact,
    on: Date,
    rates: &dyn Rates,
) -> Result<FactValue, LeftOut<'static>> {
    let number = match &spec.value {
        SeriesValue::Count => Decimal::ONE,
        SeriesValue::Distinct(name) => {
            let key = fact.get(name).and_then(key_text).ok_or(LeftOut::NoValue)?;
            return Ok(FactValue {
                number: Decimal::ONE,
                key: Some(key),
                conversion: None,
            });
        }
        SeriesValue::Amount(currency) => return amount_in(*currency, fact, on, rates),
        SeriesValue::Quantity => fact.quantity.ok_or(LeftOut::NoValue)?,
        SeriesValue::Field(name) => match fact.get(name) {
            Some(FieldRef::Number(number)) => number,
            _ => return Err(LeftOut::NoValue),
        },
    };
    bounded(number).map(|number| FactValue {
        number,
        ..FactValue::default()
    })
}

fn amount_in(
    currency: Currency,
    fact: &Fact,
    on: Date,
    rates: &dyn Rates,
) -> Result<FactValue, LeftOut<'static>> {
    let money = fact.amount.ok_or(LeftOut::NoValue)?;
    if money.currency == currency {
        return bounded(money.amount).map(|number| FactValue {
            number,
            ..FactValue::default()
        });
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

fn bounded(number: Decimal) -> Result<Decimal, LeftOut<'static>> {
    let number = number.normalize();
    if number.abs() <= MAX_VALUE && number.scale() <= MAX_VALUE_SCALE {
        Ok(number)
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

/// One tally per day that has facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    days: BTreeMap<Date, Tally>,
}

impl Series {
    /// Takes a fact in. The day that changed, if any did.
    pub fn insert(&mut self, contribution: &Contribution<'_>) -> Option<Date> {
        let day = traced_day(contribution)?;
        self.days.entry(day).or_default().insert(contribution);
        Some(day)
    }

    /// Takes a fact, which was taken in with the same contribution, out again. The day that
    /// changed, if any did.
    pub fn remove(&mut self, contribution: &Contribution<'_>) -> Option<Date> {
        let day = traced_day(contribution)?;
        let tally = self.days.get_mut(&day)?;
        tally.remove(contribution);
        if tally.is_empty() {
            self.days.remove(&day);
        }
        Some(day)
    }

    /// The sum over days; its cost grows with the number of days that have facts, not with the
    /// number of facts (for distinct counts: with the number of different keys per day).
    pub fn tally(&self, days: DateRange) -> Tally {
        let mut total = Tally::default();
        if days.from <= days.to {
            for tally in self.days.range(days.from..=days.to).map(|(_, tally)| tally) {
                total.merge(tally);
            }
        }
        total
    }

    /// The first day with facts in a range.
    pub fn first_day_in(&self, days: DateRange) -> Option<Date> {
        if days.from > days.to {
            return None;
        }
        self.days
            .range(days.from..=days.to)
            .next()
            .map(|(day, _)| *day)
    }

    /// The first day with facts after a day.
    pub fn next_day_after(&self, after: Date) -> Option<Date> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.days
            .range((Excluded(after), Unbounded))
            .next()
            .map(|(day, _)| *day)
    }

    /// The tally of a day; `None` when it has no facts.
    pub fn day(&self, day: Date) -> Option<&Tally> {
        self.days.get(&day)
    }

    /// Every day that has facts, in order, as it is stored.
    pub fn days(&self) -> impl ExactSizeIterator<Item = (Date, &Tally)> {
        self.days.iter().map(|(day, tally)| (*day, tally))
    }

    /// Puts a day back as it was stored.
    pub fn set_day(&mut self, day: Date, tally: Tally) {
        if tally.is_empty() {
            self.days.remove(&day);
        } else {
            self.days.insert(day, tally);
        }
    }
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
