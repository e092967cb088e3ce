//! How tiers are lost: never, without a warning, or at once.

use super::interval::Interval;
use super::outcome::{may_be_left_aside, needs, never_met, never_unmet};
use super::range::range;
use super::stricter::{Asked, asked};
use super::{Findings, rules};
use crate::program::definition::{DemotionMode, Tier, Track};
use crate::rules::model::{Case, Measure, Threshold, When, Window};
use crate::time::PeriodUnit;

/// The policy of a track.
pub(super) fn check_policy(findings: &mut Findings, path: &str, track: &Track) {
    if track.tiers.len() < 2 {
        return;
    }
    let policy = &track.demotion;
    match policy.mode {
        DemotionMode::Never => findings.add(
            &rules::TIERS_NEVER_LOST,
            format!("{path}.demotion.mode"),
            format!(
                "tiers of track {} are never lost, whatever happens",
                track.id
            ),
        ),
        DemotionMode::Automatic if policy.notice_days == 0 && policy.remediation_days == 0 => {
            findings.add(
                &rules::LOST_WITHOUT_NOTICE,
                format!("{path}.demotion"),
                format!(
                    "a tier of track {} is lost on the day on which it is found not to be kept: \
                     0 days of notice, 0 of remediation",
                    track.id
                ),
            );
        }
        DemotionMode::Automatic | DemotionMode::Recommend => {}
    }
}

/// What it takes to keep each tier.
pub(super) fn check_tiers(findings: &mut Findings, path: &str, track: &Track) {
    if track.demotion.mode == DemotionMode::Never {
        return;
    }
    for (at, tier) in track.tiers.iter().enumerate() {
        let Some(keeps) = tier.keeps() else { continue };
        let word = if tier.retention.is_some() {
            "retention"
        } else {
            "qualification"
        };
        let field = format!("{path}.tiers[{at}].{word}");
        if tier
            .qualification
            .as_ref()
            .is_some_and(|asks| never_met(asks).is_some())
        {
            continue;
        }
        if never_unmet(keeps) {
            let text = format!("tier {} is never lost: its {word} cannot fail", tier.id);
            findings.add(&rules::RETENTION_NEVER_FAILS, field.as_str(), text);
        } else if tier.retention.is_some()
            && !may_be_left_aside(keeps)
            && let Some(why) = never_met(keeps)
        {
            let text = format!("nobody can keep tier {}: {}", tier.id, why.because);
            findings.add(&rules::TIER_CANNOT_BE_KEPT, field.as_str(), text);
        } else {
            stricter(findings, &field, tier);
        }
        if let Some(unit) = track.demotion.review {
            for one in asked(keeps) {
                window(findings, &field, &one, unit);
            }
        }
    }
}

/// What is asked for keeping a tier and is more than what is asked for reaching it.
fn stricter(findings: &mut Findings, field: &str, tier: &Tier) {
    let (Some(qualification), Some(retention)) = (&tier.qualification, &tier.retention) else {
        return;
    };
    let certain = |one: &Asked<'_>| one.mandatory && !one.negated;
    let reach: Vec<_> = asked(qualification).into_iter().filter(certain).collect();
    for keep in asked(retention).iter().filter(|one| certain(one)) {
        let same = |one: &&Asked<'_>| {
            one.criterion.measure == keep.criterion.measure && one.through == keep.through
        };
        let same: Vec<_> = reach.iter().filter(same).collect();
        let cases = &keep.criterion.cases;
        if same.is_empty() || !same.iter().all(|one| like(&one.criterion.cases, cases)) {
            continue;
        }
        let numbers = range(&keep.criterion.measure);
        for case in 0..=cases.len() {
            let of = |one: &Asked<'_>| nth(one, case);
            let reached = same.iter().map(|one| Interval::of(of(one)));
            let reached = numbers.meet(reached.fold(Interval::ALL, Interval::meet));
            let kept = numbers.meet(Interval::of(of(keep)));
            if !reached.is_empty() && !reached.within(&kept) {
                let text = format!(
                    "tier {} is reached with {} of \"{}\" and kept with {}",
                    tier.id,
                    same.first().map(|one| needs(of(one))).unwrap_or_default(),
                    keep.criterion.name,
                    needs(of(keep))
                );
                let place = format!("{field}{}", keep.path);
                findings.add(&rules::RETENTION_STRICTER, place, text);
                break;
            }
        }
    }
}

fn like(one: &[Case], other: &[Case]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| one.filter == other.filter)
}

/// The threshold of a case; of the first number the one that holds without a case.
fn nth(asked: &Asked<'_>, at: usize) -> Threshold {
    let case = at
        .checked_sub(1)
        .and_then(|at| asked.criterion.cases.get(at));
    case.map_or(asked.criterion.needs, |case| case.needs)
}

/// What is looked at less far back than to the review before.
fn window(findings: &mut Findings, field: &str, one: &Asked<'_>, review: PeriodUnit) {
    if !one.mandatory || !one.through.is_empty() {
        return;
    }
    let mut windows = Vec::new();
    one.criterion.measure.each_part(&mut |part| {
        each_window(part, &mut |window| windows.push(shorter(window, review)));
    });
    let all = windows.iter().all(Option::is_some);
    let shown = windows.into_iter().next().flatten().filter(|_| all);
    if let Some(text) = shown {
        let text = format!(
            "\"{}\" looks at {text}, and keeping the tier is looked at only every {}",
            one.criterion.name,
            months(review.months())
        );
        let place = format!("{field}{}.measure", one.path);
        findings.add(&rules::WINDOW_SHORTER_THAN_REVIEW, place, text);
    }
}

fn each_window(measure: &Measure, visit: &mut dyn FnMut(Window)) {
    match measure {
        Measure::Count { facts }
        | Measure::CountDistinct { facts, .. }
        | Measure::Sum { facts, .. } => visit(facts.window),
        Measure::Groups { groups, .. } | Measure::CountGroups { groups, .. } => {
            visit(groups.facts.window);
        }
        Measure::Points(points) => {
            points
                .table
                .iter()
                .for_each(|entry| visit(entry.facts.window));
        }
        Measure::InForce(facts) => {
            if let When::Within(window) = facts.when {
                visit(window);
            }
        }
        _ => {}
    }
}

/// What a window looks at, where that is less than the time between two reviews. A period that has
/// just begun holds a single day at a review on the first day of a longer one.
fn shorter(window: Window, review: PeriodUnit) -> Option<String> {
    let between = review.months();
    match window {
        Window::RollingMonths(count) if i32::from(count) < between => {
            Some(format!("the last {}", months(i32::from(count))))
        }
        // No month has fewer days.
        Window::RollingDays(days) if i32::from(days) < between * 28 => {
            Some(format!("the last {days} days"))
        }
        Window::Complete { unit, last } if i32::from(last) * unit.months() < between => {
            Some(format!(
                "the last {} that are over",
                months(i32::from(last) * unit.months())
            ))
        }
        Window::Current(unit) if unit == review => {
            Some("the period that runs, which begins on the day of the review".to_owned())
        }
        _ => None,
    }
}

fn months(count: i32) -> String {
    match count {
        1 => "month".to_owned(),
        count => format!("{count} months"),
    }
}
