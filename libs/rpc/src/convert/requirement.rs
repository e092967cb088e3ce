//! Requirements out of their messages. How deep they nest is bounded by the decoder of messages.

use tierline_domain::rules::{
    Case, Criterion, Duration, ForEach, OfWhich, Otherwise, Path, Periods, Requirement, Sustained,
    Where,
};
use tierline_proto::program::v1 as pb;

use super::common::{period_unit, small};
use super::condition::{condition, threshold};
use super::measure::{grouping, measure, window};
use super::{Reader, fields};

const ONE_OF_REQUIREMENT: &str = "must be all, any, at_least, negation, criterion, every_period, \
                                  any_period, partner, streak, sustained, any_day, for_each, \
                                  best_of, where or information";

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
        Some(Kind::Negation(inner)) => reader
            .at("negation", |r| boxed(r, *inner))
            .map(Requirement::Not),
        Some(Kind::Criterion(inner)) => {
            let inner = reader.at("criterion", |r| criterion(r, *inner))?;
            Some(Requirement::Criterion(Box::new(inner)))
        }
        Some(Kind::EveryPeriod(inner)) => reader
            .at("every_period", |r| periods(r, *inner))
            .map(Requirement::EveryPeriod),
        Some(Kind::AnyPeriod(inner)) => reader
            .at("any_period", |r| periods(r, *inner))
            .map(Requirement::AnyPeriod),
        Some(Kind::Partner(inner)) => reader.at("partner", |r| partner(r, inner)),
        Some(Kind::Streak(inner)) => reader.at("streak", |r| streak(r, *inner)),
        Some(Kind::Sustained(inner)) => reader
            .at("sustained", |r| sustained(r, *inner))
            .map(Requirement::Sustained),
        Some(Kind::AnyDay(inner)) => reader.at("any_day", |r| any_day(r, *inner)),
        Some(Kind::ForEach(inner)) => reader
            .at("for_each", |r| for_each(r, *inner))
            .map(Requirement::ForEach),
        Some(Kind::BestOf(ways)) => reader
            .at("best_of", |r| r.list("items", ways.items, path))
            .map(Requirement::BestOf),
        Some(Kind::Where(inner)) => reader
            .at("where", |r| place(r, *inner))
            .map(Requirement::Where),
        Some(Kind::Information(inner)) => reader
            .at("information", |r| boxed(r, *inner))
            .map(Requirement::Information),
        None => reader.wrong(ONE_OF_REQUIREMENT),
    }
}

pub(super) fn boxed(reader: &mut Reader, message: pb::Requirement) -> Option<Box<Requirement>> {
    requirement(reader, message).map(Box::new)
}

/// What must hold, below a node that says when or for what.
fn holds(reader: &mut Reader, message: Option<Box<pb::Requirement>>) -> Option<Box<Requirement>> {
    reader.required("holds", message, |r, inner| boxed(r, *inner))
}

fn periods(reader: &mut Reader, message: pb::Periods) -> Option<Periods> {
    let unit = reader.at("unit", |r| period_unit(r, message.unit));
    let holds = holds(reader, message.holds);
    Some(Periods {
        unit: unit?,
        last: message.last,
        holds: holds?,
    })
}

fn partner(reader: &mut Reader, message: pb::PartnerCondition) -> Option<Requirement> {
    let filter = reader.required("filter", message.filter, condition)?;
    Some(Requirement::Partner {
        id: message.id,
        name: message.name,
        filter,
    })
}

fn streak(reader: &mut Reader, message: pb::Streak) -> Option<Requirement> {
    let unit = reader.at("unit", |r| period_unit(r, message.unit));
    let holds = holds(reader, message.holds);
    Some(Requirement::Streak {
        count: message.count,
        unit: unit?,
        last: message.last,
        holds: holds?,
    })
}

fn sustained(reader: &mut Reader, message: pb::Sustained) -> Option<Sustained> {
    let duration = reader.required("duration", message.duration, duration);
    let holds = holds(reader, message.holds);
    Some(Sustained {
        duration: duration?,
        longer: message.longer,
        holds: holds?,
    })
}

pub(super) fn duration(reader: &mut Reader, message: pb::Duration) -> Option<Duration> {
    use pb::duration::Kind;
    match message.kind {
        Some(Kind::Days(n)) => reader.at("days", |r| small(r, n)).map(Duration::Days),
        Some(Kind::Months(n)) => reader.at("months", |r| small(r, n)).map(Duration::Months),
        None => reader.wrong("must be days or months"),
    }
}

fn any_day(reader: &mut Reader, message: pb::AnyDay) -> Option<Requirement> {
    let window = reader.required("window", message.window, window);
    let holds = holds(reader, message.holds);
    Some(Requirement::AnyDay {
        window: window?,
        holds: holds?,
    })
}

fn for_each(reader: &mut Reader, message: pb::ForEach) -> Option<ForEach> {
    let groups = reader.required("groups", message.groups, grouping);
    let having = reader.optional("having", message.having, threshold);
    let holds = holds(reader, message.holds);
    Some(ForEach {
        groups: groups?,
        having: having?,
        greatest: message.greatest,
        holds: holds?,
    })
}

fn path(reader: &mut Reader, message: pb::Path) -> Option<Path> {
    let holds = reader.required("holds", message.holds, requirement)?;
    Some(Path {
        name: message.name,
        holds,
    })
}

fn place(reader: &mut Reader, message: pb::Where) -> Option<Where> {
    let filter = reader.optional("filter", message.filter, condition);
    let from = fields::optional_date(reader, "from_date", &message.from_date);
    let until = fields::optional_date(reader, "until_date", &message.until_date);
    let holds = holds(reader, message.holds);
    let otherwise = reader.at("otherwise", |r| otherwise(r, message.otherwise));
    Some(Where {
        filter: filter?.unwrap_or_default(),
        from,
        until,
        holds: holds?,
        otherwise: otherwise?,
    })
}

fn otherwise(reader: &mut Reader, number: i32) -> Option<Otherwise> {
    match pb::Otherwise::try_from(number) {
        Ok(pb::Otherwise::Unspecified | pb::Otherwise::NotApplicable) => {
            Some(Otherwise::NotApplicable)
        }
        Ok(pb::Otherwise::Unmet) => Some(Otherwise::Unmet),
        Err(_) => reader.wrong("is no known outcome"),
    }
}

fn criterion(reader: &mut Reader, message: pb::Criterion) -> Option<Criterion> {
    let measure = reader.required("measure", message.measure, |r, inner| measure(r, *inner));
    let needs = reader.required("needs", message.needs, threshold);
    let cases = reader.list("cases", message.cases, |r, case| {
        let filter = r.required("filter", case.filter, condition);
        let needs = r.required("needs", case.needs, threshold);
        Some(Case {
            filter: filter?,
            needs: needs?,
        })
    });
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
        cases: cases?,
        of_which: of_which?,
        note: message.note,
    })
}
