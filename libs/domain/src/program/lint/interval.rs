//! Stretches of numbers: what a threshold accepts, and what a measure can be.

use rust_decimal::Decimal;

use crate::rules::Threshold;

/// Where a stretch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    at: Decimal,
    included: bool,
}

/// All numbers between two ends; without an end there is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low: Option<End>,
    pub(super) high: Option<End>,
}

fn included(at: Decimal) -> Option<End> {
    Some(End { at, included: true })
}

fn excluded(at: Decimal) -> Option<End> {
    let included = false;
    Some(End { at, included })
}

impl Interval {
    /// Every number.
    pub(super) const ALL: Self = Self {
        low: None,
        high: None,
    };

    /// What a threshold accepts.
    pub(super) fn of(needs: Threshold) -> Self {
        let (low, high) = match needs {
            Threshold::Gte(bound) => (included(bound), None),
            Threshold::Gt(bound) => (excluded(bound), None),
            Threshold::Lte(bound) => (None, included(bound)),
            Threshold::Lt(bound) => (None, excluded(bound)),
            Threshold::Between { from, to } => (included(from), included(to)),
            Threshold::Equals(bound) => (included(bound), included(bound)),
        };
        Self { low, high }
    }

    /// From one number to another, both included.
    pub(super) fn between(low: Option<Decimal>, high: Option<Decimal>) -> Self {
        Self {
            low: low.and_then(included),
            high: high.and_then(included),
        }
    }

    /// The lower bound, whether or not it is included.
    pub(super) fn lowest(&self) -> Option<Decimal> {
        self.low.map(|end| end.at)
    }

    /// The upper bound, whether or not it is included.
    pub(super) fn highest(&self) -> Option<Decimal> {
        self.high.map(|end| end.at)
    }

    /// What lies in both.
    pub(super) fn meet(self, other: Self) -> Self {
        Self {
            low: tighter(self.low, other.low, |one, two| one > two),
            high: tighter(self.high, other.high, |one, two| one < two),
        }
    }

    /// True when no number lies in it.
    pub(super) fn is_empty(&self) -> bool {
        match (self.low, self.high) {
            (Some(low), Some(high)) => {
                low.at > high.at || (low.at == high.at && !(low.included && high.included))
            }
            _ => false,
        }
    }

    /// True when every number of it lies in the other.
    pub(super) fn within(&self, other: &Self) -> bool {
        let low = match (self.low, other.low) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(bound)) => {
                own.at > bound.at || (own.at == bound.at && (bound.included || !own.included))
            }
        };
        let high = match (self.high, other.high) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(bound)) => {
                own.at < bound.at || (own.at == bound.at && (bound.included || !own.included))
            }
        };
        self.is_empty() || (low && high)
    }

    /// The same whole numbers, between ends that are whole numbers themselves.
    pub(super) fn whole(self) -> Self {
        let low = self.low.and_then(|end| {
            let least = end.at.ceil();
            match !end.included && least == end.at {
                true => included(least.checked_add(Decimal::ONE)?),
                false => included(least),
            }
        });
        let high = self.high.and_then(|end| {
            let most = end.at.floor();
            match !end.included && most == end.at {
                true => included(most.checked_sub(Decimal::ONE)?),
                false => included(most),
            }
        });
        Self { low, high }
    }
}

fn tighter(one: Option<End>, two: Option<End>, wins: fn(Decimal, Decimal) -> bool) -> Option<End> {
    match (one, two) {
        (Some(one), Some(two)) if one.at == two.at => Some(End {
            at: one.at,
            included: one.included && two.included,
        }),
        (Some(one), Some(two)) => Some(if wins(one.at, two.at) { one } else { two }),
        (one, two) => one.or(two),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(needs: Threshold) -> Interval {
        Interval::of(needs)
    }

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_asked_for_twice_may_be_empty() {
        let (five, ten) = (number("5"), number("10"));
        assert!(
            of(Threshold::Gte(ten))
                .meet(of(Threshold::Lte(five)))
                .is_empty()
        );
        assert!(
            !of(Threshold::Gte(five))
                .meet(of(Threshold::Lte(five)))
                .is_empty()
        );
        assert!(
            of(Threshold::Gt(five))
                .meet(of(Threshold::Lte(five)))
                .is_empty()
        );
        assert!(
            of(Threshold::Equals(five))
                .meet(of(Threshold::Lt(five)))
                .is_empty()
        );
        assert!(!of(Threshold::Gte(five)).is_empty());
    }

    #[test]
    fn whole_numbers_leave_less_room() {
        let (four, five) = (number("4"), number("5"));
        let open = of(Threshold::Gt(four)).meet(of(Threshold::Lt(five)));
        assert!(!open.is_empty());
        assert!(open.whole().is_empty());
        assert!(of(Threshold::Equals(number("2.5"))).whole().is_empty());
        assert_eq!(of(Threshold::Gt(four)).whole(), of(Threshold::Gte(five)));
        assert_eq!(
            of(Threshold::Gte(number("4.5"))).whole(),
            of(Threshold::Gte(five))
        );
        assert_eq!(of(Threshold::Lt(five)).whole(), of(Threshold::Lte(four)));
        assert_eq!(of(Threshold::Gt(Decimal::MAX)).whole(), Interval::ALL);
    }

    #[test]
    fn one_lies_within_the_other_at_both_ends() {
        let (five, ten) = (number("5"), number("10"));
        assert!(of(Threshold::Gte(ten)).within(&of(Threshold::Gte(five))));
        assert!(!of(Threshold::Gte(five)).within(&of(Threshold::Gt(five))));
        assert!(of(Threshold::Gt(five)).within(&of(Threshold::Gte(five))));
        assert!(of(Threshold::Equals(five)).within(&of(Threshold::Between {
            from: five,
            to: ten
        })));
        assert!(
            !of(Threshold::Between {
                from: five,
                to: ten
            })
            .within(&of(Threshold::Lt(ten)))
        );
        assert!(!Interval::ALL.within(&of(Threshold::Lt(ten))));
    }
}
