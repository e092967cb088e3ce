//! Requirements, measures and conditions out of their messages. How deep they nest is bounded by
//! the decoder of messages.

use rust_decimal::Decimal;
use tierline_domain::rules::{
    Addend, Condition, Criterion, FactKind, Measure, OfWhich, Periods, Requirement, Selection,
    Test, Threshold, Value, Window,
};
use tierline_proto::common::v1 as common;
use tierline_proto::program::v1 as pb;

use super::Reader;
use super::common::{decimal, period_unit, value};
use super::definition::small;

const ONE_OF_REQUIREMENT: &str =
    "must be all, any, at_least, negation, criterion, every_period, any_period or partner";

pub(super) fn requirement(reader: &mut Reader, message: pb::Requirement) -> Option<Requirement> {
    use pb::requirement::Kind;
    match message.kind {
        Some(Kind::All(list)) => reader
            .at("all", |r| r.list("items", list.items, requirement))
            .map(Requirement::All),
        Some(Kind::Any(list)) => reader
            .at("any", |r| r.list("items", list.items, requirement))
            .map(Requirement::Any),
        Some(Kind::AtLeast(at_least)) => {
            let of = reader.at("at_least", |r| r.list("of", at_least.of, requirement))?;
            Some(Requirement::AtLeast {
                count: at_least.count,
                of,
            })
        }
        Some(Kind::Negation(inner)) => {
            let inner = reader.at("negation", |r| requirement(r, *inner))?;
            Some(Requirement::Not(Box::new(inner)))
        }
        Some(Kind::Criterion(inner)) => {
            let inner = reader.at("criterion", |r| criterion(r, inner))?;
            Some(Requirement::Criterion(Box::new(inner)))
        }
        Some(Kind::EveryPeriod(inner)) => reader
            .at("every_period", |r| periods(r, *inner))
            .map(Requirement::EveryPeriod),
        Some(Kind::AnyPeriod(inner)) => reader
            .at("any_period", |r| periods(r, *inner))
            .map(Requirement::AnyPeriod),
        Some(Kind::Partner(inner)) => {
            let filter = reader.at("partner", |r| r.required("filter", inner.filter, condition))?;
            Some(Requirement::Partner {
                id: inner.id,
                name: inner.name,
                filter,
            })
        }
        None => reader.wrong(ONE_OF_REQUIREMENT),
    }
}

fn periods(reader: &mut Reader, message: pb::Periods) -> Option<Periods> {
    let unit = reader.at("unit", |r| period_unit(r, message.unit));
    let holds = reader.required("holds", message.holds, |r, inner| requirement(r, *inner));
    Some(Periods {
        unit: unit?,
        last: message.last,
        holds: Box::new(holds?),
    })
}

fn criterion(reader: &mut Reader, message: pb::Criterion) -> Option<Criterion> {
    let measure = reader.required("measure", message.measure, measure);
    let needs = reader.required("needs", message.needs, threshold);
    let of_which = reader.list("of_which", message.of_which, |r, part| {
        let filter = r.required("filter", part.filter, condition);
        let needs = r.required("needs", part.needs, threshold);
        Some(OfWhich {
            name: part.name,
            filter: filter?,
            needs: needs?,
        })
    });
    Some(Criterion {
        id: message.id,
        name: message.name,
        measure: measure?,
        needs: needs?,
        of_which: of_which?,
        note: message.note,
    })
}

fn measure(reader: &mut Reader, message: pb::Measure) -> Option<Measure> {
    use pb::measure::Kind;
    let facts = |r: &mut Reader, facts| r.required("facts", facts, selection);
    match message.kind {
        Some(Kind::Count(count)) => {
            let facts = reader.at("count", |r| facts(r, count.facts))?;
            Some(Measure::Count { facts })
        }
        Some(Kind::CountDistinct(count)) => {
            let facts = reader.at("count_distinct", |r| facts(r, count.facts))?;
            Some(Measure::CountDistinct {
                facts,
                key: count.key,
            })
        }
        Some(Kind::Sum(sum)) => reader.at("sum", |r| {
            let facts = facts(r, sum.facts);
            let of = r.required("of", sum.of, addend);
            Some(Measure::Sum {
                facts: facts?,
                of: of?,
            })
        }),
        Some(Kind::PersonsCertified(persons)) => {
            let filter = reader.at("persons_certified", |r| {
                r.optional("filter", persons.filter, condition)
            })?;
            Some(Measure::PersonsCertified {
                filter: filter.unwrap_or_default(),
                at_least: persons.at_least.unwrap_or(1),
            })
        }
        Some(Kind::MonthsInProgram(_)) => Some(Measure::MonthsInProgram),
        Some(Kind::MonthsInTier(_)) => Some(Measure::MonthsInTier),
        Some(Kind::PartnerNumber(number)) => Some(Measure::PartnerNumber {
            attribute: number.attribute,
        }),
        None => reader.wrong(
            "must be count, count_distinct, sum, persons_certified, months_in_program, \
             months_in_tier or partner_number",
        ),
    }
}

fn addend(reader: &mut Reader, message: pb::Addend) -> Option<Addend> {
    use pb::addend::Kind;
    match message.kind {
        Some(Kind::Amount(_)) => Some(Addend::Amount),
        Some(Kind::Quantity(_)) => Some(Addend::Quantity),
        Some(Kind::Field(name)) => Some(Addend::Field(name)),
        None => reader.wrong("must be amount, quantity or field"),
    }
}

fn selection(reader: &mut Reader, message: pb::Selection) -> Option<Selection> {
    let filter = reader.optional("filter", message.filter, condition);
    let window = reader.required("window", message.window, window);
    Some(Selection {
        kind: FactKind::new(message.kind),
        filter: filter?.unwrap_or_default(),
        date: message.date,
        window: window?,
    })
}

fn window(reader: &mut Reader, message: pb::Window) -> Option<Window> {
    use pb::window::Kind;
    match message.kind {
        Some(Kind::RollingMonths(n)) => reader
            .at("rolling_months", |r| small(r, n))
            .map(Window::RollingMonths),
        Some(Kind::RollingDays(n)) => reader
            .at("rolling_days", |r| small(r, n))
            .map(Window::RollingDays),
        Some(Kind::Current(unit)) => reader
            .at("current", |r| period_unit(r, unit))
            .map(Window::Current),
        Some(Kind::SinceEnrollment(_)) => Some(Window::SinceEnrollment),
        Some(Kind::AllTime(_)) => Some(Window::AllTime),
        None => reader
            .wrong("must be rolling_months, rolling_days, current, since_enrollment or all_time"),
    }
}

pub(super) fn condition(reader: &mut Reader, message: pb::Condition) -> Option<Condition> {
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

fn threshold(reader: &mut Reader, message: pb::Threshold) -> Option<Threshold> {
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
