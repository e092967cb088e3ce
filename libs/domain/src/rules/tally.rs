//! A tally: what the facts of a day, or of many days, add up to. Taking a fact out is the exact
//! inverse of taking it in, so a tally is kept up to date without looking at the other facts.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::Currency;
use crate::rules::contribution::{Contribution, Counted, LeftOut};
use crate::rules::digest::Digest;

/// Sums and counts. Stored per series and day: the field names are a storage format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Facts that count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u64,
    /// Sum of their values.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub sum: Decimal,
    /// For a distinct count: how many facts there are of each key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, u64>,
    /// The same for each part of the set, in the order of the criterion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartTally>,
    /// The same facts group by group, where the series is divided.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Tally>,
    /// Of a group: how many facts there are of each day and each way to write its name, as
    /// `2026-01-31 Name`, so that the first of them comes first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, u64>,
    /// Facts left out because a field that the filter needs is missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unclear: u64,
    /// Facts of the set without the value that is added up or told apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub valueless: u64,
    /// Facts of the set whose amount could not be converted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unconverted: u64,
    /// How many of the facts that count were converted from which currency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub converted: BTreeMap<Currency, u64>,
    /// Digest of the facts that count, with their values.
    #[serde(default, skip_serializing_if = "Digest::is_empty")]
    pub digest: Digest,
}

/// The part of a tally that passes a further filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartTally {
    /// Facts that count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u64,
    /// Sum of their values.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub sum: Decimal,
    /// For a distinct count: how many facts there are of each key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, u64>,
}

pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Adds or takes away `number` at the key; a key at zero is dropped.
fn shift<K: Ord + Clone>(map: &mut BTreeMap<K, u64>, key: &K, number: u64, sign: Sign) {
    match sign {
        Sign::In => match map.get_mut(key) {
            Some(present) => *present += number,
            None => {
                map.insert(key.clone(), number);
            }
        },
        Sign::Out => {
            if let Some(present) = map.get_mut(key) {
                *present = present.saturating_sub(number);
                if *present == 0 {
                    map.remove(key);
                }
            }
        }
    }
}

fn combine_maps<K: Ord + Clone>(map: &mut BTreeMap<K, u64>, other: &BTreeMap<K, u64>, sign: Sign) {
    // Most tallies have empty maps, and a window has hundreds of tallies.
    if !other.is_empty() {
        for (key, number) in other {
            shift(map, key, *number, sign);
        }
    }
}

#[derive(Clone, Copy)]
enum Sign {
    In,
    Out,
}

impl Sign {
    #[inline]
    fn count(self, number: &mut u64, by: u64) {
        *number = match self {
            Self::In => number.saturating_add(by),
            Self::Out => number.saturating_sub(by),
        };
    }

    /// Values are bounded on the way in (`contribution::MAX_VALUE`), which keeps sums far below the
    /// end of the range of a decimal.
    #[inline]
    fn sum(self, total: &mut Decimal, by: Decimal) {
        *total = match self {
            Self::In => total.saturating_add(by),
            Self::Out => total.saturating_sub(by),
        };
    }
}

impl Tally {
    /// True when no fact at all left a trace.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.unclear == 0 && self.valueless == 0 && self.unconverted == 0
    }

    /// The name of a group as the first of its facts has it written; of facts of the same day the
    /// first by letters.
    pub fn name(&self) -> Option<&str> {
        let (name, _) = self.names.first_key_value()?;
        name.split_once(' ').map(|(_, written)| written)
    }

    /// Takes a fact in.
    pub fn insert(&mut self, contribution: &Contribution<'_>) {
        self.shift(contribution, Sign::In);
    }

    /// Takes a fact, which was taken in with the same contribution, out again.
    pub fn remove(&mut self, contribution: &Contribution<'_>) {
        self.shift(contribution, Sign::Out);
    }

    fn shift(&mut self, contribution: &Contribution<'_>, sign: Sign) {
        match contribution {
            Contribution::Counted(counted) => self.shift_counted(counted, sign),
            Contribution::LeftOut { why, .. } => match why {
                LeftOut::Unclear => sign.count(&mut self.unclear, 1),
                LeftOut::NoValue => sign.count(&mut self.valueless, 1),
                LeftOut::NoRate => sign.count(&mut self.unconverted, 1),
                LeftOut::OtherKind
                | LeftOut::Disqualified(_)
                | LeftOut::Retracted
                | LeftOut::Undated
                | LeftOut::Filtered
                | LeftOut::Ended => {}
            },
        }
    }

    fn shift_counted(&mut self, counted: &Counted, sign: Sign) {
        if let Some(group) = &counted.group {
            let tally = self.groups.entry(group.clone()).or_default();
            tally.shift_one(counted, sign);
            if let Some(written) = &counted.written {
                let name = format!("{} {written}", counted.day);
                shift(&mut tally.names, &name, 1, sign);
            }
            if tally.is_empty() {
                self.groups.remove(group);
            }
        }
        self.shift_one(counted, sign);
    }

    fn shift_one(&mut self, counted: &Counted, sign: Sign) {
        sign.count(&mut self.count, 1);
        sign.sum(&mut self.sum, counted.value);
        if let Some(key) = &counted.key {
            shift(&mut self.keys, key, 1, sign);
        }
        if let Some(conversion) = &counted.conversion {
            shift(&mut self.converted, &conversion.original, 1, sign);
        }
        match sign {
            Sign::In => self.digest.add(counted.digest),
            Sign::Out => self.digest.subtract(counted.digest),
        }
        self.parts
            .resize_with(counted.parts.len(), PartTally::default);
        for (at, part) in self.parts.iter_mut().enumerate() {
            if counted.parts.contains(at) {
                sign.count(&mut part.count, 1);
                sign.sum(&mut part.sum, counted.value);
                if let Some(key) = &counted.key {
                    shift(&mut part.keys, key, 1, sign);
                }
            }
        }
        self.settle();
    }

    /// One form for one content: without counted facts there are no parts and no scale of a sum.
    fn settle(&mut self) {
        if self.count == 0 {
            self.parts.clear();
            self.sum = Decimal::ZERO;
        }
    }

    /// Takes all the facts of another tally of the same series in.
    pub fn merge(&mut self, other: &Self) {
        self.combine(other, Sign::In);
    }

    /// Takes all the facts of another tally, which was merged in, out again.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, Sign::Out);
    }

    fn combine(&mut self, other: &Self, sign: Sign) {
        sign.count(&mut self.count, other.count);
        sign.sum(&mut self.sum, other.sum);
        combine_maps(&mut self.keys, &other.keys, sign);
        combine_maps(&mut self.converted, &other.converted, sign);
        combine_maps(&mut self.names, &other.names, sign);
        sign.count(&mut self.unclear, other.unclear);
        sign.count(&mut self.valueless, other.valueless);
        sign.count(&mut self.unconverted, other.unconverted);
        match sign {
            Sign::In => self.digest.add(other.digest),
            Sign::Out => self.digest.subtract(other.digest),
        }
        for (group, more) in &other.groups {
            let tally = self.groups.entry(group.clone()).or_default();
            tally.combine(more, sign);
            if tally.is_empty() {
                self.groups.remove(group);
            }
        }
        if self.parts.len() < other.parts.len() {
            self.parts
                .resize_with(other.parts.len(), PartTally::default);
        }
        for (part, more) in self.parts.iter_mut().zip(&other.parts) {
            sign.count(&mut part.count, more.count);
            sign.sum(&mut part.sum, more.sum);
            combine_maps(&mut part.keys, &more.keys, sign);
        }
        self.settle();
    }
}
