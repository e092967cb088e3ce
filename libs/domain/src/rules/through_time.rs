//! Requirements that look at several days: the ends of periods, every day for some time, one day of
//! a window.
//!
//! What is known today is taken for all of them: a fact that was corrected since counts as it is.

use jiff::civil::Date;

use crate::rules::evaluate::{FactSource, Mode, Run, applicable, at_least};
use crate::rules::explain::{Explanation, Node, Outcome, capped};
use crate::rules::model::{Duration, Requirement, Sustained, Window};
use crate::rules::tally::Tally;
use crate::rules::window::first_reaching;
use crate::time::{DateRange, PeriodUnit, add_days, add_months, next_day, previous_day};

impl Duration {
    /// The first of the days through which something has to have held.
    fn begins(self, as_of: Date, longer: bool) -> Date {
        let begins = match self {
            Self::Days(days) => add_days(as_of, -i32::from(days)),
            Self::Months(months) => add_months(as_of, -i32::from(months)),
        };
        if longer { previous_day(begins) } else { begins }
    }

    /// The first as-of date for which the days begin on `day` or later.
    fn begins_on(self, day: Date, longer: bool) -> Date {
        let day = if longer { next_day(day) } else { day };
        match self {
            Self::Days(days) => add_days(day, i32::from(days)),
            Self::Months(months) => first_reaching(day, i32::from(months)),
        }
    }
}

/// A day from which on, until the next one, nothing changes.
struct Stretch {
    from: Date,
    to: Date,
    outcome: Outcome,
}

