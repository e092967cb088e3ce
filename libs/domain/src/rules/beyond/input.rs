//! The input: plain data, dated.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rejection::{Rejection, Violations};
use crate::rules::condition::{FieldRef, Fields};
use crate::rules::model::Company;
use crate::rules::value::Value;
use crate::schema::ExactNumber;
use crate::time::add_days;

/// Most states of one input.
pub const MAX_STATES: usize = 100;
/// Most related companies of a state.
pub const MAX_COMPANIES: usize = 1_000;
/// Most tiers that a company holds elsewhere.
pub const MAX_TIERS: usize = 1_000;
/// For how many days every observed state is kept; of the time before, the last one of each month
/// is, so that the ends of periods that are whole months find theirs.
pub const KEPT_DAYS: i32 = 62;

/// What lies beyond one partner, as it was known: states, the earliest first. Each is in force
/// until the next one begins; before the first one nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Beyond {
    /// The states.
    pub states: Vec<BeyondState>,
}

/// What lies beyond one partner from a day on. What is absent is not known; an empty list says that
/// there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeyondState {
    /// The first day.
    pub from: Date,
    /// What the supplier calls it, such as how far it had read the log; kept in the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The tiers that the partner itself holds in other tracks and programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Vec<TierElsewhere>>,
    /// The related companies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related: Option<Vec<RelatedCompany>>,
    /// The places in the ranking of the track, by the `id` of the rank.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ranking: BTreeMap<String, Ranked>,
    /// The places in line for limited tiers, by the `id` of the line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub line: BTreeMap<String, InLine>,
}

/// How another company is related to the partner.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It owns the partner.
    Parent,
    /// The partner owns it.
    Child,
    /// It has the same parent.
    Sibling,
    /// It belongs to the same group in another way.
    Group,
}

impl Relation {
    /// What a person reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Child => "child",
            Self::Sibling => "sibling",
            Self::Group => "group",
        }
    }

    /// True when the selection of companies means such a company.
    pub(crate) fn is_among(self, companies: &[Company]) -> bool {
        companies.iter().any(|company| {
            matches!(
                (company, self),
                (Company::Group, _)
                    | (Company::Parent, Self::Parent)
                    | (Company::Child, Self::Child)
                    | (Company::Sibling, Self::Sibling)
            )
        })
    }
}

/// A related company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelatedCompany {
    /// Identifier of the partner that it is.
    pub company: String,
    /// How it is related.
    pub relation: Relation,
    /// The tiers that it holds. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Vec<TierElsewhere>>,
    /// Its numbers, by the `id` of the `across` that asks for them: what the same measure gives on
    /// its own facts on the same day, zero where it does not apply. Money in the currency of the
    /// program, converted as the facts of the partner are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, ExactNumber>")]
    pub numbers: BTreeMap<String, Decimal>,
}

/// A tier that is held in some track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TierElsewhere {
    /// Identifier of the program.
    pub program: String,
    /// Identifier of the track.
    pub track: String,
    /// Identifier of the tier.
    pub tier: String,
    /// First day.
    pub since: Date,
    /// What else is known, such as `region`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
}

/// A place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ranked {
    /// The place, from 1.
    pub place: u32,
    /// How many are ranked, this one included.
    pub of: u32,
}

/// A place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InLine {
    /// The place, from 1.
    pub place: u32,
    /// How many are in line, this one included.
    pub of: u32,
}

impl Beyond {
    /// True when nothing was supplied.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Takes a state that was observed: it replaces one of the same day. Earlier states are thinned
    /// out ([`KEPT_DAYS`]), and beyond [`MAX_STATES`] the earliest are forgotten.
    pub fn observe(&mut self, state: BeyondState) {
        self.states.retain(|known| known.from != state.from);
        let at = self.states.partition_point(|known| known.from < state.from);
        self.states.insert(at, state);
        let Some(newest) = self.states.last().map(|state| state.from) else {
            return;
        };
        let recent = add_days(newest, -KEPT_DAYS);
        let days: Vec<Date> = self.states.iter().map(|state| state.from).collect();
        let mut next = days.iter().skip(1);
        self.states.retain(|state| {
            let ends_its_month = next
                .next()
                .is_none_or(|next| next.first_of_month() != state.from.first_of_month());
            state.from >= recent || ends_its_month
        });
        let too_many = self.states.len().saturating_sub(MAX_STATES);
        self.states.drain(..too_many);
    }

    /// The state in force on a day.
    pub fn on(&self, day: Date) -> Option<&BeyondState> {
        self.states.iter().rfind(|state| state.from <= day)
    }

