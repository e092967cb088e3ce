//! Civil time: business dates in the org's time zone, and the periods that windows are made of.
//!
//! A business date is a [`Date`], never an instant. The time zone database is compiled in, so a
//! verdict does not depend on the machine. Instants become dates in exactly one place:
//! [`Calendar::date_of`].

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rejection::Rejection;

/// Earliest business date accepted as input.
pub const MIN_DATE: Date = date(1900, 1, 1);
/// Latest business date accepted as input.
pub const MAX_DATE: Date = date(2199, 12, 31);

/// Checks that a business date is within the accepted range.
///
/// # Errors
/// `INVALID_REQUEST` on `field`.
pub fn check_date(field: &str, value: Date) -> Result<Date, Rejection> {
    if (MIN_DATE..=MAX_DATE).contains(&value) {
        Ok(value)
    } else {
        Err(Rejection::invalid(
            field,
            format!("must be between {MIN_DATE} and {MAX_DATE}"),
        ))
    }
}

/// Takes an ISO 8601 calendar date, `YYYY-MM-DD`.
///
/// # Errors
/// `INVALID_REQUEST` on `field`.
pub fn parse_date(field: &str, text: &str) -> Result<Date, Rejection> {
    let exact = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    match text.parse::<Date>() {
        Ok(value) if exact => check_date(field, value),
        _ => Err(Rejection::invalid(
            field,
            format!("\"{text}\" is no calendar date; write it like 2026-03-31"),
        )),
    }
}

/// How an org counts time: its zone and the month in which its fiscal year begins. For the
/// assessment of an enrollment also: when the year of its program and its own years begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// IANA name of the time zone, such as `Europe/Vienna`.
    pub time_zone: String,
    /// Month in which the fiscal year begins, 1 to 12.
    pub fiscal_year_start: i8,
    /// Month in which the year of the program begins, 1 to 12. Not a property of the org.
    #[serde(skip, default = "january")]
    pub program_year_start: i8,
    /// First day of the partnership, whose anniversaries begin its years. Not a property of the
    /// org.
    #[serde(skip, default = "year_2000")]
    pub partner_since: Date,
}

fn january() -> i8 {
    1
}

fn year_2000() -> Date {
    date(2000, 1, 1)
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            fiscal_year_start: january(),
            program_year_start: january(),
            partner_since: year_2000(),
        }
    }
}

impl Calendar {
    /// Checks zone and month.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `time_zone` or `fiscal_year_start`.
    pub fn new(time_zone: &str, fiscal_year_start: i8) -> Result<Self, Rejection> {
        if TimeZone::get(time_zone).is_err() {
            return Err(Rejection::invalid(
                "time_zone",
                format!("\"{time_zone}\" is no IANA time zone; write it like Europe/Vienna"),
            ));
        }
        if !(1..=12).contains(&fiscal_year_start) {
            return Err(Rejection::invalid(
                "fiscal_year_start",
                "must be a month from 1 to 12",
            ));
        }
        Ok(Self {
            time_zone: time_zone.to_owned(),
            fiscal_year_start,
            ..Self::default()
        })
    }

    /// The same, for an enrollment in a program.
    #[must_use]
    pub fn of_enrollment(&self, program_year_start: i8, partner_since: Date) -> Self {
        Self {
            program_year_start,
            partner_since,
            ..self.clone()
        }
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// The business date at an instant.
    pub fn date_of(&self, instant: Timestamp) -> Date {
        instant.to_zoned(self.zone()).date()
    }

    /// The first instant of a business date. Where midnight does not exist, the next instant
    /// that does.
    pub fn start_of(&self, day: Date) -> Timestamp {
        day.to_zoned(self.zone())
            .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }
}

/// A kind of period that repeats without gaps.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PeriodUnit {
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// Half of a calendar year.
    HalfYear,
    /// A calendar year.
    Year,
    /// A quarter of the org's fiscal year.
    FiscalQuarter,
    /// The org's fiscal year.
    FiscalYear,
    /// The year of the program.
    ProgramYear,
    /// A year of the partnership, from one anniversary of the enrollment to the day before the
    /// next.
    PartnershipYear,
}

impl PeriodUnit {
    /// Length in months.
    pub fn months(self) -> i32 {
        match self {
            Self::Month => 1,
            Self::Quarter | Self::FiscalQuarter => 3,
            Self::HalfYear => 6,
            Self::Year | Self::FiscalYear | Self::ProgramYear | Self::PartnershipYear => 12,
        }
    }

    /// The period that contains `day`.
    pub fn containing(self, day: Date, calendar: &Calendar) -> DateRange {
        let anchor = match self {
            Self::Month | Self::Quarter | Self::HalfYear | Self::Year => 0,
            Self::FiscalQuarter | Self::FiscalYear => i32::from(calendar.fiscal_year_start) - 1,
            Self::ProgramYear => i32::from(calendar.program_year_start) - 1,
            Self::PartnershipYear => return anniversary_year(calendar.partner_since, day),
        };
        let month = i32::from(day.year()) * 12 + i32::from(day.month()) - 1;
        let first = month - (month - anchor).rem_euclid(self.months());
        DateRange {
            from: first_of(first),
            to: previous_day(first_of(first + self.months())),
        }
    }

