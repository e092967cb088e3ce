//! Money, values, dates and texts.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use tierline_domain::rules::Value;
use tierline_domain::time::{PeriodUnit, parse_date};
use tierline_domain::{Currency, Money};
use tierline_proto::common::v1 as pb;

use super::Reader;

/// Money as a message.
pub fn money_message(money: Money) -> pb::Money {
    pb::Money {
        amount: money.amount.to_string(),
        currency_code: money.currency.as_str().to_owned(),
    }
}

/// Money out of a message.
pub fn money(reader: &mut Reader, message: pb::Money) -> Option<Money> {
    reader.take_below(Money::parse(&message.amount, &message.currency_code))
}

/// A value as a message.
pub fn value_message(value: &Value) -> pb::Value {
    use pb::value::Kind;
    let kind = match value {
        Value::Text(text) => Kind::Text(text.clone()),
        Value::Number(number) => Kind::Number(number.to_string()),
        Value::Flag(flag) => Kind::Flag(*flag),
        Value::Date(date) => Kind::Date(date.to_string()),
        Value::List(items) => Kind::List(pb::TextList {
            items: items.clone(),
        }),
    };
    pb::Value { kind: Some(kind) }
}

/// A value out of a message.
pub fn value(reader: &mut Reader, message: pb::Value) -> Option<Value> {
    use pb::value::Kind;
    match message.kind {
        Some(Kind::Text(text)) => Some(Value::Text(text)),
        Some(Kind::Number(text)) => decimal(reader, &text).map(Value::Number),
        Some(Kind::Flag(flag)) => Some(Value::Flag(flag)),
        Some(Kind::Date(text)) => date(reader, &text).map(Value::Date),
        Some(Kind::List(list)) => Some(Value::List(list.items)),
        None => reader.wrong("must be a text, number, flag, date or list"),
    }
}

/// Attributes as messages.
pub fn attributes_message(attributes: &BTreeMap<String, Value>) -> BTreeMap<String, pb::Value> {
    attributes
        .iter()
        .map(|(name, value)| (name.clone(), value_message(value)))
        .collect()
}

/// The attributes in a field.
pub fn attributes(
    reader: &mut Reader,
    field: &str,
    messages: BTreeMap<String, pb::Value>,
) -> Option<BTreeMap<String, Value>> {
    reader.at(field, |reader| {
        let mut attributes = Some(BTreeMap::new());
        for (name, message) in messages {
            let read = reader.at(&name, |reader| value(reader, message));
            match (&mut attributes, read) {
                (Some(attributes), Some(value)) => {
                    attributes.insert(name, value);
                }
                (_, None) => attributes = None,
                (None, Some(_)) => {}
            }
        }
        attributes
    })
}

/// An exact number out of decimal text.
pub fn decimal(reader: &mut Reader, text: &str) -> Option<Decimal> {
    match Decimal::from_str_exact(text.trim()) {
        Ok(number) => Some(number),
        Err(_) => reader.wrong(format!(
            "\"{}\" is no decimal number of at most 28 digits; write it like 1250.00",
            shortened(text)
        )),
    }
}

/// A business date.
pub fn date(reader: &mut Reader, text: &str) -> Option<Date> {
    reader.take(parse_date("", text))
}

/// A business date in a field that may be empty.
pub fn optional_date(reader: &mut Reader, field: &str, text: &str) -> Option<Option<Date>> {
    if text.is_empty() {
        return Some(None);
    }
    reader.at(field, |reader| date(reader, text)).map(Some)
}

/// A currency.
pub fn currency(reader: &mut Reader, code: &str) -> Option<Currency> {
    reader.take(Currency::parse(code))
}

/// A text that may be empty, as an option.
pub fn optional_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A date that may be absent, as text.
pub fn date_text(date: Option<Date>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

/// A kind of period as a message.
pub fn period_unit_message(unit: PeriodUnit) -> pb::PeriodUnit {
    match unit {
        PeriodUnit::Month => pb::PeriodUnit::Month,
        PeriodUnit::Quarter => pb::PeriodUnit::Quarter,
        PeriodUnit::HalfYear => pb::PeriodUnit::HalfYear,
        PeriodUnit::Year => pb::PeriodUnit::Year,
        PeriodUnit::FiscalQuarter => pb::PeriodUnit::FiscalQuarter,
        PeriodUnit::FiscalYear => pb::PeriodUnit::FiscalYear,
        PeriodUnit::ProgramYear => pb::PeriodUnit::ProgramYear,
        PeriodUnit::PartnershipYear => pb::PeriodUnit::PartnershipYear,
    }
}

/// A kind of period out of a message; `Some(None)` when it is not given.
pub fn optional_period_unit(reader: &mut Reader, number: i32) -> Option<Option<PeriodUnit>> {
    Some(match pb::PeriodUnit::try_from(number) {
        Ok(pb::PeriodUnit::Unspecified) => None,
        Ok(pb::PeriodUnit::Month) => Some(PeriodUnit::Month),
        Ok(pb::PeriodUnit::Quarter) => Some(PeriodUnit::Quarter),
        Ok(pb::PeriodUnit::HalfYear) => Some(PeriodUnit::HalfYear),
        Ok(pb::PeriodUnit::Year) => Some(PeriodUnit::Year),
        Ok(pb::PeriodUnit::FiscalQuarter) => Some(PeriodUnit::FiscalQuarter),
        Ok(pb::PeriodUnit::FiscalYear) => Some(PeriodUnit::FiscalYear),
        Ok(pb::PeriodUnit::ProgramYear) => Some(PeriodUnit::ProgramYear),
        Ok(pb::PeriodUnit::PartnershipYear) => Some(PeriodUnit::PartnershipYear),
        Err(_) => return reader.wrong("is no known kind of period"),
    })
}

/// A kind of period that must be given.
pub fn period_unit(reader: &mut Reader, number: i32) -> Option<PeriodUnit> {
    match optional_period_unit(reader, number)? {
        Some(unit) => Some(unit),
        None => reader.wrong("is required"),
    }
}

/// A number of days or months.
pub(super) fn small(reader: &mut Reader, number: u32) -> Option<u16> {
    match u16::try_from(number) {
        Ok(number) => Some(number),
        Err(_) => reader.wrong(format!("must be at most {}", u16::MAX)),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
