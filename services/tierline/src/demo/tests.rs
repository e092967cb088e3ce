use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use prost::Message;
use tierline_domain::activity::{
    Certification, CertificationCommand, Deal, DealCommand, DealState, Record, RecordCommand,
};
use tierline_domain::partner::{Partner, PartnerCommand};
use tierline_domain::program::{program_from_yaml, validate};
use tierline_domain::rules::{
    Fact, FactKind, IndexedFacts, RateTable, Requirement, Value, kinds_of, series_of,
};
use tierline_domain::standing::{
    Basis, Direction, Pin as TierPin, Standing, StandingEvent, Terms, TierSource, Verdict, Version,
    assess,
};
use tierline_domain::time::Calendar;
use tierline_domain::{Decide, EnrollmentId, PartnerId, ProgramId, TierId, TrackId};

use super::messages;
use super::world::{
    END, Enrollment, INTEGRATE, Month, PARTNERS, REFER, RESELL, SEED, SHOWN, START, World,
};

fn world() -> World {
    World::generate(SEED).unwrap()
}

/// Every request that would be sent, as bytes.
fn requests(world: &World) -> Vec<u8> {
    let mut bytes = Vec::new();
    for day in &world.rates {
        messages::rate_day(day).encode(&mut bytes).unwrap();
    }
    for month in &world.months {
        for row in month.partners.values() {
            messages::partner_row(1, row).encode(&mut bytes).unwrap();
        }
        for row in &month.enrollments {
            messages::enrollment_row(1, row).encode(&mut bytes).unwrap();
        }
        for row in month.deals.values() {
            messages::deal_row(1, row).encode(&mut bytes).unwrap();
        }
        for row in month.certifications.values() {
            messages::certification_row(1, row)
                .encode(&mut bytes)
                .unwrap();
        }
        for row in month.records.values() {
            messages::activity_row(1, row).encode(&mut bytes).unwrap();
        }
    }
    bytes
}

#[test]
fn the_same_seed_gives_the_same_requests_and_another_one_gives_others() {
    let requests_of = |seed| requests(&World::generate(seed).unwrap());
    assert_eq!(requests_of(SEED), requests_of(SEED));
    assert_ne!(requests_of(SEED), requests_of(SEED + 1));
}

#[test]
fn the_business_takes_every_row() {
    for month in world().months {
        for row in month.partners.into_values() {
            let decided = Partner::default().decide(PartnerCommand::Record(Box::new(row)));
            assert!(!decided.unwrap().is_empty());
        }
        for row in month.deals.into_values() {
            let decided = Deal::default().decide(DealCommand::Record(Box::new(row)));
            assert!(!decided.unwrap().is_empty());
        }
        for row in month.certifications.into_values() {
            let command = CertificationCommand::Record(Box::new(row));
            assert!(!Certification::default().decide(command).unwrap().is_empty());
        }
        for row in month.records.into_values() {
            let decided = Record::default().decide(RecordCommand::Record(Box::new(row)));
            assert!(!decided.unwrap().is_empty());
        }
        for enrollment in &month.enrollments {
            EnrollmentId::parse(enrollment.id()).unwrap();
        }
    }
}

#[test]
fn the_counts_are_those_of_a_vendor_of_middle_size() {
    let world = world();
    let ids = |of: fn(&Month) -> Vec<&String>| {
        world
            .months
            .iter()
            .flat_map(of)
            .collect::<BTreeSet<_>>()
            .len()
    };
    assert_eq!(
        ids(|month| month.partners.keys().collect()),
        usize::from(PARTNERS)
    );
    assert_eq!(world.months.len(), 24);
    let deals = ids(|month| month.deals.keys().collect());
    assert!((6_000..14_000).contains(&deals), "{deals} deals");
    let certifications = ids(|month| month.certifications.keys().collect());
    assert!(
        (700..1_500).contains(&certifications),
        "{certifications} certifications"
    );
    let records = ids(|month| month.records.keys().collect());
    assert!((2_000..5_000).contains(&records), "{records} records");
    assert!(
        (500..540).contains(&world.rates.len()),
        "{} days with rates",
        world.rates.len()
    );
    assert!(world.months[0].partners.contains_key(SHOWN));
}

