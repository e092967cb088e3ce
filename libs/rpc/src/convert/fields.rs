//! Fields of commands. A wrong field is noted and stands as its default, so that the rest of the
//! command can still be checked and the caller learns everything at once.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use tierline_domain::rules::Value;
use tierline_domain::{Money, Rejection};
use tierline_proto::common::v1 as pb;

use super::Reader;
use super::common;

/// An identifier.
pub fn id<T: Default>(reader: &mut Reader, field: &str, parsed: Result<T, Rejection>) -> T {
    reader
        .at(field, |reader| reader.take(parsed))
        .unwrap_or_default()
}

/// An identifier that may be absent.
pub fn optional_id<T>(
    reader: &mut Reader,
    field: &str,
    text: String,
    parse: impl FnOnce(String) -> Result<T, Rejection>,
) -> Option<T> {
    let text = common::optional_text(text)?;
    reader.at(field, |reader| reader.take(parse(text)))
}

/// A business date that may be absent.
pub fn optional_date(reader: &mut Reader, field: &str, text: &str) -> Option<Date> {
    common::optional_date(reader, field, text).flatten()
}

/// A business date that must be given.
pub fn date(reader: &mut Reader, field: &str, text: &str) -> Date {
    if text.is_empty() {
        return reader
            .at(field, |reader| reader.wrong("is required"))
            .unwrap_or_default();
    }
    optional_date(reader, field, text).unwrap_or_default()
}

/// Money that may be absent.
pub fn optional_money(
    reader: &mut Reader,
    field: &str,
    message: Option<pb::Money>,
) -> Option<Money> {
    reader.optional(field, message, common::money).flatten()
}

/// A number that may be absent.
pub fn optional_decimal(reader: &mut Reader, field: &str, text: &str) -> Option<Decimal> {
    if text.is_empty() {
        return None;
    }
    reader.at(field, |reader| common::decimal(reader, text))
}

/// Attributes of the org's own.
pub fn attributes(
    reader: &mut Reader,
    field: &str,
    messages: BTreeMap<String, pb::Value>,
) -> BTreeMap<String, Value> {
    if messages.is_empty() {
        return BTreeMap::new();
    }
    common::attributes(reader, field, messages).unwrap_or_default()
}

/// An optional text as the contract writes it.
pub fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}
