//! How what lies beyond one partner is measured.

use rust_decimal::Decimal;
use serde::Serialize;

use super::input::{BeyondState, Holding, RelatedCompany, TierElsewhere};
use crate::rules::condition::Truth;
use crate::rules::contribution::MAX_VALUE_SCALE;
use crate::rules::digest::Digest;
use crate::rules::evaluate::{Context, FactSource, Run};
use crate::rules::explain::{BeyondUsed, Found, Input, Unit};
use crate::rules::measuring::Reading;
use crate::rules::model::{Across, Company, Duration, Line, Measure, Rank, RankForm, TiersHeld};
use crate::time::{add_days, add_months};

/// Most tiers and companies that an explanation spells out.
const MAX_SHOWN: usize = 50;

/// What the partner itself is called among companies.
const ITSELF: &str = "itself";

/// The number of a measure by itself: what is supplied of a partner to those that look at it.
/// `None` when nobody can say; what does not apply is zero.
pub fn number_of<F: FactSource + ?Sized>(
    measure: &Measure,
    context: &Context<'_>,
    source: &F,
) -> Option<Decimal> {
    let reading = Run::new(context, source).measure(measure, &[]);
    match reading.applies {
        true => reading.settled(),
        false => Some(Decimal::ZERO),
    }
}

/// A tier that counts, with its holder.
#[derive(Serialize)]
struct Counted<'a> {
    company: &'a str,
    tier: &'a TierElsewhere,
}

impl<'a, F: FactSource + ?Sized> Run<'a, F> {
    /// The state in force on the day that is looked at; notes when the next one begins.
    fn beyond(&mut self) -> Option<&'a BeyondState> {
        let source = self.source;
        let beyond = source.beyond()?;
        self.changes_on(beyond.next_after(self.as_of));
        beyond.on(self.as_of)
    }

    pub(in crate::rules) fn tiers_held(&mut self, wanted: &TiersHeld) -> Reading {
        let Some(state) = self.beyond() else {
            return not_supplied();
        };
        let mut reading = Reading::default();
        let mut holders: Vec<(&str, &str, &Option<Vec<TierElsewhere>>)> = Vec::new();
        if wanted.by.contains(&Company::Itself) {
            holders.push((ITSELF, "", &state.held));
        }
        if wanted.by.iter().any(|company| *company != Company::Itself) {
            match &state.related {
                Some(related) => holders.extend(
                    chosen(related, &wanted.by)
                        .map(|it| (it.company.as_str(), it.relation.as_str(), &it.held)),
                ),
                None => {
                    reading.open = true;
                    reading.inputs.push(note("related companies", NOT_SUPPLIED));
                }
            }
        }
        let mut counted = Vec::new();
        for (company, relation, tiers) in holders {
            let Some(tiers) = tiers else {
                reading.open = true;
                reading.inputs.push(note(company, NOT_SUPPLIED));
                continue;
            };
            for tier in tiers {
                match self.counts(wanted, company, tier) {
                    Truth::True => {
                        counted.push(Counted { company, tier });
                        let name = named(company, relation);
                        reading.inputs.push(note(&name, &held_text(tier)));
                    }
                    // It may count, like one that was not supplied.
                    Truth::Unknown => {
                        reading.found.unclear += 1;
                        reading.open = true;
                    }
                    Truth::False => {}
                }
            }
        }
        reading.inputs.truncate(MAX_SHOWN);
        reading.number = Some(counted.len().into());
        reading.unit = Unit::Things;
        reading.found.beyond = Some(used(state, &counted));
        reading
    }

    /// Whether a tier counts; notes when it will.
    fn counts(&mut self, wanted: &TiersHeld, company: &str, tier: &TierElsewhere) -> Truth {
        let is =
            |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|it| it == name);
        if !is(&wanted.program, &tier.program)
            || !is(&wanted.track, &tier.track)
            || !wanted.tiers.contains(&tier.tier)
        {
            return Truth::False;
        }
        let passes = wanted.filter.holds(&Holding { company, tier });
        let from = match wanted.held_for {
            None => tier.since,
            Some(Duration::Days(days)) => add_days(tier.since, i32::from(days)),
            Some(Duration::Months(months)) => add_months(tier.since, i32::from(months)),
        };
        if from > self.as_of {
            self.changes_on(Some(from));
            return Truth::False;
        }
        passes
    }

    pub(in crate::rules) fn across(&mut self, across: &Across) -> Reading {
        let own = self.measure(&across.of, &[]);
        let related = self
            .beyond()
            .and_then(|state| Some((state, state.related.as_ref()?)));
        let unit = own.unit;
        let Some((state, related)) = related else {
            let mut reading = not_supplied();
            reading.inputs.insert(0, own.input(ITSELF));
            return reading;
        };
        let mut sum = match own.applies {
            true => own.settled(),
            false => Some(Decimal::ZERO),
        };
        let mut inputs = vec![own.input(ITSELF)];
        let mut numbers = Vec::new();
        for company in chosen(related, &across.with) {
            let number = company.numbers.get(&across.id).map(Decimal::normalize);
            sum = sum
                .zip(number)
                .and_then(|(sum, number)| sum.checked_add(number));
            numbers.push((&company.company, number));
            inputs.push(Input {
                number,
                unit,
                note: number.is_none().then(|| NOT_SUPPLIED.to_owned()),
                ..note(&named(&company.company, company.relation.as_str()), "")
            });
        }
        inputs.truncate(MAX_SHOWN);
        let mut reading = match sum {
            Some(sum) => Reading::of(sum, unit),
            None => Reading::default(),
        };
        reading.inputs = inputs;
        reading.found.beyond = Some(used(state, &numbers));
        reading
    }

    pub(in crate::rules) fn rank(&mut self, rank: &Rank) -> Reading {
        let own = self.measure(&rank.of, &[]).input("own value");
        let ranked = self
            .beyond()
            .and_then(|state| Some((state, state.ranking.get(&rank.id)?)));
        let Some((state, ranked)) = ranked.filter(|(_, it)| (1..=it.of).contains(&it.place)) else {
            let mut reading = not_supplied();
            reading.inputs.insert(0, own);
            return reading;
        };
        let (place, of) = (Decimal::from(ranked.place), Decimal::from(ranked.of));
        let mut reading = match rank.form {
            RankForm::Place => Reading::of(place, Unit::Place),
            RankForm::Percent => {
                let percent = place.saturating_mul(Decimal::ONE_HUNDRED) / of;
                Reading::of(percent.round_dp(MAX_VALUE_SCALE), Unit::Percent)
            }
        };
        let among = match &rank.per {
            None => format!("{} of {} enrollments", ranked.place, ranked.of),
            Some(per) => format!(
                "{} of {} enrollments with the same {per}",
                ranked.place, ranked.of
            ),
        };
        reading.inputs = vec![own, note("place", &among)];
        reading.found.beyond = Some(used(state, ranked));
        reading
    }

    pub(in crate::rules) fn line(&mut self, line: &Line) -> Reading {
        let own = self.measure(&line.by, &[]).input("own value");
        let placed = self
            .beyond()
            .and_then(|state| Some((state, state.line.get(&line.id)?)));
        let Some((state, placed)) = placed.filter(|(_, it)| (1..=it.of).contains(&it.place)) else {
            let mut reading = not_supplied();
            reading.inputs.insert(0, own);
            return reading;
        };
        let mut reading = Reading::of(placed.place.into(), Unit::Place);
        let among = match &line.per {
            None => format!("{} of {} in line", placed.place, placed.of),
            Some(per) => format!(
                "{} of {} in line with the same {per}",
                placed.place, placed.of
            ),
        };
        reading.inputs = vec![own, note("place", &among)];
        reading.found.beyond = Some(used(state, placed));
        reading
    }
}

