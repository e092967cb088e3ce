//! Requirements, measures and conditions as their messages.

use tierline_domain::rules::{
    Addend, Condition, Criterion, Measure, Periods, Requirement, Selection, Test, Threshold, Value,
    Window,
};
use tierline_proto::program::v1 as pb;

use super::common::{period_unit_message, value_message};

pub(super) fn requirement_message(requirement: &Requirement) -> pb::Requirement {
    use pb::requirement::Kind;
    let list = |items: &[Requirement]| items.iter().map(requirement_message).collect();
    let kind = match requirement {
        Requirement::All(items) => Kind::All(pb::RequirementList { items: list(items) }),
        Requirement::Any(items) => Kind::Any(pb::RequirementList { items: list(items) }),
        Requirement::AtLeast { count, of } => Kind::AtLeast(pb::AtLeast {
            count: *count,
            of: list(of),
        }),
        Requirement::Not(inner) => Kind::Negation(Box::new(requirement_message(inner))),
        Requirement::Criterion(inner) => Kind::Criterion(criterion(inner)),
        Requirement::EveryPeriod(inner) => Kind::EveryPeriod(Box::new(periods(inner))),
        Requirement::AnyPeriod(inner) => Kind::AnyPeriod(Box::new(periods(inner))),
        Requirement::Partner { id, name, filter } => Kind::Partner(pb::PartnerCondition {
            id: id.clone(),
            name: name.clone(),
            filter: Some(condition(filter)),
        }),
    };
    pb::Requirement { kind: Some(kind) }
}

fn periods(periods: &Periods) -> pb::Periods {
    pb::Periods {
        unit: period_unit_message(periods.unit).into(),
        last: periods.last,
        holds: Some(Box::new(requirement_message(&periods.holds))),
    }
}

fn criterion(criterion: &Criterion) -> pb::Criterion {
    pb::Criterion {
        id: criterion.id.clone(),
        name: criterion.name.clone(),
        measure: Some(measure(&criterion.measure)),
        needs: Some(threshold(&criterion.needs)),
        of_which: criterion
            .of_which
            .iter()
            .map(|part| pb::OfWhich {
                name: part.name.clone(),
                filter: Some(condition(&part.filter)),
                needs: Some(threshold(&part.needs)),
            })
            .collect(),
        note: criterion.note.clone(),
    }
}

fn measure(measure: &Measure) -> pb::Measure {
    use pb::measure::Kind;
    let kind = match measure {
        Measure::Count { facts } => Kind::Count(pb::Count {
            facts: Some(selection(facts)),
        }),
        Measure::CountDistinct { facts, key } => Kind::CountDistinct(pb::CountDistinct {
            facts: Some(selection(facts)),
            key: key.clone(),
        }),
        Measure::Sum { facts, of } => Kind::Sum(pb::Sum {
            facts: Some(selection(facts)),
            of: Some(addend(of)),
        }),
        Measure::PersonsCertified { filter, at_least } => {
            Kind::PersonsCertified(pb::PersonsCertified {
                filter: Some(condition(filter)),
                at_least: Some(*at_least),
            })
        }
        Measure::MonthsInProgram => Kind::MonthsInProgram(pb::MonthsInProgram {}),
        Measure::MonthsInTier => Kind::MonthsInTier(pb::MonthsInTier {}),
        Measure::PartnerNumber { attribute } => Kind::PartnerNumber(pb::PartnerNumber {
            attribute: attribute.clone(),
        }),
    };
    pb::Measure { kind: Some(kind) }
}

fn addend(addend: &Addend) -> pb::Addend {
    use pb::addend::Kind;
    let kind = match addend {
        Addend::Amount => Kind::Amount(pb::AmountAddend {}),
        Addend::Quantity => Kind::Quantity(pb::QuantityAddend {}),
        Addend::Field(name) => Kind::Field(name.clone()),
    };
    pb::Addend { kind: Some(kind) }
}

fn selection(selection: &Selection) -> pb::Selection {
    pb::Selection {
        kind: selection.kind.as_str().to_owned(),
        filter: Some(condition(&selection.filter)),
        date: selection.date.clone(),
        window: Some(window(selection.window)),
    }
}

fn window(window: Window) -> pb::Window {
    use pb::window::Kind;
    let kind = match window {
        Window::RollingMonths(n) => Kind::RollingMonths(n.into()),
        Window::RollingDays(n) => Kind::RollingDays(n.into()),
        Window::Current(unit) => Kind::Current(period_unit_message(unit).into()),
        Window::SinceEnrollment => Kind::SinceEnrollment(pb::SinceEnrollment {}),
        Window::AllTime => Kind::AllTime(pb::AllTime {}),
    };
    pb::Window { kind: Some(kind) }
}

fn condition(given: &Condition) -> pb::Condition {
    use pb::condition::Kind;
    let list = |items: &[Condition]| pb::ConditionList {
        items: items.iter().map(condition).collect(),
    };
    let kind = match given {
        Condition::All(items) => Kind::All(list(items)),
        Condition::Any(items) => Kind::Any(list(items)),
        Condition::Not(inner) => Kind::Negation(Box::new(condition(inner))),
        Condition::Field { name, test: given } => Kind::Field(pb::FieldCondition {
            name: name.clone(),
            test: Some(test(given)),
        }),
    };
    pb::Condition { kind: Some(kind) }
}

fn test(test: &Test) -> pb::Test {
    use pb::test::Kind;
    let list = |values: &[Value]| pb::ValueList {
        items: values.iter().map(value_message).collect(),
    };
    let kind = match test {
        Test::Equals(value) => Kind::Equals(value_message(value)),
        Test::Gte(value) => Kind::Gte(value_message(value)),
        Test::Lte(value) => Kind::Lte(value_message(value)),
        Test::Gt(value) => Kind::Gt(value_message(value)),
        Test::Lt(value) => Kind::Lt(value_message(value)),
        Test::Between { from, to } => Kind::Between(pb::ValueRange {
            lower: from.as_ref().map(value_message),
            upper: to.as_ref().map(value_message),
        }),
        Test::IncludesAny(values) => Kind::IncludesAny(list(values)),
        Test::IncludesAll(values) => Kind::IncludesAll(list(values)),
        Test::Exists(flag) => Kind::Exists(*flag),
    };
    pb::Test { kind: Some(kind) }
}

fn threshold(threshold: &Threshold) -> pb::Threshold {
    use pb::threshold::Kind;
    let kind = match threshold {
        Threshold::Gte(number) => Kind::Gte(number.to_string()),
        Threshold::Gt(number) => Kind::Gt(number.to_string()),
        Threshold::Lte(number) => Kind::Lte(number.to_string()),
        Threshold::Lt(number) => Kind::Lt(number.to_string()),
        Threshold::Between { from, to } => Kind::Between(pb::NumberRange {
            lower: from.to_string(),
            upper: to.to_string(),
        }),
        Threshold::Equals(number) => Kind::Equals(number.to_string()),
    };
    pb::Threshold { kind: Some(kind) }
}
