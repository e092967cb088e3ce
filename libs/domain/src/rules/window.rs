//! Windows: which days a measure looks at, and when a day leaves them.

use jiff::civil::Date;

use crate::rules::model::Window;
use crate::time::{Calendar, DateRange, MIN_DATE, PeriodUnit, add_days, add_months, next_day};

impl Window {
    /// The days of the window as of a day; none of them (`from` after `to`) when the enrollment
    /// had not begun.
    pub fn days(self, as_of: Date, calendar: &Calendar, enrolled_since: Date) -> DateRange {
        let from = match self {
            Self::RollingMonths(months) => next_day(add_months(as_of, -i32::from(months))),
            Self::RollingDays(days) => add_days(as_of, 1 - i32::from(days)),
            Self::Current(unit) => unit.containing(as_of, calendar).from,
            Self::Complete { unit, last } => {
                let periods = unit.complete_before(as_of, u32::from(last.max(1)), calendar);
                let bound = |at: Option<&DateRange>| {
                    at.copied().unwrap_or(unit.containing(as_of, calendar))
                };
                return DateRange {
                    from: bound(periods.last()).from,
                    to: bound(periods.first()).to,
                };
            }
            Self::SinceEnrollment => enrolled_since,
            Self::AllTime => MIN_DATE,
        };
        DateRange { from, to: as_of }
    }

    /// The first as-of date for which `day`, which is in the window now, no longer is.
    pub fn left_on(self, day: Date, calendar: &Calendar) -> Option<Date> {
        match self {
            Self::RollingMonths(months) => Some(first_reaching(day, i32::from(months))),
            Self::RollingDays(days) => Some(add_days(day, i32::from(days))),
            Self::Current(unit) => Some(next_day(unit.containing(day, calendar).to)),
            // It moves when a period ends, which is noted for the window as a whole.
            Self::Complete { .. } | Self::SinceEnrollment | Self::AllTime => None,
        }
    }

    /// As a person says it.
    pub fn words(self) -> String {
        match self {
            Self::RollingMonths(1) => "rolling month".to_owned(),
            Self::RollingMonths(months) => format!("rolling {months} months"),
            Self::RollingDays(1) => "rolling day".to_owned(),
            Self::RollingDays(days) => format!("rolling {days} days"),
            Self::Current(unit) => format!("current {}", unit_words(unit)),
            Self::Complete { unit, last: 1 } => format!("last complete {}", unit_words(unit)),
            Self::Complete { unit, last } => {
                format!("last {last} complete {}s", unit_words(unit))
            }
            Self::SinceEnrollment => "since enrollment".to_owned(),
            Self::AllTime => "all time".to_owned(),
        }
    }
}

/// As a person says it.
pub(crate) fn unit_words(unit: PeriodUnit) -> &'static str {
    match unit {
        PeriodUnit::Month => "month",
        PeriodUnit::Quarter => "quarter",
        PeriodUnit::HalfYear => "half-year",
        PeriodUnit::Year => "year",
        PeriodUnit::FiscalQuarter => "fiscal quarter",
        PeriodUnit::FiscalYear => "fiscal year",
        PeriodUnit::ProgramYear => "program year",
        PeriodUnit::PartnershipYear => "partnership year",
    }
}

/// The first day from which, going so many months back, `day` is reached.
pub(crate) fn first_reaching(day: Date, months: i32) -> Date {
    let mut reaching = add_months(day, months);
    // A month without that day: it is reached at the start of the next one.
    while add_months(reaching, -months) < day && reaching < Date::MAX {
        reaching = next_day(reaching);
    }
    reaching
}

/// Whole months from one day to another: the most months that, added to `since`, do not go
/// beyond `until`. Zero when `until` is before `since`.
pub fn whole_months(since: Date, until: Date) -> u32 {
    let years = i32::from(until.year()) - i32::from(since.year());
    let months = years * 12 + i32::from(until.month()) - i32::from(since.month());
    let complete = if add_months(since, months) <= until {
        months
    } else {
        months - 1
    };
    u32::try_from(complete).unwrap_or_default()
}

