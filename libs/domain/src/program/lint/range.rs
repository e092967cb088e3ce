//! What numbers a measure can give at all, whatever happens. Only bounds that are certain.

use rust_decimal::Decimal;

use super::contradiction::never_true;
use super::interval::Interval;
use crate::rules::contribution::MAX_VALUE_SCALE;
use crate::rules::model::{
    Condition, Growth, InForce, Measure, Points, PointsEntry, Selection, WhenZero, Window,
};
use crate::rules::{FactKind, When};

/// The numbers that a measure can give.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// Between which bounds.
    pub(super) numbers: Interval,
    /// Whole numbers only.
    pub(super) whole: bool,
}

impl Range {
    const ANY: Self = Self {
        numbers: Interval::ALL,
        whole: false,
    };

    fn count(possible: bool) -> Self {
        let most = (!possible).then_some(Decimal::ZERO);
        Self {
            numbers: Interval::between(Some(Decimal::ZERO), most),
            whole: true,
        }
    }

    fn of(low: Option<Decimal>, high: Option<Decimal>) -> Self {
        Self {
            numbers: Interval::between(low, high),
            whole: false,
        }
    }

    /// The numbers that also lie in another stretch.
    pub(super) fn meet(&self, other: Interval) -> Interval {
        let both = self.numbers.meet(other);
        if self.whole { both.whole() } else { both }
    }
}

/// What a measure can be.
pub(super) fn range(measure: &Measure) -> Range {
    match measure {
        Measure::Count { facts } | Measure::CountDistinct { facts, .. } => {
            Range::count(possible(&facts.filter, &facts.kind))
        }
        Measure::CountGroups { groups, .. } => {
            Range::count(possible(&groups.facts.filter, &groups.facts.kind))
        }
        Measure::PersonsCertified {
            filter, holding, ..
        } => {
            let kind = FactKind::new(FactKind::CERTIFICATION);
            let mut asked = holding.iter().chain([filter]);
            Range::count(asked.all(|filter| possible(filter, &kind)))
        }
        Measure::Roles(roles) => {
            let kind = FactKind::new(FactKind::CERTIFICATION);
            let filled = roles
                .roles
                .iter()
                .filter(|role| possible(&role.filter, &kind));
            let seats: u64 = filled.map(|role| u64::from(role.seats)).sum();
            Range {
                numbers: Interval::between(Some(Decimal::ZERO), Some(seats.into())),
                whole: true,
            }
        }
        Measure::InForce(facts) if facts.of.is_none() => {
            Range::count(possible(&facts.filter, &facts.kind))
        }
        Measure::InForce(facts) => nothing_or_any(possible(&facts.filter, &facts.kind)),
        Measure::Sum { facts, .. } => nothing_or_any(possible(&facts.filter, &facts.kind)),
        Measure::Points(points) => Range::of(None, most_points(points)),
        Measure::DaysSince { .. } | Measure::PeriodsInTier { .. } | Measure::TiersHeld(_) => {
            Range::count(true)
        }
        Measure::MonthsInProgram | Measure::MonthsInTier => Range {
            whole: true,
            ..Range::ANY
        },
        Measure::Groups { .. } | Measure::PartnerNumber { .. } | Measure::Growth(_) => Range::ANY,
        composed => composed_range(composed),
    }
}

fn composed_range(measure: &Measure) -> Range {
    match measure {
        Measure::Ratio { of, to, .. } if is_part(of, to) => {
            Range::of(Some(Decimal::ZERO), Some(Decimal::ONE))
        }
        Measure::Total(parts) => total(parts),
        Measure::Difference { of, less } => {
            let (of, less) = (range(of).numbers, range(less).numbers);
            let minus = |one: Option<Decimal>, two: Option<Decimal>| one?.checked_sub(two?);
            Range::of(
                minus(of.lowest(), less.highest()),
                minus(of.highest(), less.lowest()),
            )
        }
        Measure::Times { of, by } => {
            let inner = range(of).numbers;
            let times = |end: Option<Decimal>| end?.checked_mul(*by);
            match by.is_sign_negative() {
                _ if by.is_zero() => Range::of(Some(Decimal::ZERO), Some(Decimal::ZERO)),
                true => rounded(Range::of(times(inner.highest()), times(inner.lowest()))),
                false => rounded(Range::of(times(inner.lowest()), times(inner.highest()))),
            }
        }
        Measure::Least(parts) | Measure::Greatest(parts) => hull(parts.iter().map(range)),
        Measure::Steps { table, .. } => {
            let gives = table.iter().map(|step| step.gives);
            among(gives.chain([Decimal::ZERO]))
        }
        Measure::Linear { table, .. } => among(table.iter().map(|point| point.gives)),
        Measure::Weighted(parts) => rounded(hull(parts.iter().map(|part| range(&part.of)))),
        Measure::Gate { of, .. } => {
            let nothing = Range::of(Some(Decimal::ZERO), Some(Decimal::ZERO));
            hull([range(of), nothing].into_iter())
        }
        _ => Range::ANY,
    }
}

