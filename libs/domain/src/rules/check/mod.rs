//! The check of a requirement before it is published: every mistake at once, with its place.

mod beyond;
mod measure;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::ids::check_label;
use crate::rejection::{Rejection, Violations};
use crate::rules::model::{
    Case, Condition, Criterion, Duration, ForEach, MAX_DEPTH, MAX_NODES, Measure, OfWhich, Periods,
    Requirement, Sustained, Test, Threshold, Where,
};
use crate::rules::value::Value;
use crate::time::check_date;

/// Most complete periods that are looked back on.
pub const MAX_PERIODS: u32 = 40;
/// Longest rolling window in months.
pub const MAX_WINDOW_MONTHS: u16 = 240;
/// Longest rolling window in days.
pub const MAX_WINDOW_DAYS: u16 = 7_320;
/// Most parts of a criterion.
pub const MAX_OF_WHICH: usize = 16;
/// Most values of one list in a condition.
pub const MAX_VALUES: usize = 200;
/// Longest name, field name or text value, in characters.
pub const MAX_TEXT: usize = 200;
/// Longest note, in characters.
pub const MAX_NOTE: usize = 2_000;
/// Most decimals of a threshold.
pub const MAX_THRESHOLD_SCALE: u32 = 10;
/// Most certifications that a person can be asked for.
pub const MAX_CERTIFICATIONS: u32 = 100;
/// Longest time for which something has to be sustained, or before which a fact does not count, in
/// months.
pub const MAX_MONTHS: u16 = 120;
/// The same in days.
pub const MAX_DAYS: u16 = 1_830;
/// Most lines of a table: of points, of a score, of roles, of validity, of cases.
pub const MAX_LINES: usize = 100;
/// Most seats of a role.
pub const MAX_SEATS: u32 = 1_000;

impl Requirement {
    /// Checks form and bounds of the whole tree.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with one violation per mistake; the field is the path in the tree, such as
    /// `all[1].criterion.needs.gte`.
    pub fn check(&self) -> Result<(), Rejection> {
        let mut check = Check::default();
        check.requirement("", self, 1);
        check.finish()
    }
}

impl Condition {
    /// Checks form and bounds of the whole tree, as [`Requirement::check`] does for one that is
    /// part of a requirement.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with one violation per mistake; the field is the path in the tree, such as
    /// `all[1].field.name`.
    pub fn check(&self) -> Result<(), Rejection> {
        let mut check = Check::default();
        check.condition("", self, 1);
        check.finish()
    }
}

#[derive(Default)]
struct Check {
    violations: Violations,
    nodes: usize,
    ids: Vec<String>,
    /// True inside `for_each`, where selections may ask for the group.
    grouped: bool,
    /// True inside what looks at many days, which must not be nested.
    through_days: bool,
    /// True inside what is measured of others too, which must not look beyond the partner itself.
    beyond: bool,
}

