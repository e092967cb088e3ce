//! Measures as their messages: numbers that are made of facts. Those that are made of other numbers
//! are in `composed_out.rs`.

use rust_decimal::Decimal;
use tierline_domain::rules::{
    Addend, After, Grouping, InForce, Measure, MostPer, Per, Points, PointsEntry, Role, Roles,
    Selection, Take, Taken, Validity, When, WhenZero, Window,
};
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::measure::Kind;

use super::common::{date_text, period_unit_message};
use super::condition_out::{condition, threshold};
use super::{beyond_out, composed_out};

pub(super) fn measure(measure: &Measure) -> pb::Measure {
    pb::Measure {
        kind: Some(kind(measure)),
    }
}

fn kind(measure: &Measure) -> Kind {
    let facts = |facts| Some(selection(facts));
    match measure {
        Measure::Count { facts: of } => Kind::Count(pb::Count { facts: facts(of) }),
        Measure::CountDistinct { facts: of, key } => Kind::CountDistinct(pb::CountDistinct {
            facts: facts(of),
            key: key.clone(),
        }),
        Measure::Sum { facts: over, of } => Kind::Sum(pb::Sum {
            facts: facts(over),
            of: Some(addend(of)),
        }),
        Measure::Points(inner) => Kind::Points(points(inner)),
        Measure::Groups {
            groups,
            take: wanted,
            when_none,
        } => Kind::Groups(pb::Groups {
            groups: Some(grouping(groups)),
            take: Some(take(*wanted)),
            when_none: when_zero(*when_none).into(),
        }),
        Measure::CountGroups { groups, each } => Kind::CountGroups(pb::CountGroups {
            groups: Some(grouping(groups)),
            each: Some(threshold(each)),
        }),
        Measure::PersonsCertified {
            filter,
            at_least,
            holding,
            validity: lines,
            same,
        } => Kind::PersonsCertified(pb::PersonsCertified {
            filter: Some(condition(filter)),
            at_least: Some(*at_least),
            holding: holding.iter().map(condition).collect(),
            validity: validity(lines),
            same: same.clone(),
        }),
        Measure::Roles(inner) => Kind::Roles(roles(inner)),
        Measure::InForce(inner) => Kind::InForce(in_force(inner)),
        Measure::DaysSince { facts: of } => Kind::DaysSince(pb::DaysSince { facts: facts(of) }),
        Measure::MonthsInProgram => Kind::MonthsInProgram(pb::MonthsInProgram {}),
        Measure::MonthsInTier => Kind::MonthsInTier(pb::MonthsInTier {}),
        Measure::PeriodsInTier { tiers, unit } => Kind::PeriodsInTier(pb::PeriodsInTier {
            tiers: tiers.clone(),
            unit: period_unit_message(*unit).into(),
        }),
        Measure::PartnerNumber { attribute } => Kind::PartnerNumber(pb::PartnerNumber {
            attribute: attribute.clone(),
        }),
        Measure::Ratio { of, to, when_zero } => composed_out::ratio(of, to, *when_zero),
        Measure::Growth(inner) => composed_out::growth(inner),
        Measure::Total(parts) => Kind::Total(composed_out::several(parts)),
        Measure::Difference { of, less } => composed_out::difference(of, less),
        Measure::Times { of, by } => composed_out::times(of, *by),
        Measure::Least(parts) => Kind::Least(composed_out::several(parts)),
        Measure::Greatest(parts) => Kind::Greatest(composed_out::several(parts)),
        Measure::Steps { of, table } => composed_out::steps(of, table),
        Measure::Linear { of, table } => composed_out::linear(of, table),
        Measure::Weighted(parts) => composed_out::weighted(parts),
        Measure::Gate { when, of } => composed_out::gate(when, of),
        Measure::TiersHeld(inner) => Kind::TiersHeld(beyond_out::tiers_held(inner)),
        Measure::Across(inner) => Kind::Across(Box::new(beyond_out::across(inner))),
        Measure::Rank(inner) => Kind::Rank(Box::new(beyond_out::rank(inner))),
        Measure::Line(inner) => Kind::Line(Box::new(beyond_out::line(inner))),
    }
}

fn validity(lines: &[Validity]) -> Vec<pb::Validity> {
    let lines = lines.iter().map(|line| pb::Validity {
        awarded_from_date: date_text(line.awarded_from),
        months: line.months.into(),
    });
    lines.collect()
}

