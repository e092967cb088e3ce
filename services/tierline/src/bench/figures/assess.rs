//! One assessment by itself, without any server: an enrollment of the three-tier standard with 200
//! facts, from the facts as they are kept ready and from the facts one by one.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::Context;
use jiff::civil::{Date, date};
use rust_decimal::Decimal;
use tierline_domain::money::{Currency, Money};
use tierline_domain::program::program_from_yaml;
use tierline_domain::rules::{Fact, FactKind, IndexedFacts, NaiveFacts, NoRates, Value, Wanted};
use tierline_domain::standing::{Basis, Standing, Terms, Version, assess};
use tierline_domain::time::{Calendar, add_days};
use tierline_domain::{EnrollmentId, PartnerId, ProgramId};

use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::scattered;

/// The three-tier standard.
const PROGRAM: &str = include_str!("../../../../../programs/three-tier.yaml");
/// Facts of the enrollment.
const FACTS: u64 = 200;
/// Assessments of each kind.
const TURNS: u64 = 20_000;
/// Day of the assessments.
const AS_OF: Date = date(2026, 5, 20);
/// What it is compared with.
const PASS: &str = "a pass over the facts";

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let mut subject = Subject::new()?;
    let turns = run.plan.many(TURNS);
    let pass = median(turns, |_| {
        black_box(subject.sum());
        Ok(())
    })?;
    run.report(Sample::new(
        format!("raw: {PASS}, p50"),
        Unit::Microseconds,
        pass,
    ));
    let warm = median(turns, |_| {
        subject.assess_indexed();
        Ok(())
    })?;
    report(run, "assessment, facts kept ready", warm, pass, Some(20.0));
    let changed = median(turns, |turn| subject.change(turn))?;
    report(run, "one deal amended, and assessment", changed, pass, None);
    let naive = median(turns / 4, |_| {
        subject.assess_naive();
        Ok(())
    })?;
    report(run, "assessment, fact by fact", naive, pass, Some(200.0));
    Ok(())
}

fn report(run: &Run<'_>, what: &str, micros: f64, pass: f64, most: Option<f64>) {
    let what = format!("{what}, {FACTS} facts, p50");
    let sample = Sample::new(what, Unit::Microseconds, micros).of(PASS, pass);
    run.report(match most {
        Some(most) => sample.reach(Target::AtMost(most)),
        None => sample,
    });
}

/// The median duration of `work`, in microseconds.
fn median(turns: u64, mut work: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut nanos = Vec::new();
    for turn in 0..turns.max(1) {
        let begin = Instant::now();
        work(turn)?;
        nanos.push(begin.elapsed().as_nanos());
    }
    nanos.sort_unstable();
    Ok(nanos[nanos.len() / 2] as f64 / 1_000.0)
}

struct Subject {
    versions: Vec<Version>,
    terms: Terms,
    facts: Vec<Fact>,
    attributes: BTreeMap<String, Value>,
    index: IndexedFacts,
    standing: Standing,
}

impl Subject {
    fn new() -> anyhow::Result<Self> {
        let definition = program_from_yaml(PROGRAM)?;
        let track = definition
            .tracks
            .first()
            .context("the program has a track")?;
        let facts: Vec<Fact> = (0..FACTS).map(fact).collect::<anyhow::Result<_>>()?;
        let sponsor = (
            "executive_sponsor".to_owned(),
            Value::Text("C-level".into()),
        );
        let attributes = BTreeMap::from([sponsor]);
        let mut wanted = Wanted::default();
        for requirement in track.requirements() {
            wanted.add(requirement, definition.pricing());
        }
        let index = wanted.index(&facts, &NoRates, attributes.clone());
        let terms = Terms {
            enrollment: EnrollmentId::parse("bench")?,
            partner: PartnerId::parse("bench")?,
            program: ProgramId::parse(definition.slug.as_str())?,
            track: track.id.clone(),
            start: date(2023, 1, 1),
            end: None,
            placed: None,
            pin: None,
            verdict: None,
            terminated: None,
        };
        let versions = vec![Version {
            number: 1,
            effective: date(2023, 1, 1),
            transition: tierline_domain::program::Transition::Now,
            definition,
        }];
        let mut subject = Self {
            versions,
            terms,
            facts,
            attributes,
            index,
            standing: Standing::default(),
        };
        subject.assess_indexed();
        Ok(subject)
    }

    fn assess_indexed(&mut self) {
        let done = assess(
            &self.standing,
            &self.terms,
            &self.versions,
            &Calendar::default(),
            &self.index,
            AS_OF,
            &Basis::default(),
        );
        self.keep(black_box(done).standing);
    }

    fn keep(&mut self, changed: Option<Standing>) {
        if let Some(standing) = changed {
            self.standing = standing;
        }
    }

    fn assess_naive(&mut self) {
        let facts = NaiveFacts {
            facts: &self.facts,
            attributes: &self.attributes,
            rates: &NoRates,
        };
        let done = assess(
            &self.standing,
            &self.terms,
            &self.versions,
            &Calendar::default(),
            &facts,
            AS_OF,
            &Basis::default(),
        );
        self.keep(black_box(done).standing);
    }

    /// Another amount for one deal.
    fn change(&mut self, turn: u64) -> anyhow::Result<()> {
        let at = usize::try_from(scattered(turn) % DEALS)?;
        let mut new = self.facts[at].clone();
        new.version += 1;
        new.amount = Some(amount(turn)?);
        let old = std::mem::replace(&mut self.facts[at], new);
        self.index
            .replace(Some(&old), Some(&self.facts[at]), &NoRates);
        self.assess_indexed();
        Ok(())
    }

    fn sum(&self) -> Decimal {
        let amounts = self.facts.iter().filter_map(|fact| fact.amount.as_ref());
        amounts.map(|money| money.amount).sum()
    }
}

/// Deals among the facts; they are the first ones.
const DEALS: u64 = 150;

fn amount(turn: u64) -> anyhow::Result<Money> {
    let amount = Decimal::from(5_000 + scattered(turn) % 10_000);
    Ok(Money::new(amount, Currency::parse("USD")?))
}

/// 150 deals, 20 certifications, 10 references, 12 reviews and 8 campaigns of three years.
fn fact(number: u64) -> anyhow::Result<Fact> {
    let day = add_days(AS_OF, -i32::try_from(scattered(number) % 1_080)?);
    let text = |name: &str, value: String| (name.to_owned(), Value::Text(value));
    let (kind, state, date, fields) = match number {
        0..DEALS => (
            FactKind::DEAL,
            "won",
            "closed",
            vec![text("source", "partner_sourced".into())],
        ),
        150..170 => (
            FactKind::CERTIFICATION,
            "valid",
            "awarded",
            vec![
                text("person", format!("person {}", number % 8)),
                text("certification", format!("course {}", number % 3)),
                text("level", "Advanced".into()),
            ],
        ),
        170..180 => ("reference", "recorded", "held", Vec::new()),
        180..192 => ("review", "recorded", "held", Vec::new()),
        _ => ("campaign", "recorded", "held", Vec::new()),
    };
    Ok(Fact {
        kind: FactKind::new(kind),
        id: number.to_string(),
        version: 1,
        state: state.to_owned(),
        amount: (number < DEALS).then(|| amount(number)).transpose()?,
        quantity: None,
        dates: BTreeMap::from([(date.to_owned(), day)]),
        fields: fields.into_iter().collect(),
        disqualified: None,
    })
}
