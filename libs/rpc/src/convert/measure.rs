//! Measures out of their messages: numbers that are made of facts. Those that are made of other
//! numbers are in `composed.rs`.

use tierline_domain::rules::{
    Addend, After, FactKind, Grouping, InForce, Measure, MostPer, Per, Points, PointsEntry, Role,
    Roles, Selection, Take, Taken, Validity, When, WhenZero, Window,
};
use tierline_proto::program::v1 as pb;

use super::common::{decimal, period_unit, small};
use super::condition::{condition, threshold};
use super::{Reader, beyond, composed, fields};

const ONE_OF_MEASURE: &str = "must be count, count_distinct, sum, persons_certified, \
                              months_in_program, months_in_tier, partner_number, points, groups, \
                              count_groups, roles, in_force, days_since, periods_in_tier, ratio, \
                              growth, total, difference, times, least, greatest, steps, linear, \
                              weighted, gate, tiers_held, across, rank or line";

pub(super) fn measure(reader: &mut Reader, message: pb::Measure) -> Option<Measure> {
    use pb::measure::Kind;
    let Some(kind) = message.kind else {
        return reader.wrong(ONE_OF_MEASURE);
    };
    match kind {
        Kind::Count(inner) => reader.at("count", |r| count(r, inner)),
        Kind::CountDistinct(inner) => reader.at("count_distinct", |r| count_distinct(r, inner)),
        Kind::Sum(inner) => reader.at("sum", |r| sum(r, inner)),
        Kind::PersonsCertified(inner) => {
            reader.at("persons_certified", |r| persons_certified(r, inner))
        }
        Kind::MonthsInProgram(_) => Some(Measure::MonthsInProgram),
        Kind::MonthsInTier(_) => Some(Measure::MonthsInTier),
        Kind::PartnerNumber(inner) => Some(Measure::PartnerNumber {
            attribute: inner.attribute,
        }),
        Kind::Points(inner) => reader.at("points", |r| points(r, inner)),
        Kind::Groups(inner) => reader.at("groups", |r| groups(r, inner)),
        Kind::CountGroups(inner) => reader.at("count_groups", |r| count_groups(r, inner)),
        Kind::Roles(inner) => reader.at("roles", |r| roles(r, inner)),
        Kind::InForce(inner) => reader.at("in_force", |r| in_force(r, inner)),
        Kind::DaysSince(inner) => reader.at("days_since", |r| days_since(r, inner)),
        Kind::PeriodsInTier(inner) => reader.at("periods_in_tier", |r| periods_in_tier(r, inner)),
        Kind::Ratio(inner) => reader.at("ratio", |r| composed::ratio(r, *inner)),
        Kind::Growth(inner) => reader.at("growth", |r| composed::growth(r, *inner)),
        Kind::Total(list) => composed::several(reader, "total", list).map(Measure::Total),
        Kind::Difference(inner) => reader.at("difference", |r| composed::difference(r, *inner)),
        Kind::Times(inner) => reader.at("times", |r| composed::times(r, *inner)),
        Kind::Least(list) => composed::several(reader, "least", list).map(Measure::Least),
        Kind::Greatest(list) => composed::several(reader, "greatest", list).map(Measure::Greatest),
        Kind::Steps(inner) => reader.at("steps", |r| composed::steps(r, *inner)),
        Kind::Linear(inner) => reader.at("linear", |r| composed::linear(r, *inner)),
        Kind::Weighted(inner) => reader.at("weighted", |r| composed::weighted(r, inner)),
        Kind::Gate(inner) => reader.at("gate", |r| composed::gate(r, *inner)),
        Kind::TiersHeld(inner) => reader.at("tiers_held", |r| beyond::tiers_held(r, inner)),
        Kind::Across(inner) => reader.at("across", |r| beyond::across(r, *inner)),
        Kind::Rank(inner) => reader.at("rank", |r| beyond::rank(r, *inner)),
        Kind::Line(inner) => reader.at("line", |r| beyond::line(r, *inner)),
    }
}

fn count(reader: &mut Reader, message: pb::Count) -> Option<Measure> {
    let facts = facts(reader, message.facts)?;
    Some(Measure::Count { facts })
}

