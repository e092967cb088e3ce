//! What can be said of the outcome of a requirement without knowing any partner: whether it may not
//! apply, whether it can fail at all, and whether it is never met.
//!
//! A requirement that does not apply counts neither way, so that "all" is met without it. Nothing
//! here is a guess: what is not certain is said to be possible.

use super::contradiction::never_true;
use super::interval::Interval;
use super::range::{Range, may_not_apply, range};
use crate::rules::model::{Condition, Criterion, Otherwise, Threshold, Where};
use crate::rules::{Measure, Requirement};

/// Why a requirement is never met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Impossible {
    /// One clause for a person.
    pub(super) because: String,
}

fn impossible(because: impl Into<String>) -> Option<Impossible> {
    let because = because.into();
    Some(Impossible { because })
}

/// Whether a requirement may come out as not applicable.
pub(super) fn may_be_left_aside(requirement: &Requirement) -> bool {
    match requirement {
        Requirement::All(parts) | Requirement::Any(parts) => left_aside(parts.iter()),
        Requirement::AtLeast { of, .. } => left_aside(of.iter()),
        Requirement::BestOf(paths) => left_aside(paths.iter().map(|path| &path.holds)),
        Requirement::Not(part) => may_be_left_aside(part),
        Requirement::Criterion(criterion) => may_not_apply(&criterion.measure),
        Requirement::EveryPeriod(periods) | Requirement::AnyPeriod(periods) => {
            may_be_left_aside(&periods.holds)
        }
        Requirement::Streak { holds, .. } | Requirement::AnyDay { holds, .. } => {
            may_be_left_aside(holds)
        }
        Requirement::Sustained(sustained) => may_be_left_aside(&sustained.holds),
        Requirement::Where(place) => {
            let elsewhere = place.otherwise == Otherwise::NotApplicable && !everywhere(place);
            elsewhere || may_be_left_aside(&place.holds)
        }
        Requirement::ForEach(_) | Requirement::Information(_) => true,
        Requirement::Partner { .. } => false,
    }
}

fn left_aside<'a>(mut parts: impl Iterator<Item = &'a Requirement>) -> bool {
    parts.all(may_be_left_aside)
}

fn everywhere(place: &Where) -> bool {
    place.filter == Condition::default() && place.from.is_none() && place.until.is_none()
}

/// What a criterion accepts, whoever the partner is: its threshold and those of its cases.
pub(super) fn accepted(criterion: &Criterion) -> impl Iterator<Item = Interval> {
    let cases = criterion.cases.iter().map(|case| case.needs);
    [criterion.needs].into_iter().chain(cases).map(Interval::of)
}

/// Why nobody ever meets a requirement; `None` when somebody may.
pub(super) fn never_met(requirement: &Requirement) -> Option<Impossible> {
    match requirement {
        Requirement::All(parts) => all_never_met(parts),
        Requirement::Any(parts) => none_met(parts.iter()),
        Requirement::BestOf(paths) => none_met(paths.iter().map(|path| &path.holds)),
        Requirement::AtLeast { count, of } => {
            let reasons: Vec<_> = of.iter().map(never_met).collect();
            let possible = reasons.iter().filter(|reason| reason.is_none()).count();
            let wanted = usize::try_from(*count).unwrap_or(usize::MAX);
            if possible >= wanted {
                return None;
            }
            let because = reasons
                .into_iter()
                .flatten()
                .next()
                .map(|reason| reason.because);
            let because = because
                .map(|because| format!(" ({because})"))
                .unwrap_or_default();
            impossible(format!(
                "{count} of {} are asked for and only {possible} can ever be met{because}",
                of.len()
            ))
        }
        Requirement::Not(_) => None,
        Requirement::Criterion(criterion) => criterion_never_met(criterion),
        Requirement::EveryPeriod(periods) | Requirement::AnyPeriod(periods) => {
            never_met(&periods.holds)
        }
        Requirement::Streak { count, holds, .. } if *count > 0 => never_met(holds),
        Requirement::Streak { .. } => None,
        Requirement::AnyDay { holds, .. } => never_met(holds),
        Requirement::Sustained(sustained) => never_met(&sustained.holds),
        Requirement::ForEach(each) => never_met(&each.holds),
        Requirement::Where(place) => match never_true(&place.filter, None) {
            Some(why) => impossible(format!("it is asked for where {why}")),
            None => never_met(&place.holds),
        },
        Requirement::Information(_) => {
            impossible("what is for information only is shown and never met")
        }
        Requirement::Partner { name, filter, .. } => {
            let why = never_true(filter, None)?;
            impossible(format!("\"{name}\" holds for no partner: {why}"))
        }
    }
}

