//! The criteria of a requirement, each with how it is asked for, so that those of two tiers can be
//! compared.

use crate::rules::Requirement;
use crate::rules::model::Criterion;

/// A criterion and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Asked<'a> {
    pub(super) criterion: &'a Criterion,
    /// Path below the requirement.
    pub(super) path: String,
    /// It has to hold; otherwise something else may stand in for it.
    pub(super) mandatory: bool,
    /// It must not hold.
    pub(super) negated: bool,
    /// What it is looked at through: periods, groups, places.
    pub(super) through: Vec<Through<'a>>,
}

/// What a criterion is looked at through: a requirement around it, without what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Through<'a>(&'a Requirement);

impl PartialEq for Through<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Requirement::EveryPeriod(one), Requirement::EveryPeriod(other))
            | (Requirement::AnyPeriod(one), Requirement::AnyPeriod(other)) => {
                (one.unit, one.last) == (other.unit, other.last)
            }
            (
                Requirement::Streak {
                    count, unit, last, ..
                },
                Requirement::Streak {
                    count: other_count,
                    unit: other_unit,
                    last: other_last,
                    ..
                },
            ) => (count, unit, last) == (other_count, other_unit, other_last),
            (Requirement::Sustained(one), Requirement::Sustained(other)) => {
                (one.duration, one.longer) == (other.duration, other.longer)
            }
            (Requirement::AnyDay { window, .. }, Requirement::AnyDay { window: other, .. }) => {
                window == other
            }
            (Requirement::ForEach(one), Requirement::ForEach(other)) => {
                one.groups == other.groups
                    && one.having == other.having
                    && one.greatest == other.greatest
            }
            (Requirement::Where(one), Requirement::Where(other)) => {
                one.filter == other.filter
                    && (one.from, one.until, one.otherwise)
                        == (other.from, other.until, other.otherwise)
            }
            _ => false,
        }
    }
}

/// Every criterion that counts; what is for information only is not among them, nor what gates a
/// measure.
pub(super) fn asked(requirement: &Requirement) -> Vec<Asked<'_>> {
    let mut walk = Walk {
        found: Vec::new(),
        through: Vec::new(),
    };
    walk.requirement(requirement, String::new(), true, false);
    walk.found
}

struct Walk<'a> {
    found: Vec<Asked<'a>>,
    through: Vec<Through<'a>>,
}

impl<'a> Walk<'a> {
    fn requirement(&mut self, now: &'a Requirement, path: String, mandatory: bool, negated: bool) {
        match now {
            Requirement::Criterion(criterion) => self.found.push(Asked {
                criterion,
                path: format!("{path}.criterion"),
                mandatory,
                negated,
                through: self.through.clone(),
            }),
            Requirement::All(parts) => self.each(parts, &format!("{path}.all"), mandatory, negated),
            Requirement::Any(parts) => {
                let mandatory = mandatory && parts.len() == 1;
                self.each(parts, &format!("{path}.any"), mandatory, negated);
            }
            Requirement::AtLeast { count, of } => {
                let all = usize::try_from(*count).is_ok_and(|count| count >= of.len());
                self.each(
                    of,
                    &format!("{path}.at_least.of"),
                    mandatory && all,
                    negated,
                );
            }
            Requirement::BestOf(paths) => {
                let mandatory = mandatory && paths.len() == 1;
                for (at, way) in paths.iter().enumerate() {
                    let path = format!("{path}.best_of[{at}].holds");
                    self.requirement(&way.holds, path, mandatory, negated);
                }
            }
            // Of what must not all hold, each part may be the one that does not.
            Requirement::Not(part) => {
                self.requirement(part, format!("{path}.not"), false, !negated)
            }
            Requirement::Information(_) | Requirement::Partner { .. } => {}
            Requirement::EveryPeriod(periods) => {
                self.inside(
                    now,
                    &periods.holds,
                    path,
                    "every_period",
                    mandatory,
                    negated,
                );
            }
            Requirement::AnyPeriod(periods) => {
                self.inside(now, &periods.holds, path, "any_period", mandatory, negated);
            }
            Requirement::Streak { holds, .. } => {
                self.inside(now, holds, path, "streak", mandatory, negated);
            }
            Requirement::Sustained(sustained) => {
                self.inside(now, &sustained.holds, path, "sustained", mandatory, negated);
            }
            Requirement::AnyDay { holds, .. } => {
                self.inside(now, holds, path, "any_day", mandatory, negated);
            }
            Requirement::ForEach(each) => {
                self.inside(now, &each.holds, path, "for_each", mandatory, negated);
            }
            Requirement::Where(place) => {
                self.inside(now, &place.holds, path, "where", mandatory, negated);
            }
        }
    }

    fn each(&mut self, parts: &'a [Requirement], path: &str, mandatory: bool, negated: bool) {
        for (at, part) in parts.iter().enumerate() {
            self.requirement(part, format!("{path}[{at}]"), mandatory, negated);
        }
    }

    fn inside(
        &mut self,
        outer: &'a Requirement,
        holds: &'a Requirement,
        path: String,
        name: &str,
        mandatory: bool,
        negated: bool,
    ) {
        self.through.push(Through(outer));
        self.requirement(holds, format!("{path}.{name}.holds"), mandatory, negated);
        self.through.pop();
    }
}
