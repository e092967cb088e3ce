//! Given an org, when it is surveyed and assessed until nothing changes, then these tiers and these
//! observations.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};

use super::{Everybody, Member, Observed, Surroundings, SurroundingsEvent, Survey};
use crate::aggregate::Decide;
use crate::ids::{EnrollmentId, PartnerId, ProgramId, TrackId};
use crate::money::Money;
use crate::partner::events::{PartnerCreated, PartnerEvent};
use crate::partner::{Partner, PartnerProfile, PartnerStatus, PartnerType, Person};
use crate::program::{ProgramDefinition, Transition};
use crate::rules::{Fact, FactKind, InLine, NaiveFacts, NoRates, Ranked, WithBeyond};
use crate::standing::{Basis, Standing, Terms, Version, assess};
use crate::time::Calendar;

/// A track of two tiers, the upper one for who satisfies all of `asks`.
fn track(id: &str, asks: serde_json::Value) -> serde_json::Value {
    serde_json::json!({"id": id, "name": id,
        "demotion": {"step": "one", "notice_days": 0, "remediation_days": 0},
        "tiers": [{"id": "top", "name": "Top", "qualification": asks},
                  {"id": "base", "name": "Base"}]})
}

fn criterion(measure: &serde_json::Value, needs: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({"criterion": {"id": "c", "name": "C", "measure": measure, "needs": needs}})
}

fn revenue() -> serde_json::Value {
    serde_json::json!({"sum": {"of": "amount", "facts": {"kind": "deal", "date": "closed",
        "window": {"rolling_months": 12}}}})
}

struct World {
    today: Date,
    partners: BTreeMap<PartnerId, Partner>,
    facts: BTreeMap<PartnerId, Vec<Fact>>,
    versions: BTreeMap<ProgramId, Vec<Version>>,
    enrolled: BTreeMap<EnrollmentId, (Terms, Standing, Surroundings)>,
    observed: Vec<Observed>,
}

fn partner_id(id: &str) -> PartnerId {
    PartnerId::parse(id).unwrap()
}

impl World {
    fn new(tracks: &[serde_json::Value]) -> Self {
        let definition: ProgramDefinition = serde_json::from_value(serde_json::json!({
            "slug": "p", "name": "P", "currency": "USD", "tracks": tracks}))
        .unwrap();
        let version = Version {
            number: 1,
            effective: date(2026, 1, 1),
            transition: Transition::Now,
            definition,
        };
        Self {
            today: date(2026, 1, 1),
            partners: BTreeMap::new(),
            facts: BTreeMap::new(),
            versions: BTreeMap::from([(ProgramId::parse("p").unwrap(), vec![version])]),
            enrolled: BTreeMap::new(),
            observed: Vec::new(),
        }
    }

    fn partner(&mut self, id: &str, parent: Option<&str>, region: Option<&str>) -> &mut Self {
        let mut profile = PartnerProfile::new(id, format!("{id}.example"), PartnerType::Reseller);
        profile.parent = parent.map(partner_id);
        profile.region = region.map(str::to_owned);
        let mut partner = Partner::default();
        partner.evolve(&PartnerEvent::PartnerCreated(Box::new(PartnerCreated {
            partner: partner_id(id),
            profile,
            status: PartnerStatus::Active,
            tags: Vec::new(),
            primary_contact: Person {
                first_name: "Ada".to_owned(),
                last_name: "Byron".to_owned(),
                email: format!("ada@{id}.example"),
                phone: None,
                title: None,
            },
        })));
        self.partners.insert(partner_id(id), partner);
        self
    }

    fn enroll(&mut self, partner: &str, track: &str) -> &mut Self {
        let enrollment = EnrollmentId::parse(format!("{partner}-{track}")).unwrap();
        let terms = Terms {
            enrollment: enrollment.clone(),
            partner: partner_id(partner),
            program: ProgramId::parse("p").unwrap(),
            track: TrackId::parse(track).unwrap(),
            start: date(2026, 1, 1),
            end: None,
            placed: None,
            pin: None,
            verdict: None,
            terminated: None,
        };
        let new = (terms, Standing::default(), Surroundings::default());
        self.enrolled.insert(enrollment, new);
        self
    }