fn none_met<'a>(parts: impl Iterator<Item = &'a Requirement>) -> Option<Impossible> {
    let mut first = None;
    for part in parts {
        let why = never_met(part)?;
        first = first.or(Some(why));
    }
    first
}

fn all_never_met(parts: &[Requirement]) -> Option<Impossible> {
    let mut reasons: Vec<_> = parts.iter().map(never_met).collect();
    let mut certain = parts
        .iter()
        .zip(&mut reasons)
        .filter(|(part, _)| !may_be_left_aside(part));
    if let Some(why) = certain.find_map(|(_, reason)| reason.take()) {
        return Some(why);
    }
    let mut asked = Vec::new();
    for part in parts {
        collect_asked(part, &mut asked);
    }
    for (at, one) in asked.iter().enumerate() {
        if let Some(why) = asked[..at].iter().find_map(|other| clash(other, one)) {
            return Some(why);
        }
    }
    let all = reasons.iter().all(Option::is_some);
    reasons.into_iter().next().flatten().filter(|_| all)
}

/// What has to be met, since it is asked for without an alternative and always applies.
pub(super) fn collect_asked<'a>(requirement: &'a Requirement, into: &mut Vec<&'a Requirement>) {
    if may_be_left_aside(requirement) {
        // Parts of it that always apply would make it apply.
        return;
    }
    match requirement {
        Requirement::All(parts) => parts.iter().for_each(|part| collect_asked(part, into)),
        Requirement::Where(place) if place.otherwise == Otherwise::Unmet => {
            into.push(requirement);
            collect_asked(&place.holds, into);
        }
        Requirement::Any(parts) if parts.len() == 1 => {
            parts.iter().for_each(|part| collect_asked(part, into));
        }
        _ => into.push(requirement),
    }
}

/// Why two requirements are never met together.
fn clash(one: &Requirement, other: &Requirement) -> Option<Impossible> {
    match (one, other) {
        (Requirement::Criterion(one), Requirement::Criterion(other)) => {
            if one.measure != other.measure {
                return None;
            }
            let numbers = range(&one.measure);
            let mut pairs = accepted(one).flat_map(|a| accepted(other).map(move |b| a.meet(b)));
            pairs
                .all(|both| numbers.meet(both).is_empty())
                .then(|| Impossible {
                    because: format!(
                        "\"{}\" ({}) and \"{}\" ({}) ask for numbers of one measure that exclude \
                     each other",
                        one.name,
                        needs(one.needs),
                        other.name,
                        needs(other.needs)
                    ),
                })
        }
        (Requirement::Not(inner), met) | (met, Requirement::Not(inner)) if **inner == *met => {
            impossible("the same is asked for and excluded")
        }
        (Requirement::Where(one), Requirement::Where(other)) => {
            let over = |one: &Where, other: &Where| {
                one.until
                    .zip(other.from)
                    .filter(|(until, from)| until < from)
            };
            let (until, from) = over(one, other).or_else(|| over(other, one))?;
            impossible(format!(
                "one part is available until {until} and another from {from} on"
            ))
        }
        (Requirement::Partner { filter: one, .. }, Requirement::Partner { filter: other, .. }) => {
            let both = Condition::All(vec![one.clone(), other.clone()]);
            let why = never_true(&both, None)?;
            impossible(format!("no partner can be all that is asked: {why}"))
        }
        _ => None,
    }
}

fn criterion_never_met(criterion: &Criterion) -> Option<Impossible> {
    let numbers = range(&criterion.measure);
    let name = &criterion.name;
    if accepted(criterion).all(|accepts| numbers.meet(accepts).is_empty()) {
        let asked = needs(criterion.needs);
        let bound = bounds(&numbers);
        return impossible(format!("\"{name}\" needs {asked} and is {bound}"));
    }
    if !counted(&criterion.measure) {
        return None;
    }
    // A part of a set is no larger than the set.
    let most = accepted(criterion).map(|accepts| accepts.highest());
    let most = most
        .reduce(|one, two| one.zip(two).map(|(one, two)| one.max(two)))
        .flatten();
    criterion.of_which.iter().find_map(|part| {
        let accepts = Interval::of(part.needs);
        if range(&criterion.measure).meet(accepts).is_empty() {
            let (part, asked) = (&part.name, needs(part.needs));
            return impossible(format!("\"{part}\", a part of \"{name}\", needs {asked}"));
        }
        let least = accepts
            .lowest()
            .filter(|least| most.is_some_and(|most| *least > most))?;
        impossible(format!(
            "\"{}\" needs {least}, and \"{name}\", of which it is a part, may have {} only",
            part.name,
            needs(criterion.needs)
        ))
    })
}

