//! Companies: who they are, the people in them, the programs that they are in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use tierline_domain::partner::{
    PartnerProfile, PartnerStage, PartnerStatus, PartnerType, Person, RecordPartner,
};
use tierline_domain::rules::Value;
use tierline_domain::time::add_months;
use tierline_domain::{PartnerId, Rejection};

use super::course::{Course, Plan, SPONSOR};
use super::dice::Dice;
use super::words::{COUNTRIES, Country, FIRST_NAMES, INDUSTRIES, LAST_NAMES, MANAGERS};
use super::world::{Cast, Enrollment, INTEGRATE, Pin, REFER, RESELL, START, World, slug};

/// A partner as the generator knows it.
pub(super) struct Company {
    /// Its number.
    pub(super) number: u16,
    /// Its identifier.
    pub(super) id: String,
    /// Where it is.
    pub(super) country: &'static Country,
    /// The first day.
    pub(super) joined: Date,
    /// What becomes of it.
    pub(super) plan: Plan,
    /// What kind it is.
    pub(super) kind: PartnerType,
    /// The people: the first one is the primary contact.
    pub(super) people: Vec<Person>,
    name: String,
    manager: &'static str,
    industry: &'static str,
    employees: i32,
    /// Programs and tracks.
    places: Vec<(&'static str, &'static str)>,
    pinned: bool,
}

/// Makes a company up.
pub(super) fn found(number: u16, cast: Cast, dice: &mut Dice) -> Company {
    let id = slug(&cast.name);
    let plan = cast.course.plan(dice);
    let country = dice.pick(COUNTRIES);
    let people = people(&id, plan.people, dice);
    let mut places = match cast.kind {
        PartnerType::Reseller | PartnerType::Channel => vec![RESELL],
        PartnerType::Technology => vec![INTEGRATE],
        PartnerType::Referral => vec![REFER],
    };
    if places[0] == RESELL && dice.percent(14) {
        places.push(REFER);
    }
    if places[0] == RESELL && dice.percent(8) {
        places.push(INTEGRATE);
    }
    Company {
        number,
        country,
        joined: add_months(START, cast.joins),
        kind: cast.kind,
        people,
        manager: dice.word(MANAGERS),
        industry: dice.word(INDUSTRIES),
        employees: dice.between(4, 60) * (1 + plan.people),
        name: cast.name,
        places,
        pinned: cast.pinned,
        plan,
        id,
    }
}

fn people(id: &str, certified: i32, dice: &mut Dice) -> Vec<Person> {
    let wanted = usize::try_from(certified.max(1)).unwrap_or(1);
    let mut seen = BTreeSet::new();
    let mut people: Vec<Person> = Vec::new();
    while people.len() < wanted {
        let (first, last) = (dice.word(FIRST_NAMES), dice.word(LAST_NAMES));
        let email = format!("{}.{}@{id}.example", first, last).to_ascii_lowercase();
        if seen.insert(email.clone()) {
            people.push(Person {
                first_name: first.to_owned(),
                last_name: last.to_owned(),
                email,
                phone: None,
                title: people.is_empty().then(|| "Partner lead".to_owned()),
            });
        }
    }
    people
}

impl Company {
    fn record(&self, sponsor: Option<&str>) -> Result<RecordPartner, Rejection> {
        let mut profile =
            PartnerProfile::new(&self.name, format!("{}.example", self.id), self.kind);
        profile.region = Some(self.country.region.to_owned());
        profile.country = Some(self.country.name.to_owned());
        profile.partner_manager = Some(self.manager.to_owned());
        profile.industry = Some(self.industry.to_owned());
        profile.stage = Some(match self.plan.course {
            Course::Quiet => PartnerStage::Dormant,
            Course::Rising => PartnerStage::Scaling,
            _ => PartnerStage::Active,
        });
        profile.regions = vec![self.country.region.to_owned()];
        profile.languages = vec![self.country.language.to_owned()];
        profile.employee_count = u32::try_from(self.employees).ok();
        profile.attributes = sponsor
            .map(|who| BTreeMap::from([(SPONSOR.to_owned(), Value::text(who))]))
            .unwrap_or_default();
        let strategic = matches!(self.plan.course, Course::Strong | Course::Rising);
        Ok(RecordPartner {
            partner: PartnerId::parse(&self.id)?,
            profile,
            status: Some(PartnerStatus::Active),
            tags: Some(
                strategic
                    .then(|| "strategic".to_owned())
                    .into_iter()
                    .collect(),
            ),
            primary_contact: self.people[0].clone(),
        })
    }
}

/// Lets a company join: its description with every change of it, its enrollments.
pub(super) fn join(world: &mut World, company: &Company) -> Result<(), Rejection> {
    let changes = std::iter::once((0, None)).chain(
        company
            .plan
            .sponsors
            .iter()
            .map(|(month, who)| (*month, Some(*who))),
    );
    for (after, sponsor) in changes {
        let row = company.record(sponsor)?;
        if let Some(month) = world.month_of(add_months(company.joined, after)) {
            month.partners.insert(company.id.clone(), row);
        }
    }
    let Some(month) = world.month_of(company.joined) else {
        return Ok(());
    };
    for place in &company.places {
        month.enrollments.push(Enrollment {
            partner: company.id.clone(),
            place: *place,
            start: company.joined,
        });
    }
    let enrolled = month.enrollments.iter().rev().find(|it| it.place == RESELL);
    if let (true, Some(enrollment)) = (company.pinned, enrolled.map(Enrollment::id)) {
        let late = add_months(START, 18);
        if let Some(month) = world.month_of(late) {
            month.pins.push(Pin {
                enrollment,
                tier: "gold",
                reason: "Launch partner of the new product line, agreed with the board.",
                until: add_months(late, 12),
            });
        }
    }
    Ok(())
}
