//! The check of measures.

use rust_decimal::Decimal;

use super::{
    Check, MAX_CERTIFICATIONS, MAX_MONTHS, MAX_PERIODS, MAX_SEATS, MAX_WINDOW_DAYS,
    MAX_WINDOW_MONTHS, at,
};
use crate::rules::model::{
    Addend, Grouping, Growth, InForce, Measure, Points, PointsEntry, Roles, Selection, Take,
    Validity, Weight, When, Window,
};

impl Check {
    pub(super) fn measure(&mut self, path: &str, measure: &Measure, depth: usize) {
        match measure {
            Measure::Count { facts } => self.selection(&at(path, "count.facts"), facts, depth),
            Measure::CountDistinct { facts, key } => {
                self.selection(&at(path, "count_distinct.facts"), facts, depth);
                self.text(at(path, "count_distinct.key"), key);
            }
            Measure::Sum { facts, of } => {
                self.selection(&at(path, "sum.facts"), facts, depth);
                self.addend(&at(path, "sum.of"), of);
            }
            Measure::Points(points) => self.points(&at(path, "points"), points, depth),
            Measure::Groups { groups, take, .. } => {
                let path = at(path, "groups");
                self.grouping(&at(&path, "groups"), groups, depth);
                if let Take::Percentile(percent) = take {
                    self.within(at(&path, "take.percentile"), *percent, 1, 100);
                }
            }
            Measure::CountGroups { groups, each } => {
                let path = at(path, "count_groups");
                self.grouping(&at(&path, "groups"), groups, depth);
                self.threshold(&at(&path, "each"), *each);
            }
            Measure::PersonsCertified {
                filter,
                at_least,
                holding,
                validity,
                same,
            } => {
                let path = at(path, "persons_certified");
                self.condition(&at(&path, "where"), filter, depth + 1);
                self.within(at(&path, "at_least"), *at_least, 1, MAX_CERTIFICATIONS);
                if holding.len() > 64 {
                    self.violations
                        .add(at(&path, "holding"), "must have at most 64 kinds");
                }
                for (number, kind) in holding.iter().enumerate() {
                    self.condition(&format!("{path}.holding[{number}]"), kind, depth + 1);
                }
                self.validity(&at(&path, "validity"), validity);
                self.same(&at(&path, "same"), same.as_deref());
            }
            Measure::Roles(roles) => self.roles(&at(path, "roles"), roles, depth),
            Measure::InForce(facts) => self.in_force(&at(path, "in_force"), facts, depth),
            Measure::DaysSince { facts } => {
                self.selection(&at(path, "days_since.facts"), facts, depth);
            }
            Measure::PeriodsInTier { tiers, .. } => {
                self.tiers(&at(path, "periods_in_tier.tiers"), tiers);
            }
            Measure::PartnerNumber { attribute } => {
                self.text(at(path, "partner_number.attribute"), attribute);
            }
            Measure::TiersHeld(wanted) => {
                self.tiers_held(&at(path, "tiers_held"), wanted, depth);
            }
            Measure::Across(across) => self.across(&at(path, "across"), across, depth),
            Measure::Rank(rank) => self.rank(&at(path, "rank"), rank, depth),
            Measure::Line(line) => self.line(&at(path, "line"), line, depth),
            Measure::MonthsInProgram | Measure::MonthsInTier => {}
            composed => self.composed(path, composed, depth),
        }
    }

    pub(super) fn tiers(&mut self, path: &str, tiers: &[String]) {
        self.lines(path, tiers.len(), 1);
        for (number, tier) in tiers.iter().enumerate() {
            let form = crate::ids::check_label("tier", tier);
            self.violations.take(&format!("{path}[{number}]"), form);
        }
    }