    fn won(&mut self, partner: &str, amount: &str) -> &mut Self {
        let facts = self.facts.entry(partner_id(partner)).or_default();
        facts.push(Fact {
            kind: FactKind::new("deal"),
            id: format!("d{}", facts.len()),
            version: 1,
            state: "won".to_owned(),
            amount: Some(Money::parse(amount, "USD").unwrap()),
            quantity: None,
            dates: BTreeMap::from([("closed".to_owned(), self.today)]),
            fields: BTreeMap::new(),
            disqualified: None,
        });
        self
    }

    fn on(&mut self, day: Date) -> &mut Self {
        self.today = day;
        self.settle()
    }

    /// Surveys and assesses until nothing changes.
    fn settle(&mut self) -> &mut Self {
        for _ in 0..200 {
            self.assess();
            let observed = self.survey();
            if observed.is_empty() {
                return self;
            }
            for one in observed {
                let enrolled = self.enrolled.get_mut(&one.enrollment).unwrap();
                self.observed.push(one.clone());
                enrolled
                    .2
                    .evolve(&SurroundingsEvent::SurroundingsObserved(Box::new(one)));
            }
        }
        panic!("it never comes to rest");
    }

    fn with_facts<R>(&self, partner: &PartnerId, look: impl FnOnce(&NaiveFacts<'_>) -> R) -> R {
        let facts = self.facts.get(partner).map_or(&[][..], Vec::as_slice);
        let attributes = self.partners.get(partner).map(Partner::attributes);
        look(&NaiveFacts {
            facts,
            attributes: &attributes.unwrap_or_default(),
            rates: &NoRates,
        })
    }

    fn assess(&mut self) {
        let mut enrolled = std::mem::take(&mut self.enrolled);
        for (terms, standing, known) in enrolled.values_mut() {
            let done = self.with_facts(&terms.partner, |facts| {
                let beyond = &known.beyond;
                let source = WithBeyond { facts, beyond };
                let versions = &self.versions[&terms.program];
                let (calendar, basis) = (Calendar::default(), Basis::default());
                let today = self.today;
                assess(standing, terms, versions, &calendar, &source, today, &basis)
            });
            *standing = done.standing.unwrap_or_else(|| standing.clone());
        }
        self.enrolled = enrolled;
    }

    fn survey(&self) -> Vec<Observed> {
        let members: Vec<Member<'_>> = self
            .enrolled
            .values()
            .map(|(terms, standing, known)| Member {
                terms,
                standing,
                known,
            })
            .collect();
        let calendar = Calendar::default();
        let mut survey = Survey::new(Everybody {
            today: self.today,
            calendar: &calendar,
            versions: &self.versions,
            partners: &self.partners,
            members: &members,
        });
        for partner in survey.to_measure() {
            self.with_facts(&partner, |facts| survey.measure(&partner, facts));
        }
        survey.rank();
        for partner in survey.to_line_up() {
            self.with_facts(&partner, |facts| survey.line_up(&partner, facts));
        }
        let mut observed = survey.compare();
        for partner in survey.to_look() {
            observed.extend(self.with_facts(&partner, |facts| survey.look(&partner, facts)));
        }
        observed
    }

    fn tier(&self, enrollment: &str) -> &str {
        let id = EnrollmentId::parse(enrollment).unwrap();
        self.enrolled[&id].1.tier.as_ref().unwrap().as_str()
    }

    fn known(&self, enrollment: &str) -> &Surroundings {
        &self.enrolled[&EnrollmentId::parse(enrollment).unwrap()].2
    }

    fn observations(&self) -> usize {
        self.observed.len()
    }
}

fn ranked() -> World {
    let rank = serde_json::json!({"rank": {"id": "r", "of": revenue()}});
    let mut world = World::new(&[track(
        "t",
        criterion(&rank, &serde_json::json!({"lte": "1"})),
    )]);
    for (id, amount) in [("a", "100"), ("b", "300"), ("c", "200")] {
        world
            .partner(id, None, None)
            .enroll(id, "t")
            .won(id, amount);
    }
    world.settle();
    world
}

#[test]
fn the_best_of_all_has_the_tier_until_another_is_better() {
    let mut world = ranked();
    assert_eq!(
        ["a-t", "b-t", "c-t"].map(|id| world.tier(id)),
        ["base", "top", "base"]
    );
    let known = &world.known("c-t").beyond.states;
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].ranking["r"], Ranked { place: 2, of: 3 });
    assert_eq!(known[0].source.as_deref(), Some("observation 1"));
    world.won("a", "250").settle();
    assert_eq!(
        ["a-t", "b-t", "c-t"].map(|id| world.tier(id)),
        ["top", "base", "base"]
    );
}

