//! Measures out of their messages: numbers that are made of other numbers.

use rust_decimal::Decimal;
use tierline_domain::rules::{Growth, Measure, ScorePoint, ScoreStep, Weight};
use tierline_proto::program::v1 as pb;

use super::common::{decimal, small};
use super::measure::{measure, when_zero};
use super::requirement::boxed as requirement;
use super::{Reader, fields};

/// Months over which growth is measured where a message does not say it.
const YEAR: u16 = 12;

pub(super) fn several(
    reader: &mut Reader,
    field: &str,
    message: pb::MeasureList,
) -> Option<Vec<Measure>> {
    reader.at(field, |r| r.list("items", message.items, measure))
}

pub(super) fn boxed(
    reader: &mut Reader,
    field: &str,
    message: Option<Box<pb::Measure>>,
) -> Option<Box<Measure>> {
    reader
        .required(field, message, |r, inner| measure(r, *inner))
        .map(Box::new)
}

fn number(reader: &mut Reader, field: &str, text: &str) -> Option<Decimal> {
    reader.at(field, |r| decimal(r, text))
}

pub(super) fn ratio(reader: &mut Reader, message: pb::Ratio) -> Option<Measure> {
    let of = boxed(reader, "of", message.of);
    let to = boxed(reader, "to", message.to);
    let when_zero = reader.at("when_zero", |r| when_zero(r, message.when_zero));
    Some(Measure::Ratio {
        of: of?,
        to: to?,
        when_zero: when_zero?,
    })
}

pub(super) fn growth(reader: &mut Reader, message: pb::Growth) -> Option<Measure> {
    let of = boxed(reader, "of", message.of);
    let months = reader.optional("months", message.months, small);
    let minimum_base = fields::optional_decimal(reader, "minimum_base", &message.minimum_base);
    let step = fields::optional_decimal(reader, "step", &message.step);
    Some(Measure::Growth(Growth {
        of: of?,
        months: months?.unwrap_or(YEAR),
        minimum_base: minimum_base.unwrap_or_default(),
        step,
    }))
}

pub(super) fn steps(reader: &mut Reader, message: pb::Steps) -> Option<Measure> {
    let of = boxed(reader, "of", message.of);
    let table = reader.list("table", message.table, |r, step| {
        let from = number(r, "from", &step.from);
        let gives = number(r, "gives", &step.gives);
        Some(ScoreStep {
            from: from?,
            gives: gives?,
        })
    });
    Some(Measure::Steps {
        of: of?,
        table: table?,
    })
}

pub(super) fn linear(reader: &mut Reader, message: pb::Linear) -> Option<Measure> {
    let of = boxed(reader, "of", message.of);
    let table = reader.list("table", message.table, |r, point| {
        let at = number(r, "at", &point.at);
        let gives = number(r, "gives", &point.gives);
        Some(ScorePoint {
            at: at?,
            gives: gives?,
        })
    });
    Some(Measure::Linear {
        of: of?,
        table: table?,
    })
}

pub(super) fn difference(reader: &mut Reader, message: pb::Difference) -> Option<Measure> {
    let of = boxed(reader, "of", message.of);
    let less = boxed(reader, "less", message.less);
    Some(Measure::Difference {
        of: of?,
        less: less?,
    })
}

pub(super) fn times(reader: &mut Reader, message: pb::Times) -> Option<Measure> {
    let of = boxed(reader, "of", message.of);
    let by = number(reader, "by", &message.by);
    Some(Measure::Times { of: of?, by: by? })
}

pub(super) fn weighted(reader: &mut Reader, message: pb::Weighted) -> Option<Measure> {
    let parts = reader.list("items", message.items, weight)?;
    Some(Measure::Weighted(parts))
}

fn weight(reader: &mut Reader, message: pb::Weight) -> Option<Weight> {
    let weight = number(reader, "weight", &message.weight);
    let of = reader.required("of", message.of, measure);
    Some(Weight {
        name: message.name,
        weight: weight?,
        of: of?,
    })
}

pub(super) fn gate(reader: &mut Reader, message: pb::Gate) -> Option<Measure> {
    let when = reader.required("when", message.when, |r, inner| requirement(r, *inner));
    let of = boxed(reader, "of", message.of);
    Some(Measure::Gate {
        when: when?,
        of: of?,
    })
}