fn chosen<'s>(
    related: &'s [RelatedCompany],
    companies: &[Company],
) -> impl Iterator<Item = &'s RelatedCompany> {
    related
        .iter()
        .filter(move |company| company.relation.is_among(companies))
}

fn named(company: &str, relation: &str) -> String {
    match relation {
        "" => company.to_owned(),
        relation => format!("{company} ({relation})"),
    }
}

fn held_text(tier: &TierElsewhere) -> String {
    let TierElsewhere {
        program,
        track,
        tier,
        since,
        ..
    } = tier;
    format!("{tier} in {program}/{track} since {since}")
}

const NOT_SUPPLIED: &str = "not supplied";

/// An input without a number.
fn note(name: &str, text: &str) -> Input {
    Input {
        name: name.to_owned(),
        number: None,
        applies: true,
        unit: Unit::Number,
        found: Found::default(),
        note: (!text.is_empty()).then(|| text.to_owned()),
        inputs: Vec::new(),
    }
}

/// What a measure gives where the input is missing.
fn not_supplied() -> Reading {
    Reading {
        inputs: vec![note("beyond this partner", NOT_SUPPLIED)],
        ..Reading::default()
    }
}

/// What was used of a state, so that evidence can name it.
fn used(state: &BeyondState, what: &impl Serialize) -> Box<BeyondUsed> {
    let json = serde_json::to_vec(what).expect("the input has only text keys");
    Box::new(BeyondUsed {
        from: state.from,
        source: state.source.clone(),
        digest: Digest::of(&[&json]),
    })
}