#[test]
fn equal_numbers_share_the_better_place() {
    let mut world = ranked();
    world.won("a", "200").settle();
    assert_eq!(
        ["a-t", "b-t", "c-t"].map(|id| world.tier(id)),
        ["top", "top", "base"]
    );
}

#[test]
fn what_makes_no_difference_to_a_tier_waits_for_the_next_day() {
    let mut world = ranked();
    assert_eq!(world.observations(), 3);
    // The second and the third change places, and neither has a tier by it.
    world.won("a", "150").settle();
    assert_eq!(world.observations(), 3);
    world.on(date(2026, 1, 2));
    assert_eq!(world.observations(), 5);
    let place = |world: &World, id| world.known(id).beyond.states[1].ranking["r"].place;
    assert_eq!((place(&world, "a-t"), place(&world, "c-t")), (2, 3));
    world.on(date(2026, 1, 3));
    assert_eq!(world.observations(), 5);
}

#[test]
fn a_rank_per_region_is_among_the_partners_of_the_region_and_without_one_there_is_no_place() {
    let rank = serde_json::json!({"rank": {"id": "r", "of": revenue(), "per": "region"}});
    let mut world = World::new(&[track(
        "t",
        criterion(&rank, &serde_json::json!({"lte": "1"})),
    )]);
    let all = [
        ("a", Some("EMEA")),
        ("b", Some("EMEA")),
        ("c", Some("APAC")),
        ("d", None),
    ];
    for (at, (id, region)) in all.into_iter().enumerate() {
        let amount = (100 * (at + 1)).to_string();
        world
            .partner(id, None, region)
            .enroll(id, "t")
            .won(id, &amount);
    }
    world.settle();
    let tiers = ["a-t", "b-t", "c-t", "d-t"].map(|id| world.tier(id));
    assert_eq!(tiers, ["base", "top", "top", "base"]);
    assert!(world.known("d-t").beyond.states[0].ranking.is_empty());
}

fn seats() -> World {
    let line = serde_json::json!({"line": {"id": "seat", "by": revenue()}});
    let asks = serde_json::json!({"all": [
        criterion(&line, &serde_json::json!({"lte": "2"})),
        {"criterion": {"id": "enough", "name": "Enough", "measure": revenue(),
            "needs": {"gte": "100"}}}]});
    let mut world = World::new(&[track("t", asks)]);
    for (id, amount) in [("a", "100"), ("b", "200"), ("c", "100"), ("d", "99")] {
        world
            .partner(id, None, None)
            .enroll(id, "t")
            .won(id, amount);
    }
    world.settle();
    world
}

#[test]
fn two_seats_go_to_the_first_two_in_line_and_who_does_not_satisfy_the_rest_is_not_in_it() {
    let world = seats();
    let tiers = ["a-t", "b-t", "c-t", "d-t"].map(|id| world.tier(id));
    assert_eq!(tiers, ["top", "top", "base", "base"]);
    let line = |id| world.known(id).beyond.states[0].line["seat"];
    assert_eq!(line("c-t"), InLine { place: 3, of: 3 });
    // Not in line: the place that it would have.
    assert_eq!(line("d-t"), InLine { place: 4, of: 4 });
    assert!(world.known("d-t").in_line_since.is_empty());
}

