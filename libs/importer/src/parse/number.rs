//! Exact decimal numbers in a declared notation.

use rust_decimal::Decimal;

use super::{CellError, quoted};

/// What separates the whole part from the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DecimalMark {
    #[default]
    Point,
    Comma,
}

/// What separates groups of three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThousandsMark {
    Point,
    Comma,
    Blank,
    Apostrophe,
}

impl ThousandsMark {
    fn is(self, c: char) -> bool {
        match self {
            Self::Point => c == '.',
            Self::Comma => c == ',',
            // Blank, no-break space, narrow no-break space.
            Self::Blank => matches!(c, ' ' | '\u{a0}' | '\u{202f}'),
            Self::Apostrophe => matches!(c, '\'' | '\u{2019}'),
        }
    }
}

/// A declared notation. Thousands marks are only accepted when they are declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NumberFormat {
    pub(crate) decimal: DecimalMark,
    pub(crate) thousands: Option<ThousandsMark>,
}

impl NumberFormat {
    /// An example in this notation, for messages.
    fn example(self) -> &'static str {
        match (self.decimal, self.thousands) {
            (DecimalMark::Point, None) => "1250.00",
            (DecimalMark::Comma, None) => "1250,00",
            (DecimalMark::Point, Some(_)) => "1250.00, with the declared thousands marks or none",
            (DecimalMark::Comma, Some(_)) => "1250,00, with the declared thousands marks or none",
        }
    }

    /// Reads a number: an optional minus, digits, an optional decimal mark with digits.
    pub(crate) fn read(self, text: &str) -> Result<Decimal, CellError> {
        self.plain(text)
            .and_then(|plain| Decimal::from_str_exact(&plain).ok())
            .map(|number| number.normalize())
            .ok_or_else(|| {
                CellError::new(
                    format!("{} is no number in the declared notation", quoted(text)),
                    format!("a number like {}", self.example()),
                )
            })
    }

    // The number as plain digits with a point, or nothing when it is not in this notation.
    fn plain(self, text: &str) -> Option<String> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let mark = match self.decimal {
            DecimalMark::Point => '.',
            DecimalMark::Comma => ',',
        };
        let (whole, fraction) = match unsigned.split_once(mark) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (unsigned, None),
        };
        let mut plain = String::with_capacity(text.len());
        if text.len() > unsigned.len() {
            plain.push('-');
        }
        self.whole(whole, &mut plain)?;
        if let Some(fraction) = fraction {
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            plain.push('.');
            plain.push_str(fraction);
        }
        Some(plain)
    }

    fn whole(self, text: &str, plain: &mut String) -> Option<()> {
        let grouped = self.thousands.filter(|mark| text.contains(|c| mark.is(c)));
        let Some(mark) = grouped else {
            let fine = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            plain.push_str(text);
            return fine.then_some(());
        };
        for (index, group) in text.split(|c| mark.is(c)).enumerate() {
            let length = group.len();
            let fits = if index == 0 {
                (1..=3).contains(&length)
            } else {
                length == 3
            };
            if !fits || !group.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            plain.push_str(group);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(decimal: DecimalMark, thousands: Option<ThousandsMark>, text: &str) -> Option<String> {
        NumberFormat { decimal, thousands }
            .read(text)
            .ok()
            .map(|number| number.to_string())
    }

    #[test]
    fn plain_numbers_are_exact() {
        let plain = |text| read(DecimalMark::Point, None, text);
        assert_eq!(plain("2024.99").as_deref(), Some("2024.99"));
        assert_eq!(plain("-0.10").as_deref(), Some("-0.1"));
        assert_eq!(plain("36030").as_deref(), Some("36030"));
    }

    #[test]
    fn thousands_marks_count_only_when_declared() {
        assert_eq!(read(DecimalMark::Point, None, "2,024,994"), None);
        let comma = Some(ThousandsMark::Comma);
        assert_eq!(
            read(DecimalMark::Point, comma, "2,024.99").as_deref(),
            Some("2024.99")
        );
        assert_eq!(read(DecimalMark::Point, comma, "20,24.99"), None);
        assert_eq!(read(DecimalMark::Point, comma, "2,0244"), None);
        let point = Some(ThousandsMark::Point);
        assert_eq!(
            read(DecimalMark::Comma, point, "1.250,5").as_deref(),
            Some("1250.5")
        );
        let blank = Some(ThousandsMark::Blank);
        assert_eq!(
            read(DecimalMark::Comma, blank, "1\u{a0}250,5").as_deref(),
            Some("1250.5")
        );
        let apostrophe = Some(ThousandsMark::Apostrophe);
        assert_eq!(
            read(DecimalMark::Point, apostrophe, "1'250.5").as_deref(),
            Some("1250.5")
        );
    }

    #[test]
    fn what_is_not_in_the_notation_is_refused() {
        for text in [
            "", "-", ".", "1.", ".5", "1e5", "+1", "1 000", "$5", "NaN", "1.2.3", "١", "--1",
        ] {
            assert_eq!(read(DecimalMark::Point, None, text), None, "{text}");
        }
        assert_eq!(read(DecimalMark::Point, None, &"9".repeat(40)), None);
    }

    proptest! {
        #[test]
        fn every_number_is_read_back_exactly(units in any::<i64>(), scale in 0_u32..9) {
            let number = Decimal::new(units, scale);
            prop_assert_eq!(NumberFormat::default().read(&number.to_string()).unwrap(), number);
        }

        #[test]
        fn what_is_read_is_what_was_written(text in "[-0-9.,' ]{0,14}") {
            for decimal in [DecimalMark::Point, DecimalMark::Comma] {
                let format = NumberFormat { decimal, thousands: None };
                if let Ok(number) = format.read(&text) {
                    let plain = text.replace(',', ".");
                    prop_assert_eq!(number, plain.parse::<Decimal>().unwrap());
                }
            }
        }

        #[test]
        fn no_text_makes_a_number_panic(text in "\\PC*") {
            for thousands in [None, Some(ThousandsMark::Blank), Some(ThousandsMark::Point)] {
                let _ = NumberFormat { decimal: DecimalMark::Comma, thousands }.read(&text);
            }
        }
    }
}