/// The first day after `after` on which [`whole_months`] since `since` is higher than on `after`.
pub fn next_month_mark(since: Date, after: Date) -> Date {
    let months = i32::try_from(whole_months(since, after)).unwrap_or(i32::MAX - 1);
    add_months(since, months + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn days(window: Window, as_of: Date) -> (Date, Date) {
        let range = window.days(as_of, &Calendar::default(), date(2025, 3, 10));
        (range.from, range.to)
    }

    #[test]
    fn twelve_rolling_months_are_a_whole_year_up_to_the_day() {
        let window = Window::RollingMonths(12);
        let starts = |as_of| days(window, as_of).0;
        assert_eq!(starts(date(2026, 9, 30)), date(2025, 10, 1));
        assert_eq!(starts(date(2026, 1, 1)), date(2025, 1, 2));
        assert_eq!(starts(date(2024, 2, 29)), date(2023, 3, 1));
        assert_eq!(starts(date(2025, 2, 28)), date(2024, 2, 29));
        assert_eq!(starts(date(2025, 3, 1)), date(2024, 3, 2));
    }

    #[test]
    fn month_ends_are_kept_inside_the_month() {
        let window = Window::RollingMonths(1);
        assert_eq!(days(window, date(2026, 3, 31)).0, date(2026, 3, 1));
        assert_eq!(days(window, date(2026, 3, 30)).0, date(2026, 3, 1));
        assert_eq!(days(window, date(2026, 3, 28)).0, date(2026, 3, 1));
        assert_eq!(days(window, date(2026, 4, 30)).0, date(2026, 3, 31));
    }

    #[test]
    fn rolling_days_include_the_day_itself() {
        assert_eq!(
            days(Window::RollingDays(1), date(2026, 3, 1)).0,
            date(2026, 3, 1)
        );
        assert_eq!(
            days(Window::RollingDays(30), date(2026, 3, 1)).0,
            date(2026, 1, 31)
        );
    }

    #[test]
    fn the_current_period_ends_with_the_day_and_enrollment_starts_it_where_asked() {
        let as_of = date(2026, 5, 20);
        let quarter = Window::Current(PeriodUnit::Quarter);
        assert_eq!(days(quarter, as_of), (date(2026, 4, 1), as_of));
        assert_eq!(
            days(Window::SinceEnrollment, as_of),
            (date(2025, 3, 10), as_of)
        );
        assert_eq!(days(Window::AllTime, as_of), (MIN_DATE, as_of));
    }

    #[test]
    fn months_are_whole_on_the_same_day_or_the_last_of_a_shorter_month() {
        assert_eq!(whole_months(date(2026, 1, 31), date(2026, 2, 27)), 0);
        assert_eq!(whole_months(date(2026, 1, 31), date(2026, 2, 28)), 1);
        assert_eq!(whole_months(date(2026, 1, 31), date(2026, 3, 30)), 1);
        assert_eq!(whole_months(date(2026, 1, 31), date(2026, 3, 31)), 2);
        assert_eq!(whole_months(date(2024, 2, 29), date(2025, 2, 28)), 12);
        assert_eq!(whole_months(date(2026, 5, 1), date(2026, 4, 30)), 0);
    }

    fn any_day() -> impl Strategy<Value = Date> {
        (0..4000_i32).prop_map(|days| add_days(date(2019, 11, 30), days))
    }

    fn any_window() -> impl Strategy<Value = Window> {
        prop_oneof![
            (1..30_u16).prop_map(Window::RollingMonths),
            (1..400_u16).prop_map(Window::RollingDays),
            Just(Window::Current(PeriodUnit::Month)),
            Just(Window::Current(PeriodUnit::FiscalQuarter)),
            Just(Window::Current(PeriodUnit::Year)),
        ]
    }

    proptest! {
        #[test]
        fn a_day_leaves_the_window_on_the_day_that_is_named(
            window in any_window(), day in any_day(), fiscal in 1..=12_i8,
        ) {
            let calendar = Calendar { fiscal_year_start: fiscal, ..Calendar::default() };
            let left = window.left_on(day, &calendar).unwrap();
            let range = |as_of| window.days(as_of, &calendar, MIN_DATE);
            prop_assert!(!range(left).contains(day));
            prop_assert!(range(crate::time::previous_day(left)).contains(day));
        }

        #[test]
        fn the_month_mark_is_the_first_day_with_a_month_more(
            since in any_day(), ahead in 0..900_i32,
        ) {
            let after = add_days(since, ahead);
            let mark = next_month_mark(since, after);
            prop_assert!(mark > after);
            prop_assert_eq!(whole_months(since, mark), whole_months(since, after) + 1);
            let before = crate::time::previous_day(mark);
            prop_assert_eq!(whole_months(since, before), whole_months(since, after));
        }
    }
}
