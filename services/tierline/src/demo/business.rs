//! What companies do: deals, certifications, references, reviews, campaigns, integrations.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use tierline_domain::activity::{
    ActivityRecord, CertificationRecord, Customer as Buyer, DealRecord, DealSource, DealState,
    DescribeCertification, Holder, RecordActivity, RecordDeal,
};
use tierline_domain::partner::PartnerType;
use tierline_domain::rules::FactKind;
use tierline_domain::time::{add_days, add_months, previous_day};
use tierline_domain::{CertificationId, Currency, DealId, Money, PartnerId, RecordId, Rejection};

use super::company::Company;
use super::course::Course;
use super::dice::Dice;
use super::words::{CAMPAIGNS, INTEGRATIONS, LOSSES, PRODUCTS};
use super::world::{Customer, END, MONTHS, START, World};

/// Of a hundred deals, so many are won.
const WON: i32 = 62;

/// Everything that a company does.
pub(super) fn conduct(
    world: &mut World,
    company: &Company,
    customers: &[Customer],
    dice: &mut Dice,
) -> Result<(), Rejection> {
    deals(world, company, customers, dice)?;
    certifications(world, company, dice)?;
    records(world, company, dice)
}

/// Deals of a kind that are registered in a month, in thousandths.
fn registered(company: &Company, month: i32, source: DealSource) -> i32 {
    let sourced = match company.kind {
        PartnerType::Reseller | PartnerType::Channel => 80,
        PartnerType::Technology => 15,
        PartnerType::Referral => 10,
    };
    let share = match source {
        DealSource::PartnerSourced => sourced,
        DealSource::Influenced => 100 - sourced,
    };
    company.plan.course.pace(month) * share / WON
}

