//! A survey: what each enrollment of an org is to know of the others, on one day.
//!
//! It goes in steps, so that whoever makes it holds the facts of a few partners at a time:
//! [`Survey::measure`] for each of [`Survey::to_measure`], [`Survey::line_up`] for each of
//! [`Survey::to_line_up`], then [`Survey::compare`], and [`Survey::look`] for each of
//! [`Survey::to_look`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::ids::{EnrollmentId, PartnerId, ProgramId, TrackId};
use crate::partner::Partner;
use crate::program::Track;
use crate::rules::model::Company;
use crate::rules::{
    Beyond, BeyondState, Claim, FactSource, InLine, MAX_COMPANIES, Measure, Mode, Outcome, Queue,
    Ranking, RelatedCompany, Relation, Requirement, TierElsewhere, Value, WithBeyond, evaluate,
    number_of,
};
use crate::standing::assess::within;
use crate::standing::{Standing, Terms, Version, in_force};
use crate::surroundings::aggregate::Surroundings;
use crate::surroundings::events::Observed;
use crate::surroundings::needs::Needs;
use crate::surroundings::relations::Relations;
use crate::time::Calendar;

/// Most observations of an enrollment on a day. What goes on changing after so many depends on
/// itself in a circle; it is looked at again the next day.
pub const MAX_OBSERVATIONS_PER_DAY: u32 = 20;

/// An enrollment of the org.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// What people decided.
    pub terms: &'a Terms,
    /// Where it stands.
    pub standing: &'a Standing,
    /// What was observed around it before.
    pub known: &'a Surroundings,
}

/// The org, and everybody in it.
#[derive(Debug, Clone, Copy)]
pub struct Everybody<'a> {
    /// The day of the survey.
    pub today: Date,
    /// How the org counts time.
    pub calendar: &'a Calendar,
    /// Published versions by program.
    pub versions: &'a BTreeMap<ProgramId, Vec<Version>>,
    /// The partners.
    pub partners: &'a BTreeMap<PartnerId, Partner>,
    /// The enrollments.
    pub members: &'a [Member<'a>],
}

/// An enrollment whose track looks beyond the partner.
struct Seat<'a> {
    member: Member<'a>,
    version: &'a Version,
    track: &'a Track,
    needs: Needs,
    related: BTreeMap<&'a PartnerId, Relation>,
    /// Numbers of related companies, by company and name.
    theirs: BTreeMap<&'a PartnerId, BTreeMap<String, Decimal>>,
    /// Own numbers by which it is ranked, by name.
    ranked: BTreeMap<String, Decimal>,
    /// Own numbers by which it stands in line, by name.
    in_line_by: BTreeMap<String, Decimal>,
    /// The lines that it stands in, each with the first day.
    in_line_since: BTreeMap<String, Date>,
    /// What is found; complete after [`Survey::compare`].
    state: BeyondState,
}

/// Those who are compared with each other: the program, the track, the name of the place, and the
/// value of the attribute by which it is divided.
type Among<'a> = (&'a ProgramId, &'a TrackId, String, Option<String>);

/// A survey under way.
pub struct Survey<'a> {
    today: Date,
    calendar: &'a Calendar,
    /// The seats of a partner itself, and of those who add its numbers to theirs.
    seats_of: BTreeMap<&'a PartnerId, Vec<&'a EnrollmentId>>,
    asked_by: BTreeMap<&'a PartnerId, Vec<&'a EnrollmentId>>,
    rankings: BTreeMap<Among<'a>, Ranking>,
    queues: BTreeMap<Among<'a>, Queue>,
    attributes: BTreeMap<&'a PartnerId, BTreeMap<String, Value>>,
    seats: BTreeMap<&'a EnrollmentId, Seat<'a>>,
    held: BTreeMap<&'a PartnerId, Vec<(&'a EnrollmentId, TierElsewhere)>>,
    /// What differs from what was observed on this same day, and matters only if it makes a
    /// difference.
    doubtful: BTreeSet<&'a EnrollmentId>,
}

