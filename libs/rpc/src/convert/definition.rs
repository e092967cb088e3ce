//! A program definition out of its message.

use std::collections::BTreeMap;

use tierline_domain::program::{
    BadgeName, Benefit, Catalogue, Color, DemotionMode, DemotionPolicy, ProgramDefinition,
    PromotionMode, PromotionPolicy, Step, Suppression, Tier, Track,
};
use tierline_domain::rules::FixedRates;
use tierline_domain::{BenefitId, Rejection, TierId, TrackId};
use tierline_proto::program::v1 as pb;

use super::Reader;
use super::common::{currency, date, decimal, optional_date, optional_period_unit, small};
use super::requirement::requirement;

/// The month in which the year of a program begins where a message does not say it.
const JANUARY: i8 = 1;

/// The definition that a message describes. Only its form is checked here; whether it can be
/// published is for the domain to say.
///
/// # Errors
/// `INVALID_REQUEST` naming every field that is wrong.
pub fn definition(message: pb::ProgramDefinition) -> Result<ProgramDefinition, Rejection> {
    let mut reader = Reader::new();
    let read = read_definition(&mut reader, message);
    reader.finish(read)
}

/// A definition out of its message, with every wrong field noted.
pub fn read_definition(
    reader: &mut Reader,
    message: pb::ProgramDefinition,
) -> Option<ProgramDefinition> {
    let currency = reader.at("currency_code", |r| currency(r, &message.currency_code));
    let start = optional_date(reader, "start_date", &message.start_date);
    let end = optional_date(reader, "end_date", &message.end_date);
    let year_start = reader.optional("program_year_start", message.program_year_start, month);
    let fixed_rates = reader.list("fixed_rates", message.fixed_rates, rates);
    let tracks = reader.list("tracks", message.tracks, track);
    Some(ProgramDefinition {
        slug: message.slug,
        name: message.name,
        description: message.description,
        start_date: start?,
        end_date: end?,
        currency: currency?,
        program_year_start: year_start?.unwrap_or(JANUARY),
        fixed_rates: fixed_rates?,
        tracks: tracks?,
        catalogue: message.catalogue.map(catalogue),
        lint: message.lint.into_iter().map(suppression).collect(),
    })
}

fn catalogue(message: pb::Catalogue) -> Catalogue {
    let fields = message.fact_fields.into_iter();
    Catalogue {
        certifications: message.certifications,
        partner_attributes: message.partner_attributes,
        fact_fields: fields.map(|(kind, list)| (kind, list.names)).collect(),
    }
}

fn suppression(message: pb::Suppression) -> Suppression {
    Suppression {
        rule: message.rule,
        at: message.at,
        reason: message.reason,
    }
}

fn month(reader: &mut Reader, number: i32) -> Option<i8> {
    match i8::try_from(number) {
        Ok(month) => Some(month),
        Err(_) => reader.wrong("must be a month from 1 to 12"),
    }
}

fn rates(reader: &mut Reader, message: pb::FixedRates) -> Option<FixedRates> {
    let from = reader.at("from_date", |r| date(r, &message.from_date));
    let until = match message.until_date.as_str() {
        "" => Some(None),
        text => reader.at("until_date", |r| date(r, text)).map(Some),
    };
    let mut equal = Some(BTreeMap::new());
    reader.at("equal", |reader| {
        for (code, text) in &message.equal {
            let read = reader.at(code, |r| currency(r, code).zip(decimal(r, text)));
            match (&mut equal, read) {
                (Some(equal), Some((currency, amount))) => {
                    equal.insert(currency, amount);
                }
                _ => equal = None,
            }
        }
    });
    Some(FixedRates {
        from: from?,
        until: until?,
        equal: equal?,
    })
}

/// A track out of its message, with every wrong field noted.
pub fn track(reader: &mut Reader, message: pb::Track) -> Option<Track> {
    let id = reader.at("id", |r| r.take(TrackId::parse(message.id)));
    let promotion = reader.optional("promotion", message.promotion, promotion);
    let demotion = reader.optional("demotion", message.demotion, demotion);
    let tiers = reader.list("tiers", message.tiers, tier);
    Some(Track {
        id: id?,
        name: message.name,
        promotion: promotion?.unwrap_or_default(),
        demotion: demotion?.unwrap_or_default(),
        tiers: tiers?,
    })
}