fn at(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl Check {
    /// What was found, and whether the tree as a whole is too large.
    fn finish(mut self) -> Result<(), Rejection> {
        if self.nodes > MAX_NODES {
            let text = format!("has {} nodes; at most {MAX_NODES} are allowed", self.nodes);
            self.violations.add("", text);
        }
        self.violations.check()
    }

    /// Counts a node. False when it is too deep to go on.
    fn enter(&mut self, path: &str, depth: usize) -> bool {
        self.nodes += 1;
        if depth == MAX_DEPTH + 1 {
            self.violations
                .add(path, format!("is nested deeper than {MAX_DEPTH} levels"));
        }
        depth <= MAX_DEPTH
    }

    fn within<T: PartialOrd + std::fmt::Display>(
        &mut self,
        path: String,
        number: T,
        least: T,
        most: T,
    ) {
        if number < least || number > most {
            self.violations.add(
                path,
                format!("must be from {least} to {most}, not {number}"),
            );
        }
    }

    fn requirement(&mut self, path: &str, requirement: &Requirement, depth: usize) {
        if !self.enter(path, depth) {
            return;
        }
        match requirement {
            Requirement::All(parts) => self.group(&at(path, "all"), parts, depth),
            Requirement::Any(parts) => self.group(&at(path, "any"), parts, depth),
            Requirement::AtLeast { count, of } => {
                let most = u32::try_from(of.len()).unwrap_or(u32::MAX).max(1);
                self.within(at(path, "at_least.count"), *count, 1, most);
                self.group(&at(path, "at_least.of"), of, depth);
            }
            Requirement::Not(part) => self.requirement(&at(path, "not"), part, depth + 1),
            Requirement::Criterion(criterion) => {
                self.criterion(&at(path, "criterion"), criterion, depth);
            }
            Requirement::EveryPeriod(periods) => {
                self.periods(&at(path, "every_period"), periods, depth);
            }
            Requirement::AnyPeriod(periods) => {
                self.periods(&at(path, "any_period"), periods, depth);
            }
            Requirement::Streak {
                count, last, holds, ..
            } => {
                let path = at(path, "streak");
                self.within(at(&path, "last"), *last, 1, MAX_PERIODS);
                self.within(at(&path, "count"), *count, 1, (*last).max(1));
                self.requirement(&at(&path, "holds"), holds, depth + 1);
            }
            Requirement::Sustained(sustained) => {
                self.sustained(&at(path, "sustained"), sustained, depth);
            }
            Requirement::AnyDay { window, holds } => {
                let path = at(path, "any_day");
                self.window(&at(&path, "window"), *window);
                self.through_days(&path, |check| {
                    check.requirement(&at(&path, "holds"), holds, depth + 1);
                });
            }
            Requirement::ForEach(each) => self.for_each(&at(path, "for_each"), each, depth),
            Requirement::BestOf(paths) => {
                let path = at(path, "best_of");
                if paths.is_empty() {
                    self.violations.add(&path, "must have at least one way");
                }
                for (number, way) in paths.iter().enumerate() {
                    let path = format!("{path}[{number}]");
                    self.text(at(&path, "name"), &way.name);
                    self.requirement(&at(&path, "holds"), &way.holds, depth + 1);
                }
            }
            Requirement::Where(place) => self.place(&at(path, "where"), place, depth),
            Requirement::Information(part) => {
                self.requirement(&at(path, "information"), part, depth + 1);
            }
            Requirement::Partner { id, name, filter } => {
                let path = at(path, "partner");
                self.head(&path, id, name);
                self.condition(&at(&path, "where"), filter, depth + 1);
            }
        }
    }

    fn group(&mut self, path: &str, parts: &[Requirement], depth: usize) {
        if parts.is_empty() {
            self.violations
                .add(path, "must have at least one requirement");
        }
        for (number, part) in parts.iter().enumerate() {
            self.requirement(&format!("{path}[{number}]"), part, depth + 1);
        }
    }

    fn periods(&mut self, path: &str, periods: &Periods, depth: usize) {
        self.within(at(path, "last"), periods.last, 1, MAX_PERIODS);
        self.requirement(&at(path, "holds"), &periods.holds, depth + 1);
    }

    fn duration(&mut self, path: &str, duration: Duration) {
        match duration {
            Duration::Days(days) => self.within(at(path, "days"), days, 1, MAX_DAYS),
            Duration::Months(months) => self.within(at(path, "months"), months, 1, MAX_MONTHS),
        }
    }

    fn sustained(&mut self, path: &str, sustained: &Sustained, depth: usize) {
        self.duration(&at(path, "duration"), sustained.duration);
        self.through_days(path, |check| {
            check.requirement(&at(path, "holds"), &sustained.holds, depth + 1);
        });
    }

    /// Every day of years, for every day of years, would be too many.
    fn through_days(&mut self, path: &str, check: impl FnOnce(&mut Self)) {
        if self.through_days {
            self.violations
                .add(path, "must not be inside another sustained or any_day");
        }
        let outer = std::mem::replace(&mut self.through_days, true);
        check(self);
        self.through_days = outer;
    }

    fn for_each(&mut self, path: &str, each: &ForEach, depth: usize) {
        if self.grouped {
            self.violations.add(path, "must not be inside another");
        }
        self.grouping(&at(path, "groups"), &each.groups, depth);
        if let Some(having) = each.having {
            self.threshold(&at(path, "having"), having);
        }
        if let Some(greatest) = each.greatest {
            self.within(at(path, "greatest"), greatest, 1, 1_000);
        }
        let outer = std::mem::replace(&mut self.grouped, true);
        self.requirement(&at(path, "holds"), &each.holds, depth + 1);
        self.grouped = outer;
    }

    fn place(&mut self, path: &str, place: &Where, depth: usize) {
        self.condition(&at(path, "where"), &place.filter, depth + 1);
        self.date(&at(path, "from"), place.from);
        self.date(&at(path, "until"), place.until);
        if let (Some(from), Some(until)) = (place.from, place.until)
            && from > until
        {
            self.violations
                .add(at(path, "from"), format!("must not be after {until}"));
        }
        self.requirement(&at(path, "holds"), &place.holds, depth + 1);
    }

    fn date(&mut self, path: &str, date: Option<Date>) {
        if let Some(date) = date {
            let checked = check_date(path, date);
            self.violations.take("", checked);
        }
    }

    fn cases(&mut self, path: &str, cases: &[Case], depth: usize) {
        self.lines(path, cases.len(), 0);
        for (number, case) in cases.iter().enumerate() {
            let path = format!("{path}[{number}]");
            self.condition(&at(&path, "where"), &case.filter, depth + 1);
            self.threshold(&at(&path, "needs"), case.needs);
        }
    }

    fn lines(&mut self, path: &str, lines: usize, least: usize) {
        if lines < least || lines > MAX_LINES {
            self.violations
                .add(path, format!("must have from {least} to {MAX_LINES} lines"));
        }
    }

    fn head(&mut self, path: &str, id: &str, name: &str) {
        let form = check_label("id", id);
        self.violations.take(path, form);
        if self.ids.iter().any(|known| known == id) {
            let text = format!("\"{id}\" is used twice; it must be unique in the requirement");
            self.violations.add(at(path, "id"), text);
        }
        self.ids.push(id.to_owned());
        self.text(at(path, "name"), name);
    }

    fn text(&mut self, path: String, text: &str) {
        if text.trim().is_empty() {
            self.violations.add(path, "must not be blank");
        } else if text.chars().count() > MAX_TEXT {
            self.violations
                .add(path, format!("must have at most {MAX_TEXT} characters"));
        }
    }

    fn criterion(&mut self, path: &str, criterion: &Criterion, depth: usize) {
        self.head(path, &criterion.id, &criterion.name);
        if criterion
            .note
            .as_ref()
            .is_some_and(|note| note.chars().count() > MAX_NOTE)
        {
            let text = format!("must have at most {MAX_NOTE} characters");
            self.violations.add(at(path, "note"), text);
        }
        self.measure(&at(path, "measure"), &criterion.measure, depth);
        self.threshold(&at(path, "needs"), criterion.needs);
        self.cases(&at(path, "cases"), &criterion.cases, depth);
        let has_parts = matches!(
            criterion.measure,
            Measure::Count { .. }
                | Measure::CountDistinct { .. }
                | Measure::Sum { .. }
                | Measure::PersonsCertified { .. }
        );
        if !has_parts && !criterion.of_which.is_empty() {
            let text = "is only possible for count, count_distinct, sum and persons_certified";
            self.violations.add(at(path, "of_which"), text);
        }
        if criterion.of_which.len() > MAX_OF_WHICH {
            let text = format!("has more than {MAX_OF_WHICH} parts");
            self.violations.add(at(path, "of_which"), text);
        }
        for (number, part) in criterion.of_which.iter().enumerate() {
            let path = format!("{path}.of_which[{number}]");
            let OfWhich {
                name,
                filter,
                needs,
            } = part;
            self.text(at(&path, "name"), name);
            self.condition(&at(&path, "where"), filter, depth + 1);
            self.threshold(&at(&path, "needs"), *needs);
        }
    }

    fn threshold(&mut self, path: &str, needs: Threshold) {
        match needs {
            Threshold::Gte(bound) => self.bound(at(path, "gte"), bound),
            Threshold::Gt(bound) => self.bound(at(path, "gt"), bound),
            Threshold::Lte(bound) => self.bound(at(path, "lte"), bound),
            Threshold::Lt(bound) => self.bound(at(path, "lt"), bound),
            Threshold::Equals(bound) => self.bound(at(path, "equals"), bound),
            Threshold::Between { from, to } => {
                self.bound(at(path, "between.from"), from);
                self.bound(at(path, "between.to"), to);
                if from > to {
                    let text = format!("must not be more than {to}");
                    self.violations.add(at(path, "between.from"), text);
                }
            }
        }
    }

    fn bound(&mut self, path: String, bound: Decimal) {
        let most = crate::money::MAX_AMOUNT;
        if bound.abs() > most {
            self.violations
                .add(path, format!("must be from -{most} to {most}, not {bound}"));
        } else if bound.normalize().scale() > MAX_THRESHOLD_SCALE {
            let text = format!("must have at most {MAX_THRESHOLD_SCALE} decimals");
            self.violations.add(path, text);
        }
    }

    fn condition(&mut self, path: &str, condition: &Condition, depth: usize) {
        if !self.enter(path, depth) {
            return;
        }
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                let word = if matches!(condition, Condition::All(_)) {
                    "all"
                } else {
                    "any"
                };
                for (number, part) in parts.iter().enumerate() {
                    let path = format!("{}[{number}]", at(path, word));
                    self.condition(&path, part, depth + 1);
                }
            }
            Condition::Not(part) => self.condition(&at(path, "not"), part, depth + 1),
            Condition::Field { name, test } => {
                self.text(at(path, "field.name"), name);
                self.test(&at(path, "field.is"), test);
            }
        }
    }

    fn test(&mut self, path: &str, test: &Test) {
        match test {
            Test::Equals(value) => self.value(at(path, "equals"), value),
            Test::Gte(value) => self.ordered(at(path, "gte"), value),
            Test::Lte(value) => self.ordered(at(path, "lte"), value),
            Test::Gt(value) => self.ordered(at(path, "gt"), value),
            Test::Lt(value) => self.ordered(at(path, "lt"), value),
            Test::Between { from, to } => self.between(&at(path, "between"), from, to),
            Test::IncludesAny(values) => self.values(&at(path, "includes_any"), values),
            Test::IncludesAll(values) => self.values(&at(path, "includes_all"), values),
            Test::Exists(_) => {}
        }
    }

    fn between(&mut self, path: &str, from: &Option<Value>, to: &Option<Value>) {
        for (name, value) in [("from", from), ("to", to)] {
            if let Some(value) = value {
                self.ordered(at(path, name), value);
            }
        }
        let (Some(from), Some(to)) = (from, to) else {
            if from.is_none() && to.is_none() {
                self.violations
                    .add(path, "must have a lower or an upper bound");
            }
            return;
        };
        if std::mem::discriminant(from) != std::mem::discriminant(to) {
            self.violations
                .add(path, "must have two bounds of the same type");
        } else if !matches!(from, Value::Text(_)) && from > to {
            self.violations
                .add(at(path, "from"), format!("must not be after {to}"));
        }
    }

    fn ordered(&mut self, path: String, value: &Value) {
        if matches!(value, Value::Flag(_) | Value::List(_)) {
            self.violations
                .add(path, "must be a number, a date or a text");
        } else {
            self.value(path, value);
        }
    }

    fn value(&mut self, path: String, value: &Value) {
        match value {
            Value::Text(text) => self.text(path, text),
            Value::List(items) => {
                if items.len() > MAX_VALUES {
                    self.violations
                        .add(path, format!("has more than {MAX_VALUES} values"));
                }
            }
            Value::Number(_) | Value::Flag(_) | Value::Date(_) => {}
        }
    }

    fn values(&mut self, path: &str, values: &[Value]) {
        if values.is_empty() || values.len() > MAX_VALUES {
            let text = format!("must have from 1 to {MAX_VALUES} values");
            self.violations.add(path, text);
        }
        for (number, value) in values.iter().enumerate() {
            let path = format!("{path}[{number}]");
            if matches!(value, Value::List(_)) {
                self.violations.add(path, "must be a single value");
            } else {
                self.value(path, value);
            }
        }
    }
}
