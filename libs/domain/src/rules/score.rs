//! Numbers out of numbers: caps of points, steps and lines, weights, and one number out of those of
//! groups.

use rust_decimal::Decimal;

use crate::rules::model::{PointsEntry, ScorePoint, ScoreStep, Take};
use crate::rules::series::SeriesSpec;
use crate::rules::tally::Tally;

/// The points of an entry after its caps: of the facts, then of each value of a field, then of the
/// entry.
pub(crate) fn capped(entry: &PointsEntry, spec: &SeriesSpec<'_>, tally: &Tally) -> Decimal {
    let each = || tally.groups.values().map(|group| spec.measured(group));
    let add = |sum: Decimal, points: Decimal| sum.saturating_add(points);
    let points = match (entry.first, &entry.most_per) {
        // The groups are the facts, in their order.
        (Some(first), _) => each()
            .take(usize::try_from(first).unwrap_or(usize::MAX))
            .fold(Decimal::ZERO, add),
        (None, Some(cap)) => each()
            .map(|points| points.min(cap.most))
            .fold(Decimal::ZERO, add),
        (None, None) => spec.measured(tally),
    };
    entry.most.map_or(points, |most| points.min(most))
}

/// One of some numbers; `None` where there are none.
pub(crate) fn take(take: Take, mut numbers: Vec<Decimal>) -> Option<Decimal> {
    numbers.sort_unstable();
    let count = numbers.len();
    let last = count.checked_sub(1)?;
    match take {
        Take::Minimum => numbers.first().copied(),
        Take::Maximum => numbers.get(last).copied(),
        Take::Median if count % 2 == 1 => numbers.get(count / 2).copied(),
        Take::Median => numbers[count / 2 - 1]
            .checked_add(numbers[count / 2])?
            .checked_div(Decimal::TWO),
        Take::Mean => {
            let sum = numbers
                .iter()
                .fold(Decimal::ZERO, |sum, number| sum.saturating_add(*number));
            let mean = sum.checked_div(Decimal::from(count))?;
            Some(mean.round_dp(crate::rules::contribution::MAX_VALUE_SCALE))
        }
        Take::Percentile(percent) => {
            let rank = (usize::from(percent) * count).div_ceil(100);
            numbers.get(rank.saturating_sub(1).min(last)).copied()
        }
    }
}

/// What the last step that is reached gives; below the first it is zero.
pub(crate) fn step(table: &[ScoreStep], number: Decimal) -> Decimal {
    table
        .iter()
        .rfind(|step| step.from <= number)
        .map_or(Decimal::ZERO, |step| step.gives)
}

/// The number on the line through the points; beyond the ends it is that of the end.
pub(crate) fn linear(table: &[ScorePoint], number: Decimal) -> Option<Decimal> {
    let (first, last) = (table.first()?, table.last()?);
    if number <= first.at {
        return Some(first.gives);
    }
    if number >= last.at {
        return Some(last.gives);
    }
    let pairs = table.windows(2);
    let (from, to) = pairs
        .filter_map(|pair| Some((pair.first()?, pair.last()?)))
        .find(|(_, to)| number < to.at)?;
    let rise = to.gives.checked_sub(from.gives)?;
    let way = number.checked_sub(from.at)?;
    let whole = to.at.checked_sub(from.at)?;
    from.gives
        .checked_add(rise.checked_mul(way)?.checked_div(whole)?)
}

/// The mean of numbers with their weights.
pub(crate) fn weighted(parts: &[(Decimal, Decimal)]) -> Option<Decimal> {
    let mut sum = Decimal::ZERO;
    let mut weights = Decimal::ZERO;
    for (number, weight) in parts {
        sum = sum.checked_add(number.checked_mul(*weight)?)?;
        weights = weights.checked_add(*weight)?;
    }
    sum.checked_div(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(all: &[i64]) -> Vec<Decimal> {
        all.iter().map(|number| Decimal::from(*number)).collect()
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(take(Take::Median, numbers(&[9, 1, 4])), Some(4.into()));
        assert_eq!(
            take(Take::Median, numbers(&[9, 1, 4, 5])),
            Some(Decimal::new(45, 1))
        );
        assert_eq!(take(Take::Median, Vec::new()), None);
    }

    #[test]
    fn a_percentile_is_a_number_that_is_there() {
        let ten = numbers(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let at = |percent| take(Take::Percentile(percent), ten.clone());
        assert_eq!(at(90), Some(9.into()));
        assert_eq!(at(91), Some(10.into()));
        assert_eq!(at(1), Some(1.into()));
        assert_eq!(at(100), Some(10.into()));
    }

    #[test]
    fn a_line_is_straight_between_its_points_and_flat_beyond_them() {
        let point = |at: i64, gives: i64| ScorePoint {
            at: at.into(),
            gives: gives.into(),
        };
        let table = [point(0, 0), point(10, 100), point(20, 50)];
        let on = |number: i64| linear(&table, number.into()).unwrap();
        assert_eq!(on(-5), Decimal::ZERO);
        assert_eq!(on(5), Decimal::from(50));
        assert_eq!(on(10), Decimal::from(100));
        assert_eq!(on(15), Decimal::from(75));
        assert_eq!(on(99), Decimal::from(50));
    }

    #[test]
    fn a_step_is_reached_with_its_bound() {
        let step_of = |from: i64, gives: i64| ScoreStep {
            from: from.into(),
            gives: gives.into(),
        };
        let table = [step_of(10, 1), step_of(20, 5)];
        let on = |number: i64| step(&table, number.into());
        assert_eq!(
            (on(9), on(10), on(19), on(20)),
            (0.into(), 1.into(), 1.into(), 5.into())
        );
    }
}