#[test]
fn nobody_is_heard_of_before_joining() {
    let mut joined: BTreeSet<String> = BTreeSet::new();
    for month in world().months {
        joined.extend(month.partners.keys().cloned());
        let enrolled = month.enrollments.iter().map(|row| row.partner.clone());
        let deals = month.deals.values().map(|row| row.partner.to_string());
        let held = month
            .certifications
            .values()
            .map(|row| row.partner.to_string());
        let records = month.records.values().map(|row| row.partner.to_string());
        for partner in enrolled.chain(deals).chain(held).chain(records) {
            assert!(
                joined.contains(&partner),
                "{partner} in the month of {}",
                month.first
            );
        }
    }
}

#[test]
fn nothing_is_closed_before_it_was_registered_or_known_before_its_month() {
    for month in world().months {
        let end = tierline_domain::time::add_months(month.first, 1);
        for deal in month.deals.values().map(|row| &row.record) {
            let registered = deal.registered_date.unwrap();
            assert!(registered < end);
            for day in [deal.approved_date, deal.closed_date].into_iter().flatten() {
                assert!(registered < day && day < end);
            }
        }
        for record in month.records.values() {
            let held = record.activity.held_date;
            assert!(month.first <= held && held < end);
        }
    }
}

#[test]
fn deals_are_of_every_kind_and_in_five_currencies() {
    let world = world();
    let rows = || world.months.iter().flat_map(|month| month.deals.values());
    let states: BTreeSet<_> = rows().map(|row| row.record.state).collect();
    for state in [
        DealState::Registered,
        DealState::Approved,
        DealState::Rejected,
        DealState::Withdrawn,
        DealState::Won,
        DealState::Lost,
    ] {
        assert!(states.contains(&state), "no deal is {state}");
    }
    let currencies: BTreeSet<String> = rows()
        .filter_map(|row| Some(row.record.amount?.currency.to_string()))
        .collect();
    assert_eq!(
        currencies.into_iter().collect::<Vec<_>>(),
        ["CHF", "EUR", "GBP", "JPY", "USD"]
    );
    assert!(rows().any(|row| !row.record.reversed_amount.is_zero()));
}

/// An enrollment while its two years are gone through without a server.
struct Going {
    enrollment: Enrollment,
    terms: Terms,
    standing: Standing,
    next: Option<Date>,
    seen: Vec<StandingEvent>,
    facts: IndexedFacts,
}

impl Going {
    fn new(enrollment: &Enrollment) -> Self {
        let terms = Terms {
            enrollment: EnrollmentId::parse(enrollment.id()).unwrap(),
            partner: PartnerId::parse(&enrollment.partner).unwrap(),
            program: ProgramId::parse(enrollment.place.0).unwrap(),
            track: TrackId::parse(enrollment.place.1).unwrap(),
            start: enrollment.start,
            end: None,
            placed: None,
            pin: None,
            verdict: None,
            terminated: None,
        };
        let enrollment = enrollment.clone();
        Self {
            enrollment,
            terms,
            standing: Standing::default(),
            next: None,
            seen: Vec::new(),
            facts: IndexedFacts::new(),
        }
    }

    fn assess(&mut self, rules: &Rules, as_of: Date) {
        let done = assess(
            &self.standing,
            &self.terms,
            std::slice::from_ref(&rules.versions[self.enrollment.place.0]),
            &rules.calendar,
            &self.facts,
            as_of,
            &Basis::default(),
        );
        if let Some(standing) = done.standing {
            self.standing = standing;
        }
        self.next = done.next_change;
        self.seen.extend(done.events);
    }

    fn changes(&self, direction: Direction) -> usize {
        let is = |event: &&StandingEvent| {
            matches!(event, StandingEvent::TierChanged(change)
            if change.direction == direction)
        };
        self.seen.iter().filter(is).count()
    }
}