fn counted(measure: &Measure) -> bool {
    matches!(
        measure,
        Measure::Count { .. } | Measure::CountDistinct { .. } | Measure::PersonsCertified { .. }
    )
}

/// A threshold in words.
pub(super) fn needs(needs: Threshold) -> String {
    match needs {
        Threshold::Gte(bound) => format!("at least {}", bound.normalize()),
        Threshold::Gt(bound) => format!("more than {}", bound.normalize()),
        Threshold::Lte(bound) => format!("at most {}", bound.normalize()),
        Threshold::Lt(bound) => format!("less than {}", bound.normalize()),
        Threshold::Equals(bound) => format!("exactly {}", bound.normalize()),
        Threshold::Between { from, to } => {
            format!("from {} to {}", from.normalize(), to.normalize())
        }
    }
}

fn bounds(range: &Range) -> String {
    let numbers = &range.numbers;
    let kind = if range.whole { "a whole number, " } else { "" };
    let bound = match (numbers.lowest(), numbers.highest()) {
        (Some(low), Some(high)) if low == high => format!("always {}", low.normalize()),
        (Some(low), Some(high)) => {
            format!("always from {} to {}", low.normalize(), high.normalize())
        }
        (Some(low), None) => format!("never below {}", low.normalize()),
        (None, Some(high)) => format!("never above {}", high.normalize()),
        (None, None) => return "always a whole number".to_owned(),
    };
    format!("{kind}{bound}")
}

/// True when a requirement can never come out as unmet.
pub(super) fn never_unmet(requirement: &Requirement) -> bool {
    match requirement {
        Requirement::All(parts) => parts.iter().all(never_unmet),
        Requirement::Any(parts) => one_never_unmet(parts.iter()),
        Requirement::BestOf(paths) => one_never_unmet(paths.iter().map(|path| &path.holds)),
        Requirement::AtLeast { count, of } => {
            let sure = of
                .iter()
                .filter(|part| never_unmet(part) && !may_be_left_aside(part));
            sure.count() >= usize::try_from(*count).unwrap_or(usize::MAX)
        }
        Requirement::Criterion(criterion) => {
            let numbers = range(&criterion.measure);
            criterion.of_which.is_empty()
                && accepted(criterion).all(|accepts| numbers.meet(Interval::ALL).within(&accepts))
        }
        Requirement::EveryPeriod(periods) => never_unmet(&periods.holds),
        Requirement::AnyPeriod(periods) => {
            never_unmet(&periods.holds) && !may_be_left_aside(&periods.holds)
        }
        Requirement::ForEach(each) => never_unmet(&each.holds),
        Requirement::Where(place) => {
            let here = everywhere(place) || place.otherwise == Otherwise::NotApplicable;
            here && never_unmet(&place.holds)
        }
        Requirement::Information(_) => true,
        Requirement::Not(_)
        | Requirement::Streak { .. }
        | Requirement::Sustained(_)
        | Requirement::AnyDay { .. }
        | Requirement::Partner { .. } => false,
    }
}

