//! Exchange rates of every working day, wandering around a plausible middle.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday, date};
use rust_decimal::Decimal;
use tierline_domain::time::next_day;
use tierline_domain::{Currency, Rejection};

use super::dice::Dice;
use super::world::RateDay;

/// The first day with rates; before the history, since it may begin on a day without.
const FIRST: Date = date(2024, 6, 24);
/// The last day with rates.
const LAST: Date = date(2026, 7, 1);
/// Currency, first rate in ten-thousandths for one euro.
const MIDDLES: [(&str, i32); 4] = [
    ("CHF", 9_600),
    ("GBP", 8_500),
    ("JPY", 1_620_000),
    ("USD", 10_800),
];

/// The rates of the whole history.
pub(super) fn walk(dice: &mut Dice) -> Result<Vec<RateDay>, Rejection> {
    let mut wanderers = Vec::new();
    for (code, middle) in MIDDLES {
        wanderers.push((Currency::parse(code)?, middle, middle));
    }
    let mut days = Vec::new();
    let mut day = FIRST;
    while day <= LAST {
        if !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            let mut rates = BTreeMap::new();
            for (currency, middle, rate) in &mut wanderers {
                // Up to 0.45 % a day, and never further than an eighth from the middle.
                let step = i64::from(*rate) * i64::from(dice.between(-45, 45)) / 10_000;
                let (least, most) = (*middle - *middle / 8, *middle + *middle / 8);
                *rate = (*rate + i32::try_from(step).unwrap_or_default()).clamp(least, most);
                rates.insert(*currency, Decimal::new(i64::from(*rate), 4));
            }
            days.push(RateDay { date: day, rates });
        }
        day = next_day(day);
    }
    Ok(days)
}
