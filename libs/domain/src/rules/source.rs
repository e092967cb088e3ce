//! Two sources of facts that must always agree: one recomputes everything from the facts
//! themselves, the other is kept up to date fact by fact.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use crate::money::Currency;
use crate::rules::certified::Certificate;
use crate::rules::digest::Digest;
use crate::rules::evaluate::FactSource;
use crate::rules::fact::{Fact, FactKind};
use crate::rules::model::{Criterion, Requirement};
use crate::rules::rates::Rates;
use crate::rules::series::{Series, SeriesKey, SeriesSpec, SeriesValue, contribution, traced_day};
use crate::rules::tally::Tally;
use crate::rules::value::Value;
use crate::time::DateRange;

/// Calls `visit` with every criterion of a requirement.
pub fn each_criterion<'a>(requirement: &'a Requirement, visit: &mut dyn FnMut(&'a Criterion)) {
    match requirement {
        Requirement::All(parts) | Requirement::Any(parts) => {
            parts.iter().for_each(|part| each_criterion(part, visit));
        }
        Requirement::AtLeast { of, .. } => of.iter().for_each(|part| each_criterion(part, visit)),
        Requirement::Not(part) => each_criterion(part, visit),
        Requirement::Criterion(criterion) => visit(criterion),
        Requirement::EveryPeriod(periods) | Requirement::AnyPeriod(periods) => {
            each_criterion(&periods.holds, visit);
        }
        Requirement::Partner { .. } => {}
    }
}

/// The series that a requirement is measured on, each once, in the order of the requirement.
pub fn series_of(requirement: &Requirement, currency: Currency) -> Vec<SeriesSpec<'static>> {
    let mut specs: Vec<SeriesSpec<'static>> = Vec::new();
    each_criterion(requirement, &mut |criterion| {
        if let Some((spec, _)) = SeriesSpec::of(criterion, currency)
            && !specs.contains(&spec)
        {
            specs.push(spec.into_owned());
        }
    });
    specs
}

/// Facts that are looked at one by one, every time.
#[derive(Clone, Copy)]
pub struct NaiveFacts<'a> {
    /// The facts of the partner, each once.
    pub facts: &'a [Fact],
    /// The attributes of the partner.
    pub attributes: &'a BTreeMap<String, Value>,
    /// The rates by which amounts are converted.
    pub rates: &'a dyn Rates,
}

impl NaiveFacts<'_> {
    /// The days on which facts of a series left a trace, in no order.
    fn days(&self, spec: &SeriesSpec<'_>, within: DateRange) -> impl Iterator<Item = Date> {
        self.facts.iter().filter_map(move |fact| {
            spec.day_of(fact).filter(|day| within.contains(*day))?;
            traced_day(&contribution(spec, fact, self.rates))
        })
    }
}

impl FactSource for NaiveFacts<'_> {
    fn tally(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Tally> {
        let mut tally = Tally::default();
        for fact in self.facts {
            if spec.day_of(fact).is_some_and(|day| days.contains(day)) {
                tally.insert(&contribution(spec, fact, self.rates));
            }
        }
        Some(tally)
    }

    fn first_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date> {
        self.days(spec, days).min()
    }

    fn next_day_after(&self, spec: &SeriesSpec<'_>, after: Date) -> Option<Date> {
        let later = DateRange {
            from: after.tomorrow().ok()?,
            to: Date::MAX,
        };
        self.days(spec, later).min()
    }

    fn each_certificate<'a>(&'a self, visit: &mut dyn FnMut(Certificate<'a>)) {
        let of_kind = |fact: &&Fact| fact.kind.as_str() == FactKind::CERTIFICATION;
        self.facts
            .iter()
            .filter(of_kind)
            .map(Certificate::of)
            .for_each(visit);
    }

    fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }
}

/// Facts kept as tallies per series and day. The cost of one more fact does not grow with the
/// number of facts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexedFacts {
    series: HashMap<SeriesSpec<'static>, Kept>,
    certificates: BTreeMap<String, KeptCertificate>,
    attributes: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
struct Kept {
    key: SeriesKey,
    series: Series,
}

/// A certification fact with what [`Certificate::of`] made of it.
#[derive(Debug, Clone, PartialEq)]
struct KeptCertificate {
    fact: Fact,
    digest: Digest,
    person: Option<String>,
    certification: Option<String>,
}

impl KeptCertificate {
    fn of(fact: Fact) -> Self {
        let made = Certificate::of(&fact);
        Self {
            digest: made.digest,
            person: made.person.map(Cow::into_owned),
            certification: made.certification.map(Cow::into_owned),
            fact,
        }
    }

    fn look(&self) -> Certificate<'_> {
        Certificate {
            fact: &self.fact,
            digest: self.digest,
            person: self.person.as_deref().map(Cow::Borrowed),
            certification: self.certification.as_deref().map(Cow::Borrowed),
        }
    }
}

/// A stored day of a series that changed.
pub type TouchedDay = (SeriesKey, Date);

impl IndexedFacts {
    /// No series and no facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// True when the series is kept.
    pub fn keeps(&self, spec: &SeriesSpec<'_>) -> bool {
        self.with(spec, |_| ()).is_some()
    }