/// What does not apply adds nothing.
fn total(parts: &[Measure]) -> Range {
    let zero = |end: Option<Decimal>, may: bool, pick: fn(Decimal, Decimal) -> Decimal| {
        end.map(|end| if may { pick(end, Decimal::ZERO) } else { end })
    };
    let mut low = Some(Decimal::ZERO);
    let mut high = Some(Decimal::ZERO);
    for part in parts {
        let (numbers, may) = (range(part).numbers, may_not_apply(part));
        let least = zero(numbers.lowest(), may, Decimal::min);
        let most = zero(numbers.highest(), may, Decimal::max);
        low = low.zip(least).and_then(|(sum, end)| sum.checked_add(end));
        high = high.zip(most).and_then(|(sum, end)| sum.checked_add(end));
    }
    Range::of(low, high)
}

fn hull(ranges: impl Iterator<Item = Range>) -> Range {
    let mut all: Option<(Option<Decimal>, Option<Decimal>)> = None;
    for one in ranges {
        let (low, high) = (one.numbers.lowest(), one.numbers.highest());
        all = Some(match all {
            None => (low, high),
            Some((least, most)) => (
                least.zip(low).map(|(one, two)| one.min(two)),
                most.zip(high).map(|(one, two)| one.max(two)),
            ),
        });
    }
    all.map_or(Range::ANY, |(low, high)| Range::of(low, high))
}

/// Results are rounded to so many decimals, perhaps beyond a bound that has more.
fn rounded(range: Range) -> Range {
    use rust_decimal::RoundingStrategy::{ToNegativeInfinity, ToPositiveInfinity};
    let to =
        |end: Option<Decimal>, way| end.map(|end| end.round_dp_with_strategy(MAX_VALUE_SCALE, way));
    Range::of(
        to(range.numbers.lowest(), ToNegativeInfinity),
        to(range.numbers.highest(), ToPositiveInfinity),
    )
}

fn among(numbers: impl Iterator<Item = Decimal> + Clone) -> Range {
    match (numbers.clone().min(), numbers.max()) {
        (Some(low), Some(high)) => Range::of(Some(low), Some(high)),
        _ => Range::ANY,
    }
}

fn nothing_or_any(possible: bool) -> Range {
    match possible {
        true => Range::ANY,
        false => Range::of(Some(Decimal::ZERO), Some(Decimal::ZERO)),
    }
}

fn possible(filter: &Condition, kind: &FactKind) -> bool {
    never_true(filter, Some(kind)).is_none()
}

/// The most points that there can be, where there is a bound.
fn most_points(points: &Points) -> Option<Decimal> {
    let mut sum = Some(Decimal::ZERO);
    for entry in &points.table {
        sum = sum
            .zip(most_of(entry))
            .and_then(|(sum, most)| sum.checked_add(most));
    }
    match (sum, points.most) {
        (Some(sum), Some(most)) => Some(sum.min(most)),
        (sum, most) => sum.or(most),
    }
}

fn most_of(entry: &PointsEntry) -> Option<Decimal> {
    let own = match (entry.per.is_some(), entry.first) {
        _ if !possible(&entry.facts.filter, &entry.facts.kind) => Some(Decimal::ZERO),
        (false, _) if entry.points <= Decimal::ZERO => Some(Decimal::ZERO),
        (false, Some(first)) => entry.points.checked_mul(first.into()),
        _ => None,
    };
    match (own, entry.most) {
        (Some(own), Some(most)) => Some(own.min(most)),
        (own, most) => own.or(most),
    }
}

/// Whether a measure may not apply, so that it counts neither way.
pub(super) fn may_not_apply(measure: &Measure) -> bool {
    let mut may = false;
    measure.each_part(&mut |part| {
        may |= match part {
            Measure::Ratio { when_zero, .. } => *when_zero == WhenZero::NotApplicable,
            Measure::Groups { when_none, .. } => *when_none == WhenZero::NotApplicable,
            Measure::Growth(Growth { .. }) => true,
            _ => false,
        };
    });
    may
}

/// True when whatever is counted in one is also counted in the other.
fn is_part(of: &Measure, to: &Measure) -> bool {
    match (of, to) {
        (Measure::Count { facts: part }, Measure::Count { facts: whole }) => selects(part, whole),
        (
            Measure::CountDistinct { facts: part, key },
            Measure::CountDistinct {
                facts: whole,
                key: other,
            },
        ) => key == other && selects(part, whole),
        (Measure::InForce(part), Measure::InForce(whole)) => lasts(part, whole),
        (Measure::InForce(part), Measure::Count { facts: whole }) => {
            part.of.is_none()
                && part.kind == whole.kind
                && part.same == whole.same
                && part.from == whole.date
                && part.began == Some(whole.window)
                && whole.after.is_none()
                && narrower(&part.filter, &whole.filter)
        }
        (
            Measure::PersonsCertified {
                filter,
                at_least,
                holding,
                validity,
                same,
            },
            Measure::PersonsCertified {
                filter: other,
                at_least: fewer,
                holding: kinds,
                validity: valid,
                same: group,
            },
        ) => {
            at_least >= fewer
                && holding == kinds
                && validity == valid
                && same == group
                && narrower(filter, other)
        }
        _ => false,
    }
}

