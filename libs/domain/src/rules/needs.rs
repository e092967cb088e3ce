//! What a requirement has to be kept for it: the series that it is measured on, and the kinds of
//! facts that it looks at one by one.

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::rules::fact::FactKind;
use crate::rules::model::{
    Addend, Condition, Criterion, Grouping, Measure, Points, PointsEntry, Requirement, Taken,
    Window,
};
use crate::rules::rates::Pricing;
use crate::rules::series::{GroupBy, SeriesSpec, SeriesValue};

/// Calls `visit` with every criterion of a requirement, with those that gate a measure.
pub fn each_criterion<'a>(requirement: &'a Requirement, visit: &mut dyn FnMut(&'a Criterion)) {
    if let Requirement::Criterion(criterion) = requirement {
        visit(criterion);
        criterion
            .measure
            .each_gate(&mut |gate| each_criterion(gate, visit));
    }
    requirement.each_child(&mut |child| each_criterion(child, visit));
}

/// The series that a requirement is measured on, each once, in the order of the requirement.
pub fn series_of<'p>(
    requirement: &Requirement,
    pricing: impl Into<Pricing<'p>>,
) -> Vec<SeriesSpec<'static>> {
    let pricing = pricing.into();
    let mut specs: Vec<SeriesSpec<'static>> = Vec::new();
    let mut add = |spec: SeriesSpec<'_>| {
        if !specs.contains(&spec) {
            specs.push(spec.into_owned());
        }
    };
    walk(requirement, &mut |requirement| match requirement {
        Requirement::Criterion(criterion) => {
            each_series(criterion, pricing, &mut |spec, _| add(spec));
        }
        Requirement::ForEach(each) => add(each.groups.spec(pricing)),
        _ => {}
    });
    specs
}

/// The kinds of facts that a requirement looks at one by one, each once. Certifications are not
/// among them: they are always kept.
pub fn kinds_of(requirement: &Requirement) -> Vec<FactKind> {
    let mut kinds = Vec::new();
    each_criterion(requirement, &mut |criterion| {
        criterion.measure.each_part(&mut |measure| {
            if let Measure::InForce(facts) = measure
                && !kinds.contains(&facts.kind)
            {
                kinds.push(facts.kind.clone());
            }
        });
    });
    kinds
}

/// The measures of a requirement that look beyond the partner, each once: what has to be supplied
/// for it.
pub fn beyond_of(requirement: &Requirement) -> Vec<Measure> {
    let mut measures = Vec::new();
    each_criterion(requirement, &mut |criterion| {
        criterion.measure.each_part(&mut |measure| {
            if measure.looks_beyond() && !measures.contains(measure) {
                measures.push(measure.clone());
            }
        });
    });
    measures
}

fn walk<'a>(requirement: &'a Requirement, visit: &mut dyn FnMut(&'a Requirement)) {
    visit(requirement);
    if let Requirement::Criterion(criterion) = requirement {
        criterion.measure.each_gate(&mut |gate| walk(gate, visit));
    }
    requirement.each_child(&mut |child| walk(child, visit));
}

/// The series that a criterion is measured on, each with its window. What gates the measure is not
/// among them.
pub(crate) fn each_series<'a>(
    criterion: &'a Criterion,
    pricing: Pricing<'a>,
    visit: &mut dyn FnMut(SeriesSpec<'a>, Window),
) {
    criterion.measure.each_part(&mut |measure| match measure {
        Measure::Points(points) => {
            for at in 0..points.table.len() {
                let entry = &points.table[at];
                visit(points.spec(at, pricing), entry.facts.window);
            }
        }
        Measure::Groups { groups, .. } | Measure::CountGroups { groups, .. } => {
            visit(groups.spec(pricing), groups.facts.window);
        }
        simple => {
            if let Some((spec, window)) = simple.series(pricing) {
                // Parts are of the whole, not of the numbers that another is made of.
                let whole = std::ptr::eq(simple, &raw const criterion.measure)
                    && !matches!(simple, Measure::DaysSince { .. });
                let parts = if whole {
                    criterion.of_which.as_slice()
                } else {
                    &[]
                };
                visit(spec.with_parts(parts), window);
            }
        }
    });
}

