//! Dates by explicit pattern. A pattern never guesses: `%d/%m/%Y` reads 3/1/2017 not at all,
//! because it asks for two digits.

use jiff::civil::Date;

use tierline_domain::time::check_date;

use super::{CellError, quoted};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(char),
    Year,
    Month {
        padded: bool,
    },
    MonthName {
        short: bool,
    },
    Day {
        padded: bool,
    },
    /// Hours, minutes or seconds: must be two digits up to the maximum, and are dropped.
    Time {
        max: u32,
    },
    /// A fraction of a second: digits, dropped.
    Fraction,
}

/// A date pattern such as `%Y-%m-%d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatePattern {
    text: String,
    pieces: Vec<Piece>,
}

impl Default for DatePattern {
    fn default() -> Self {
        Self::parse("%Y-%m-%d").expect("the ISO pattern is a pattern")
    }
}

impl DatePattern {
    /// Reads a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                pieces.push(Piece::Literal(c));
                continue;
            }
            pieces.push(match chars.next() {
                Some('Y') => Piece::Year,
                Some('m') => Piece::Month { padded: true },
                Some('d') => Piece::Day { padded: true },
                Some('-') => match chars.next() {
                    Some('m') => Piece::Month { padded: false },
                    Some('d') => Piece::Day { padded: false },
                    _ => return Err("has a \"%-\" that is neither %-m nor %-d".into()),
                },
                Some('b') => Piece::MonthName { short: true },
                Some('B') => Piece::MonthName { short: false },
                Some('H') => Piece::Time { max: 23 },
                Some('M') => Piece::Time { max: 59 },
                Some('S') => Piece::Time { max: 60 },
                Some('f') => Piece::Fraction,
                Some('%') => Piece::Literal('%'),
                Some('y') => {
                    return Err("has %y: two digits leave the century open; write %Y".into());
                }
                _ => {
                    return Err(
                        "has an unknown mark; allowed: %Y %m %-m %b %B %d %-d and, to be \
                                read and dropped, %H %M %S %f"
                            .into(),
                    );
                }
            });
        }
        let count = |wanted: fn(&Piece) -> bool| pieces.iter().filter(|p| wanted(p)).count();
        let years = count(|p| matches!(p, Piece::Year));
        let months = count(|p| matches!(p, Piece::Month { .. } | Piece::MonthName { .. }));
        let days = count(|p| matches!(p, Piece::Day { .. }));
        if (years, months, days) != (1, 1, 1) {
            return Err("must have one year, one month and one day, like %Y-%m-%d".into());
        }
        Ok(Self {
            text: text.to_owned(),
            pieces,
        })
    }

    /// Reads a date. The whole text must match.
    pub(crate) fn read(&self, text: &str) -> Result<Date, CellError> {
        let Some((year, month, day)) = self.scan(text) else {
            return Err(self.error(text, "does not match the pattern"));
        };
        let date = Date::new(year, month, day)
            .map_err(|_| self.error(text, "is no day of the calendar"))?;
        check_date("", date).map_err(|rejection| {
            CellError::new(
                format!("{} is out of range", quoted(text)),
                rejection
                    .violations
                    .first()
                    .map_or_else(String::new, |v| v.description.clone()),
            )
        })
    }

    fn error(&self, text: &str, what: &str) -> CellError {
        CellError::new(
            format!("{} {what}", quoted(text)),
            format!("a date as {}", self.text),
        )
    }

    fn scan(&self, text: &str) -> Option<(i16, i8, i8)> {
        let (mut year, mut month, mut day) = (0_i16, 0_i8, 0_i8);
        let mut rest = text;
        for piece in &self.pieces {
            match piece {
                Piece::Literal(c) => rest = rest.strip_prefix(*c)?,
                Piece::Year => year = i16::try_from(digits(&mut rest, 4, 4)?).ok()?,
                Piece::Month { padded } => {
                    month = i8::try_from(digits(&mut rest, 1 + usize::from(*padded), 2)?).ok()?;
                }
                Piece::Day { padded } => {
                    day = i8::try_from(digits(&mut rest, 1 + usize::from(*padded), 2)?).ok()?;
                }
                Piece::MonthName { short } => month = month_name(&mut rest, *short)?,
                Piece::Time { max } => {
                    if digits(&mut rest, 2, 2)? > *max {
                        return None;
                    }
                }
                Piece::Fraction => {
                    digits(&mut rest, 1, 9)?;
                }
            }
        }
        rest.is_empty().then_some((year, month, day))
    }
}

