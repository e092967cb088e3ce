//! A series: the part of a measure that does not depend on the window or the as-of date, kept as
//! one [`Tally`] per day. Criteria that differ only in window or threshold share a series.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::money::Currency;
use crate::rules::condition::{FieldRef, Fields};
use crate::rules::contribution::{Contribution, LeftOut, key_text, traced_day};
use crate::rules::fact::{Fact, FactKind};
use crate::rules::model::{Addend, After, Condition, OfWhich, Per, Selection};
use crate::rules::rates::FixedRates;
use crate::rules::tally::Tally;
use crate::time::{DateRange, add_months};

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
    /// How long after its date a fact counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cow<'a, After>>,
    /// What divides the facts into groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupBy<'a>>,
}

/// What divides the facts of a series into groups.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy<'a> {
    /// The value of a field; a fact without one has no value.
    Field(Cow<'a, str>),
    /// Each fact is a group of its own, in the order of days and identifiers.
    Fact,
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
    /// Its amount in a currency, by the rates that a program has fixed.
    FixedAmount {
        /// The currency.
        currency: Currency,
        /// The tables.
        fixed: Cow<'a, [FixedRates]>,
    },
    /// Its quantity.
    Quantity,
    /// A numeric field.
    Field(Cow<'a, str>),
    /// Points.
    Points {
        /// For the fact, or for each `per` of it.
        points: Decimal,
        /// What the points are given for; absent: the fact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        per: Option<Cow<'a, Per>>,
        /// The currency in which amounts are taken.
        currency: Currency,
        /// The rates that the program has fixed, if it has.
        #[serde(default, skip_serializing_if = "<[FixedRates]>::is_empty")]
        fixed: Cow<'a, [FixedRates]>,
    },
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
    /// The series of a selection of facts.
    pub(crate) fn over(facts: &'a Selection, value: SeriesValue<'a>) -> Self {
        Self {
            kind: Cow::Borrowed(&facts.kind),
            filter: Cow::Borrowed(&facts.filter),
            date: Cow::Borrowed(&facts.date),
            value,
            parts: Vec::new(),
            after: facts.after.as_ref().map(Cow::Borrowed),
            group: facts.same.as_deref().map(GroupBy::field),
        }
    }

    /// The series, with the parts of the criterion.
    pub(crate) fn with_parts(mut self, of_which: &'a [OfWhich]) -> Self {
        let parts = of_which.iter();
        self.parts = parts.map(|part| Cow::Borrowed(&part.filter)).collect();
        self
    }

    /// The series, divided.
    pub(crate) fn divided(mut self, by: GroupBy<'a>) -> Self {
        self.group = Some(by);
        self
    }

    /// The same spec with everything owned.
    pub fn into_owned(self) -> SeriesSpec<'static> {
        fn owned<T: ToOwned + ?Sized>(cow: Cow<'_, T>) -> Cow<'static, T> {
            Cow::Owned(cow.into_owned())
        }
        SeriesSpec {
            kind: owned(self.kind),
            filter: owned(self.filter),
            date: owned(self.date),
            value: match self.value {
                SeriesValue::Count => SeriesValue::Count,
                SeriesValue::Distinct(key) => SeriesValue::Distinct(owned(key)),
                SeriesValue::Amount(currency) => SeriesValue::Amount(currency),
                SeriesValue::Quantity => SeriesValue::Quantity,
                SeriesValue::Field(name) => SeriesValue::Field(owned(name)),
                SeriesValue::FixedAmount { currency, fixed } => SeriesValue::FixedAmount {
                    currency,
                    fixed: owned(fixed),
                },
                SeriesValue::Points {
                    points,
                    per,
                    currency,
                    fixed,
                } => SeriesValue::Points {
                    points,
                    per: per.map(owned),
                    currency,
                    fixed: owned(fixed),
                },
            },
            after: self.after.map(owned),
            group: self.group.map(|group| match group {
                GroupBy::Field(name) => GroupBy::Field(owned(name)),
                GroupBy::Fact => GroupBy::Fact,
            }),
            parts: self.parts.into_iter().map(owned).collect(),
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
            SeriesValue::Amount(_)
            | SeriesValue::FixedAmount { .. }
            | SeriesValue::Quantity
            | SeriesValue::Field(_)
            | SeriesValue::Points { .. } => sum.normalize(),
        }
    }

    /// The day on which a fact counts, if it is of the kind and has the date.
    pub fn day_of(&self, fact: &Fact) -> Option<Date> {
        let of_kind = fact.kind == *self.kind;
        let day = of_kind.then(|| fact.date(&self.date)).flatten()?;
        Some(match &self.after {
            Some(after) => add_months(day, i32::from(after.months)),
            None => day,
        })
    }

    /// True when amounts of money are converted for it.
    pub(crate) fn is_valued_by_rates(&self) -> bool {
        match &self.value {
            SeriesValue::Amount(_) => true,
            SeriesValue::Points { per, fixed, .. } => {
                let money = |per: &Cow<'_, Per>| per.of == Addend::Amount;
                fixed.is_empty() && per.as_ref().is_some_and(money)
            }
            _ => false,
        }
    }

    /// True when the fact had ended before the day on which it would count.
    pub(crate) fn ended(&self, fact: &Fact, day: Date) -> bool {
        let unless = self.after.as_ref().and_then(|after| after.unless.as_ref());
        unless
            .and_then(|name| fact.date(name))
            .is_some_and(|end| end <= day)
    }

    pub(crate) fn group_of(
        &self,
        fact: &Fact,
        day: Date,
    ) -> Result<Option<String>, LeftOut<'static>> {
        match &self.group {
            None => Ok(None),
            Some(GroupBy::Fact) => Ok(Some(format!("{day} {}", fact.id))),
            Some(GroupBy::Field(name)) => {
                let key = fact.get(name).and_then(key_text);
                key.map(Some).ok_or(LeftOut::NoValue)
            }
        }
    }
}

impl SeriesSpec<'_> {
    /// The name of the group of a fact, as it is written there.
    pub(crate) fn written(&self, fact: &Fact) -> Option<String> {
        match &self.group {
            Some(GroupBy::Field(name)) => match fact.get(name)? {
                FieldRef::Text(text) => Some(text.trim().to_owned()),
                other => key_text(other),
            },
            _ => None,
        }
    }
}

impl<'a> GroupBy<'a> {
    /// By the value of a field.
    pub(crate) fn field(name: &'a str) -> Self {
        Self::Field(Cow::Borrowed(name))
    }
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

    /// The last day of a range with facts that count.
    pub fn last_day_in(&self, days: DateRange) -> Option<Date> {
        if days.from > days.to {
            return None;
        }
        let mut back = self.days.range(days.from..=days.to).rev();
        back.find(|(_, tally)| tally.count > 0).map(|(day, _)| *day)
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
