//! Conditions and thresholds out of their messages.

use rust_decimal::Decimal;
use tierline_domain::rules::{Condition, Test, Threshold, Value};
use tierline_proto::common::v1 as common;
use tierline_proto::program::v1 as pb;

use super::Reader;
use super::common::{decimal, value};

/// Reads a condition. Its bounds are for the domain to check.
pub fn condition(reader: &mut Reader, message: pb::Condition) -> Option<Condition> {
    use pb::condition::Kind;
    match message.kind {
        Some(Kind::All(list)) => reader
            .at("all", |r| r.list("items", list.items, condition))
            .map(Condition::All),
        Some(Kind::Any(list)) => reader
            .at("any", |r| r.list("items", list.items, condition))
            .map(Condition::Any),
        Some(Kind::Negation(inner)) => {
            let inner = reader.at("negation", |r| condition(r, *inner))?;
            Some(Condition::Not(Box::new(inner)))
        }
        Some(Kind::Field(field)) => {
            let test = reader.at("field", |r| r.required("test", field.test, test))?;
            Some(Condition::Field {
                name: field.name,
                test,
            })
        }
        None => reader.wrong("must be all, any, negation or field"),
    }
}

fn test(reader: &mut Reader, message: pb::Test) -> Option<Test> {
    use pb::test::Kind;
    let values = |r: &mut Reader, field: &str, list: pb::ValueList| {
        r.at(field, |r| r.list("items", list.items, value))
    };
    let one = |r: &mut Reader, field: &str, message: common::Value| -> Option<Value> {
        r.at(field, |r| value(r, message))
    };
    match message.kind {
        Some(Kind::Equals(v)) => one(reader, "equals", v).map(Test::Equals),
        Some(Kind::Gte(v)) => one(reader, "gte", v).map(Test::Gte),
        Some(Kind::Lte(v)) => one(reader, "lte", v).map(Test::Lte),
        Some(Kind::Gt(v)) => one(reader, "gt", v).map(Test::Gt),
        Some(Kind::Lt(v)) => one(reader, "lt", v).map(Test::Lt),
        Some(Kind::Between(range)) => reader.at("between", |r| {
            let from = r.optional("lower", range.lower, value);
            let to = r.optional("upper", range.upper, value);
            Some(Test::Between {
                from: from?,
                to: to?,
            })
        }),
        Some(Kind::IncludesAny(list)) => {
            values(reader, "includes_any", list).map(Test::IncludesAny)
        }
        Some(Kind::IncludesAll(list)) => {
            values(reader, "includes_all", list).map(Test::IncludesAll)
        }
        Some(Kind::Exists(flag)) => Some(Test::Exists(flag)),
        None => reader.wrong(
            "must be equals, gte, lte, gt, lt, between, includes_any, includes_all or exists",
        ),
    }
}

pub(super) fn threshold(reader: &mut Reader, message: pb::Threshold) -> Option<Threshold> {
    use pb::threshold::Kind;
    let number = |r: &mut Reader, field: &str, text: &str| -> Option<Decimal> {
        r.at(field, |r| decimal(r, text))
    };
    match message.kind {
        Some(Kind::Gte(text)) => number(reader, "gte", &text).map(Threshold::Gte),
        Some(Kind::Gt(text)) => number(reader, "gt", &text).map(Threshold::Gt),
        Some(Kind::Lte(text)) => number(reader, "lte", &text).map(Threshold::Lte),
        Some(Kind::Lt(text)) => number(reader, "lt", &text).map(Threshold::Lt),
        Some(Kind::Between(range)) => reader.at("between", |r| {
            let from = number(r, "lower", &range.lower);
            let to = number(r, "upper", &range.upper);
            Some(Threshold::Between {
                from: from?,
                to: to?,
            })
        }),
        Some(Kind::Equals(text)) => number(reader, "equals", &text).map(Threshold::Equals),
        None => reader.wrong("must be gte, gt, lte, lt, between or equals"),
    }
}