impl<'a> Survey<'a> {
    /// Looks at who holds what and who belongs to whom; facts come later.
    pub fn new(all: Everybody<'a>) -> Self {
        let parents = all.partners.iter().filter_map(|(id, partner)| {
            let parent = partner.profile()?.parent.as_ref()?;
            Some((id, parent))
        });
        let relations = Relations::of(parents);
        let mut survey = Self {
            today: all.today,
            calendar: all.calendar,
            seats_of: BTreeMap::new(),
            asked_by: BTreeMap::new(),
            rankings: BTreeMap::new(),
            queues: BTreeMap::new(),
            attributes: BTreeMap::new(),
            seats: BTreeMap::new(),
            held: BTreeMap::new(),
            doubtful: BTreeSet::new(),
        };
        for (id, partner) in all.partners {
            survey.attributes.insert(id, partner.attributes());
            survey.held.insert(id, Vec::new());
        }
        for member in all.members {
            survey.hold(*member);
            survey.seat(*member, all.versions, &relations);
        }
        survey
    }

    /// Notes the tier that is held.
    fn hold(&mut self, member: Member<'a>) {
        let (terms, standing) = (member.terms, member.standing);
        let Some(tier) = standing.tier.as_ref().filter(|_| standing.is_open()) else {
            return;
        };
        let attributes = self.attributes.get(&terms.partner);
        let region = attributes.and_then(|attributes| attributes.get("region"));
        let fields = region.map(|region| ("region".to_owned(), region.clone()));
        let held = TierElsewhere {
            program: terms.program.to_string(),
            track: terms.track.to_string(),
            tier: tier.to_string(),
            since: standing.tier_since,
            fields: fields.into_iter().collect(),
        };
        let of_partner = self.held.entry(&terms.partner).or_default();
        of_partner.push((&terms.enrollment, held));
    }

    fn seat(
        &mut self,
        member: Member<'a>,
        versions: &'a BTreeMap<ProgramId, Vec<Version>>,
        relations: &Relations<'a>,
    ) {
        let terms = member.terms;
        if !member.standing.is_open() || terms.start > self.today {
            return;
        }
        let versions = versions.get(&terms.program).map_or(&[][..], Vec::as_slice);
        let Some(version) = in_force(versions, self.today) else {
            return;
        };
        let Some(track) = version.definition.track(&terms.track) else {
            return;
        };
        let needs = Needs::of(track);
        if needs.is_empty() {
            return;
        }
        let companies = needs.companies();
        let mut related = BTreeMap::new();
        if !companies.is_empty() {
            related = relations.of_partner(&terms.partner);
            related.retain(|_, relation| relation.is_among(&companies));
        }
        let id = &terms.enrollment;
        if !needs.across.is_empty() {
            // Of who is no partner of the org nothing is known, not even that it is zero.
            let known = related
                .keys()
                .filter(|it| self.attributes.contains_key(**it));
            for company in known.copied() {
                self.asked_by.entry(company).or_default().push(id);
            }
        }
        self.seats_of.entry(&terms.partner).or_default().push(id);
        let seat = Seat {
            member,
            version,
            track,
            needs,
            related,
            theirs: BTreeMap::new(),
            ranked: BTreeMap::new(),
            in_line_by: BTreeMap::new(),
            in_line_since: BTreeMap::new(),
            state: BeyondState::default(),
        };
        self.seats.insert(id, seat);
    }

    /// The partners whose facts are measured.
    pub fn to_measure(&self) -> BTreeSet<PartnerId> {
        let placed = self.seats_of.iter().filter(|(_, seats)| {
            let mut seats = seats.iter().filter_map(|id| self.seats.get(id));
            seats.any(|seat| !seat.needs.ranks.is_empty() || !seat.needs.lines.is_empty())
        });
        let placed = placed.map(|(partner, _)| *partner);
        placed
            .chain(self.asked_by.keys().copied())
            .cloned()
            .collect()
    }

