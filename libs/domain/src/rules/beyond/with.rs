//! The facts of a partner together with what lies beyond it.

use jiff::civil::Date;

use super::Beyond;
use crate::rules::certified::Certificate;
use crate::rules::evaluate::FactSource;
use crate::rules::fact::{Fact, FactKind};
use crate::rules::series::SeriesSpec;
use crate::rules::tally::Tally;
use crate::rules::value::Value;
use crate::time::DateRange;

/// A source of facts with what lies beyond the partner.
#[derive(Debug, Clone, Copy)]
pub struct WithBeyond<'a, F: ?Sized> {
    /// The facts of the partner.
    pub facts: &'a F,
    /// What lies beyond it.
    pub beyond: &'a Beyond,
}

impl<F: FactSource + ?Sized> FactSource for WithBeyond<'_, F> {
    fn tally(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Tally> {
        self.facts.tally(spec, days)
    }

    fn first_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date> {
        self.facts.first_day_in(spec, days)
    }

    fn last_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date> {
        self.facts.last_day_in(spec, days)
    }

    fn next_day_after(&self, spec: &SeriesSpec<'_>, after: Date) -> Option<Date> {
        self.facts.next_day_after(spec, after)
    }

    fn each_certificate<'a>(&'a self, visit: &mut dyn FnMut(Certificate<'a>)) {
        self.facts.each_certificate(visit);
    }

    fn each_fact<'a>(&'a self, kind: &FactKind, visit: &mut dyn FnMut(&'a Fact)) -> bool {
        self.facts.each_fact(kind, visit)
    }

    fn attribute(&self, name: &str) -> Option<&Value> {
        self.facts.attribute(name)
    }

    fn beyond(&self) -> Option<&Beyond> {
        Some(self.beyond)
    }
}
