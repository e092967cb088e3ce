//! How places are given, for whoever supplies them.

use std::cmp::Ordering;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::input::{InLine, Ranked};

/// The place of a number among those of all others; the greatest is first. Equal numbers share the
/// better place.
pub fn rank_among(own: Decimal, others: impl IntoIterator<Item = Decimal>) -> Ranked {
    let (mut place, mut of) = (1_u32, 1_u32);
    for other in others {
        of = of.saturating_add(1);
        place = place.saturating_add(u32::from(other > own));
    }
    Ranked { place, of }
}

/// All that are ranked together.
#[derive(Debug, Clone, Default)]
pub struct Ranking {
    /// The numbers, ascending.
    numbers: Vec<Decimal>,
}

impl Ranking {
    /// A ranking of these numbers.
    pub fn of(numbers: impl IntoIterator<Item = Decimal>) -> Self {
        let mut numbers: Vec<Decimal> = numbers.into_iter().collect();
        numbers.sort_unstable();
        Self { numbers }
    }

    /// The place of one of the numbers; that of [`rank_among`] the others.
    pub fn place(&self, own: Decimal) -> Ranked {
        let up_to = self.numbers.partition_point(|number| *number <= own);
        let greater = self.numbers.len() - up_to;
        Ranked {
            place: u32::try_from(greater + 1).unwrap_or(u32::MAX),
            of: u32::try_from(self.numbers.len()).unwrap_or(u32::MAX),
        }
    }
}

/// All that stand in one line.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// The claims, the first in line first.
    claims: Vec<Claim>,
}

impl Queue {
    /// A line of these claims.
    pub fn of(claims: impl IntoIterator<Item = Claim>) -> Self {
        let mut claims: Vec<Claim> = claims.into_iter().collect();
        claims.sort_by(Claim::order);
        Self { claims }
    }

    /// The place of a claim, in the line or as if it were; that of [`place_in_line`] among the
    /// others.
    pub fn place(&self, own: &Claim) -> InLine {
        let before = self
            .claims
            .partition_point(|claim| claim.order(own).is_lt());
        let stands = self.claims.get(before) == Some(own);
        let of = self.claims.len() + usize::from(!stands);
        InLine {
            place: u32::try_from(before + 1).unwrap_or(u32::MAX),
            of: u32::try_from(of).unwrap_or(u32::MAX),
        }
    }
}

/// Who stands in line for a tier, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The number that orders the line.
    pub value: Decimal,
    /// Since when everything else that the tier asks for has been satisfied.
    pub since: Date,
    /// Identifier of the enrollment.
    pub enrollment: String,
}

impl Claim {
    /// Less: this one stands before the other.
    fn order(&self, other: &Self) -> Ordering {
        let key = |claim: &Self| (std::cmp::Reverse(claim.value), claim.since);
        (key(self), &self.enrollment).cmp(&(key(other), &other.enrollment))
    }
}

/// The place in line among all others that stand in it: the greatest value first, then the earliest
/// day, then the identifier.
pub fn place_in_line<'a>(own: &Claim, others: impl IntoIterator<Item = &'a Claim>) -> InLine {
    let (mut place, mut of) = (1_u32, 1_u32);
    for other in others {
        of = of.saturating_add(1);
        place = place.saturating_add(u32::from(other.order(own).is_lt()));
    }
    InLine { place, of }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn equal_numbers_share_the_better_place_and_the_next_one_stays_empty() {
        let all = [50, 70, 70, 90].map(Decimal::from);
        let place = |at: usize| {
            let others = all.iter().enumerate().filter(|(other, _)| *other != at);
            rank_among(all[at], others.map(|(_, number)| *number))
        };
        let places: Vec<u32> = (0..all.len()).map(|at| place(at).place).collect();
        assert_eq!(places, [4, 2, 2, 1]);
        let ranking = Ranking::of(all);
        assert!((0..all.len()).all(|at| ranking.place(all[at]) == place(at)));
        assert!((0..all.len()).all(|at| place(at).of == 4));
        assert_eq!(rank_among(Decimal::ONE, []), Ranked { place: 1, of: 1 });
    }

    #[test]
    fn a_line_is_by_value_then_by_day_and_no_place_is_shared() {
        let claim = |value: i64, day, enrollment: &str| Claim {
            value: value.into(),
            since: date(2026, 1, day),
            enrollment: enrollment.to_owned(),
        };
        let line = [
            claim(90, 9, "a"),
            claim(70, 1, "z"),
            claim(70, 2, "b"),
            claim(70, 2, "c"),
        ];
        for (at, own) in line.iter().enumerate() {
            let others = line.iter().filter(|other| *other != own);
            let place = u32::try_from(at).unwrap() + 1;
            assert_eq!(place_in_line(own, others), InLine { place, of: 4 });
            let queue = Queue::of(line.iter().cloned());
            assert_eq!(queue.place(own), InLine { place, of: 4 });
        }
        let beside = claim(70, 2, "bb");
        let queue = Queue::of(line.iter().cloned());
        assert_eq!(queue.place(&beside), place_in_line(&beside, &line));
    }
}