    /// Begins to keep a series and fills it from all the facts of the partner. Nothing happens when
    /// it is kept already.
    pub fn keep<'f>(
        &mut self,
        spec: SeriesSpec<'static>,
        facts: impl IntoIterator<Item = &'f Fact>,
        rates: &dyn Rates,
    ) {
        if self.series.contains_key(&spec) {
            return;
        }
        let mut series = Series::default();
        for fact in facts {
            series.insert(&contribution(&spec, fact, rates));
        }
        self.keep_stored(spec, series);
    }

    /// Begins to keep a series as it was stored.
    pub fn keep_stored(&mut self, spec: SeriesSpec<'static>, series: Series) {
        let key = spec.key();
        self.series.insert(spec, Kept { key, series });
    }

    /// Stops keeping every series that is not among these.
    pub fn keep_only(&mut self, specs: &[SeriesSpec<'static>]) {
        self.series.retain(|spec, _| specs.contains(spec));
    }

    /// Every series that is kept, in no order.
    pub fn series(&self) -> impl Iterator<Item = (&SeriesSpec<'static>, &SeriesKey, &Series)> {
        self.series
            .iter()
            .map(|(spec, kept)| (spec, &kept.key, &kept.series))
    }

    /// Replaces a fact by its next version. `old` must be what was taken in before, valued by the
    /// same rates. The days that changed, for storage.
    pub fn replace(
        &mut self,
        old: Option<&Fact>,
        new: Option<&Fact>,
        rates: &dyn Rates,
    ) -> Vec<TouchedDay> {
        if let Some(old) = old.filter(|old| old.kind.as_str() == FactKind::CERTIFICATION) {
            self.certificates.remove(&old.id);
        }
        if let Some(new) = new.filter(|new| new.kind.as_str() == FactKind::CERTIFICATION) {
            self.set_certificate(new.clone());
        }
        self.exchange(
            old.map(|old| (old, rates)),
            new.map(|new| (new, rates)),
            |_| true,
        )
    }

    /// Values facts anew after rates were published. The days that changed, for storage.
    pub fn revalue<'f>(
        &mut self,
        facts: impl IntoIterator<Item = &'f Fact>,
        before: &dyn Rates,
        after: &dyn Rates,
    ) -> Vec<TouchedDay> {
        let money = |spec: &SeriesSpec<'_>| matches!(spec.value, SeriesValue::Amount(_));
        let mut touched = Vec::new();
        for fact in facts {
            touched.extend(self.exchange(Some((fact, before)), Some((fact, after)), money));
        }
        touched.sort();
        touched.dedup();
        touched
    }

    fn exchange(
        &mut self,
        old: Option<(&Fact, &dyn Rates)>,
        new: Option<(&Fact, &dyn Rates)>,
        concerned: impl Fn(&SeriesSpec<'_>) -> bool,
    ) -> Vec<TouchedDay> {
        let mut touched = Vec::new();
        for (spec, kept) in &mut self.series {
            if !concerned(spec) {
                continue;
            }
            let of_kind = |fact: &Fact| fact.kind == *spec.kind;
            let out = old.filter(|(fact, _)| of_kind(fact));
            let out = out.map(|(fact, rates)| contribution(spec, fact, rates));
            let into = new.filter(|(fact, _)| of_kind(fact));
            let into = into.map(|(fact, rates)| contribution(spec, fact, rates));
            if out == into {
                continue;
            }
            let out = out.and_then(|contribution| kept.series.remove(&contribution));
            let into = into.and_then(|contribution| kept.series.insert(&contribution));
            let second = into.filter(|day| Some(*day) != out);
            touched.extend(
                out.into_iter()
                    .chain(second)
                    .map(|day| (kept.key.clone(), day)),
            );
        }
        touched.sort();
        touched
    }

    /// Puts a certification fact back as it was stored.
    pub fn set_certificate(&mut self, fact: Fact) {
        self.certificates
            .insert(fact.id.clone(), KeptCertificate::of(fact));
    }

    /// Replaces all attributes of the partner.
    pub fn set_attributes(&mut self, attributes: BTreeMap<String, Value>) {
        self.attributes = attributes;
    }

    /// Looks a series up by a spec of borrowed texts, which is why nothing borrowed is returned.
    fn with<R>(&self, spec: &SeriesSpec<'_>, look: impl FnOnce(&Series) -> R) -> Option<R> {
        fn get<'m, 's>(
            map: &'m HashMap<SeriesSpec<'s>, Kept>,
            spec: &SeriesSpec<'s>,
        ) -> Option<&'m Kept> {
            map.get(spec)
        }
        get(&self.series, spec).map(|kept| look(&kept.series))
    }
}

impl FactSource for IndexedFacts {
    fn tally(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Tally> {
        self.with(spec, |series| series.tally(days))
    }

    fn first_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date> {
        self.with(spec, |series| series.first_day_in(days))?
    }

    fn next_day_after(&self, spec: &SeriesSpec<'_>, after: Date) -> Option<Date> {
        self.with(spec, |series| series.next_day_after(after))?
    }

    fn each_certificate<'a>(&'a self, visit: &mut dyn FnMut(Certificate<'a>)) {
        self.certificates
            .values()
            .map(KeptCertificate::look)
            .for_each(visit);
    }

    fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }
}