/// A tier out of its message, with every wrong field noted.
pub fn tier(reader: &mut Reader, message: pb::Tier) -> Option<Tier> {
    let id = reader.at("id", |r| r.take(TierId::parse(message.id)));
    let color = reader.at("color", |r| color(r, message.color));
    let badge = match message.badge.as_str() {
        "" => Some(None),
        _ => reader.take(BadgeName::parse(message.badge)).map(Some),
    };
    let qualification = reader.optional("qualification", message.qualification, requirement);
    let retention = reader.optional("retention", message.retention, requirement);
    let benefits = reader.list("benefits", message.benefits, benefit);
    Some(Tier {
        id: id?,
        name: message.name,
        color: color?,
        badge: badge?,
        qualification: qualification?,
        retention: retention?,
        benefits: benefits?,
    })
}

fn benefit(reader: &mut Reader, message: pb::Benefit) -> Option<Benefit> {
    let id = match message.id.as_str() {
        "" => None,
        id => Some(reader.at("id", |r| r.take(BenefitId::parse(id)))?),
    };
    Some(Benefit {
        id,
        name: message.name,
        value: message.value,
        earned_by: message.earned_by,
    })
}

fn color(reader: &mut Reader, number: i32) -> Option<Color> {
    Some(match pb::Color::try_from(number) {
        Ok(pb::Color::Amber) => Color::Amber,
        Ok(pb::Color::Blue) => Color::Blue,
        Ok(pb::Color::Purple) => Color::Purple,
        Ok(pb::Color::Green) => Color::Green,
        Ok(pb::Color::Orange) => Color::Orange,
        Ok(pb::Color::Red) => Color::Red,
        Ok(pb::Color::Slate) => Color::Slate,
        Ok(pb::Color::Neutral | pb::Color::Unspecified) => Color::Neutral,
        Err(_) => return reader.wrong("is no known colour"),
    })
}

fn promotion(reader: &mut Reader, message: pb::PromotionPolicy) -> Option<PromotionPolicy> {
    let mode = reader.at("mode", |r| {
        match pb::PromotionMode::try_from(message.mode) {
            Ok(pb::PromotionMode::Unspecified | pb::PromotionMode::Automatic) => {
                Some(PromotionMode::Automatic)
            }
            Ok(pb::PromotionMode::Recommend) => Some(PromotionMode::Recommend),
            Err(_) => r.wrong("is no known mode"),
        }
    });
    let step = reader.at("step", |r| step(r, message.step));
    let review = reader.at("review", |r| optional_period_unit(r, message.review));
    let minimum = reader.at("minimum_months_in_tier", |r| {
        small(r, message.minimum_months_in_tier)
    });
    Some(PromotionPolicy {
        mode: mode?,
        step: step?,
        review: review?,
        minimum_months_in_tier: minimum?,
    })
}

fn demotion(reader: &mut Reader, message: pb::DemotionPolicy) -> Option<DemotionPolicy> {
    let defaults = DemotionPolicy::default();
    let mode = reader.at("mode", |r| match pb::DemotionMode::try_from(message.mode) {
        Ok(pb::DemotionMode::Unspecified | pb::DemotionMode::Automatic) => {
            Some(DemotionMode::Automatic)
        }
        Ok(pb::DemotionMode::Never) => Some(DemotionMode::Never),
        Ok(pb::DemotionMode::Recommend) => Some(DemotionMode::Recommend),
        Err(_) => r.wrong("is no known mode"),
    });
    let step = reader.at("step", |r| step(r, message.step));
    let review = reader.at("review", |r| optional_period_unit(r, message.review));
    let mut days = |field, given: Option<u32>, default| match given {
        None => Some(default),
        Some(number) => reader.at(field, |r| small(r, number)),
    };
    let notice = days("notice_days", message.notice_days, defaults.notice_days);
    let remediation = days(
        "remediation_days",
        message.remediation_days,
        defaults.remediation_days,
    );
    let path = days(
        "requalification_months",
        message.requalification_months,
        defaults.requalification_months,
    );
    Some(DemotionPolicy {
        mode: mode?,
        step: step?,
        review: review?,
        notice_days: notice?,
        remediation_days: remediation?,
        requalification_months: path?,
    })
}

fn step(reader: &mut Reader, number: i32) -> Option<Step> {
    match pb::Step::try_from(number) {
        Ok(pb::Step::Unspecified | pb::Step::Qualified) => Some(Step::Qualified),
        Ok(pb::Step::One) => Some(Step::One),
        Err(_) => reader.wrong("is no known step"),
    }
}
