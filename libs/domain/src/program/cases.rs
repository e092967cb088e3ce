//! Running the cases of a program file: what is expected against what the assessment finds.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::{Date, date};
use rust_decimal::Decimal;

use crate::aggregate::Decide;
use crate::enrollment::events::Enrolled;
use crate::ids::{EnrollmentId, PartnerId, ProgramId, TierId};
use crate::program::case_facts::facts_of;
use crate::program::definition::{ProgramDefinition, Track};
use crate::program::file::{Case, Expected, ProcessState, Recommended};
use crate::rejection::{Rejection, Violations};
use crate::rules::{
    Beyond, Explanation, Fact, NaiveFacts, Outcome, RateTable, Requirement, Value, WithBeyond,
};
use crate::standing::events::{Basis, Cause, Direction, Evidence, Opened, TierChange, TierSource};
use crate::standing::{Standing, StandingEvent, Terms, Version, assess, explain};
use crate::time::Calendar;

/// Most facts of one case.
pub const MAX_FACTS: usize = 10_000;
/// Most days on which a case is assessed.
const MAX_STEPS: usize = 5_000;

/// One thing that is not as it was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The day.
    pub on: Date,
    /// What was asked: `tier`, `measured.points`, `unmet.gold`.
    pub what: String,
    /// What the case says.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Why: the tree of the requirement in question, a sentence a line, indented.
    pub explanation: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            on,
            what,
            expected,
            found,
            ..
        } = self;
        write!(f, "{on} {what}: expected {expected}, found {found}")
    }
}

/// Runs a case. Gives what is not as expected; nothing when the case passes.
///
/// # Errors
/// `INVALID_REQUEST` where the case itself makes no sense, with the path in it.
pub fn run_case(definition: &ProgramDefinition, case: &Case) -> Result<Vec<Difference>, Rejection> {
    let track = track_of(definition, case)?;
    check(track, case)?;
    let mut play = Play::new(definition, track, case)?;
    let mut differences = Vec::new();
    for expected in &case.expect {
        play.run_to(expected.on)?;
        differences.extend(play.compare(expected));
    }
    Ok(differences)
}

fn track_of<'a>(definition: &'a ProgramDefinition, case: &Case) -> Result<&'a Track, Rejection> {
    match (&case.track, definition.tracks.as_slice()) {
        (Some(id), _) => definition.track(id).ok_or_else(|| {
            Rejection::invalid("track", format!("the program has no track \"{id}\""))
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(Rejection::invalid(
            "track",
            "must be named where a program has several",
        )),
    }
}

fn check(track: &Track, case: &Case) -> Result<(), Rejection> {
    let mut v = Violations::default();
    let mut tier = |path: String, id: &TierId| {
        if track.rank(id).is_none() {
            v.add(path, format!("track {} has no tier \"{id}\"", track.id));
        }
    };
    for (at, held) in case.held.iter().enumerate() {
        tier(format!("held[{at}].tier"), &held.tier);
    }
    for (at, expected) in case.expect.iter().enumerate() {
        for (name, id) in [
            ("tier", expected.tier.as_ref()),
            (
                "recommended",
                expected.recommended.as_ref().and_then(Recommended::tier),
            ),
        ] {
            if let Some(id) = id {
                tier(format!("expect[{at}].{name}"), id);
            }
        }
        for id in expected.qualifies.keys() {
            tier(format!("expect[{at}].qualifies"), id);
        }
        for id in expected.keeps.keys() {
            tier(format!("expect[{at}].keeps"), id);
        }
        for id in expected.unmet.keys() {
            tier(format!("expect[{at}].unmet"), id);
        }
    }
    if case.expect.is_empty() {
        v.add("expect", "must say what follows");
    }
    let mut last = case.from;
    for (at, expected) in case.expect.iter().enumerate() {
        if expected.on < last {
            v.add(
                format!("expect[{at}].on"),
                format!("must not be before {last}"),
            );
        }
        last = expected.on;
    }
    let facts: usize = case
        .facts
        .iter()
        .map(|fact| usize::from(fact.times.unwrap_or(1)))
        .sum();
    if facts > MAX_FACTS {
        v.add(
            "facts",
            format!("has {facts} facts; at most {MAX_FACTS} are taken"),
        );
    }
    if case
        .fiscal_year_start
        .is_some_and(|month| !(1..=12).contains(&month))
    {
        v.add("fiscal_year_start", "must be a month from 1 to 12");
    }
    v.take("", case.beyond.check("beyond"));
    v.check()
}

/// One enrollment, played through.
struct Play<'a> {
    definition: &'a ProgramDefinition,
    track: &'a Track,
    versions: Vec<Version>,
    terms: Terms,
    calendar: Calendar,
    facts: Vec<Fact>,
    attributes: &'a BTreeMap<String, Value>,
    beyond: &'a Beyond,
    rates: RateTable,
    standing: Standing,
    today: Date,
    /// The next day on which something may change; absent before the first assessment.
    next: Option<Date>,
}