    fn composed(&mut self, path: &str, measure: &Measure, depth: usize) {
        if !self.enter(path, depth) {
            return;
        }
        let below = depth + 1;
        match measure {
            Measure::Ratio { of, to, .. } => {
                let path = at(path, "ratio");
                self.measure(&at(&path, "of"), of, below);
                self.measure(&at(&path, "to"), to, below);
            }
            Measure::Difference { of, less } => {
                let path = at(path, "difference");
                self.measure(&at(&path, "of"), of, below);
                self.measure(&at(&path, "less"), less, below);
            }
            Measure::Growth(growth) => self.growth(&at(path, "growth"), growth, below),
            Measure::Total(parts) => self.several(&at(path, "total"), parts, below),
            Measure::Least(parts) => self.several(&at(path, "least"), parts, below),
            Measure::Greatest(parts) => self.several(&at(path, "greatest"), parts, below),
            Measure::Times { of, by } => {
                let path = at(path, "times");
                self.measure(&at(&path, "of"), of, below);
                self.bound(at(&path, "by"), *by);
            }
            Measure::Steps { of, table } => {
                let path = at(path, "steps");
                self.measure(&at(&path, "of"), of, below);
                let lines: Vec<_> = table.iter().map(|line| (line.from, line.gives)).collect();
                self.table(&at(&path, "table"), "from", &lines);
            }
            Measure::Linear { of, table } => {
                let path = at(path, "linear");
                self.measure(&at(&path, "of"), of, below);
                let lines: Vec<_> = table.iter().map(|line| (line.at, line.gives)).collect();
                self.table(&at(&path, "table"), "at", &lines);
            }
            Measure::Weighted(parts) => self.weighted(&at(path, "weighted"), parts, below),
            Measure::Gate { when, of } => {
                let path = at(path, "gate");
                self.requirement(&at(&path, "when"), when, below);
                self.measure(&at(&path, "of"), of, below);
            }
            _ => {}
        }
    }

    fn several(&mut self, path: &str, parts: &[Measure], depth: usize) {
        self.lines(path, parts.len(), 1);
        for (number, part) in parts.iter().enumerate() {
            self.measure(&format!("{path}[{number}]"), part, depth);
        }
    }

    fn weighted(&mut self, path: &str, parts: &[Weight], depth: usize) {
        self.lines(path, parts.len(), 1);
        for (number, part) in parts.iter().enumerate() {
            let path = format!("{path}[{number}]");
            self.text(at(&path, "name"), &part.name);
            self.positive(at(&path, "weight"), part.weight);
            self.measure(&at(&path, "of"), &part.of, depth);
        }
    }

    fn growth(&mut self, path: &str, growth: &Growth, depth: usize) {
        self.measure(&at(path, "of"), &growth.of, depth);
        self.within(at(path, "months"), growth.months, 1, MAX_MONTHS);
        self.bound(at(path, "minimum_base"), growth.minimum_base);
        if let Some(step) = growth.step {
            self.positive(at(path, "step"), step);
        }
    }

    /// A table has to rise, or the line that is meant could not be told.
    fn table(&mut self, path: &str, name: &str, lines: &[(Decimal, Decimal)]) {
        self.lines(path, lines.len(), 1);
        for (number, (bound, gives)) in lines.iter().enumerate() {
            self.bound(format!("{path}[{number}].{name}"), *bound);
            self.bound(format!("{path}[{number}].gives"), *gives);
        }
        for (number, pair) in lines.windows(2).enumerate() {
            if let [(lower, _), (higher, _)] = pair
                && lower >= higher
            {
                let path = format!("{path}[{}].{name}", number + 1);
                self.violations
                    .add(path, format!("must be more than {lower}"));
            }
        }
    }

    fn positive(&mut self, path: String, number: Decimal) {
        if number <= Decimal::ZERO {
            self.violations
                .add(path, format!("must be more than 0, not {number}"));
        } else {
            self.bound(path, number);
        }
    }

    fn points(&mut self, path: &str, points: &Points, depth: usize) {
        self.lines(&at(path, "table"), points.table.len(), 1);
        for (number, entry) in points.table.iter().enumerate() {
            self.entry(&format!("{path}.table[{number}]"), entry, depth);
        }
        if let Some(most) = points.most {
            self.bound(at(path, "most"), most);
        }
    }

    fn entry(&mut self, path: &str, entry: &PointsEntry, depth: usize) {
        self.text(at(path, "name"), &entry.name);
        self.selection(&at(path, "facts"), &entry.facts, depth);
        if entry.facts.same.is_some() {
            let text = "is not possible in a table of points";
            self.violations.add(at(path, "facts.same"), text);
        }
        self.bound(at(path, "points"), entry.points);
        if let Some(per) = &entry.per {
            self.positive(at(path, "per.each"), per.each);
            self.addend(&at(path, "per.of"), &per.of);
        }
        if let Some(first) = entry.first {
            self.within(at(path, "first"), first, 1, 10_000);
        }
        if let Some(cap) = &entry.most_per {
            self.text(at(path, "most_per.key"), &cap.key);
            self.bound(at(path, "most_per.most"), cap.most);
            if entry.first.is_some() {
                let text = "is not possible together with first";
                self.violations.add(at(path, "most_per"), text);
            }
        }
        if let Some(most) = entry.most {
            self.bound(at(path, "most"), most);
        }
    }