fn roles(roles: &Roles) -> pb::Roles {
    let role = |role: &Role| pb::Role {
        name: role.name.clone(),
        seats: Some(role.seats),
        filter: Some(condition(&role.filter)),
    };
    pb::Roles {
        roles: roles.roles.iter().map(role).collect(),
        per_person: Some(roles.per_person),
        validity: validity(&roles.validity),
    }
}

fn in_force(facts: &InForce) -> pb::InForce {
    pb::InForce {
        kind: facts.kind.as_str().to_owned(),
        filter: Some(condition(&facts.filter)),
        from: facts.from.clone(),
        until: facts.until.clone(),
        when: Some(when(facts.when)),
        began: facts.began.map(window),
        of: facts.of.as_ref().map(addend),
        same: facts.same.clone(),
    }
}

fn when(when: When) -> pb::When {
    use pb::when::Kind;
    let kind = match when {
        When::Now => Kind::Now(pb::Now {}),
        When::Within(days) => Kind::Within(window(days)),
        When::Before(days) => Kind::Before(window(days)),
        When::Throughout(days) => Kind::Throughout(window(days)),
    };
    pb::When { kind: Some(kind) }
}

fn points(points: &Points) -> pb::Points {
    let take = match points.take {
        Taken::First => pb::Taken::First,
        Taken::Every => pb::Taken::Every,
    };
    pb::Points {
        table: points.table.iter().map(points_entry).collect(),
        take: take.into(),
        most: number_text(points.most),
    }
}

fn points_entry(entry: &PointsEntry) -> pb::PointsEntry {
    let per = |per: &Per| pb::Per {
        each: per.each.to_string(),
        of: Some(addend(&per.of)),
        whole: per.whole,
    };
    let most_per = |cap: &MostPer| pb::MostPer {
        key: cap.key.clone(),
        most: cap.most.to_string(),
    };
    pb::PointsEntry {
        name: entry.name.clone(),
        facts: Some(selection(&entry.facts)),
        points: entry.points.to_string(),
        per: entry.per.as_ref().map(per),
        first: entry.first,
        most_per: entry.most_per.as_ref().map(most_per),
        most: number_text(entry.most),
    }
}

/// A number that may be absent, as text.
pub(super) fn number_text(number: Option<Decimal>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

pub(super) fn grouping(groups: &Grouping) -> pb::Grouping {
    pb::Grouping {
        facts: Some(selection(&groups.facts)),
        by: groups.by.clone(),
        of: groups.of.as_ref().map(addend),
    }
}

fn take(take: Take) -> pb::Take {
    use pb::take::Kind;
    let kind = match take {
        Take::Minimum => Kind::Minimum(pb::Minimum {}),
        Take::Maximum => Kind::Maximum(pb::Maximum {}),
        Take::Median => Kind::Median(pb::Median {}),
        Take::Mean => Kind::Mean(pb::Mean {}),
        Take::Percentile(percent) => Kind::Percentile(percent.into()),
    };
    pb::Take { kind: Some(kind) }
}

pub(super) fn when_zero(when_zero: WhenZero) -> pb::WhenZero {
    match when_zero {
        WhenZero::NotApplicable => pb::WhenZero::NotApplicable,
        WhenZero::Zero => pb::WhenZero::Zero,
        WhenZero::One => pb::WhenZero::One,
    }
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
        after: selection.after.as_ref().map(after),
        same: selection.same.clone(),
    }
}

fn after(after: &After) -> pb::After {
    pb::After {
        months: after.months.into(),
        unless: after.unless.clone(),
    }
}

pub(super) fn window(window: Window) -> pb::Window {
    use pb::window::Kind;
    let kind = match window {
        Window::RollingMonths(n) => Kind::RollingMonths(n.into()),
        Window::RollingDays(n) => Kind::RollingDays(n.into()),
        Window::Current(unit) => Kind::Current(period_unit_message(unit).into()),
        Window::SinceEnrollment => Kind::SinceEnrollment(pb::SinceEnrollment {}),
        Window::AllTime => Kind::AllTime(pb::AllTime {}),
        Window::Complete { unit, last } => Kind::Complete(pb::CompletePeriods {
            unit: period_unit_message(unit).into(),
            last: last.into(),
        }),
    };
    pb::Window { kind: Some(kind) }
}