fn count_distinct(reader: &mut Reader, message: pb::CountDistinct) -> Option<Measure> {
    let facts = facts(reader, message.facts)?;
    let key = message.key;
    Some(Measure::CountDistinct { facts, key })
}

fn sum(reader: &mut Reader, message: pb::Sum) -> Option<Measure> {
    let facts = facts(reader, message.facts);
    let of = reader.required("of", message.of, addend);
    Some(Measure::Sum {
        facts: facts?,
        of: of?,
    })
}

fn days_since(reader: &mut Reader, message: pb::DaysSince) -> Option<Measure> {
    let facts = facts(reader, message.facts)?;
    Some(Measure::DaysSince { facts })
}

fn periods_in_tier(reader: &mut Reader, message: pb::PeriodsInTier) -> Option<Measure> {
    let unit = reader.at("unit", |r| period_unit(r, message.unit))?;
    let tiers = message.tiers;
    Some(Measure::PeriodsInTier { tiers, unit })
}

fn facts(reader: &mut Reader, message: Option<pb::Selection>) -> Option<Selection> {
    reader.required("facts", message, selection)
}

fn persons_certified(reader: &mut Reader, message: pb::PersonsCertified) -> Option<Measure> {
    let filter = reader.optional("filter", message.filter, condition);
    let holding = reader.list("holding", message.holding, condition);
    let validity = reader.list("validity", message.validity, validity);
    Some(Measure::PersonsCertified {
        filter: filter?.unwrap_or_default(),
        at_least: message.at_least.unwrap_or(1),
        holding: holding?,
        validity: validity?,
        same: message.same,
    })
}

fn validity(reader: &mut Reader, message: pb::Validity) -> Option<Validity> {
    let from = fields::optional_date(reader, "awarded_from_date", &message.awarded_from_date);
    let months = reader.at("months", |r| small(r, message.months));
    Some(Validity {
        awarded_from: from,
        months: months?,
    })
}

fn roles(reader: &mut Reader, message: pb::Roles) -> Option<Measure> {
    let roles = reader.list("roles", message.roles, |r, role| {
        let filter = r.required("filter", role.filter, condition)?;
        Some(Role {
            name: role.name,
            seats: role.seats.unwrap_or(1),
            filter,
        })
    });
    let validity = reader.list("validity", message.validity, validity);
    Some(Measure::Roles(Roles {
        roles: roles?,
        per_person: message.per_person.unwrap_or(1),
        validity: validity?,
    }))
}

fn in_force(reader: &mut Reader, message: pb::InForce) -> Option<Measure> {
    let filter = reader.optional("filter", message.filter, condition);
    let when = reader.optional("when", message.when, when);
    let began = reader.optional("began", message.began, window);
    let of = reader.optional("of", message.of, addend);
    Some(Measure::InForce(InForce {
        kind: FactKind::new(message.kind),
        filter: filter?.unwrap_or_default(),
        from: message.from,
        until: message.until,
        when: when?.unwrap_or_default(),
        began: began?,
        of: of?,
        same: message.same,
    }))
}

fn when(reader: &mut Reader, message: pb::When) -> Option<When> {
    use pb::when::Kind;
    match message.kind {
        Some(Kind::Now(_)) => Some(When::Now),
        Some(Kind::Within(inner)) => reader.at("within", |r| window(r, inner)).map(When::Within),
        Some(Kind::Before(inner)) => reader.at("before", |r| window(r, inner)).map(When::Before),
        Some(Kind::Throughout(inner)) => reader
            .at("throughout", |r| window(r, inner))
            .map(When::Throughout),
        None => reader.wrong("must be now, within, before or throughout"),
    }
}

fn points(reader: &mut Reader, message: pb::Points) -> Option<Measure> {
    let table = reader.list("table", message.table, points_entry);
    let take = reader.at("take", |r| match pb::Taken::try_from(message.take) {
        Ok(pb::Taken::Unspecified | pb::Taken::First) => Some(Taken::First),
        Ok(pb::Taken::Every) => Some(Taken::Every),
        Err(_) => r.wrong("is no known way to take entries"),
    });
    let most = fields::optional_decimal(reader, "most", &message.most);
    Some(Measure::Points(Points {
        table: table?,
        take: take?,
        most,
    }))
}

