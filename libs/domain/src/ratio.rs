//! `amount * times / by`, exactly, rounded once.

use rust_decimal::Decimal;

/// `amount * times / by`, rounded once to `places` decimals, a half away from zero. No intermediate
/// result is rounded, and none overflows: `None` means that `by` is not above zero, `times` is
/// below zero, or that the result itself has no room in a [`Decimal`].
pub(crate) fn scaled_ratio(
    amount: Decimal,
    times: Decimal,
    by: Decimal,
    places: u32,
) -> Option<Decimal> {
    let (amount, times, by) = (amount.normalize(), times.normalize(), by.normalize());
    if by <= Decimal::ZERO || times < Decimal::ZERO {
        return None;
    }
    // By how many digits the point of the quotient of the mantissas moves to the right.
    let shift = i64::from(by.scale()) + i64::from(places)
        - i64::from(amount.scale())
        - i64::from(times.scale());
    let divisor = by.mantissa().unsigned_abs();
    let to_cut = u32::try_from(-shift).unwrap_or(0);
    let Quotient {
        mut whole,
        low,
        mut rest,
    } = divided_product(
        amount.mantissa().unsigned_abs(),
        times.mantissa().unsigned_abs(),
        divisor,
        POWERS[to_cut.min(MOST_CUT) as usize],
    )?;
    for _ in 0..shift {
        // The rest is below the divisor, which has 96 bits.
        let digits = rest * 10;
        whole = whole.checked_mul(10)?.checked_add(digits / divisor)?;
        rest = digits % divisor;
    }
    // A power of ten is even: where digits are cut off, the first of them decides.
    let up = match to_cut {
        0 => rest * 2 >= divisor,
        1..=MOST_CUT => low * 2 >= POWERS[to_cut as usize],
        more => {
            let power = 10_u128.checked_pow(more - MOST_CUT)?;
            let cut = whole % power;
            whole /= power;
            cut * 2 >= power
        }
    };
    let rounded = i128::try_from(whole.checked_add(u128::from(up))?).ok()?;
    let signed = if amount.is_sign_negative() {
        -rounded
    } else {
        rounded
    };
    Decimal::try_from_i128_with_scale(signed, places).ok()
}

/// Most digits that are cut off along the way; further ones are cut off afterwards.
const MOST_CUT: u32 = 28;