impl<F: FactSource + ?Sized> Run<'_, F> {
    /// What something is as of another day, and the first day after that on which it could be
    /// another.
    pub(super) fn on_day<R>(
        &mut self,
        day: Date,
        look: impl FnOnce(&mut Self) -> R,
    ) -> (R, Option<Date>) {
        let today = std::mem::replace(&mut self.as_of, day);
        let settled = std::mem::replace(&mut self.settled, false);
        let next = self.next_change.take();
        let seen = look(self);
        self.as_of = today;
        self.settled = settled;
        (seen, std::mem::replace(&mut self.next_change, next))
    }

    pub(super) fn periods(
        &mut self,
        unit: PeriodUnit,
        last: u32,
        holds: &Requirement,
    ) -> Vec<Explanation> {
        let today = self.as_of;
        if self.context.mode == Mode::AsOfToday {
            return vec![self.requirement(holds).on_day(Node::Today, today)];
        }
        let calendar = self.context.calendar;
        self.changes_on(Some(next_day(unit.containing(today, calendar).to)));
        let complete = unit.complete_before(today, last, calendar);
        let was_settled = std::mem::replace(&mut self.settled, true);
        let children = complete
            .iter()
            .map(|period| {
                self.as_of = period.to;
                self.requirement(holds).on_day(Node::PeriodEnd, period.to)
            })
            .collect();
        self.as_of = today;
        self.settled = was_settled;
        children
    }

    pub(super) fn streak(
        &mut self,
        count: u32,
        unit: PeriodUnit,
        last: u32,
        holds: &Requirement,
    ) -> Explanation {
        let children = self.periods(unit, last, holds);
        // As of today there is one child, which stands for all.
        let need = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(children.len());
        let runs = |wanted: fn(Outcome) -> bool| {
            let of = children.iter().map(|child| wanted(child.outcome));
            of.fold((0_usize, 0_usize), |(longest, run), holds| {
                let run = if holds { run + 1 } else { 0 };
                (longest.max(run), run)
            })
            .0
        };
        let met = runs(|outcome| outcome == Outcome::Met);
        let possible = runs(|outcome| matches!(outcome, Outcome::Met | Outcome::Unknown));
        let outcome = if applicable(&children) == 0 {
            Outcome::NotApplicable
        } else if met >= need {
            Outcome::Met
        } else if possible >= need {
            Outcome::Unknown
        } else {
            Outcome::Unmet
        };
        let mut node = Explanation::new(Node::Streak, outcome);
        let share = (met * 100).checked_div(need).unwrap_or_default();
        node.percent = Some(capped(u8::try_from(share).unwrap_or(100), outcome));
        node.period = Some(unit);
        node.need = Some(count);
        node.children = children;
        node
    }

    pub(super) fn sustained(&mut self, sustained: &Sustained) -> Explanation {
        let Sustained {
            duration,
            longer,
            holds,
        } = sustained;
        let today = self.as_of;
        let (now, next) = self.on_day(today, |run| run.requirement(holds));
        self.changes_on(next);
        let mut outcome = now.outcome;
        let mut children = vec![now.on_day(Node::Day, today)];
        // Where the process of a demotion asks for recovery, the day alone counts.
        if self.context.mode == Mode::AtPeriodEnds {
            let days = DateRange {
                from: duration.begins(today, *longer),
                to: today,
            };
            let stretches = self.stretches(days, holds);
            if let Some(second) = stretches.get(1) {
                self.changes_on(Some(duration.begins_on(second.from, *longer)));
            }
            let failing = stretches
                .iter()
                .rfind(|stretch| matches!(stretch.outcome, Outcome::Unmet | Outcome::Unknown));
            let unmet = stretches.iter().any(|one| one.outcome == Outcome::Unmet);
            if let Some(failing) = failing {
                outcome = if unmet {
                    Outcome::Unmet
                } else {
                    Outcome::Unknown
                };
                if failing.to < today {
                    let (then, _) = self.on_day(failing.to, |run| run.requirement(holds));
                    children.push(then.on_day(Node::Day, failing.to));
                }
            }
        }
        let mut node = Explanation::new(Node::Sustained, outcome);
        node.percent = children
            .first()
            .and_then(|child| child.percent)
            .map(|percent| capped(percent, outcome));
        node.duration = Some(*duration);
        node.children = children;
        node
    }

    pub(super) fn any_day(&mut self, window: Window, holds: &Requirement) -> Explanation {
        let today = self.as_of;
        let days = match self.context.mode {
            Mode::AtPeriodEnds => self.days(window),
            Mode::AsOfToday => DateRange {
                from: today,
                to: today,
            },
        };
        let stretches = self.stretches(days, holds);
        if let (Some(second), false) = (stretches.get(1), matches!(window, Window::Complete { .. }))
        {
            let left = window.left_on(previous_day(second.from), self.context.calendar);
            self.changes_on(left);
        }
        let (_, next) = self.on_day(days.to.min(today), |run| run.requirement(holds));
        self.changes_on(next);
        if let Window::Complete { unit, .. } | Window::Current(unit) = window {
            let running = unit.containing(today, self.context.calendar);
            self.changes_on(Some(next_day(running.to)));
        }
        let found = |wanted: Outcome| stretches.iter().rfind(|one| one.outcome == wanted);
        let chosen = found(Outcome::Met)
            .or_else(|| found(Outcome::Unknown))
            .or_else(|| found(Outcome::Unmet))
            .or(stretches.last());
        let Some(chosen) = chosen else {
            return Explanation::new(Node::AnyDay, Outcome::Unmet);
        };
        let (then, _) = self.on_day(chosen.to, |run| run.requirement(holds));
        Explanation::group(
            Node::AnyDay,
            chosen.outcome,
            vec![then.on_day(Node::Day, chosen.to)],
            1,
        )
    }

    /// The days, in stretches in which nothing changes; one after the other as they come.
    fn stretches(&mut self, days: DateRange, holds: &Requirement) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut from = days.from;
        while from <= days.to {
            let (seen, next) = self.on_day(from, |run| run.requirement(holds));
            let to = next.map_or(days.to, |next| previous_day(next).min(days.to));
            stretches.push(Stretch {
                from,
                to,
                outcome: seen.outcome,
            });
            from = next_day(to);
        }
        stretches
    }

    pub(super) fn for_each(&mut self, each: &crate::rules::model::ForEach) -> Explanation {
        let Some((numbers, tally, _)) = self.numbers_of(&each.groups) else {
            return Explanation::new(Node::ForEach, Outcome::Unknown);
        };
        let vague = tally.valueless > 0 || tally.unconverted > 0;
        let chosen = chosen(numbers, each);
        let total = chosen.len();
        let mut children = Vec::with_capacity(total);
        for group in chosen {
            let outer = self.group.replace(group.clone());
            let written = tally.groups.get(&group).and_then(Tally::name);
            let name = written.unwrap_or(&group);
            children.push(self.requirement(&each.holds).inside(Node::Group, name));
            self.group = outer;
        }
        let outcome = match at_least(applicable(&children), &children) {
            _ if children.is_empty() && vague => Outcome::Unknown,
            _ if children.is_empty() => Outcome::NotApplicable,
            Outcome::Met if vague => Outcome::Unknown,
            other => other,
        };
        let mut node = Explanation::group(Node::ForEach, outcome, children, usize::MAX);
        node.total = u32::try_from(total).ok();
        // What decides is kept.
        node.children.sort_by_key(|child| match child.outcome {
            Outcome::Unmet => 0,
            Outcome::Unknown => 1,
            Outcome::Met => 2,
            Outcome::NotApplicable => 3,
        });
        node.children.truncate(MAX_SHOWN_GROUPS);
        node
    }
}

/// Most groups that an explanation keeps.
const MAX_SHOWN_GROUPS: usize = 50;

/// The groups that are asked about, in alphabetical order.
fn chosen(
    numbers: Vec<(String, rust_decimal::Decimal)>,
    each: &crate::rules::model::ForEach,
) -> Vec<String> {
    let passes = |number| {
        each.having.is_none_or(|having| {
            crate::rules::explain::judge(having, number, false) == Outcome::Met
        })
    };
    let mut passing: Vec<_> = numbers
        .into_iter()
        .filter(|(_, number)| passes(*number))
        .collect();
    if let Some(greatest) = each.greatest {
        let mut sorted: Vec<_> = passing.iter().map(|(_, number)| *number).collect();
        sorted.sort_unstable_by(|left, right| right.cmp(left));
        let last = usize::try_from(greatest)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        if let Some(bound) = sorted.get(last) {
            passing.retain(|(_, number)| number >= bound);
        }
    }
    passing.into_iter().map(|(group, _)| group).collect()
}