#[derive(Default)]
struct Known {
    facts: BTreeMap<(String, String), Fact>,
    attributes: BTreeMap<String, Value>,
}

impl Known {
    /// What a program asks about.
    fn index(&self, rules: &Rules, program: &str) -> IndexedFacts {
        let definition = &rules.versions[program].definition;
        let tiers = definition.tracks.iter().flat_map(|track| &track.tiers);
        let requirements: Vec<&Requirement> = tiers
            .flat_map(|tier| tier.qualification.iter().chain(&tier.retention))
            .collect();
        let mut index = IndexedFacts::new();
        let series = |one: &&Requirement| series_of(one, definition.pricing());
        for spec in requirements.iter().flat_map(series) {
            index.keep(spec, self.facts.values(), &rules.rates);
        }
        for kind in requirements.iter().flat_map(|one| kinds_of(one)) {
            index.keep_whole(kind, self.facts.values());
        }
        let certified = |fact: &&Fact| fact.kind.as_str() == FactKind::CERTIFICATION;
        for fact in self.facts.values().filter(certified) {
            index.set_certificate(fact.clone());
        }
        index.set_attributes(self.attributes.clone());
        index
    }
}

struct Rules {
    versions: BTreeMap<&'static str, Version>,
    rates: RateTable,
    calendar: Calendar,
}

fn rules(world: &World) -> Rules {
    let mut rates = RateTable::default();
    for day in &world.rates {
        rates.publish(1, day.date, &day.rates);
    }
    let mut versions = BTreeMap::new();
    for (yaml, slug) in super::load::PROGRAMS.into_iter().zip([
        "three-tier",
        "technology-alliance",
        "referral-network",
    ]) {
        let definition = program_from_yaml(yaml).unwrap();
        validate(&definition).unwrap();
        assert_eq!(definition.slug, slug);
        versions.insert(
            slug,
            Version {
                number: 1,
                effective: START,
                transition: tierline_domain::program::Transition::Now,
                definition,
            },
        );
    }
    Rules {
        versions,
        rates,
        calendar: Calendar::new("Europe/Vienna", 4).unwrap(),
    }
}

/// Takes the rows of a month in, and tells of which partners there were any.
fn learn(month: &Month, known: &mut BTreeMap<String, Known>) -> BTreeSet<String> {
    let mut heard: BTreeSet<String> = month.partners.keys().cloned().collect();
    for row in month.partners.values() {
        let mut partner = Partner::default();
        for event in partner
            .decide(PartnerCommand::Record(Box::new(row.clone())))
            .unwrap()
        {
            partner.evolve(&event);
        }
        known.entry(row.partner.to_string()).or_default().attributes = partner.attributes();
    }
    let deals = month.deals.values();
    let deals = deals.map(|row| (&row.partner, row.record.fact(row.deal.as_str(), 1)));
    let certifications = month.certifications.values();
    let certifications =
        certifications.map(|row| (&row.partner, row.record.fact(row.certification.as_str(), 1)));
    let records = month.records.values();
    let records = records.map(|row| {
        (
            &row.partner,
            row.activity.fact(row.record.as_str(), 1, false),
        )
    });
    for (partner, fact) in deals.chain(certifications).chain(records) {
        let key = (fact.kind.as_str().to_owned(), fact.id.clone());
        known
            .entry(partner.to_string())
            .or_default()
            .facts
            .insert(key, fact);
        heard.insert(partner.to_string());
    }
    heard
}