    /// Measures a partner by its facts: for its own places, and for those who add its numbers to
    /// theirs.
    pub fn measure<F: FactSource + ?Sized>(&mut self, partner: &PartnerId, facts: &F) {
        let (today, calendar) = (self.today, self.calendar);
        for id in self.seats_of.get(partner).into_iter().flatten() {
            let Some(seat) = self.seats.get_mut(id) else {
                continue;
            };
            let number = |measure: &Measure| seat.number(measure, facts, today, calendar);
            let ranks = seat.needs.ranks.iter();
            let ranked = ranks.filter_map(|rank| Some((rank.id.clone(), number(&rank.of)?)));
            let lines = seat.needs.lines.iter();
            let by = lines.filter_map(|(_, line)| Some((line.id.clone(), number(&line.by)?)));
            let (ranked, by) = (ranked.collect(), by.collect());
            (seat.ranked, seat.in_line_by) = (ranked, by);
        }
        let Some((company, asking)) = self.asked_by.get_key_value(partner) else {
            return;
        };
        for id in asking {
            let Some(seat) = self.seats.get_mut(id) else {
                continue;
            };
            let number = |measure: &Measure| seat.number(measure, facts, today, calendar);
            let across = seat.needs.across.iter();
            let theirs = across.filter_map(|one| Some((one.id.clone(), number(&one.of)?)));
            let theirs = theirs.collect();
            seat.theirs.insert(*company, theirs);
        }
    }

    /// Everybody has been measured: ranks them.
    pub fn rank(&mut self) {
        let mut all: BTreeMap<Among<'a>, Vec<Decimal>> = BTreeMap::new();
        for seat in self.seats.values() {
            for rank in &seat.needs.ranks {
                let number = seat.ranked.get(&rank.id);
                if let Some((among, number)) = self.among(seat, &rank.id, &rank.per).zip(number) {
                    all.entry(among).or_default().push(*number);
                }
            }
        }
        let rankings = all.into_iter();
        self.rankings = rankings
            .map(|(among, numbers)| (among, Ranking::of(numbers)))
            .collect();
    }