#[test]
fn of_equal_ones_who_is_in_line_for_longer_is_before_the_other() {
    let mut world = seats();
    // d reaches the value of a and c a month later, and its identifier is the last anyway; e has
    // the value of a as well, and an identifier before it.
    world.partner("0z", None, None).enroll("0z", "t");
    world.on(date(2026, 2, 1)).won("0z", "100").settle();
    assert_eq!(world.tier("0z-t"), "base");
    let since = &world.known("0z-t").in_line_since["seat"];
    assert_eq!(*since, date(2026, 2, 1));
    assert_eq!(world.known("a-t").in_line_since["seat"], date(2026, 1, 1));
    // More revenue takes the seat of the last.
    world.won("0z", "1").settle();
    let tiers = ["0z-t", "b-t", "a-t"].map(|id| world.tier(id));
    assert_eq!(tiers, ["top", "top", "base"]);
}

#[test]
fn revenue_of_subsidiaries_is_added_and_an_unknown_owner_leaves_the_sum_unknown() {
    let across = serde_json::json!({"across": {"id": "x", "of": revenue(),
        "with": ["child", "parent"]}});
    let asks = criterion(&across, &serde_json::json!({"gte": "300"}));
    let mut world = World::new(&[track("t", asks)]);
    world
        .partner("holding", None, None)
        .enroll("holding", "t")
        .won("holding", "100");
    world
        .partner("sub", Some("holding"), None)
        .won("sub", "200");
    world
        .partner("lost", Some("nobody"), None)
        .enroll("lost", "t")
        .won("lost", "900");
    world.settle();
    assert_eq!(world.tier("holding-t"), "top");
    assert_eq!(world.tier("lost-t"), "base");
    let related = world.known("lost-t").beyond.states[0]
        .related
        .as_ref()
        .unwrap();
    assert_eq!((related.len(), related[0].numbers.len()), (1, 0));
}

fn inherits() -> serde_json::Value {
    let held = serde_json::json!({"tiers_held": {"by": ["itself", "parent"], "track": "one",
        "tiers": ["top"]}});
    track("two", criterion(&held, &serde_json::json!({"gte": "1"})))
}

#[test]
fn a_tier_held_in_another_track_or_by_the_owner_is_seen_and_so_is_its_loss() {
    let own = criterion(&revenue(), &serde_json::json!({"gte": "100"}));
    let mut world = World::new(&[track("one", own), inherits()]);
    world
        .partner("a", None, None)
        .enroll("a", "one")
        .enroll("a", "two");
    world.partner("b", Some("a"), None).enroll("b", "two");
    world.settle();
    assert_eq!((world.tier("a-two"), world.tier("b-two")), ("base", "base"));
    world.won("a", "100").settle();
    assert_eq!((world.tier("a-two"), world.tier("b-two")), ("top", "top"));
    let held = world.known("b-two").beyond.states[0]
        .related
        .as_ref()
        .unwrap();
    assert_eq!(held[0].held.as_ref().unwrap().len(), 2);
    world.on(date(2027, 6, 1));
    assert_eq!(world.tier("a-one"), "base");
    assert_eq!((world.tier("a-two"), world.tier("b-two")), ("base", "base"));
}

#[test]
fn what_depends_on_itself_in_a_circle_comes_to_rest_for_the_day() {
    // Top for who does not see anybody else of its group at the top.
    let held = serde_json::json!({"tiers_held": {"by": ["group"], "tiers": ["top"]}});
    let asks = criterion(&held, &serde_json::json!({"lte": "0"}));
    let mut world = World::new(&[track("t", asks)]);
    world.partner("a", None, None).enroll("a", "t");
    world.partner("b", Some("a"), None).enroll("b", "t");
    world.settle();
    let most = 2 * super::MAX_OBSERVATIONS_PER_DAY as usize;
    assert!(
        (2..=most).contains(&world.observations()),
        "{}",
        world.observations()
    );
}