/// Goes through the two years as the evaluator does, for the enrollments that are asked for.
fn go(world: &World, wanted: impl Fn(&Enrollment) -> bool) -> Vec<Going> {
    let rules = rules(world);
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut going: Vec<Going> = Vec::new();
    for (at, month) in world.months.iter().enumerate() {
        let next = world.months.get(at + 1).map_or(END, |month| month.first);
        let heard = learn(month, &mut known);
        going.extend(
            month
                .enrollments
                .iter()
                .filter(|one| wanted(one))
                .map(Going::new),
        );
        for one in &mut going {
            let board = month.first.month() % 3 == 1;
            if let Some(open) = one.standing.recommended.as_ref().filter(|_| board) {
                one.terms.verdict = Some(Verdict {
                    recommendation: open.number,
                    approved: true,
                });
            }
            if let Some(pin) = month
                .pins
                .iter()
                .find(|pin| pin.enrollment == one.enrollment.id())
            {
                one.terms.pin = Some(TierPin {
                    tier: TierId::parse(pin.tier).unwrap(),
                    until: Some(pin.until),
                    reason: pin.reason.to_owned(),
                });
            }
            if heard.contains(&one.enrollment.partner) {
                let known = &known[&one.enrollment.partner];
                one.facts = known.index(&rules, one.enrollment.place.0);
            }
            one.assess(&rules, month.first);
            while let Some(day) = one.next.filter(|day| *day <= next) {
                one.assess(&rules, day);
            }
        }
    }
    going
}

#[test]
fn tiers_are_spread_rise_and_fall_and_leave_something_to_decide() {
    let going = go(&world(), |_| true);
    let tiers = |program: &str| {
        let mut tiers: BTreeMap<String, usize> = BTreeMap::new();
        for one in going.iter().filter(|one| one.enrollment.place.0 == program) {
            *tiers
                .entry(one.standing.tier.as_ref().unwrap().to_string())
                .or_default() += 1;
        }
        tiers
    };
    let resell = tiers(RESELL.0);
    println!("{resell:?} {:?} {:?}", tiers(INTEGRATE.0), tiers(REFER.0));
    let all: usize = resell.values().sum();
    let share = |tier: &str| 100 * resell.get(tier).copied().unwrap_or_default() / all;
    assert!((50..85).contains(&share("bronze")), "{resell:?}");
    assert!((10..35).contains(&share("silver")), "{resell:?}");
    assert!((5..20).contains(&share("gold")), "{resell:?}");
    for program in [INTEGRATE.0, REFER.0] {
        assert_eq!(tiers(program).len(), 3, "{:?}", tiers(program));
    }
    let count = |of: &dyn Fn(&Going) -> usize| going.iter().map(of).sum::<usize>();
    let ups = count(&|one| one.changes(Direction::Promotion));
    let downs = count(&|one| one.changes(Direction::Demotion));
    let risks = count(&|one| usize::from(one.standing.process.is_some()));
    let open = |one: &Going| usize::from(one.standing.recommended.is_some());
    println!(
        "{ups} up, {downs} down, {risks} at risk, {} recommended",
        count(&open)
    );
    assert!(
        ups > 80 && downs > 15 && risks > 2,
        "{ups} up, {downs} down, {risks} at risk"
    );
    assert!(count(&open) > 0);
    let pinned = |one: &Going| usize::from(one.standing.source == TierSource::Pin);
    assert_eq!(count(&pinned), 1);
}

#[test]
fn the_partner_that_texts_refer_to_rose_to_gold_and_is_about_to_lose_it() {
    let going = go(&world(), |one| one.partner == SHOWN && one.place == RESELL);
    let [shown] = &going[..] else {
        panic!("it is enrolled once")
    };
    let changes: Vec<String> = shown
        .seen
        .iter()
        .filter_map(|event| match event {
            StandingEvent::TierChanged(change) => Some(format!("{} {}", change.as_of, change.to)),
            StandingEvent::DemotionNoticeIssued(notice) => Some(format!("{} notice", notice.as_of)),
            _ => None,
        })
        .collect();
    assert!(
        shown
            .standing
            .process
            .as_ref()
            .is_some_and(|process| process.in_remediation)
    );
    let tiers: Vec<&str> = changes
        .iter()
        .filter_map(|change| change.split(' ').nth(1))
        .collect();
    assert_eq!(tiers, ["silver", "gold", "notice"], "{changes:?}");
}