    /// With whom an enrollment is compared; none when places are given per value of an attribute
    /// that the partner does not have.
    fn among(&self, seat: &Seat<'a>, id: &str, per: &Option<String>) -> Option<Among<'a>> {
        let terms = seat.member.terms;
        let part = match per {
            None => None,
            Some(per) => {
                let value = self.attributes.get(&terms.partner)?.get(per)?;
                Some(serde_json::to_string(value).unwrap_or_default())
            }
        };
        Some((&terms.program, &terms.track, id.to_owned(), part))
    }

    /// The partners that may stand in a line.
    pub fn to_line_up(&self) -> BTreeSet<PartnerId> {
        let seats = self.seats.values();
        let in_line = seats.filter(|seat| !seat.in_line_by.is_empty());
        let partner = |seat: &Seat<'_>| seat.member.terms.partner.clone();
        in_line.map(partner).collect()
    }

    /// Finds out which lines a partner stands in: those of the tiers whose requirement is met as
    /// soon as the place is the first. Everybody must have been ranked.
    pub fn line_up<F: FactSource + ?Sized>(&mut self, partner: &PartnerId, facts: &F) {
        let ids = self.seats_of.get(partner).cloned().unwrap_or_default();
        for id in ids {
            let state = self.state(id);
            let (today, calendar) = (self.today, self.calendar);
            let Some(seat) = self.seats.get_mut(id) else {
                continue;
            };
            let by = seat.in_line_by.keys();
            let met = by.filter(|line| {
                let tier = seat.needs.lines.iter().find(|(_, one)| one.id == **line);
                tier.is_some_and(|(tier, _)| {
                    seat.is_first(*tier, line, &state, facts, today, calendar)
                })
            });
            let known = &seat.member.known.in_line_since;
            let since = met.map(|line| {
                let since = known.get(line).copied();
                (line.clone(), since.unwrap_or(today))
            });
            seat.in_line_since = since.collect();
        }
    }

    /// What differs from what was observed before, and has to be written down. What was observed
    /// on this same day is looked at more closely first: see [`Self::to_look`].
    pub fn compare(&mut self) -> Vec<Observed> {
        self.queue();
        let mut observed = Vec::new();
        let ids: Vec<&'a EnrollmentId> = self.seats.keys().copied().collect();
        for id in ids {
            let mut state = self.state(id);
            state.line = self.lines(id);
            let Some(seat) = self.seats.get_mut(id) else {
                continue;
            };
            seat.state = state;
            if seat.is_as_known() {
                continue;
            }
            let known = seat.member.known;
            let today = known.beyond.states.last().map(|state| state.from) == Some(self.today);
            if !today || known.in_line_since != seat.in_line_since {
                observed.extend(seat.observed(self.today));
            } else {
                self.doubtful.insert(id);
            }
        }
        observed
    }

    /// The partners whose surroundings were observed on this day already, and are otherwise now.
    pub fn to_look(&self) -> BTreeSet<PartnerId> {
        let seats = self.doubtful.iter().filter_map(|id| self.seats.get(id));
        seats
            .map(|seat| seat.member.terms.partner.clone())
            .collect()
    }

    /// Which of that makes a difference to a tier, and has to be written down today. The rest can
    /// wait for tomorrow: places change with every deal of somebody else.
    pub fn look<F: FactSource + ?Sized>(&self, partner: &PartnerId, facts: &F) -> Vec<Observed> {
        let seats = self.seats_of.get(partner).into_iter().flatten();
        let doubtful = seats.filter(|id| self.doubtful.contains(*id));
        doubtful
            .filter_map(|id| {
                let seat = self.seats.get(id)?;
                let mut beyond = seat.member.known.beyond.clone();
                let before = seat.outcomes(&beyond, facts, self.today, self.calendar);
                beyond.observe(seat.state_of(self.today));
                let after = seat.outcomes(&beyond, facts, self.today, self.calendar);
                (before != after).then(|| seat.observed(self.today))?
            })
            .collect()
    }

    /// What is known around an enrollment without the lines.
    fn state(&self, id: &EnrollmentId) -> BeyondState {
        let mut state = BeyondState {
            from: self.today,
            ..BeyondState::default()
        };
        let Some(seat) = self.seats.get(id) else {
            return state;
        };
        if seat.needs.own_tiers {
            let held = self.held.get(&seat.member.terms.partner);
            let elsewhere = held.into_iter().flatten().filter(|(at, _)| *at != id);
            state.held = Some(elsewhere.map(|(_, tier)| tier.clone()).collect());
        }
        if !seat.needs.companies().is_empty() && seat.related.len() <= MAX_COMPANIES {
            let related = seat.related.iter();
            let related = related.map(|(company, relation)| RelatedCompany {
                company: company.to_string(),
                relation: *relation,
                held: self.tiers_of(company, *relation, &seat.needs.tiers_of),
                numbers: seat.theirs.get(company).cloned().unwrap_or_default(),
            });
            state.related = Some(related.collect());
        }
        for rank in &seat.needs.ranks {
            let ranking = self.among(seat, &rank.id, &rank.per);
            let ranking = ranking.and_then(|among| self.rankings.get(&among));
            if let Some((ranking, own)) = ranking.zip(seat.ranked.get(&rank.id)) {
                state.ranking.insert(rank.id.clone(), ranking.place(*own));
            }
        }
        state
    }

    fn tiers_of(
        &self,
        company: &PartnerId,
        relation: Relation,
        asked: &[Company],
    ) -> Option<Vec<TierElsewhere>> {
        if !relation.is_among(asked) {
            return None;
        }
        let held = self.held.get(company)?;
        Some(held.iter().map(|(_, tier)| tier.clone()).collect())
    }

    /// Has everybody who is in line stand in it.
    fn queue(&mut self) {
        let mut all: BTreeMap<Among<'a>, Vec<Claim>> = BTreeMap::new();
        for seat in self.seats.values() {
            for (_, line) in &seat.needs.lines {
                if !seat.in_line_since.contains_key(&line.id) {
                    continue;
                }
                let among = self.among(seat, &line.id, &line.per);
                if let Some((among, claim)) = among.zip(seat.claim(&line.id, self.today)) {
                    all.entry(among).or_default().push(claim);
                }
            }
        }
        let queues = all.into_iter();
        self.queues = queues
            .map(|(among, claims)| (among, Queue::of(claims)))
            .collect();
    }

    /// The places in the lines.
    fn lines(&self, id: &EnrollmentId) -> BTreeMap<String, InLine> {
        let mut lines = BTreeMap::new();
        let Some(seat) = self.seats.get(id) else {
            return lines;
        };
        let nobody = Queue::default();
        for (_, line) in &seat.needs.lines {
            let among = self.among(seat, &line.id, &line.per);
            if let Some((among, own)) = among.zip(seat.claim(&line.id, self.today)) {
                let queue = self.queues.get(&among).unwrap_or(&nobody);
                lines.insert(line.id.clone(), queue.place(&own));
            }
        }
        lines
    }
}

impl Seat<'_> {
    fn number<F: FactSource + ?Sized>(
        &self,
        measure: &Measure,
        facts: &F,
        today: Date,
        calendar: &Calendar,
    ) -> Option<Decimal> {
        self.within(today, calendar, Mode::AtPeriodEnds, |context| {
            number_of(measure, context, facts)
        })
    }