fn one_never_unmet<'a>(parts: impl Iterator<Item = &'a Requirement>) -> bool {
    let parts: Vec<_> = parts
        .map(|part| (never_unmet(part), may_be_left_aside(part)))
        .collect();
    let sure = parts.iter().any(|(never, aside)| *never && !aside);
    sure || (!parts.is_empty() && parts.iter().all(|(never, _)| *never))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Requirement {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn deals(id: &str, needs: &str) -> String {
        format!(
            "{{criterion: {{id: {id}, name: {id}, measure: {{count: {{facts: {{kind: deal, \
             date: closed, window: all_time}}}}}}, needs: {needs}}}}}"
        )
    }

    fn attribute(id: &str, test: &str) -> String {
        format!(
            "{{partner: {{id: {id}, name: {id}, where: {{field: {{name: market, is: {test}}}}}}}}}"
        )
    }

    fn dead(yaml: &str) -> bool {
        never_met(&read(yaml)).is_some()
    }

    #[test]
    fn numbers_of_one_measure_may_exclude_each_other() {
        let all = |one: &str, two: &str| {
            dead(&format!("all: [{}, {}]", deals("a", one), deals("b", two)))
        };
        assert!(all("{gte: 10}", "{lte: 5}"));
        assert!(!all("{gte: 5}", "{lte: 5}"));
        assert!(all("{gt: 4}", "{lt: 5}"));
        assert!(all("{equals: 4}", "{between: {from: 5, to: 9}}"));
        let any = format!(
            "any: [{}, {}]",
            deals("a", "{gte: 10}"),
            deals("b", "{lte: 5}")
        );
        assert!(!dead(&any));
    }

    #[test]
    fn a_count_below_zero_is_never_reached() {
        assert!(dead(&deals("a", "{lt: 0}")));
        assert!(!dead(&deals("a", "{lte: 0}")));
        assert!(dead(&deals("a", "{equals: 2.5}")));
        let any = format!(
            "any: [{}, {}]",
            deals("a", "{lt: 0}"),
            deals("b", "{gte: 1}")
        );
        assert!(!dead(&any));
        let two = format!(
            "at_least: {{count: 2, of: [{}, {}]}}",
            deals("a", "{lt: 0}"),
            deals("b", "{gte: 1}")
        );
        assert!(dead(&two));
        assert!(!dead(&two.replace("count: 2", "count: 1")));
    }

    #[test]
    fn a_case_may_save_a_criterion() {
        let saved = deals("a", "{lt: 0}, cases: [{where: {all: []}, needs: {gte: 1}}]");
        assert!(!dead(&saved));
    }

    #[test]
    fn attributes_may_exclude_each_other() {
        let all = |one: &str, two: &str| {
            dead(&format!(
                "all: [{}, {}]",
                attribute("a", one),
                attribute("b", two)
            ))
        };
        assert!(all("{equals: growth}", "{equals: mature}"));
        assert!(!all("{equals: growth}", "{equals: Growth}"));
        let same = attribute("a", "{equals: growth}");
        assert!(dead(&format!("all: [{same}, {{not: {same}}}]")));
    }

    #[test]
    fn what_is_left_aside_forbids_nothing() {
        let (never, fine) = (deals("a", "{lt: 0}"), deals("b", "{gte: 1}"));
        assert!(dead(&format!("all: [{never}, {fine}]")));
        assert!(!dead(&format!("all: [{{information: {never}}}, {fine}]")));
        assert!(dead(&format!("information: {fine}")));
        assert!(!dead(&format!(
            "all: [{{where: {{from: 2026-01-01, holds: {never}}}}}, {fine}]"
        )));
        assert!(dead(&format!(
            "all: [{{where: {{from: 2026-01-01, otherwise: unmet, holds: {never}}}}}, {fine}]"
        )));
    }

    #[test]
    fn two_times_may_have_no_day_in_common() {
        let until = format!(
            "{{where: {{until: 2026-06-30, otherwise: unmet, holds: {}}}}}",
            deals("a", "{gte: 1}")
        );
        let from = format!(
            "{{where: {{from: 2026-07-01, otherwise: unmet, holds: {}}}}}",
            deals("b", "{gte: 1}")
        );
        assert!(dead(&format!("all: [{until}, {from}]")));
        assert!(!dead(&format!(
            "all: [{until}, {}]",
            from.replace("07-01", "06-30")
        )));
    }

    #[test]
    fn a_part_is_no_larger_than_the_whole() {
        let part = |needs: &str| {
            deals(
                "a",
                &format!("{{lte: 3}}, of_which: [{{name: p, where: {{all: []}}, needs: {needs}}}]"),
            )
        };
        assert!(dead(&part("{gte: 5}")));
        assert!(!dead(&part("{gte: 3}")));
    }

    #[test]
    fn some_requirements_never_fail() {
        let sure = |yaml: &str| never_unmet(&read(yaml));
        assert!(sure(&deals("a", "{gte: 0}")));
        assert!(!sure(&deals("a", "{gte: 1}")));
        assert!(sure(&format!("information: {}", deals("a", "{gte: 1}"))));
        let both = format!(
            "all: [{}, {}]",
            deals("a", "{gte: 0}"),
            deals("b", "{gte: 1}")
        );
        assert!(!sure(&both));
        assert!(sure(&both.replace("all:", "any:")));
    }
}