/// Powers of ten.
const POWERS: [u128; MOST_CUT as usize + 1] = {
    let mut powers = [1; MOST_CUT as usize + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// `(whole * cut + low) + rest / divisor`.
struct Quotient {
    whole: u128,
    low: u128,
    rest: u128,
}

/// `left * right / divisor`, where each has at most 96 bits, with the digits below `cut` apart.
fn divided_product(left: u128, right: u128, divisor: u128, cut: u128) -> Option<Quotient> {
    const LIMB: u32 = 32;
    let (left_whole, left_rest) = (left / divisor, left % divisor);
    let (mut whole, mut low, mut rest) = (0_u128, 0_u128, 0_u128);
    for at in (0..3).rev() {
        let limb = (right >> (LIMB * at)) & u128::from(u32::MAX);
        // Every product here has 128 bits at most: a rest is below its divisor, of 96 bits.
        let (moved, added) = (rest << LIMB, left_rest * limb);
        let rests = moved % divisor + added % divisor;
        let carried = moved / divisor + added / divisor + rests / divisor;
        rest = rests % divisor;
        let (moved, added) = (low << LIMB, left_whole * limb);
        let lows = moved % cut + added % cut + carried % cut;
        let carried = [moved / cut, carried / cut, lows / cut].iter().sum();
        low = lows % cut;
        whole = whole
            .checked_mul(1 << LIMB)?
            .checked_add(added / cut)?
            .checked_add(carried)?;
    }
    Some(Quotient { whole, low, rest })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::RoundingStrategy;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_half_goes_away_from_zero_and_less_than_a_half_does_not() {
        let ratio = |amount: &str, times: &str, by: &str| {
            scaled_ratio(decimal(amount), decimal(times), decimal(by), 2).unwrap()
        };
        assert_eq!(ratio("0.01", "1", "2"), decimal("0.01"));
        assert_eq!(ratio("-0.01", "1", "2"), decimal("-0.01"));
        assert_eq!(ratio("0.01", "1", "2.0000000001"), decimal("0.00"));
        assert_eq!(ratio("1", "1", "3"), decimal("0.33"));
        assert_eq!(ratio("0.005", "1", "1"), decimal("0.01"));
        assert_eq!(ratio("0.0049999999", "1", "1"), decimal("0.00"));
    }

    #[test]
    fn the_number_of_decimals_is_that_of_the_currency() {
        let third = |places| scaled_ratio(decimal("2"), decimal("1"), decimal("3"), places);
        assert_eq!(third(0), Some(decimal("1")));
        assert_eq!(third(3), Some(decimal("0.667")));
        assert_eq!(third(4), Some(decimal("0.6667")));
    }

    #[test]
    fn rates_with_all_digits_that_a_decimal_has_lose_nothing() {
        let long = decimal("0.8950948800572860723236663086");
        let amount = decimal("987654321.12");
        assert_eq!(scaled_ratio(amount, long, long, 2), Some(amount));
        let there = scaled_ratio(amount, long, Decimal::ONE, 2).unwrap();
        assert_eq!(there, decimal("884044326.10"));
        assert_eq!(
            scaled_ratio(Decimal::MAX, Decimal::MAX, Decimal::MAX, 0),
            Some(Decimal::MAX)
        );
        assert_eq!(
            scaled_ratio(Decimal::MAX, Decimal::MAX, Decimal::ONE, 0),
            None
        );
        let tiny = Decimal::new(1, 28);
        assert_eq!(
            scaled_ratio(tiny, tiny, Decimal::MAX, 2),
            Some(Decimal::ZERO)
        );
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!(
            scaled_ratio(Decimal::ONE, Decimal::ONE, Decimal::ZERO, 2),
            None
        );
    }

    fn any_decimal() -> impl Strategy<Value = Decimal> {
        (any::<u32>(), any::<u32>(), any::<u32>(), 0..=28_u32)
            .prop_map(|(lo, mid, hi, scale)| Decimal::from_parts(lo, mid, hi, false, scale))
    }

    proptest! {
        /// With a rate of one nothing but the rounding is left, and there is only one rounding:
        /// that of money.
        #[test]
        fn without_a_rate_it_is_the_rounding_of_money(amount in any_decimal(), places in 0..5_u32) {
            let strategy = RoundingStrategy::MidpointAwayFromZero;
            let expected = amount.round_dp_with_strategy(places, strategy);
            if let Some(found) = scaled_ratio(amount, Decimal::ONE, Decimal::ONE, places) {
                prop_assert_eq!(found, expected);
            }
        }

        /// Whatever the rate, there and back at the same rate is the same amount.
        #[test]
        fn a_rate_over_itself_is_one(
            amount in -1_000_000_000_000_i64..1_000_000_000_000, rate in any_decimal()
        ) {
            prop_assume!(!rate.is_zero());
            let amount = Decimal::new(amount, 2);
            prop_assert_eq!(scaled_ratio(amount, rate, rate, 2), Some(amount));
        }

        /// The result lies within half a unit of its last place of the exact one.
        #[test]
        fn the_result_is_the_nearest_one(
            amount in -1_000_000_i64..1_000_000,
            times in (1..1_000_000_i64, 0..7_u32),
            by in (1..1_000_000_i64, 0..7_u32),
            places in 0..5_u32,
        ) {
            let (times, by) = (Decimal::new(times.0, times.1), Decimal::new(by.0, by.1));
            let amount = Decimal::new(amount, 2);
            let found = scaled_ratio(amount, times, by, places).unwrap();
            let off = (found * by - amount * times).abs() * Decimal::TWO;
            let unit = Decimal::new(1, places) * by;
            prop_assert!(off <= unit, "{found}: {off} over {unit}");
            if off == unit {
                prop_assert!(found.abs() * by >= amount.abs() * times, "a half");
            }
            prop_assert_eq!(scaled_ratio(-amount, times, by, places), Some(-found));
        }
    }
}
