//! The check of measures that look beyond one partner.

use super::{Check, at};
use crate::ids::check_label;
use crate::rules::model::{Across, Company, Line, Measure, Rank, TiersHeld};

impl Check {
    pub(super) fn tiers_held(&mut self, path: &str, wanted: &TiersHeld, depth: usize) {
        self.not_inside(path);
        self.companies(&at(path, "by"), &wanted.by);
        for (name, id) in [("program", &wanted.program), ("track", &wanted.track)] {
            if let Some(id) = id {
                self.violations.take(path, check_label(name, id));
            }
        }
        self.tiers(&at(path, "tiers"), &wanted.tiers);
        self.condition(&at(path, "where"), &wanted.filter, depth + 1);
        if let Some(duration) = wanted.held_for {
            self.duration(&at(path, "held_for"), duration);
        }
    }

    pub(super) fn across(&mut self, path: &str, across: &Across, depth: usize) {
        self.companies(&at(path, "with"), &across.with);
        if across.with.contains(&Company::Itself) {
            let text = "must not name the partner itself, whose number always counts";
            self.violations.add(at(path, "with"), text);
        }
        self.of_others(path, &across.id, ("of", &across.of), depth);
    }

    pub(super) fn rank(&mut self, path: &str, rank: &Rank, depth: usize) {
        self.per(path, rank.per.as_deref());
        self.of_others(path, &rank.id, ("of", &rank.of), depth);
    }

    pub(super) fn line(&mut self, path: &str, line: &Line, depth: usize) {
        self.per(path, line.per.as_deref());
        self.of_others(path, &line.id, ("by", &line.by), depth);
    }

    /// What is measured of the others too.
    fn of_others(&mut self, path: &str, id: &str, (name, of): (&str, &Measure), depth: usize) {
        self.not_inside(path);
        self.violations.take(path, check_label("id", id));
        if !self.enter(path, depth) {
            return;
        }
        let outer = std::mem::replace(&mut self.beyond, true);
        self.measure(&at(path, name), of, depth + 1);
        self.beyond = outer;
    }

    /// The groups of a partner are not those of the others, and what looks at the others is not
    /// supplied of them.
    fn not_inside(&mut self, path: &str) {
        if self.grouped {
            self.violations.add(path, "is not possible within for_each");
        }
        if self.beyond {
            let text = "must not be inside another measure that looks beyond the partner";
            self.violations.add(path, text);
        }
    }

    fn per(&mut self, path: &str, per: Option<&str>) {
        if let Some(attribute) = per {
            self.text(at(path, "per"), attribute);
        }
    }

    fn companies(&mut self, path: &str, companies: &[Company]) {
        if companies.is_empty() {
            self.violations.add(path, "must name at least one company");
        }
        for (number, company) in companies.iter().enumerate() {
            if companies.iter().take(number).any(|other| other == company) {
                self.violations
                    .add(format!("{path}[{number}]"), "is there twice");
            }
        }
    }
}
