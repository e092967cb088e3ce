//! Moving the clock of a sandbox org along with a file, month by month, so that tiers are decided
//! along the way as they would have been.

use jiff::civil::Date;
use tierline_importer::Record;

/// The business date on which a record counts: when a deal was closed, or approved or registered
/// where it is still open; when a certification was awarded.
pub(super) fn attained(record: &Record) -> Option<Date> {
    match record {
        Record::Deal(deal) => {
            let deal = &deal.record;
            deal.closed_date
                .or(deal.approved_date)
                .or(deal.registered_date)
        }
        Record::Certification(row) => Some(row.record.awarded_date),
        Record::Partner(_) | Record::Rates(_) => None,
    }
}

/// Refuses a file whose records are not in the order of their months.
#[derive(Debug, Default)]
pub(super) struct DateOrder {
    latest: Option<(Date, String)>,
    broken: Option<String>,
}

impl DateOrder {
    /// Looks at the next record.
    pub(super) fn look(&mut self, key: &str, date: Option<Date>) {
        let Some(date) = date else { return };
        match &self.latest {
            Some((latest, before)) if date.first_of_month() < latest.first_of_month() => {
                self.broken.get_or_insert_with(|| {
                    format!("{key} of {date} comes after {before} of {latest}")
                });
            }
            Some((latest, _)) if date <= *latest => {}
            _ => self.latest = Some((date, key.to_owned())),
        }
    }

    /// The first two records that are out of order.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }
}

/// The clock of an org, stepped by the records that are about to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockSteps {
    today: Date,
    last: Option<Date>,
}

impl ClockSteps {
    /// Begins where the clock stands.
    pub(super) fn new(today: Date) -> Self {
        Self { today, last: None }
    }

    /// The day to which the clock has to go before a record of this date is sent: the first of
    /// its month, unless the clock is there already or further.
    pub(super) fn before(&mut self, date: Option<Date>) -> Option<Date> {
        let date = date?;
        self.last = self.last.max(Some(date));
        let first = date.first_of_month();
        (first > self.today.first_of_month()).then(|| {
            self.today = first;
            first
        })
    }

    /// The day on which the clock is left: that of the latest record, unless it is further.
    pub(super) fn end(&self) -> Option<Date> {
        self.last.filter(|last| *last > self.today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn steps(start: &str, dates: &[&str]) -> (Vec<Option<String>>, Option<String>) {
        let mut clock = ClockSteps::new(day(start));
        let steps = dates.iter().map(|date| {
            let date = (!date.is_empty()).then(|| day(date));
            clock.before(date).map(|to| to.to_string())
        });
        let steps = steps.collect();
        (steps, clock.end().map(|day| day.to_string()))
    }

    #[test]
    fn the_clock_goes_to_the_first_of_every_month_that_has_records() {
        let dates = ["2017-07-02", "2017-07-30", "", "2017-09-15", "2017-09-01"];
        let (steps, end) = steps("2017-07-01", &dates);
        let expected = [None, None, None, Some("2017-09-01".to_owned()), None];
        assert_eq!(steps, expected);
        assert_eq!(end.as_deref(), Some("2017-09-15"));
    }

    #[test]
    fn the_clock_never_goes_back_so_that_a_second_run_does_not_move_it() {
        let (steps, end) = steps("2020-05-31", &["2017-07-02", "2019-01-05", "2020-05-31"]);
        assert_eq!(steps, [None, None, None]);
        assert_eq!(end, None);
    }

    #[test]
    fn the_clock_goes_on_in_the_middle_of_a_file_after_an_interruption() {
        let (steps, end) = steps("2018-03-01", &["2018-02-28", "2018-03-09", "2018-04-02"]);
        assert_eq!(steps, [None, None, Some("2018-04-01".to_owned())]);
        assert_eq!(end.as_deref(), Some("2018-04-02"));
    }

    fn broken(dates: &[&str]) -> Option<String> {
        let mut order = DateOrder::default();
        for (at, date) in dates.iter().enumerate() {
            let date = (!date.is_empty()).then(|| day(date));
            order.look(&format!("D{at}"), date);
        }
        order.broken().map(str::to_owned)
    }

    #[test]
    fn the_order_of_days_within_a_month_does_not_matter() {
        assert_eq!(
            broken(&["2017-07-09", "2017-07-02", "", "2017-08-01"]),
            None
        );
    }

    #[test]
    fn a_file_that_goes_back_by_a_month_names_the_records() {
        assert_eq!(
            broken(&["2017-07-31", "2017-08-02", "2017-07-30", "2016-01-01"]).unwrap(),
            "D2 of 2017-07-30 comes after D1 of 2017-08-02"
        );
    }
}