    fn roles(&mut self, path: &str, roles: &Roles, depth: usize) {
        self.lines(&at(path, "roles"), roles.roles.len(), 1);
        self.within(at(path, "per_person"), roles.per_person, 1, 100);
        for (number, role) in roles.roles.iter().enumerate() {
            let path = format!("{path}.roles[{number}]");
            self.text(at(&path, "name"), &role.name);
            self.within(at(&path, "seats"), role.seats, 1, MAX_SEATS);
            self.condition(&at(&path, "where"), &role.filter, depth + 1);
        }
        self.validity(&at(path, "validity"), &roles.validity);
    }

    fn validity(&mut self, path: &str, validity: &[Validity]) {
        self.lines(path, validity.len(), 0);
        for (number, line) in validity.iter().enumerate() {
            let path = format!("{path}[{number}]");
            self.date(&at(&path, "awarded_from"), line.awarded_from);
            self.within(at(&path, "months"), line.months, 1, MAX_WINDOW_MONTHS);
        }
        for (number, pair) in validity.windows(2).enumerate() {
            if let [earlier, later] = pair
                && earlier.awarded_from >= later.awarded_from
            {
                let path = format!("{path}[{}].awarded_from", number + 1);
                self.violations
                    .add(path, "must be later than in the line before");
            }
        }
    }

    fn in_force(&mut self, path: &str, facts: &InForce, depth: usize) {
        self.text(at(path, "kind"), facts.kind.as_str());
        self.condition(&at(path, "where"), &facts.filter, depth + 1);
        self.text(at(path, "from"), &facts.from);
        self.text(at(path, "until"), &facts.until);
        match facts.when {
            When::Now => {}
            When::Within(window) => self.window(&at(path, "when.within"), window),
            When::Before(window) => self.window(&at(path, "when.before"), window),
            When::Throughout(window) => self.window(&at(path, "when.throughout"), window),
        }
        if let Some(window) = facts.began {
            self.window(&at(path, "began"), window);
        }
        if let Some(of) = &facts.of {
            self.addend(&at(path, "of"), of);
        }
        self.same(&at(path, "same"), facts.same.as_deref());
    }

    fn addend(&mut self, path: &str, addend: &Addend) {
        if let Addend::Field(name) = addend {
            self.text(at(path, "field"), name);
        }
    }

    pub(super) fn grouping(&mut self, path: &str, groups: &Grouping, depth: usize) {
        self.selection(&at(path, "facts"), &groups.facts, depth);
        self.text(at(path, "by"), &groups.by);
        if groups.facts.same.is_some() {
            let text = "is not possible for facts that are divided themselves";
            self.violations.add(at(path, "facts.same"), text);
        }
        if let Some(of) = &groups.of {
            self.addend(&at(path, "of"), of);
        }
    }

    fn same(&mut self, path: &str, same: Option<&str>) {
        let Some(field) = same else { return };
        self.text(path.to_owned(), field);
        if !self.grouped {
            self.violations
                .add(path, "is only possible within for_each");
        }
    }

    pub(super) fn selection(&mut self, path: &str, facts: &Selection, depth: usize) {
        self.text(at(path, "kind"), facts.kind.as_str());
        self.text(at(path, "date"), &facts.date);
        self.condition(&at(path, "where"), &facts.filter, depth + 1);
        self.window(&at(path, "window"), facts.window);
        if let Some(after) = &facts.after {
            self.within(at(path, "after.months"), after.months, 1, MAX_MONTHS);
            if let Some(unless) = &after.unless {
                self.text(at(path, "after.unless"), unless);
            }
        }
        self.same(&at(path, "same"), facts.same.as_deref());
    }

    pub(super) fn window(&mut self, path: &str, window: Window) {
        match window {
            Window::RollingMonths(months) => {
                let path = at(path, "rolling_months");
                self.within(path, months, 1, MAX_WINDOW_MONTHS);
            }
            Window::RollingDays(days) => {
                self.within(at(path, "rolling_days"), days, 1, MAX_WINDOW_DAYS);
            }
            Window::Complete { last, .. } => {
                let path = at(path, "complete.last");
                self.within(path, u32::from(last), 1, MAX_PERIODS);
            }
            Window::Current(_) | Window::SinceEnrollment | Window::AllTime => {}
        }
    }
}