// Takes between `least` and `most` ASCII digits, as many as there are.
fn digits(rest: &mut &str, least: usize, most: usize) -> Option<u32> {
    let count = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < least {
        return None;
    }
    let (taken, after) = rest.split_at(count);
    *rest = after;
    taken.parse().ok()
}

fn month_name(rest: &mut &str, short: bool) -> Option<i8> {
    let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, after) = rest.split_at(length);
    let word = word.to_ascii_lowercase();
    let index = MONTHS.iter().position(|name| {
        if short {
            name[..3] == word
        } else {
            *name == word
        }
    })?;
    *rest = after;
    i8::try_from(index + 1).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn read(pattern: &str, text: &str) -> Option<Date> {
        DatePattern::parse(pattern).unwrap().read(text).ok()
    }

    #[test]
    fn dates_are_read_by_their_pattern_alone() {
        assert_eq!(read("%Y-%m-%d", "2017-03-01"), Some(date(2017, 3, 1)));
        assert_eq!(read("%-m/%-d/%Y", "3/1/2017"), Some(date(2017, 3, 1)));
        assert_eq!(read("%-d/%-m/%Y", "3/1/2017"), Some(date(2017, 1, 3)));
        assert_eq!(read("%d %B %Y", "05 March 2017"), Some(date(2017, 3, 5)));
        assert_eq!(read("%d-%b-%Y", "05-mar-2017"), Some(date(2017, 3, 5)));
        assert_eq!(
            read("%Y-%m-%d %H:%M:%S.%f", "2010-12-29 00:00:00.000"),
            Some(date(2010, 12, 29))
        );
    }

    #[test]
    fn what_does_not_match_the_pattern_is_refused() {
        for text in [
            "3/1/2017",
            "2017-3-1",
            "2017-02-30",
            "2017-03-01 ",
            "2017-03-01T00:00",
            "",
            "00:00.0",
            "1899-12-31",
            "٢٠١٧-٠٣-٠١",
            "2017-13-01",
        ] {
            assert_eq!(read("%Y-%m-%d", text), None, "{text}");
        }
        assert_eq!(read("%-m/%-d/%Y", "13/1/2017"), None);
    }

    #[test]
    fn an_incomplete_or_ambiguous_pattern_is_refused() {
        for pattern in ["%Y-%m", "%d.%m.%y", "%Q", "", "%Y-%m-%d-%d", "%-Y"] {
            assert!(DatePattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn an_error_names_the_text_and_the_pattern() {
        let error = DatePattern::default().read("00:00.0").unwrap_err();
        assert_eq!(error.text, "\"00:00.0\" does not match the pattern");
        assert_eq!(error.allowed, "a date as %Y-%m-%d");
    }

    proptest! {
        #[test]
        fn every_written_date_is_read_back(days in 0_i32..100_000) {
            let day = tierline_domain::time::add_days(date(1900, 1, 1), days);
            let us = format!("{}/{}/{}", day.month(), day.day(), day.year());
            prop_assert_eq!(read("%-m/%-d/%Y", &us), Some(day));
            prop_assert_eq!(read("%Y-%m-%d", &day.to_string()), Some(day));
        }

        #[test]
        fn no_text_makes_a_pattern_or_a_date_panic(pattern in "\\PC*", text in "\\PC*") {
            if let Ok(pattern) = DatePattern::parse(&pattern) {
                let _ = pattern.read(&text);
            }
            let _ = DatePattern::default().read(&text);
        }
    }
}