fn selects(part: &Selection, whole: &Selection) -> bool {
    part.kind == whole.kind
        && part.date == whole.date
        && part.window == whole.window
        && part.after == whole.after
        && part.same == whole.same
        && narrower(&part.filter, &whole.filter)
}

fn lasts(part: &InForce, whole: &InForce) -> bool {
    let up_to_now = |window: Window| !matches!(window, Window::Complete { .. });
    let days = match (part.when, whole.when) {
        (When::Now, When::Within(window)) => up_to_now(window),
        (When::Throughout(one), When::Before(other)) => one == other,
        (one, other) => one == other,
    };
    days && part.of.is_none()
        && whole.of.is_none()
        && part.kind == whole.kind
        && part.from == whole.from
        && part.until == whole.until
        && part.same == whole.same
        && (whole.began.is_none() || part.began == whole.began)
        && narrower(&part.filter, &whole.filter)
}

/// True when one condition asks for everything that the other asks for.
fn narrower(one: &Condition, other: &Condition) -> bool {
    let mut asked = Vec::new();
    conjuncts(one, &mut asked);
    let mut wanted = Vec::new();
    conjuncts(other, &mut wanted);
    wanted.iter().all(|part| asked.contains(part))
}

fn conjuncts<'a>(condition: &'a Condition, into: &mut Vec<&'a Condition>) {
    match condition {
        Condition::All(parts) => parts.iter().for_each(|part| conjuncts(part, into)),
        other => into.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(yaml: &str) -> (Option<String>, Option<String>) {
        let measure: Measure = serde_saphyr::from_str(yaml).unwrap();
        let numbers = range(&measure).numbers;
        let text = |end: Option<Decimal>| end.map(|end| end.normalize().to_string());
        (text(numbers.lowest()), text(numbers.highest()))
    }

    fn between(low: &str, high: &str) -> (Option<String>, Option<String>) {
        let end = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (end(low), end(high))
    }

    const DEALS: &str = "{kind: deal, date: closed, window: all_time}";
    const WON: &str = "{kind: deal, date: closed, window: all_time, \
                       where: {field: {name: state, is: {equals: won}}}}";

    #[test]
    fn counts_are_never_below_zero() {
        assert_eq!(
            bounds(&format!("count: {{facts: {DEALS}}}")),
            between("0", "")
        );
        assert_eq!(
            bounds(&format!("sum: {{facts: {DEALS}, of: amount}}")),
            between("", "")
        );
        let none = WON.replace("won", "valid");
        assert_eq!(
            bounds(&format!("count: {{facts: {none}}}")),
            between("0", "0")
        );
    }

    #[test]
    fn a_share_of_the_same_is_at_most_one() {
        let share = |of: &str, to: &str| {
            bounds(&format!(
                "ratio: {{of: {{count: {{facts: {of}}}}}, to: {{count: {{facts: {to}}}}}}}"
            ))
        };
        assert_eq!(share(WON, DEALS), between("0", "1"));
        assert_eq!(share(DEALS, WON), between("", ""));
        assert_eq!(
            share(WON, &DEALS.replace("closed", "registered")),
            between("", "")
        );
    }

    #[test]
    fn seats_points_and_scores_have_a_top() {
        let roles = "roles: {roles: [{name: a, seats: 4, where: {all: []}}, \
                     {name: b, where: {all: []}}]}";
        assert_eq!(bounds(roles), between("0", "5"));
        let entry = format!("{{name: a, points: 5, facts: {DEALS}, first: 3}}");
        assert_eq!(
            bounds(&format!("points: {{table: [{entry}]}}")),
            between("", "15")
        );
        let open = format!("{{name: a, points: 5, facts: {DEALS}}}");
        assert_eq!(
            bounds(&format!("points: {{table: [{open}]}}")),
            between("", "")
        );
        assert_eq!(
            bounds(&format!("points: {{table: [{open}], most: 9}}")),
            between("", "9")
        );
        let steps = "steps: {of: months_in_program, table: [{from: 1, gives: 10}]}";
        assert_eq!(bounds(steps), between("0", "10"));
        let total = format!("total: [{{{steps}}}, {{count: {{facts: {DEALS}}}}}]");
        assert_eq!(bounds(&total), between("0", ""));
        let times = format!("times: {{of: {{{steps}}}, by: -2}}");
        assert_eq!(bounds(&times), between("-20", "0"));
    }
}
