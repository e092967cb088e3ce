//! How places are given, for whoever supplies them.

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
    /// True when this one stands before the other.
    fn is_before(&self, other: &Self) -> bool {
        let key = |claim: &Self| (std::cmp::Reverse(claim.value), claim.since);
        (key(self), &self.enrollment) < (key(other), &other.enrollment)
    }
}

/// The place in line among all others that stand in it: the greatest value first, then the earliest
/// day, then the identifier.
pub fn place_in_line<'a>(own: &Claim, others: impl IntoIterator<Item = &'a Claim>) -> InLine {
    let (mut place, mut of) = (1_u32, 1_u32);
    for other in others {
        of = of.saturating_add(1);
        place = place.saturating_add(u32::from(other.is_before(own)));
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
        }
    }
}