impl Measure {
    /// True when the measure itself looks beyond the partner.
    pub fn looks_beyond(&self) -> bool {
        matches!(
            self,
            Self::TiersHeld(_) | Self::Across(_) | Self::Rank(_) | Self::Line(_)
        )
    }

    /// Calls `visit` with this measure and every one inside it.
    pub fn each_part<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        self.each_child(&mut |child| child.each_part(visit));
    }

    /// Calls `visit` with every requirement that gates this measure or one inside it.
    pub(crate) fn each_gate<'a>(&'a self, visit: &mut dyn FnMut(&'a Requirement)) {
        self.each_part(&mut |part| {
            if let Self::Gate { when, .. } = part {
                visit(when);
            }
        });
    }

    /// The series and the window of a measure over one selection of dated facts; `None` for the
    /// other measures. `pricing` is that of the program.
    pub(crate) fn series<'a>(&'a self, pricing: Pricing<'a>) -> Option<(SeriesSpec<'a>, Window)> {
        let (facts, value) = match self {
            Self::Count { facts } | Self::DaysSince { facts } => (facts, SeriesValue::Count),
            Self::CountDistinct { facts, key } => {
                (facts, SeriesValue::Distinct(Cow::Borrowed(key)))
            }
            Self::Sum { facts, of } => (facts, of.value(pricing)),
            _ => return None,
        };
        Some((SeriesSpec::over(facts, value), facts.window))
    }
}

impl Addend {
    fn value<'a>(&'a self, pricing: Pricing<'a>) -> SeriesValue<'a> {
        match self {
            Self::Amount if pricing.fixed.is_empty() => SeriesValue::Amount(pricing.currency),
            Self::Amount => SeriesValue::FixedAmount {
                currency: pricing.currency,
                fixed: Cow::Borrowed(pricing.fixed),
            },
            Self::Quantity => SeriesValue::Quantity,
            Self::Field(name) => SeriesValue::Field(Cow::Borrowed(name)),
        }
    }
}

impl Grouping {
    /// The series of the groups.
    pub(crate) fn spec<'a>(&'a self, pricing: Pricing<'a>) -> SeriesSpec<'a> {
        let value = match &self.of {
            Some(addend) => addend.value(pricing),
            None => SeriesValue::Count,
        };
        SeriesSpec::over(&self.facts, value).divided(GroupBy::field(&self.by))
    }
}

impl Points {
    /// The series of an entry: its facts, without those that an earlier entry takes.
    pub(crate) fn spec<'a>(&'a self, at: usize, pricing: Pricing<'a>) -> SeriesSpec<'a> {
        let entry = &self.table[at];
        let value = match (&entry.per, entry.points) {
            (None, points) if points == Decimal::ONE => SeriesValue::Count,
            (per, points) => SeriesValue::Points {
                points,
                per: per.as_ref().map(Cow::Borrowed),
                currency: pricing.currency,
                fixed: Cow::Borrowed(pricing.fixed),
            },
        };
        let mut spec = SeriesSpec::over(&entry.facts, value);
        if self.take == Taken::First {
            spec.filter = not_taken_before(&self.table[..at], entry);
        }
        match (entry.first, &entry.most_per) {
            (Some(_), _) => spec.divided(GroupBy::Fact),
            (None, Some(cap)) => spec.divided(GroupBy::field(&cap.key)),
            (None, None) => spec,
        }
    }
}

/// The filter of an entry without the facts of earlier ones. Windows and dates do not matter for
/// that: which line a fact belongs to is a question of its fields.
fn not_taken_before<'a>(earlier: &'a [PointsEntry], entry: &'a PointsEntry) -> Cow<'a, Condition> {
    let taken: Vec<Condition> = earlier
        .iter()
        .filter(|other| other.facts.kind == entry.facts.kind)
        .map(|other| other.facts.filter.clone())
        .collect();
    if taken.is_empty() {
        return Cow::Borrowed(&entry.facts.filter);
    }
    Cow::Owned(Condition::All(vec![
        entry.facts.filter.clone(),
        Condition::Not(Box::new(Condition::Any(taken))),
    ]))
}
