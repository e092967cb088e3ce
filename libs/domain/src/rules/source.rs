//! Two sources of facts that must always agree: one recomputes everything from the facts
//! themselves, the other is kept up to date fact by fact.

use std::borrow::Cow;
use std::collections::BTreeMap;

use foldhash::HashMap;
use jiff::civil::Date;

use crate::rules::certified::Certificate;
use crate::rules::contribution::{Contribution, contribution, traced_day};
use crate::rules::digest::Digest;
use crate::rules::evaluate::FactSource;
use crate::rules::fact::{Fact, FactKind};
use crate::rules::rates::Rates;
use crate::rules::series::{Series, SeriesKey, SeriesSpec};
use crate::rules::tally::Tally;
use crate::rules::value::Value;
use crate::time::DateRange;

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

    fn last_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date> {
        let counted = |fact| match contribution(spec, fact, self.rates) {
            Contribution::Counted(counted) => Some(counted.day).filter(|day| days.contains(*day)),
            Contribution::LeftOut { .. } => None,
        };
        self.facts.iter().filter_map(counted).max()
    }

    fn each_certificate<'a>(&'a self, visit: &mut dyn FnMut(Certificate<'a>)) {
        let of_kind = |fact: &&Fact| fact.kind.as_str() == FactKind::CERTIFICATION;
        self.facts
            .iter()
            .filter(of_kind)
            .map(Certificate::of)
            .for_each(visit);
    }

    fn each_fact<'a>(&'a self, kind: &FactKind, visit: &mut dyn FnMut(&'a Fact)) -> bool {
        let of_kind = self.facts.iter().filter(|fact| fact.kind == *kind);
        of_kind.for_each(visit);
        true
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
    whole: BTreeMap<FactKind, BTreeMap<String, Fact>>,
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

    /// Begins to keep the facts of a kind whole. Nothing happens when they are kept already.
    pub fn keep_whole<'f>(&mut self, kind: FactKind, facts: impl IntoIterator<Item = &'f Fact>) {
        if self.whole.contains_key(&kind) {
            return;
        }
        let of_kind = facts.into_iter().filter(|fact| fact.kind == kind);
        let facts = of_kind
            .map(|fact| (fact.id.clone(), fact.clone()))
            .collect();
        self.whole.insert(kind, facts);
    }

    /// True when the facts of the kind are kept whole.
    pub fn keeps_whole(&self, kind: &FactKind) -> bool {
        self.whole.contains_key(kind)
    }

    /// How many facts are kept whole, certifications included.
    pub fn kept_whole(&self) -> usize {
        let kinds = self.whole.values().map(BTreeMap::len);
        kinds.sum::<usize>() + self.certificates.len()
    }

    /// Stops keeping every series that is not among these, and the facts of every kind that is not
    /// among those that are wanted whole. Certifications are always kept.
    pub fn keep_only(&mut self, specs: &[SeriesSpec<'static>], kinds: &[FactKind]) {
        self.series.retain(|spec, _| specs.contains(spec));
        self.whole.retain(|kind, _| kinds.contains(kind));
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
        if let Some((old, whole)) = old.and_then(|old| Some((old, self.whole.get_mut(&old.kind)?)))
        {
            whole.remove(&old.id);
        }
        if let Some((new, whole)) = new.and_then(|new| Some((new, self.whole.get_mut(&new.kind)?)))
        {
            whole.insert(new.id.clone(), new.clone());
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
        let money = |spec: &SeriesSpec<'_>| spec.is_valued_by_rates();
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

    fn last_day_in(&self, spec: &SeriesSpec<'_>, days: DateRange) -> Option<Date> {
        self.with(spec, |series| series.last_day_in(days))?
    }

    fn each_certificate<'a>(&'a self, visit: &mut dyn FnMut(Certificate<'a>)) {
        self.certificates
            .values()
            .map(KeptCertificate::look)
            .for_each(visit);
    }

    fn each_fact<'a>(&'a self, kind: &FactKind, visit: &mut dyn FnMut(&'a Fact)) -> bool {
        let whole = self.whole.get(kind);
        whole.into_iter().flat_map(BTreeMap::values).for_each(visit);
        whole.is_some()
    }

    fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }
}
