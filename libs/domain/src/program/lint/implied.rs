//! Whether whoever meets one requirement also meets another one, whatever happens.
//!
//! A proof, not a guess: where none is found the answer is no. Names, identifiers and notes do not
//! matter. A part that does not apply counts neither way, so that "all" being met says of each of
//! its parts only that it is met *or* does not apply; [`Given::sure`] tells the two apart.

use super::interval::Interval;
use super::outcome::may_be_left_aside;
use super::range::range;
use crate::rules::Requirement;
use crate::rules::model::{Criterion, OfWhich};

/// What is known of a requirement once another one is met.
#[derive(Clone, Copy)]
struct Given<'a> {
    holds: &'a Requirement,
    /// It is met. Otherwise it is met or does not apply.
    sure: bool,
}

/// True when `other` is met by whoever meets `one`.
pub(super) fn implies(one: &Requirement, other: &Requirement) -> bool {
    let mut given = Vec::new();
    collect(one, true, &mut given);
    follows(&given, other) == Follows::Met
}

fn collect<'a>(holds: &'a Requirement, sure: bool, into: &mut Vec<Given<'a>>) {
    into.push(Given { holds, sure });
    match holds {
        Requirement::All(parts) => {
            for part in parts {
                let alone = sure && parts.len() == 1;
                collect(part, alone || !may_be_left_aside(part), into);
            }
        }
        Requirement::Any(parts) if parts.len() == 1 => {
            parts.iter().for_each(|part| collect(part, sure, into));
        }
        _ => {}
    }
}

/// What follows of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Follows {
    /// Nothing that can be shown.
    Nothing,
    /// It is met or does not apply.
    MetOrAside,
    /// It is met.
    Met,
}

