//! Measures as their messages: numbers that are made of other numbers.

use rust_decimal::Decimal;
use tierline_domain::rules::{
    Growth, Measure, Requirement, ScorePoint, ScoreStep, Weight, WhenZero,
};
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::measure::Kind;

use super::measure_out::{measure, number_text, when_zero};
use super::requirement_out::boxed as requirement;

pub(super) fn boxed(inner: &Measure) -> Option<Box<pb::Measure>> {
    Some(Box::new(measure(inner)))
}

pub(super) fn several(parts: &[Measure]) -> pb::MeasureList {
    pb::MeasureList {
        items: parts.iter().map(measure).collect(),
    }
}

pub(super) fn ratio(of: &Measure, to: &Measure, otherwise: WhenZero) -> Kind {
    Kind::Ratio(Box::new(pb::Ratio {
        of: boxed(of),
        to: boxed(to),
        when_zero: when_zero(otherwise).into(),
    }))
}

pub(super) fn growth(growth: &Growth) -> Kind {
    Kind::Growth(Box::new(pb::Growth {
        of: boxed(&growth.of),
        months: Some(growth.months.into()),
        minimum_base: growth.minimum_base.to_string(),
        step: number_text(growth.step),
    }))
}

pub(super) fn difference(of: &Measure, less: &Measure) -> Kind {
    Kind::Difference(Box::new(pb::Difference {
        of: boxed(of),
        less: boxed(less),
    }))
}

pub(super) fn times(of: &Measure, by: Decimal) -> Kind {
    Kind::Times(Box::new(pb::Times {
        of: boxed(of),
        by: by.to_string(),
    }))
}

pub(super) fn steps(of: &Measure, table: &[ScoreStep]) -> Kind {
    let step = |step: &ScoreStep| pb::ScoreStep {
        from: step.from.to_string(),
        gives: step.gives.to_string(),
    };
    Kind::Steps(Box::new(pb::Steps {
        of: boxed(of),
        table: table.iter().map(step).collect(),
    }))
}

pub(super) fn linear(of: &Measure, table: &[ScorePoint]) -> Kind {
    let point = |point: &ScorePoint| pb::ScorePoint {
        at: point.at.to_string(),
        gives: point.gives.to_string(),
    };
    Kind::Linear(Box::new(pb::Linear {
        of: boxed(of),
        table: table.iter().map(point).collect(),
    }))
}

pub(super) fn weighted(parts: &[Weight]) -> Kind {
    let weight = |part: &Weight| pb::Weight {
        name: part.name.clone(),
        weight: part.weight.to_string(),
        of: Some(measure(&part.of)),
    };
    Kind::Weighted(pb::Weighted {
        items: parts.iter().map(weight).collect(),
    })
}

pub(super) fn gate(when: &Requirement, of: &Measure) -> Kind {
    Kind::Gate(Box::new(pb::Gate {
        when: Some(requirement(when)),
        of: boxed(of),
    }))
}