fn points_entry(reader: &mut Reader, message: pb::PointsEntry) -> Option<PointsEntry> {
    let facts = facts(reader, message.facts);
    let points = reader.at("points", |r| decimal(r, &message.points));
    let per = reader.optional("per", message.per, |r, per| {
        let each = r.at("each", |r| decimal(r, &per.each));
        let of = r.required("of", per.of, addend);
        Some(Per {
            each: each?,
            of: of?,
            whole: per.whole,
        })
    });
    let most_per = reader.optional("most_per", message.most_per, |r, cap| {
        let most = r.at("most", |r| decimal(r, &cap.most))?;
        Some(MostPer { key: cap.key, most })
    });
    let most = fields::optional_decimal(reader, "most", &message.most);
    Some(PointsEntry {
        name: message.name,
        facts: facts?,
        points: points?,
        per: per?,
        first: message.first,
        most_per: most_per?,
        most,
    })
}

pub(super) fn grouping(reader: &mut Reader, message: pb::Grouping) -> Option<Grouping> {
    let facts = facts(reader, message.facts);
    let of = reader.optional("of", message.of, addend);
    Some(Grouping {
        facts: facts?,
        by: message.by,
        of: of?,
    })
}

fn groups(reader: &mut Reader, message: pb::Groups) -> Option<Measure> {
    let groups = reader.required("groups", message.groups, grouping);
    let take = reader.required("take", message.take, take);
    let when_none = reader.at("when_none", |r| when_zero(r, message.when_none));
    Some(Measure::Groups {
        groups: groups?,
        take: take?,
        when_none: when_none?,
    })
}

fn count_groups(reader: &mut Reader, message: pb::CountGroups) -> Option<Measure> {
    let groups = reader.required("groups", message.groups, grouping);
    let each = reader.required("each", message.each, threshold);
    Some(Measure::CountGroups {
        groups: groups?,
        each: each?,
    })
}

fn take(reader: &mut Reader, message: pb::Take) -> Option<Take> {
    use pb::take::Kind;
    match message.kind {
        Some(Kind::Minimum(_)) => Some(Take::Minimum),
        Some(Kind::Maximum(_)) => Some(Take::Maximum),
        Some(Kind::Median(_)) => Some(Take::Median),
        Some(Kind::Mean(_)) => Some(Take::Mean),
        Some(Kind::Percentile(number)) => reader.at("percentile", |r| match u8::try_from(number) {
            Ok(number) => Some(Take::Percentile(number)),
            Err(_) => r.wrong(format!("must be at most {}", u8::MAX)),
        }),
        None => reader.wrong("must be minimum, maximum, median, mean or percentile"),
    }
}

pub(super) fn when_zero(reader: &mut Reader, number: i32) -> Option<WhenZero> {
    match pb::WhenZero::try_from(number) {
        Ok(pb::WhenZero::Unspecified | pb::WhenZero::NotApplicable) => {
            Some(WhenZero::NotApplicable)
        }
        Ok(pb::WhenZero::Zero) => Some(WhenZero::Zero),
        Ok(pb::WhenZero::One) => Some(WhenZero::One),
        Err(_) => reader.wrong("is no known number"),
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
    let after = reader.optional("after", message.after, |r, after| {
        let months = r.at("months", |r| small(r, after.months))?;
        Some(After {
            months,
            unless: after.unless,
        })
    });
    Some(Selection {
        kind: FactKind::new(message.kind),
        filter: filter?.unwrap_or_default(),
        date: message.date,
        window: window?,
        after: after?,
        same: message.same,
    })
}

pub(super) fn window(reader: &mut Reader, message: pb::Window) -> Option<Window> {
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
        Some(Kind::Complete(periods)) => reader.at("complete", |r| {
            let unit = r.at("unit", |r| period_unit(r, periods.unit));
            let last = r.at("last", |r| small(r, periods.last));
            Some(Window::Complete {
                unit: unit?,
                last: last?,
            })
        }),
        None => reader.wrong(
            "must be rolling_months, rolling_days, current, since_enrollment, all_time or complete",
        ),
    }
}