    /// The first day after a day on which another state begins.
    pub fn next_after(&self, day: Date) -> Option<Date> {
        let mut days = self.states.iter().map(|state| state.from);
        days.find(|from| *from > day)
    }

    /// Checks that states follow each other and that places make sense.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with one violation per mistake, such as on `path[1].from`.
    pub fn check(&self, path: &str) -> Result<(), Rejection> {
        let mut v = Violations::default();
        if self.states.len() > MAX_STATES {
            v.add(path, format!("must have at most {MAX_STATES} states"));
        }
        for (at, pair) in self.states.windows(2).enumerate() {
            if let [earlier, later] = pair
                && earlier.from >= later.from
            {
                let text = format!("must be after {}", earlier.from);
                v.add(format!("{path}[{}].from", at + 1), text);
            }
        }
        for (at, state) in self.states.iter().enumerate() {
            state.check(&mut v, &format!("{path}[{at}]"));
        }
        v.check()
    }
}

impl BeyondState {
    fn check(&self, v: &mut Violations, path: &str) {
        let ranking = self
            .ranking
            .iter()
            .map(|(id, it)| ("ranking", id, it.place, it.of));
        let line = self
            .line
            .iter()
            .map(|(id, it)| ("line", id, it.place, it.of));
        for (name, id, place, of) in ranking.chain(line) {
            if place == 0 || place > of {
                let text = format!("must be from 1 to {of}, not {place}");
                v.add(format!("{path}.{name}.{id}.place"), text);
            }
        }
        let related = self.related.as_deref().unwrap_or_default();
        if related.len() > MAX_COMPANIES {
            let text = format!("must have at most {MAX_COMPANIES} companies");
            v.add(format!("{path}.related"), text);
        }
        let mut held = vec![(format!("{path}.held"), &self.held)];
        for (at, company) in related.iter().enumerate() {
            let path = format!("{path}.related[{at}]");
            let twice = |other: &RelatedCompany| other.company == company.company;
            if related.iter().take(at).any(twice) {
                let text = format!("\"{}\" is there twice", company.company);
                v.add(format!("{path}.company"), text);
            }
            held.push((format!("{path}.held"), &company.held));
        }
        for (path, tiers) in held {
            if tiers.as_ref().is_some_and(|tiers| tiers.len() > MAX_TIERS) {
                v.add(path, format!("must have at most {MAX_TIERS} tiers"));
            }
        }
    }
}

/// A tier with its holder, as a condition sees it.
pub(crate) struct Holding<'a> {
    pub(crate) company: &'a str,
    pub(crate) tier: &'a TierElsewhere,
}

impl Fields for Holding<'_> {
    fn get(&self, name: &str) -> Option<FieldRef<'_>> {
        match name {
            "company" => Some(FieldRef::Text(self.company)),
            "program" => Some(FieldRef::Text(&self.tier.program)),
            "track" => Some(FieldRef::Text(&self.tier.track)),
            "tier" => Some(FieldRef::Text(&self.tier.tier)),
            "since_date" => Some(FieldRef::Date(self.tier.since)),
            _ => self.tier.fields.get(name).map(FieldRef::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn state(from: Date, source: &str) -> BeyondState {
        BeyondState {
            from,
            source: Some(source.to_owned()),
            ..BeyondState::default()
        }
    }

    #[test]
    fn a_second_state_of_a_day_replaces_the_first() {
        let mut beyond = Beyond::default();
        let day = date(2026, 3, 31);
        beyond.observe(state(day, "1"));
        beyond.observe(state(day, "2"));
        beyond.observe(state(date(2026, 4, 2), "3"));
        assert_eq!(beyond.on(day).unwrap().source.as_deref(), Some("2"));
        assert_eq!(beyond.states.len(), 2);
    }

    #[test]
    fn every_day_is_kept_for_two_months_and_the_last_of_a_month_for_long() {
        let mut beyond = Beyond::default();
        let mut day = date(2026, 1, 1);
        while day <= date(2026, 12, 31) {
            beyond.observe(state(day, &day.to_string()));
            day = day.tomorrow().unwrap();
        }
        assert_eq!(beyond.check("beyond"), Ok(()));
        let on = |day: Date| beyond.on(day).unwrap().from;
        for end in [date(2026, 1, 31), date(2026, 2, 28), date(2026, 9, 30)] {
            assert_eq!(on(end), end);
        }
        let recent = add_days(date(2026, 12, 31), -KEPT_DAYS);
        assert_eq!(on(recent), recent);
        // January to September by their last days, and every day from 30 October on.
        assert_eq!(beyond.states.len(), 9 + 63);
    }
}