    /// The last `count` periods that ended before `as_of`, the latest first.
    pub fn complete_before(self, as_of: Date, count: u32, calendar: &Calendar) -> Vec<DateRange> {
        let mut periods = Vec::new();
        let mut inside = self.containing(as_of, calendar);
        for _ in 0..count {
            inside = self.containing(previous_day(inside.from), calendar);
            periods.push(inside);
        }
        periods
    }
}

/// The year that contains `day`, where years begin on the day and month of `since`; one of 29
/// February begins on the last day of that month.
fn anniversary_year(since: Date, day: Date) -> DateRange {
    let begins = |years: i32| add_months(since, 12 * years);
    let mut years = i32::from(day.year()) - i32::from(since.year());
    if begins(years) > day {
        years -= 1;
    }
    DateRange {
        from: begins(years),
        to: previous_day(begins(years + 1)),
    }
}

fn first_of(months_since_year_zero: i32) -> Date {
    let year = months_since_year_zero.div_euclid(12).clamp(-9999, 9999);
    let month = months_since_year_zero.rem_euclid(12) + 1;
    date(
        i16::try_from(year).unwrap_or(i16::MAX),
        i8::try_from(month).unwrap_or(1),
        1,
    )
}

/// Days from `from` to `to`, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DateRange {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
}

impl DateRange {
    /// True when `day` is in the range.
    pub fn contains(&self, day: Date) -> bool {
        self.from <= day && day <= self.to
    }
}

/// The day before; the range of dates ends rather than overflows.
pub fn previous_day(day: Date) -> Date {
    day.yesterday().unwrap_or(Date::MIN)
}

/// The day after; the range of dates ends rather than overflows.
pub fn next_day(day: Date) -> Date {
    day.tomorrow().unwrap_or(Date::MAX)
}

/// `day` plus a number of days, negative to go back.
pub fn add_days(day: Date, days: i32) -> Date {
    day.saturating_add(Span::new().days(days))
}

/// `day` plus a number of months, negative to go back. A day that the month does not have becomes
/// its last day: 31 March minus one month is 28 or 29 February.
pub fn add_months(day: Date, months: i32) -> Date {
    day.saturating_add(Span::new().months(months))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn month_ends_and_leap_days_are_kept_inside_the_month() {
        assert_eq!(add_months(date(2024, 3, 31), -1), date(2024, 2, 29));
        assert_eq!(add_months(date(2023, 3, 31), -1), date(2023, 2, 28));
        assert_eq!(add_months(date(2024, 2, 29), 12), date(2025, 2, 28));
    }

    #[test]
    fn a_fiscal_quarter_begins_with_the_month_of_the_org() {
        let calendar = Calendar::new("UTC", 2).unwrap();
        let range = PeriodUnit::FiscalQuarter.containing(date(2026, 1, 15), &calendar);
        assert_eq!(
            range,
            DateRange {
                from: date(2025, 11, 1),
                to: date(2026, 1, 31)
            }
        );
        let year = PeriodUnit::FiscalYear.containing(date(2026, 1, 15), &calendar);
        assert_eq!(
            year,
            DateRange {
                from: date(2025, 2, 1),
                to: date(2026, 1, 31)
            }
        );
    }

    #[test]
    fn a_quarter_is_complete_on_the_day_after_its_end() {
        let calendar = Calendar::default();
        let ends = |day| {
            PeriodUnit::Quarter
                .complete_before(day, 2, &calendar)
                .iter()
                .map(|range| range.to)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            ends(date(2026, 4, 1)),
            [date(2026, 3, 31), date(2025, 12, 31)]
        );
        assert_eq!(
            ends(date(2026, 3, 31)),
            [date(2025, 12, 31), date(2025, 9, 30)]
        );
    }

    #[test]
    fn the_business_date_is_the_date_in_the_zone_of_the_org() {
        let instant: Timestamp = "2026-03-28T23:30:00Z".parse().unwrap();
        assert_eq!(
            Calendar::new("Europe/Vienna", 1).unwrap().date_of(instant),
            date(2026, 3, 29)
        );
        assert_eq!(
            Calendar::new("America/New_York", 1)
                .unwrap()
                .date_of(instant),
            date(2026, 3, 28)
        );
    }

    #[test]
    fn a_day_without_midnight_starts_at_the_first_instant_that_exists() {
        // Brazil began summer time at midnight: 2018-11-04 had no 00:00.
        let calendar = Calendar::new("America/Sao_Paulo", 1).unwrap();
        let start = calendar.start_of(date(2018, 11, 4));
        assert_eq!(calendar.date_of(start), date(2018, 11, 4));
    }

    #[test]
    fn only_iso_dates_within_the_bounds_are_taken() {
        assert_eq!(
            parse_date("close_date", "2024-02-29").unwrap(),
            date(2024, 2, 29)
        );
        for text in [
            "2023-02-29",
            "3/1/2017",
            "20240229",
            "0001-01-01",
            "2024-2-9",
            "",
        ] {
            let rejection = parse_date("close_date", text).unwrap_err();
            assert_eq!(rejection.violations[0].field, "close_date", "{text}");
        }
    }

    #[test]
    fn unknown_zones_and_months_are_refused_by_name() {
        assert_eq!(
            Calendar::new("Mars/Olympus", 1).unwrap_err().violations[0].field,
            "time_zone"
        );
        assert_eq!(
            Calendar::new("UTC", 13).unwrap_err().violations[0].field,
            "fiscal_year_start"
        );
    }
}
