//! Requirements as their messages.

use tierline_domain::rules::{
    Case, Criterion, Duration, ForEach, OfWhich, Otherwise, Path, Periods, Requirement, Sustained,
    Where,
};
use tierline_proto::program::v1 as pb;

use super::common::{date_text, period_unit_message};
use super::condition_out::{condition, threshold};
use super::measure_out::{grouping, measure, window};

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
        Requirement::Not(inner) => Kind::Negation(boxed(inner)),
        Requirement::Criterion(inner) => Kind::Criterion(Box::new(criterion(inner))),
        Requirement::EveryPeriod(inner) => Kind::EveryPeriod(Box::new(periods(inner))),
        Requirement::AnyPeriod(inner) => Kind::AnyPeriod(Box::new(periods(inner))),
        Requirement::Streak {
            count,
            unit,
            last,
            holds,
        } => Kind::Streak(Box::new(pb::Streak {
            count: *count,
            unit: period_unit_message(*unit).into(),
            last: *last,
            holds: Some(boxed(holds)),
        })),
        Requirement::Sustained(inner) => Kind::Sustained(Box::new(sustained(inner))),
        Requirement::AnyDay {
            window: days,
            holds,
        } => Kind::AnyDay(Box::new(pb::AnyDay {
            window: Some(window(*days)),
            holds: Some(boxed(holds)),
        })),
        Requirement::ForEach(inner) => Kind::ForEach(Box::new(for_each(inner))),
        Requirement::BestOf(paths) => Kind::BestOf(pb::BestOf {
            items: paths.iter().map(path).collect(),
        }),
        Requirement::Where(inner) => Kind::Where(Box::new(place(inner))),
        Requirement::Information(inner) => Kind::Information(boxed(inner)),
        Requirement::Partner { id, name, filter } => Kind::Partner(pb::PartnerCondition {
            id: id.clone(),
            name: name.clone(),
            filter: Some(condition(filter)),
        }),
    };
    pb::Requirement { kind: Some(kind) }
}

pub(super) fn boxed(requirement: &Requirement) -> Box<pb::Requirement> {
    Box::new(requirement_message(requirement))
}

fn periods(periods: &Periods) -> pb::Periods {
    pb::Periods {
        unit: period_unit_message(periods.unit).into(),
        last: periods.last,
        holds: Some(boxed(&periods.holds)),
    }
}

pub(super) fn duration(duration: Duration) -> pb::Duration {
    use pb::duration::Kind;
    let kind = match duration {
        Duration::Days(days) => Kind::Days(days.into()),
        Duration::Months(months) => Kind::Months(months.into()),
    };
    pb::Duration { kind: Some(kind) }
}

fn sustained(sustained: &Sustained) -> pb::Sustained {
    pb::Sustained {
        duration: Some(duration(sustained.duration)),
        longer: sustained.longer,
        holds: Some(boxed(&sustained.holds)),
    }
}

fn for_each(each: &ForEach) -> pb::ForEach {
    pb::ForEach {
        groups: Some(grouping(&each.groups)),
        having: each.having.as_ref().map(threshold),
        greatest: each.greatest,
        holds: Some(boxed(&each.holds)),
    }
}

fn path(path: &Path) -> pb::Path {
    pb::Path {
        name: path.name.clone(),
        holds: Some(requirement_message(&path.holds)),
    }
}

fn place(place: &Where) -> pb::Where {
    let otherwise = match place.otherwise {
        Otherwise::NotApplicable => pb::Otherwise::NotApplicable,
        Otherwise::Unmet => pb::Otherwise::Unmet,
    };
    pb::Where {
        filter: Some(condition(&place.filter)),
        from_date: date_text(place.from),
        until_date: date_text(place.until),
        holds: Some(boxed(&place.holds)),
        otherwise: otherwise.into(),
    }
}

fn criterion(criterion: &Criterion) -> pb::Criterion {
    pb::Criterion {
        id: criterion.id.clone(),
        name: criterion.name.clone(),
        measure: Some(Box::new(measure(&criterion.measure))),
        needs: Some(threshold(&criterion.needs)),
        of_which: criterion.of_which.iter().map(of_which).collect(),
        note: criterion.note.clone(),
        cases: criterion.cases.iter().map(case).collect(),
    }
}

fn case(case: &Case) -> pb::Case {
    pb::Case {
        filter: Some(condition(&case.filter)),
        needs: Some(threshold(&case.needs)),
    }
}

fn of_which(part: &OfWhich) -> pb::OfWhich {
    pb::OfWhich {
        name: part.name.clone(),
        filter: Some(condition(&part.filter)),
        needs: Some(threshold(&part.needs)),
    }
}