fn deals(
    world: &mut World,
    company: &Company,
    customers: &[Customer],
    dice: &mut Dice,
) -> Result<(), Rejection> {
    let buyers: Vec<&Customer> = (0..dice.between(5, 16))
        .map(|_| dice.pick(customers))
        .collect();
    let partner = PartnerId::parse(&company.id)?;
    let mut number = 0;
    for month in 0..MONTHS {
        for source in [DealSource::PartnerSourced, DealSource::Influenced] {
            for _ in 0..dice.around(registered(company, month, source)) {
                number += 1;
                let deal = DealId::parse(format!("deal-{:03}-{number:03}", company.number))?;
                let day = add_days(add_months(company.joined, month), dice.between(0, 27));
                let buyer = *dice.pick(&buyers);
                for (day, record) in life(company, buyer, source, day, dice)? {
                    let row = RecordDeal {
                        deal: deal.clone(),
                        partner: partner.clone(),
                        record,
                    };
                    if let Some(month) = world.month_of(day) {
                        month.deals.insert(deal.to_string(), row);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The states of a deal with the days on which it reached them; also such after the history, which
/// nobody will hear of.
fn life(
    company: &Company,
    buyer: &Customer,
    source: DealSource,
    registered: Date,
    dice: &mut Dice,
) -> Result<Vec<(Date, DealRecord)>, Rejection> {
    let product = dice.word(PRODUCTS);
    let mut deal = DealRecord::new(format!("{} for {}", product, buyer.name));
    deal.customer = Some(Buyer {
        name: buyer.name.clone(),
        domain: Some(buyer.domain.clone()),
    });
    deal.amount = Some(amount(company, dice)?);
    deal.product_lines = vec![product.to_owned()];
    if dice.percent(25) {
        let second = dice.word(PRODUCTS);
        if second != product {
            deal.product_lines.push(second.to_owned());
        }
    }
    deal.region = Some(company.country.region.to_owned());
    deal.source = Some(source);
    deal.registered_date = Some(registered);
    deal.expected_close_date = Some(add_days(registered, dice.between(30, 90)));
    let mut states = vec![(registered, deal.clone())];
    let answered = add_days(registered, dice.between(1, 9));
    if dice.percent(5) {
        deal.state = DealState::Rejected;
        deal.reason = "Registered by another partner before".to_owned();
        states.push((answered, deal));
        return Ok(states);
    }
    deal.state = DealState::Approved;
    deal.approved_date = Some(answered);
    states.push((answered, deal.clone()));
    let closed = add_days(answered, dice.between(5, 65));
    match dice.between(1, 95) {
        outcome if outcome <= WON => {
            deal.state = DealState::Won;
            deal.closed_date = Some(closed);
            states.push((closed, deal.clone()));
            if let Some(credit) = credit_note(&deal, dice) {
                states.push((add_days(closed, dice.between(10, 40)), credit));
            }
        }
        outcome if outcome <= 90 => {
            deal.state = DealState::Lost;
            deal.closed_date = Some(closed);
            deal.reason = dice.word(LOSSES).to_owned();
            states.push((closed, deal));
        }
        _ => {
            deal.state = DealState::Withdrawn;
            deal.reason = "The customer stopped answering".to_owned();
            states.push((closed, deal));
        }
    }
    Ok(states)
}

/// Few deals are taken back in part later on.
fn credit_note(deal: &DealRecord, dice: &mut Dice) -> Option<DealRecord> {
    if !dice.percent(2) {
        return None;
    }
    let amount = deal.amount?;
    let tenth = Money::new(amount.amount / Decimal::TEN, amount.currency).rounded();
    let reason = "Licences given back".to_owned();
    Some(DealRecord {
        reversed_amount: tenth.amount,
        reason,
        ..deal.clone()
    })
}

/// About the usual amount of the company, mostly in the currency of its country.
fn amount(company: &Company, dice: &mut Dice) -> Result<Money, Rejection> {
    let usual = i64::from(company.plan.deal_size);
    let dollars = usual * i64::from(dice.between(35, 165)) / 100;
    let code = match dice.percent(90) {
        true => company.country.currency,
        false => dice.word(&["EUR", "USD"]),
    };
    // Prices are set by these round numbers, not by the rate of the day.
    let (hundredths, round) = match code {
        "EUR" => (92, 50),
        "GBP" => (79, 50),
        "CHF" => (88, 50),
        "JPY" => (15_000, 10_000),
        _ => (100, 50),
    };
    let amount = (dollars * hundredths / 100 / round).max(1) * round;
    Ok(Money::new(Decimal::from(amount), Currency::parse(code)?))
}

/// Name and level of what can be certified.
const CERTIFICATES: [(&str, &str); 4] = [
    ("Platform Architect", "Advanced"),
    ("Platform Administrator", "Associate"),
    ("Integration Engineer", "Expert"),
    ("Platform Consultant", "Associate"),
];

fn certifications(world: &mut World, company: &Company, dice: &mut Dice) -> Result<(), Rejection> {
    let partner = PartnerId::parse(&company.id)?;
    let count = usize::try_from(company.plan.people).unwrap_or_default();
    for (at, person) in company.people.iter().take(count).enumerate() {
        // Technology partners begin with what engineers hold.
        let shift = if company.kind == PartnerType::Technology {
            2
        } else {
            0
        };
        let (name, level) = CERTIFICATES[(at + shift) % CERTIFICATES.len()];
        let late = match company.plan.course {
            Course::Rising => i32::try_from(at).unwrap_or_default() * 45,
            _ => 0,
        };
        let awarded = add_days(company.joined, dice.between(-180, 100) + late);
        let id = CertificationId::parse(format!("cert-{:03}-{at}", company.number))?;
        let mut record = CertificationRecord {
            external_id: None,
            holder: Holder {
                person: person.email.clone(),
                name: Some(format!("{} {}", person.first_name, person.last_name)),
                email: Some(person.email.clone()),
            },
            name: name.to_owned(),
            level: Some(level.to_owned()),
            awarded_date: awarded,
            expires_date: None,
            revoked_date: None,
            revoked_reason: String::new(),
            left_date: None,
            attributes: BTreeMap::new(),
        };
        for (day, expires) in years(awarded, company.plan.renewed, dice) {
            record.expires_date = Some(expires);
            let row = DescribeCertification {
                certification: id.clone(),
                partner: partner.clone(),
                record: record.clone(),
            };
            if let Some(month) = world.month_of(day.max(company.joined)) {
                month.certifications.insert(id.to_string(), row);
            }
        }
    }
    Ok(())
}

/// The days on which it became known, and the last valid days that were known from then on.
fn years(awarded: Date, renewed: i32, dice: &mut Dice) -> Vec<(Date, Date)> {
    let mut known = awarded;
    let mut years = Vec::new();
    for year in 1.. {
        let expires = previous_day(add_months(awarded, 12 * year));
        years.push((known, expires));
        if expires >= END || !dice.percent(renewed) {
            break;
        }
        known = add_days(expires, -dice.between(2, 40));
    }
    years
}

fn records(world: &mut World, company: &Company, dice: &mut Dice) -> Result<(), Rejection> {
    let plan = &company.plan;
    let mut held: Vec<(&str, Date, String, Option<i32>)> = Vec::new();
    for number in 1..=plan.references {
        let slow = if plan.course == Course::Rising {
            70
        } else {
            30
        };
        let day = add_days(company.joined, number * slow + dice.between(-20, 20));
        held.push((
            "reference",
            day,
            format!("Customer reference {number}"),
            None,
        ));
    }
    if let Some(every) = plan.review_days {
        let mut day = add_days(company.joined, dice.between(10, every));
        let last = add_months(company.joined, plan.course.last_review());
        while day < END.min(last) {
            held.push(("review", day, "Business review".to_owned(), None));
            day = add_days(day, every + dice.between(-6, 6));
        }
    }
    for quarter in 0..MONTHS / 3 {
        if dice.percent(plan.campaigns) {
            let quarter_start = add_months(START, 3 * quarter);
            let day = add_days(quarter_start, dice.between(5, 84));
            let leads = dice.between(8, 140);
            held.push((
                "campaign",
                day,
                dice.word(CAMPAIGNS).to_owned(),
                Some(leads),
            ));
        }
    }
    if company.kind == PartnerType::Technology {
        for number in 1..=plan.integrations {
            let day = add_days(company.joined, number * 50 + dice.between(-30, 30));
            held.push(("integration", day, dice.word(INTEGRATIONS).to_owned(), None));
        }
    }
    let partner = PartnerId::parse(&company.id)?;
    for (at, (kind, day, title, quantity)) in held.into_iter().enumerate() {
        let id = RecordId::parse(format!("{kind}-{:03}-{at:02}", company.number))?;
        let row = RecordActivity {
            record: id.clone(),
            partner: partner.clone(),
            activity: ActivityRecord {
                kind: FactKind::new(kind),
                external_id: None,
                title,
                held_date: day,
                amount: None,
                quantity: quantity.map(Decimal::from),
                attributes: BTreeMap::new(),
            },
        };
        // Campaigns of the time before joining are somebody else's.
        if day >= company.joined
            && let Some(month) = world.month_of(day)
        {
            month.records.insert(id.to_string(), row);
        }
    }
    Ok(())
}