fn follows(given: &[Given<'_>], goal: &Requirement) -> Follows {
    let from_parts = match goal {
        Requirement::All(parts) => {
            let each: Vec<_> = parts.iter().map(|part| follows(given, part)).collect();
            match each.contains(&Follows::Nothing) {
                true => Follows::Nothing,
                false => each.into_iter().max().unwrap_or(Follows::Nothing),
            }
        }
        Requirement::Any(parts) => enough(given, parts.iter(), 1),
        Requirement::BestOf(paths) => enough(given, paths.iter().map(|path| &path.holds), 1),
        Requirement::AtLeast { count, of } => {
            let count = usize::try_from(*count).unwrap_or(usize::MAX);
            enough(given, of.iter(), count.max(1))
        }
        Requirement::Information(_) => Follows::MetOrAside,
        _ => Follows::Nothing,
    };
    match from_parts {
        Follows::Met => Follows::Met,
        other => other.max(given_itself(given, goal)),
    }
}

fn enough<'a>(
    given: &[Given<'_>],
    parts: impl Iterator<Item = &'a Requirement>,
    count: usize,
) -> Follows {
    let met = parts.filter(|part| follows(given, part) == Follows::Met);
    match met.take(count).count() == count {
        true => Follows::Met,
        false => Follows::Nothing,
    }
}

fn given_itself(given: &[Given<'_>], goal: &Requirement) -> Follows {
    let of = |known: &Given<'_>| match known.sure {
        true => Follows::Met,
        false => Follows::MetOrAside,
    };
    let covering = given.iter().filter(|known| covers(known.holds, goal));
    covering.map(of).max().unwrap_or(Follows::Nothing)
}

/// True when the second is met whenever the first is, and does not apply only when the first does
/// not.
fn covers(one: &Requirement, other: &Requirement) -> bool {
    match (one, other) {
        (Requirement::Criterion(one), Requirement::Criterion(other)) => stricter(one, other),
        (Requirement::Partner { filter: one, .. }, Requirement::Partner { filter: other, .. }) => {
            one == other
        }
        (Requirement::EveryPeriod(one), Requirement::EveryPeriod(other)) => {
            one.unit == other.unit
                && one.last >= other.last
                && !may_be_left_aside(&one.holds)
                && implies(&one.holds, &other.holds)
        }
        (Requirement::AnyPeriod(one), Requirement::AnyPeriod(other)) => {
            one.unit == other.unit
                && one.last <= other.last
                && !may_be_left_aside(&one.holds)
                && implies(&one.holds, &other.holds)
        }
        (Requirement::EveryPeriod(one), Requirement::AnyPeriod(other)) => {
            one.unit == other.unit
                && one.last > 0
                && other.last > 0
                && !may_be_left_aside(&one.holds)
                && implies(&one.holds, &other.holds)
        }
        (Requirement::Where(one), Requirement::Where(other)) => {
            one.filter == other.filter
                && one.from == other.from
                && one.until == other.until
                && one.otherwise == other.otherwise
                && !may_be_left_aside(&one.holds)
                && implies(&one.holds, &other.holds)
        }
        (one, other) => one == other,
    }
}

/// True when whatever one criterion accepts is accepted by the other, for every partner.
fn stricter(one: &Criterion, other: &Criterion) -> bool {
    let same_cases = one.cases.len() == other.cases.len()
        && one
            .cases
            .iter()
            .zip(&other.cases)
            .all(|(one, other)| one.filter == other.filter);
    one.measure == other.measure
        && same_cases
        && numbers(one)
            .zip(numbers(other))
            .all(|(one, other)| one.within(&other))
        && other
            .of_which
            .iter()
            .all(|part| one.of_which.iter().any(|own| part_of(own, part)))
}

fn numbers(criterion: &Criterion) -> impl Iterator<Item = Interval> {
    let possible = range(&criterion.measure);
    super::outcome::accepted(criterion).map(move |accepts| match possible.whole {
        true => accepts.whole(),
        false => accepts,
    })
}

fn part_of(one: &OfWhich, other: &OfWhich) -> bool {
    one.filter == other.filter && Interval::of(one.needs).within(&Interval::of(other.needs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deals(needs: &str) -> String {
        format!(
            "{{criterion: {{id: a, name: A, measure: {{count: {{facts: {{kind: deal, \
             date: closed, window: all_time}}}}}}, needs: {needs}}}}}"
        )
    }

    fn share(needs: &str) -> String {
        format!(
            "{{criterion: {{id: s, name: S, measure: {{ratio: {{of: months_in_tier, \
             to: months_in_program}}}}, needs: {needs}}}}}"
        )
    }

    fn does(one: &str, other: &str) -> bool {
        let read = |yaml: &str| serde_saphyr::from_str::<Requirement>(yaml).unwrap();
        implies(&read(one), &read(other))
    }

    #[test]
    fn who_has_more_has_also_less() {
        assert!(does(&deals("{gte: 10}"), &deals("{gte: 5}")));
        assert!(!does(&deals("{gte: 5}"), &deals("{gte: 10}")));
        assert!(does(&deals("{gt: 4}"), &deals("{gte: 5}")));
        assert!(does(&deals("{lte: 4}"), &deals("{lt: 5}")));
        assert!(!does(&deals("{gte: 5}"), &share("{gte: 5}")));
    }

    #[test]
    fn all_gives_each_and_each_gives_any() {
        let (ten, part) = (deals("{gte: 10}"), share("{gte: 0.5}"));
        let both = format!("all: [{ten}, {part}]");
        assert!(does(&both, &deals("{gte: 5}")));
        assert!(does(
            &both,
            &format!("any: [{}, {}]", share("{gte: 0.9}"), deals("{gte: 1}"))
        ));
        assert!(does(
            &both,
            &format!("all: [{}, {}]", share("{gte: 0.1}"), deals("{gte: 1}"))
        ));
        assert!(!does(&ten, &both));
        assert!(!does(&format!("any: [{ten}, {part}]"), &ten));
    }

    #[test]
    fn a_share_that_may_not_apply_is_not_met_by_being_asked_for() {
        let both = format!("all: [{}, {}]", deals("{gte: 10}"), share("{gte: 0.5}"));
        assert!(!does(&both, &share("{gte: 0.5}")));
        assert!(does(&share("{gte: 0.5}"), &share("{gte: 0.4}")));
        let alone = format!("all: [{}]", share("{gte: 0.5}"));
        assert!(does(&alone, &share("{gte: 0.5}")));
    }

    #[test]
    fn more_periods_give_fewer() {
        let every = |last: u32, needs: &str| {
            format!(
                "every_period: {{unit: quarter, last: {last}, holds: {}}}",
                deals(needs)
            )
        };
        assert!(does(&every(4, "{gte: 2}"), &every(2, "{gte: 1}")));
        assert!(!does(&every(2, "{gte: 2}"), &every(4, "{gte: 1}")));
        let any = every(2, "{gte: 1}").replace("every", "any");
        assert!(does(&every(4, "{gte: 2}"), &any));
        assert!(!does(&any, &every(1, "{gte: 1}")));
    }

    #[test]
    fn cases_have_to_be_for_the_same_partners() {
        let cases = |filter: &str, least: u32| {
            deals(&format!(
                "{{gte: 10}}, cases: [{{where: {{field: {{name: market, \
                 is: {{equals: {filter}}}}}}}, needs: {{gte: {least}}}}}]"
            ))
        };
        assert!(does(&cases("growth", 5), &cases("growth", 3)));
        assert!(!does(&cases("growth", 3), &cases("growth", 5)));
        assert!(!does(&cases("growth", 5), &cases("mature", 3)));
        assert!(!does(&cases("growth", 5), &deals("{gte: 10}")));
    }
}
