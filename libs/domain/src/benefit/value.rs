//! How much of a benefit a tier gives, as a text that is read by the type of the benefit: `yes`,
//! `15 %`, `5000 USD`, `60 days`, `4 hours`, or any words.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::partner::profile::label;
use crate::rejection::Rejection;

label!(
    /// What the values of a benefit look like.
    BenefitType {
        /// It is given or not: `yes` or `no`.
        YesNo = "yes_no",
        /// A part of something: `15 %`.
        Percent = "percent",
        /// A sum of money: `5000 USD`.
        Amount = "amount",
        /// A time in days: `60 days`.
        Days = "days",
        /// A time in hours: `4 hours`.
        Hours = "hours",
        /// Any words on one line: `dedicated manager`.
        Text = "text",
    }
);

/// Longest time in days: ten years.
pub const MAX_DAYS: u32 = 3_660;
/// Longest time in hours: a year.
pub const MAX_HOURS: u32 = 8_784;

/// How much of a benefit a tier gives. Its `Display` is the text in its usual form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BenefitValue {
    /// It is given, or not.
    YesNo(bool),
    /// Percent, 0 to 100.
    Percent(Decimal),
    /// Money, not negative.
    Amount(Money),
    /// Days.
    Days(u32),
    /// Hours.
    Hours(u32),
    /// Words.
    Text(String),
}

impl BenefitValue {
    /// Reads a text as a value of this type.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on the empty path, saying what the type allows.
    pub fn parse(benefit_type: BenefitType, text: &str) -> Result<Self, Rejection> {
        let text = text.trim();
        let read = match benefit_type {
            BenefitType::YesNo => yes_no(text),
            BenefitType::Percent => percent(text),
            BenefitType::Amount => amount(text),
            BenefitType::Days => time(text, "day", MAX_DAYS).map(Self::Days),
            BenefitType::Hours => time(text, "hour", MAX_HOURS).map(Self::Hours),
            BenefitType::Text => Some(Self::Text(text.to_owned())),
        };
        read.ok_or_else(|| Rejection::invalid("", must_be(benefit_type)))
    }

    /// The value that a text looks like, where the type of the benefit is not known.
    pub fn told_by(text: &str) -> Self {
        let mut types = BenefitType::ALL.iter();
        let read = types.find_map(|one| Self::parse(*one, text).ok());
        read.unwrap_or_else(|| Self::Text(text.trim().to_owned()))
    }

    /// Its type.
    pub fn benefit_type(&self) -> BenefitType {
        match self {
            Self::YesNo(_) => BenefitType::YesNo,
            Self::Percent(_) => BenefitType::Percent,
            Self::Amount(_) => BenefitType::Amount,
            Self::Days(_) => BenefitType::Days,
            Self::Hours(_) => BenefitType::Hours,
            Self::Text(_) => BenefitType::Text,
        }
    }

    /// False for a `no`: the tier names the benefit and does not give it.
    pub fn is_given(&self) -> bool {
        *self != Self::YesNo(false)
    }
}

impl fmt::Display for BenefitValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |count: u32| if count == 1 { "" } else { "s" };
        match self {
            Self::YesNo(true) => f.write_str("yes"),
            Self::YesNo(false) => f.write_str("no"),
            Self::Percent(percent) => write!(f, "{} %", percent.normalize()),
            Self::Amount(money) => write!(f, "{} {}", money.amount.normalize(), money.currency),
            Self::Days(days) => write!(f, "{days} day{}", several(*days)),
            Self::Hours(hours) => write!(f, "{hours} hour{}", several(*hours)),
            Self::Text(text) => f.write_str(text),
        }
    }
}

fn must_be(benefit_type: BenefitType) -> String {
    match benefit_type {
        BenefitType::YesNo => "must be yes or no".to_owned(),
        BenefitType::Percent => "must be a percentage from 0 to 100, such as 15 %".to_owned(),
        BenefitType::Amount => {
            "must be an amount of money that is not negative, such as 5000 USD".to_owned()
        }
        BenefitType::Days => format!("must be a number of days up to {MAX_DAYS}, such as 60 days"),
        BenefitType::Hours => {
            format!("must be a number of hours up to {MAX_HOURS}, such as 4 hours")
        }
        BenefitType::Text => "must be a text".to_owned(),
    }
}

