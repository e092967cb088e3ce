//! A program definition as its message.

use jiff::civil::Date;
use tierline_domain::program::{
    Catalogue, Color, DemotionMode, DemotionPolicy, ProgramDefinition, PromotionMode,
    PromotionPolicy, Step, Suppression, Tier, Track,
};
use tierline_domain::rules::FixedRates;
use tierline_domain::time::PeriodUnit;
use tierline_proto::common::v1 as common;
use tierline_proto::program::v1 as pb;

use super::common::{date_text, period_unit_message};
use super::requirement_out::requirement_message;

/// The message of a definition.
pub fn definition_message(definition: &ProgramDefinition) -> pb::ProgramDefinition {
    pb::ProgramDefinition {
        slug: definition.slug.clone(),
        name: definition.name.clone(),
        description: definition.description.clone(),
        currency_code: definition.currency.as_str().to_owned(),
        tracks: definition.tracks.iter().map(track).collect(),
        program_year_start: Some(definition.program_year_start.into()),
        fixed_rates: definition.fixed_rates.iter().map(fixed_rates).collect(),
        catalogue: definition.catalogue.as_ref().map(catalogue),
        lint: definition.lint.iter().map(suppression).collect(),
        start_date: optional_date_text(definition.start_date),
        end_date: optional_date_text(definition.end_date),
    }
}

fn optional_date_text(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn catalogue(catalogue: &Catalogue) -> pb::Catalogue {
    let fields = catalogue.fact_fields.iter();
    let names = |list: &Vec<String>| pb::FieldNames {
        names: list.clone(),
    };
    pb::Catalogue {
        certifications: catalogue.certifications.clone(),
        partner_attributes: catalogue.partner_attributes.clone(),
        fact_fields: fields
            .map(|(kind, list)| (kind.clone(), names(list)))
            .collect(),
    }
}

fn suppression(suppression: &Suppression) -> pb::Suppression {
    pb::Suppression {
        rule: suppression.rule.clone(),
        at: suppression.at.clone(),
        reason: suppression.reason.clone(),
    }
}

fn fixed_rates(table: &FixedRates) -> pb::FixedRates {
    let amounts = table.equal.iter();
    pb::FixedRates {
        from_date: table.from.to_string(),
        until_date: date_text(table.until),
        equal: amounts
            .map(|(currency, amount)| (currency.as_str().to_owned(), amount.to_string()))
            .collect(),
    }
}

fn track(track: &Track) -> pb::Track {
    pb::Track {
        id: track.id.to_string(),
        name: track.name.clone(),
        promotion: Some(promotion(&track.promotion)),
        demotion: Some(demotion(&track.demotion)),
        tiers: track.tiers.iter().map(tier).collect(),
    }
}

fn tier(tier: &Tier) -> pb::Tier {
    pb::Tier {
        id: tier.id.to_string(),
        name: tier.name.clone(),
        color: color_message(tier.color).into(),
        badge: tier
            .badge
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        qualification: tier.qualification.as_ref().map(requirement_message),
        retention: tier.retention.as_ref().map(requirement_message),
        benefits: tier
            .benefits
            .iter()
            .map(|benefit| pb::Benefit {
                name: benefit.name.clone(),
                value: benefit.value.clone(),
                id: benefit
                    .id
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                earned_by: benefit.earned_by.clone(),
            })
            .collect(),
    }
}

/// The colour of a badge.
pub fn color_message(color: Color) -> pb::Color {
    match color {
        Color::Amber => pb::Color::Amber,
        Color::Blue => pb::Color::Blue,
        Color::Purple => pb::Color::Purple,
        Color::Green => pb::Color::Green,
        Color::Orange => pb::Color::Orange,
        Color::Red => pb::Color::Red,
        Color::Slate => pb::Color::Slate,
        Color::Neutral => pb::Color::Neutral,
    }
}

fn promotion(policy: &PromotionPolicy) -> pb::PromotionPolicy {
    let mode = match policy.mode {
        PromotionMode::Automatic => pb::PromotionMode::Automatic,
        PromotionMode::Recommend => pb::PromotionMode::Recommend,
    };
    pb::PromotionPolicy {
        mode: mode.into(),
        step: step(policy.step).into(),
        review: review(policy.review),
        minimum_months_in_tier: policy.minimum_months_in_tier.into(),
    }
}

fn demotion(policy: &DemotionPolicy) -> pb::DemotionPolicy {
    let mode = match policy.mode {
        DemotionMode::Never => pb::DemotionMode::Never,
        DemotionMode::Recommend => pb::DemotionMode::Recommend,
        DemotionMode::Automatic => pb::DemotionMode::Automatic,
    };
    pb::DemotionPolicy {
        mode: mode.into(),
        step: step(policy.step).into(),
        review: review(policy.review),
        notice_days: Some(policy.notice_days.into()),
        remediation_days: Some(policy.remediation_days.into()),
        requalification_months: Some(policy.requalification_months.into()),
    }
}

fn step(step: Step) -> pb::Step {
    match step {
        Step::Qualified => pb::Step::Qualified,
        Step::One => pb::Step::One,
    }
}

fn review(unit: Option<PeriodUnit>) -> i32 {
    unit.map_or(common::PeriodUnit::Unspecified, period_unit_message)
        .into()
}