impl<'a> Play<'a> {
    fn new(
        definition: &'a ProgramDefinition,
        track: &'a Track,
        case: &'a Case,
    ) -> Result<Self, Rejection> {
        let enrolled = case.enrolled.unwrap_or(date(2000, 1, 1));
        let terms = Terms::of(&Enrolled {
            enrollment: EnrollmentId::parse("case")?,
            partner: PartnerId::parse("case")?,
            program: ProgramId::parse(definition.slug.as_str())?,
            track: track.id.clone(),
            start_date: enrolled,
            end_date: None,
            placed_tier: None,
            primary_contact: None,
            date: enrolled,
            backdated: false,
        });
        let calendar = Calendar {
            fiscal_year_start: case.fiscal_year_start.unwrap_or(1),
            ..Calendar::default()
        };
        let mut rates = RateTable::default();
        for table in &case.rates {
            rates.publish(1, table.on, &table.euro);
        }
        let mut play = Self {
            definition,
            track,
            versions: vec![Version {
                number: 1,
                effective: Date::MIN,
                transition: crate::program::Transition::Now,
                definition: definition.clone(),
            }],
            terms,
            calendar,
            facts: facts_of(case)?,
            attributes: &case.partner,
            beyond: &case.beyond,
            rates,
            standing: Standing::default(),
            today: case.from,
            next: Some(case.from),
        };
        play.hold(case);
        Ok(play)
    }

    /// The tiers held so far, as if they had been decided then.
    fn hold(&mut self, case: &Case) {
        let shown = |id: &TierId| {
            let rank = self.track.rank(id).unwrap_or_default();
            (self.track.tiers[rank].name.clone(), rank as u16)
        };
        let mut events = Vec::new();
        for held in &case.held {
            let (name, rank) = shown(&held.tier);
            let before = events
                .last()
                .map(|(tier, name)| (TierId::clone(tier), String::clone(name)));
            let event = match before {
                None => StandingEvent::StandingOpened(Opened {
                    as_of: held.since,
                    basis: Basis::default(),
                    enrollment: self.terms.enrollment.clone(),
                    partner: self.terms.partner.clone(),
                    program: self.terms.program.clone(),
                    track: self.terms.track.clone(),
                    tier: held.tier.clone(),
                    tier_name: name.clone(),
                    rank,
                    since: held.since,
                    source: TierSource::Placed,
                }),
                Some((from, from_name)) => StandingEvent::TierChanged(TierChange {
                    as_of: held.since,
                    basis: Basis::default(),
                    from,
                    to: held.tier.clone(),
                    from_name,
                    to_name: name.clone(),
                    rank,
                    direction: Direction::Promotion,
                    cause: Cause::Qualified,
                    source: TierSource::Automatic,
                    evidence: Evidence {
                        sentence: String::new(),
                        explanation: None,
                    },
                }),
            };
            self.standing.evolve(&event);
            events.push((held.tier.clone(), name));
        }
    }

    fn run_to(&mut self, day: Date) -> Result<(), Rejection> {
        for _ in 0..MAX_STEPS {
            let Some(next) = self.next.filter(|next| *next <= day) else {
                self.today = day;
                return Ok(());
            };
            let facts = self.source();
            let source = WithBeyond {
                facts: &facts,
                beyond: self.beyond,
            };
            let assessed = assess(
                &self.standing,
                &self.terms,
                &self.versions,
                &self.calendar,
                &source,
                next,
                &Basis::default(),
            );
            if let Some(standing) = assessed.standing {
                self.standing = standing;
            }
            self.next = assessed.next_change;
        }
        Err(Rejection::invalid(
            "expect",
            format!(
                "needs more than {MAX_STEPS} assessments; begin nearer to the days in question"
            ),
        ))
    }