    fn within<R>(
        &self,
        today: Date,
        calendar: &Calendar,
        mode: Mode,
        look: impl FnOnce(&crate::rules::Context<'_>) -> R,
    ) -> R {
        let Member {
            standing, terms, ..
        } = self.member;
        let definition = &self.version.definition;
        within(standing, terms, definition, calendar, today, mode, look)
    }

    /// True when the first place in line would give, or keep, the tier.
    fn is_first<F: FactSource + ?Sized>(
        &self,
        tier: usize,
        line: &str,
        state: &BeyondState,
        facts: &F,
        today: Date,
        calendar: &Calendar,
    ) -> bool {
        let Some(tier) = self.track.tiers.get(tier) else {
            return false;
        };
        let mut beyond = self.member.known.beyond.clone();
        beyond.observe(state.clone());
        for state in &mut beyond.states {
            let first = InLine { place: 1, of: 1 };
            state.line.insert(line.to_owned(), first);
        }
        let holds = self.member.standing.tier.as_ref() == Some(&tier.id);
        let kept = tier.keeps().filter(|_| holds);
        let mut asked = tier.qualification.iter().chain(kept);
        asked.any(|requirement| {
            self.outcome(requirement, &beyond, facts, today, calendar) == Outcome::Met
        })
    }

    fn outcome<F: FactSource + ?Sized>(
        &self,
        requirement: &Requirement,
        beyond: &Beyond,
        facts: &F,
        today: Date,
        calendar: &Calendar,
    ) -> Outcome {
        let source = WithBeyond { facts, beyond };
        self.within(today, calendar, Mode::AtPeriodEnds, |context| {
            evaluate(requirement, context, &source).explanation.outcome
        })
    }

    /// How everything that an assessment may ask comes out.
    fn outcomes<F: FactSource + ?Sized>(
        &self,
        beyond: &Beyond,
        facts: &F,
        today: Date,
        calendar: &Calendar,
    ) -> Vec<Outcome> {
        let source = WithBeyond { facts, beyond };
        let both = [Mode::AtPeriodEnds, Mode::AsOfToday];
        let outcomes = both.into_iter().flat_map(|mode| {
            self.within(today, calendar, mode, |context| {
                let requirements = self.track.requirements();
                let outcome = |requirement| evaluate(requirement, context, &source);
                let outcomes = requirements.map(outcome).map(|it| it.explanation.outcome);
                outcomes.collect::<Vec<_>>()
            })
        });
        outcomes.collect()
    }

    fn claim(&self, line: &str, today: Date) -> Option<Claim> {
        Some(Claim {
            value: *self.in_line_by.get(line)?,
            since: self.in_line_since.get(line).copied().unwrap_or(today),
            enrollment: self.member.terms.enrollment.to_string(),
        })
    }

    /// The state as it is written down.
    fn state_of(&self, today: Date) -> BeyondState {
        BeyondState {
            from: today,
            source: Some(format!(
                "observation {}",
                self.member.known.observations + 1
            )),
            ..self.state.clone()
        }
    }

    /// True when nothing is otherwise than it was observed last.
    fn is_as_known(&self) -> bool {
        let known = self.member.known;
        let last = known.beyond.states.last();
        let same = last.is_some_and(|last| {
            BeyondState {
                from: last.from,
                source: last.source.clone(),
                ..self.state.clone()
            } == *last
        });
        same && known.in_line_since == self.in_line_since
    }

    /// The event, unless it was observed too often on this day.
    fn observed(&self, today: Date) -> Option<Observed> {
        let known = self.member.known;
        let again = known.beyond.states.last().map(|state| state.from) == Some(today);
        let of_the_day = if again { known.of_the_day + 1 } else { 1 };
        (of_the_day <= MAX_OBSERVATIONS_PER_DAY).then(|| Observed {
            enrollment: self.member.terms.enrollment.clone(),
            partner: self.member.terms.partner.clone(),
            state: self.state_of(today),
            in_line_since: self.in_line_since.clone(),
            of_the_day,
        })
    }
}
