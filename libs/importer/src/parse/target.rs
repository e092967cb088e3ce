//! The types of target fields.

use tierline_domain::Rejection;
use tierline_domain::ids::check_label;
use tierline_domain::limits::ATTRIBUTE_TEXT;
use tierline_domain::money::{Currency, MAX_AMOUNT};
use tierline_domain::partner::domain_name::{normalize_domain, normalize_email};
use tierline_domain::rules::value::Value;

use super::{CellError, DatePattern, NumberFormat, quoted};

/// Type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    Text,
    Number,
    Flag,
    Date,
    List,
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Text,
    /// An identifier of ours.
    Id,
    Domain,
    Email,
    Date,
    /// A decimal number that may be negative.
    Amount,
    /// A whole number from 0.
    Count,
    Currency,
    /// Texts.
    List,
    /// One of fixed names.
    Choice(&'static [&'static str]),
    Attribute(Attribute),
}

impl Target {
    /// True when the field holds a date.
    pub(crate) fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::Attribute(Attribute::Date))
    }

    /// True when the field holds a number.
    pub(crate) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Amount | Self::Count | Self::Attribute(Attribute::Number)
        )
    }

    /// True when the field holds several texts.
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::List | Self::Attribute(Attribute::List))
    }

    /// Reads a value. The text is trimmed and not empty.
    pub(crate) fn read(
        self,
        text: &str,
        date: &DatePattern,
        number: NumberFormat,
    ) -> Result<Value, CellError> {
        match self {
            Self::Text | Self::Attribute(Attribute::Text) => plain(text).map(Value::Text),
            Self::List | Self::Attribute(Attribute::List) => {
                plain(text).map(|item| Value::List(vec![item]))
            }
            Self::Id => identifier(text),
            Self::Domain => normalized(text, "domain", normalize_domain("", text)),
            Self::Email => normalized(text, "e-mail address", normalize_email("", text)),
            Self::Date | Self::Attribute(Attribute::Date) => date.read(text).map(Value::Date),
            Self::Amount | Self::Attribute(Attribute::Number) => number
                .read(text)
                .and_then(|n| in_range(n, text))
                .map(Value::Number),
            Self::Count => {
                let value = number.read(text).and_then(|n| in_range(n, text))?;
                if value.is_sign_negative() && !value.is_zero() || !value.fract().is_zero() {
                    let text = format!("{} is no whole number", quoted(text));
                    return Err(CellError::new(text, "a whole number from 0"));
                }
                Ok(Value::Number(value))
            }
            Self::Currency => match Currency::parse(text) {
                Ok(currency) => Ok(Value::Text(currency.to_string())),
                Err(_) => Err(CellError::new(
                    format!("{} is no ISO 4217 currency code", quoted(text)),
                    "a code like USD or EUR",
                )),
            },
            Self::Choice(names) => {
                match names.iter().find(|name| name.eq_ignore_ascii_case(text)) {
                    Some(name) => Ok(Value::text(*name)),
                    None => Err(CellError::new(
                        format!("{} is not one of the names", quoted(text)),
                        names.join(", "),
                    )),
                }
            }
            Self::Attribute(Attribute::Flag) => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                _ => Err(CellError::new(
                    format!("{} is no flag", quoted(text)),
                    "true, false (translate other words)",
                )),
            },
        }
    }
}

fn in_range(number: rust_decimal::Decimal, text: &str) -> Result<rust_decimal::Decimal, CellError> {
    if number.abs() <= MAX_AMOUNT {
        return Ok(number);
    }
    Err(CellError::new(
        format!("{} is too large", quoted(text)),
        format!("at most {MAX_AMOUNT} in absolute value"),
    ))
}

fn plain(text: &str) -> Result<String, CellError> {
    if text.chars().count() > ATTRIBUTE_TEXT {
        return Err(CellError::new(
            format!("{} is too long", quoted(text)),
            format!("at most {ATTRIBUTE_TEXT} characters"),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(CellError::new(
            format!(
                "{} contains a line break or another control character",
                quoted(text)
            ),
            "text on one line (the filter squeeze folds white space)",
        ));
    }
    Ok(text.to_owned())
}

fn identifier(text: &str) -> Result<Value, CellError> {
    check_label("", text)
        .map(|()| Value::text(text))
        .map_err(|rejection| {
            CellError::new(
                format!("{} is no identifier", quoted(text)),
                rejection
                    .violations
                    .first()
                    .map_or_else(String::new, |v| v.description.clone()),
            )
        })
}

fn normalized(
    text: &str,
    what: &str,
    result: Result<String, Rejection>,
) -> Result<Value, CellError> {
    result.map(Value::Text).map_err(|rejection| {
        CellError::new(
            format!("{} is no {what}", quoted(text)),
            rejection
                .violations
                .first()
                .map_or_else(String::new, |v| v.description.clone()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: Target, text: &str) -> Result<Value, CellError> {
        target.read(text, &DatePattern::default(), NumberFormat::default())
    }

    #[test]
    fn domains_are_normalized_and_other_texts_are_refused() {
        assert_eq!(
            read(Target::Domain, "Example.ORG"),
            Ok(Value::text("example.org"))
        );
        assert_eq!(
            read(Target::Domain, "https://www.example.org/about"),
            Ok(Value::text("example.org"))
        );
        for text in ["example", "a..org", "-a.org", "ünix.org", "a b.org"] {
            assert!(read(Target::Domain, text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_need_a_local_part_and_a_domain() {
        assert_eq!(
            read(Target::Email, "Ann@Example.org"),
            Ok(Value::text("ann@example.org"))
        );
        for text in [
            "ann",
            "@example.org",
            "ann@",
            "a b@example.org",
            "ann@example",
            "a@b@c.org",
        ] {
            assert!(read(Target::Email, text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!(read(Target::Count, "2822"), Ok(Value::Number(2822.into())));
        assert!(read(Target::Count, "-1").is_err());
        assert!(read(Target::Count, "1.5").is_err());
        assert!(read(Target::Amount, "1000000000000001").is_err());
    }

    #[test]
    fn a_choice_lists_what_is_allowed() {
        let error = read(Target::Choice(&["won", "lost"]), "Gained").unwrap_err();
        assert_eq!(error.allowed, "won, lost");
    }

    #[test]
    fn text_with_a_line_break_or_without_end_is_refused() {
        assert!(read(Target::Text, "a\nb").is_err());
        assert!(read(Target::Text, &"a".repeat(1_001)).is_err());
    }
}