    fn source(&self) -> NaiveFacts<'_> {
        NaiveFacts {
            facts: &self.facts,
            attributes: self.attributes,
            rates: &self.rates,
        }
    }

    fn explain(&self, requirement: &Requirement) -> Explanation {
        let facts = self.source();
        let source = WithBeyond {
            facts: &facts,
            beyond: self.beyond,
        };
        explain(
            requirement,
            &self.standing,
            &self.terms,
            self.definition,
            &self.calendar,
            &source,
            self.today,
        )
    }

    fn qualification(&self, tier: &TierId) -> Option<Explanation> {
        let rank = self.track.rank(tier)?;
        let requirement = self.track.tiers[rank].qualification.as_ref()?;
        Some(self.explain(requirement))
    }

    fn compare(&self, expected: &Expected) -> Vec<Difference> {
        let mut found = Vec::new();
        self.compare_standing(expected, &mut found);
        for (tier, outcome) in &expected.qualifies {
            let explanation = self.qualification(tier);
            self.compare_outcome(&mut found, "qualifies", tier, *outcome, explanation);
        }
        for (tier, outcome) in &expected.keeps {
            let rank = self.track.rank(tier).unwrap_or_default();
            let keeps = self.track.tiers[rank].keeps();
            let explanation = keeps.map(|keeps| self.explain(keeps));
            self.compare_outcome(&mut found, "keeps", tier, *outcome, explanation);
        }
        for (id, number) in &expected.measured {
            found.extend(self.compare_measured(id, *number));
        }
        for (tier, ids) in &expected.unmet {
            found.extend(self.compare_unmet(tier, ids));
        }
        found
    }

    fn difference(&self, what: String, expected: &str, found: &str) -> Difference {
        Difference {
            on: self.today,
            what,
            expected: expected.to_owned(),
            found: found.to_owned(),
            explanation: Vec::new(),
        }
    }

    fn compare_standing(&self, expected: &Expected, differences: &mut Vec<Difference>) {
        let none = || "none".to_owned();
        let text = |tier: Option<&TierId>| tier.map_or_else(none, ToString::to_string);
        if let Some(tier) = &expected.tier
            && self.standing.tier.as_ref() != Some(tier)
        {
            let held = text(self.standing.tier.as_ref());
            let mut difference = self.difference("tier".to_owned(), tier.as_str(), &held);
            let tree = self.qualification(tier);
            difference.explanation = tree.map(|tree| lines(&tree)).unwrap_or_default();
            differences.push(difference);
        }
        let state = match &self.standing.process {
            None => ProcessState::None,
            Some(process) if process.in_remediation => ProcessState::Remediation,
            Some(_) => ProcessState::Notice,
        };
        if let Some(wanted) = expected.process
            && wanted != state
        {
            let (wanted, state) = (format!("{wanted:?}"), format!("{state:?}"));
            let what = "process".to_owned();
            differences.push(self.difference(what, &wanted.to_lowercase(), &state.to_lowercase()));
        }
        let recommended = self.standing.recommended.as_ref().map(|one| &one.to);
        if let Some(wanted) = &expected.recommended
            && recommended != wanted.tier()
        {
            let what = "recommended".to_owned();
            let (wanted, found) = (text(wanted.tier()), text(recommended));
            differences.push(self.difference(what, &wanted, &found));
        }
    }

    fn compare_outcome(
        &self,
        differences: &mut Vec<Difference>,
        what: &str,
        tier: &TierId,
        wanted: Outcome,
        explanation: Option<Explanation>,
    ) {
        // The entry tier asks for nothing.
        let outcome = explanation
            .as_ref()
            .map_or(Outcome::Met, |tree| tree.outcome);
        if outcome != wanted {
            let what = format!("{what}.{tier}");
            let mut difference = self.difference(what, word(wanted), word(outcome));
            difference.explanation = explanation.map(|tree| lines(&tree)).unwrap_or_default();
            differences.push(difference);
        }
    }

    fn compare_measured(&self, id: &str, wanted: Decimal) -> Option<Difference> {
        let what = format!("measured.{id}");
        for tier in &self.track.tiers {
            for requirement in tier.qualification.iter().chain(&tier.retention) {
                let tree = self.explain(requirement);
                let mut number = None;
                tree.each_leaf(&mut |leaf, _| {
                    if number.is_none() && leaf.id.as_deref() == Some(id) {
                        number = Some(leaf.value.as_ref().and_then(|value| value.number));
                    }
                });
                let Some(number) = number else { continue };
                if number == Some(wanted) {
                    return None;
                }
                let found = number.map_or_else(|| "nothing known".to_owned(), |n| n.to_string());
                let mut difference = self.difference(what, &wanted.to_string(), &found);
                difference.explanation = lines(&tree);
                return Some(difference);
            }
        }
        Some(self.difference(what, &wanted.to_string(), "no criterion of this id"))
    }

    fn compare_unmet(&self, tier: &TierId, wanted: &[String]) -> Option<Difference> {
        let tree = self.qualification(tier)?;
        let mut unmet = Vec::new();
        missing(&tree, &mut unmet);
        let mut wanted = wanted.to_vec();
        wanted.sort();
        unmet.sort();
        if wanted == unmet {
            return None;
        }
        let what = format!("unmet.{tier}");
        let mut difference = self.difference(what, &list(&wanted), &list(&unmet));
        difference.explanation = lines(&tree);
        Some(difference)
    }
}

/// The criteria that keep a requirement from being met: not those of an alternative that is not
/// needed.
fn missing(node: &Explanation, ids: &mut Vec<String>) {
    if matches!(node.outcome, Outcome::Met | Outcome::NotApplicable) {
        return;
    }
    if let Some(id) = node.id.clone().filter(|id| !ids.contains(id)) {
        ids.push(id);
    }
    for child in &node.children {
        missing(child, ids);
    }
}

fn list(ids: &[String]) -> String {
    match ids {
        [] => "none".to_owned(),
        ids => ids.join(", "),
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "met",
        Outcome::Unmet => "unmet",
        Outcome::Unknown => "unknown",
        Outcome::NotApplicable => "not_applicable",
    }
}

/// The tree, a sentence a line.
fn lines(tree: &Explanation) -> Vec<String> {
    fn walk(node: &Explanation, depth: usize, lines: &mut Vec<String>) {
        let indent = "  ".repeat(depth);
        lines.push(format!(
            "{indent}{}: {}",
            word(node.outcome),
            node.sentence()
        ));
        for child in &node.children {
            walk(child, depth + 1, lines);
        }
    }
    let mut all = Vec::new();
    walk(tree, 0, &mut all);
    all
}
