//! How much of everything is taken. Every input has a bound, and every bound stands here.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::ids::check_label;
use crate::rejection::{Rejection, Violations};
use crate::rules::Value;

/// Longest name or other one-line text, in characters.
pub const NAME: usize = 200;
/// Longest note, reason or description, in characters.
pub const NOTE: usize = 2_000;
/// Longest identifier from another system, in characters.
pub const EXTERNAL_ID: usize = 128;
/// Longest tag, in characters.
pub const TAG: usize = 64;
/// Most tags of a partner.
pub const TAGS: usize = 50;
/// Most entries of a list of labels: regions, languages, product lines.
pub const LIST: usize = 50;
/// Most attributes of one thing.
pub const ATTRIBUTES: usize = 100;
/// Longest text value of an attribute, in characters.
pub const ATTRIBUTE_TEXT: usize = 1_000;
/// Most contacts of a partner at a time.
pub const CONTACTS: usize = 100;
/// Most days in one event of rates.
pub const RATE_DAYS_PER_EVENT: usize = 400;
/// Most days in one command of rates.
pub const RATE_DAYS_PER_COMMAND: usize = 10_000;
/// Most currencies of one day of rates.
pub const CURRENCIES_PER_DAY: usize = 400;
/// Most tracks of a program.
pub const TRACKS: usize = 20;
/// Most tiers of a track.
pub const TIERS: usize = 20;
/// Most benefits of a tier.
pub const BENEFITS: usize = 100;
/// Most benefits of the library in all tiers of a program.
pub const LIBRARY_BENEFITS: usize = 200;
/// Most segments of an org, archived ones included.
pub const SEGMENTS: usize = 200;
/// Most published versions of a program.
pub const VERSIONS: usize = 1_000;
/// Most API keys of an org that are good at a time.
pub const API_KEYS: usize = 100;
/// Most API keys of an org that are remembered; of those that are good no more the oldest go first.
pub const API_KEYS_REMEMBERED: usize = 500;
/// Longest life of an API key.
pub const API_KEY_LIFE: Duration = Duration::from_secs(731 * 24 * 3600);
/// Longest time for which the text of an API key before the newest is good.
pub const API_KEY_GRACE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Most decided recommendations that an enrollment remembers; the oldest are forgotten.
pub const DECISIONS: usize = 50;
/// Longest text on a button, in characters.
pub const LABEL: usize = 60;
/// Most published versions of a form.
pub const FORM_VERSIONS: usize = 100;
/// Most sections of a form.
pub const FORM_SECTIONS: usize = 30;
/// Most fields of a form, in all of its sections.
pub const FORM_FIELDS: usize = 100;
/// Most options of a field.
pub const FORM_OPTIONS: usize = 250;
/// Longest text of an agreement, in characters.
pub const AGREEMENT: usize = 20_000;
/// Longest answer of one line, in characters.
pub const ANSWER: usize = 500;
/// Longest answer of several lines, in characters.
pub const LONG_ANSWER: usize = 10_000;
/// Longest web address, in characters.
pub const WEB_ADDRESS: usize = 2_000;
/// Most characters in all answers of a submission.
pub const ANSWERS: usize = 100_000;

/// Notes a violation unless `text` has 1 to `max` characters, is trimmed and on one line.
pub fn check_name(v: &mut Violations, field: &str, text: &str, max: usize) {
    if text.is_empty() {
        v.add(field, "is required");
    } else if text.trim() != text || text.chars().any(char::is_control) {
        v.add(field, "must be one line, without spaces at the ends");
    } else if text.chars().count() > max {
        v.add(field, format!("must be at most {max} characters"));
    }
}

/// Like [`check_name`], for a text that may be absent (but not empty).
pub fn check_optional_name(v: &mut Violations, field: &str, text: Option<&str>, max: usize) {
    if let Some(text) = text {
        check_name(v, field, text, max);
    }
}

/// Notes a violation when a longer text is too long or has control characters other than line
/// ends and tabs. It may be empty.
pub fn check_note(v: &mut Violations, field: &str, text: &str) {
    check_lines(v, field, text, NOTE);
}

/// Like [`check_note`], for a text of at most `max` characters that must not be empty.
pub fn check_long_text(v: &mut Violations, field: &str, text: &str, max: usize) {
    if text.trim().is_empty() {
        v.add(field, "is required");
    } else {
        check_lines(v, field, text, max);
    }
}

fn check_lines(v: &mut Violations, field: &str, text: &str, max: usize) {
    if text.chars().count() > max {
        v.add(field, format!("must be at most {max} characters"));
    } else if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        v.add(field, "must not contain control characters");
    }
}

/// Like [`check_note`], for a text that must not be empty.
pub fn check_reason(v: &mut Violations, field: &str, text: &str) {
    if text.trim().is_empty() {
        v.add(field, "is required");
    } else {
        check_note(v, field, text);
    }
}

/// Notes violations of a list of labels: too many, too long, empty, twice the same.
pub fn check_list(v: &mut Violations, field: &str, items: &[String], most: usize, longest: usize) {
    if items.len() > most {
        v.add(field, format!("must be at most {most} entries"));
        return;
    }
    for (at, item) in items.iter().enumerate() {
        check_name(v, &format!("{field}[{at}]"), item, longest);
        if items[..at].contains(item) {
            v.add(
                format!("{field}[{at}]"),
                format!("\"{item}\" is there twice"),
            );
        }
    }
}

/// Notes violations of an attribute map: too many, badly named, too long, or named like a
/// built-in field.
pub fn check_attributes(
    v: &mut Violations,
    field: &str,
    attributes: &BTreeMap<String, Value>,
    reserved: &[&str],
) {
    if attributes.len() > ATTRIBUTES {
        v.add(field, format!("must be at most {ATTRIBUTES} entries"));
        return;
    }
    for (name, value) in attributes {
        let path = format!("{field}.{name}");
        if let Err(Rejection { violations, .. }) = check_label("", name) {
            for violation in violations {
                v.add(path.as_str(), format!("the name {}", violation.description));
            }
        }
        if reserved.contains(&name.as_str()) {
            v.add(path.as_str(), "the name is taken by a built-in field");
        }
        check_value(v, &path, value);
    }
}

fn check_value(v: &mut Violations, path: &str, value: &Value) {
    match value {
        Value::Text(text) if text.chars().count() > ATTRIBUTE_TEXT => {
            v.add(path, format!("must be at most {ATTRIBUTE_TEXT} characters"));
        }
        Value::Text(_) | Value::Number(_) | Value::Flag(_) => {}
        Value::Date(date) => {
            v.take("", crate::time::check_date(path, *date));
        }
        Value::List(items) => check_list(v, path, items, LIST, NAME),
    }
}

/// Notes a violation unless a number is within plus and minus [`crate::money::MAX_AMOUNT`].
pub fn check_number(v: &mut Violations, field: &str, number: Decimal) {
    if number.abs() > crate::money::MAX_AMOUNT {
        v.add(
            field,
            format!("must be at most {}", crate::money::MAX_AMOUNT),
        );
    }
}