fn yes_no(text: &str) -> Option<BenefitValue> {
    match text.to_ascii_lowercase().as_str() {
        "yes" => Some(BenefitValue::YesNo(true)),
        "no" => Some(BenefitValue::YesNo(false)),
        _ => None,
    }
}

fn percent(text: &str) -> Option<BenefitValue> {
    let number = text.strip_suffix('%')?.trim_end();
    let number = Decimal::from_str_exact(number).ok()?;
    let sound = (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&number);
    sound.then_some(BenefitValue::Percent(number))
}

fn amount(text: &str) -> Option<BenefitValue> {
    let (number, currency) = text.split_once(' ')?;
    let money = Money::parse(number, currency.trim_start()).ok()?;
    (money.amount >= Decimal::ZERO).then_some(BenefitValue::Amount(money))
}

fn time(text: &str, unit: &str, most: u32) -> Option<u32> {
    let (number, word) = text.split_once(' ')?;
    let word = word.trim_start();
    let known = word.strip_suffix('s').unwrap_or(word) == unit;
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let count = number.parse().ok().filter(|_| known && digits)?;
    (count <= most).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_by_the_type_and_written_in_its_usual_form() {
        for (benefit_type, text, usual) in [
            (BenefitType::YesNo, "Yes", "yes"),
            (BenefitType::YesNo, "no", "no"),
            (BenefitType::Percent, "15%", "15 %"),
            (BenefitType::Percent, "2.50 %", "2.5 %"),
            (BenefitType::Percent, "100 %", "100 %"),
            (BenefitType::Amount, "5000.00 USD", "5000 USD"),
            (BenefitType::Days, "60 days", "60 days"),
            (BenefitType::Days, "1 day", "1 day"),
            (BenefitType::Hours, "4 hours", "4 hours"),
            (BenefitType::Text, "dedicated", "dedicated"),
        ] {
            let value = BenefitValue::parse(benefit_type, text).unwrap();
            assert_eq!(value.to_string(), usual);
            assert_eq!(value.benefit_type(), benefit_type);
            let again = BenefitValue::parse(benefit_type, usual).unwrap();
            assert_eq!(again, value);
            assert_eq!(BenefitValue::told_by(text), value, "without the type");
        }
    }

    #[test]
    fn a_text_of_another_type_or_out_of_bounds_is_refused() {
        for (benefit_type, text) in [
            (BenefitType::YesNo, "true"),
            (BenefitType::Percent, "15"),
            (BenefitType::Percent, "101 %"),
            (BenefitType::Percent, "-1 %"),
            (BenefitType::Percent, "%"),
            (BenefitType::Amount, "5000"),
            (BenefitType::Amount, "5000 XYZ"),
            (BenefitType::Amount, "-1 USD"),
            (BenefitType::Days, "60"),
            (BenefitType::Days, "60 hours"),
            (BenefitType::Days, "+6 days"),
            (BenefitType::Days, "3661 days"),
            (BenefitType::Days, "99999999999 days"),
            (BenefitType::Hours, "4 days"),
            (BenefitType::Hours, "8785 hours"),
        ] {
            let refused = BenefitValue::parse(benefit_type, text).unwrap_err();
            let said = &refused.violations[0].description;
            assert!(said.starts_with("must be"), "{text}: {said}");
        }
    }

    #[test]
    fn only_a_no_gives_nothing() {
        for (text, given) in [("no", false), ("yes", true), ("0 %", true), ("words", true)] {
            assert_eq!(BenefitValue::told_by(text).is_given(), given, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,20}") {
            for one in BenefitType::ALL {
                let _ = BenefitValue::parse(*one, &text);
            }
        }
    }
}
