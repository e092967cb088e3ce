//! Rows as the contract writes them.

use rust_decimal::Decimal;
use tierline_domain::activity::{
    CertificationRecord, DealRecord, DealSource, DealState, DescribeCertification, RecordActivity,
    RecordDeal,
};
use tierline_domain::partner::{
    PartnerProfile, PartnerStage, PartnerStatus, PartnerType, Person, RecordPartner,
};
use tierline_proto::{activity, common, enrollment, partner, program};
use tierline_rpc::convert::common::{attributes_message, date_text, money_message};

use super::world::{Enrollment, RateDay};

fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

fn number(number: Option<Decimal>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// The rates of a day.
pub(super) fn rate_day(day: &RateDay) -> program::v1::RateDay {
    let rates = day
        .rates
        .iter()
        .map(|(code, rate)| (code.to_string(), rate.to_string()));
    program::v1::RateDay {
        rate_date: day.date.to_string(),
        rates: rates.collect(),
    }
}

/// A partner.
pub(super) fn partner_row(row: u64, it: &RecordPartner) -> partner::v1::PartnerRow {
    partner::v1::PartnerRow {
        row,
        partner: Some(partner::v1::Partner {
            partner_id: it.partner.to_string(),
            status: status(it.status).into(),
            ..profile(&it.profile)
        }),
        primary_contact: Some(contact(&it.primary_contact)),
        tags: it.tags.clone().map(|items| common::v1::TextList { items }),
    }
}

fn profile(profile: &PartnerProfile) -> partner::v1::Partner {
    partner::v1::Partner {
        name: profile.name.clone(),
        domain: profile.domain.clone(),
        partner_type: kind(profile.partner_type).into(),
        region: text(profile.region.as_ref()),
        country: text(profile.country.as_ref()),
        partner_manager: text(profile.partner_manager.as_ref()),
        subtype: text(profile.subtype.as_ref()),
        category: text(profile.category.as_ref()),
        industry: text(profile.industry.as_ref()),
        stage: stage(profile.stage).into(),
        regions: profile.regions.clone(),
        languages: profile.languages.clone(),
        employee_count: profile.employee_count,
        annual_revenue: profile.annual_revenue.map(money_message),
        parent_id: profile
            .parent
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        attributes: attributes_message(&profile.attributes),
        ..partner::v1::Partner::default()
    }
}

fn contact(person: &Person) -> partner::v1::Contact {
    partner::v1::Contact {
        contact_id: String::new(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        email: person.email.clone(),
        phone: text(person.phone.as_ref()),
        title: text(person.title.as_ref()),
    }
}

fn kind(kind: PartnerType) -> partner::v1::PartnerType {
    match kind {
        PartnerType::Technology => partner::v1::PartnerType::Technology,
        PartnerType::Channel => partner::v1::PartnerType::Channel,
        PartnerType::Reseller => partner::v1::PartnerType::Reseller,
        PartnerType::Referral => partner::v1::PartnerType::Referral,
    }
}

fn stage(stage: Option<PartnerStage>) -> partner::v1::PartnerStage {
    match stage {
        None => partner::v1::PartnerStage::Unspecified,
        Some(PartnerStage::Prospect) => partner::v1::PartnerStage::Prospect,
        Some(PartnerStage::Onboarding) => partner::v1::PartnerStage::Onboarding,
        Some(PartnerStage::Active) => partner::v1::PartnerStage::Active,
        Some(PartnerStage::Scaling) => partner::v1::PartnerStage::Scaling,
        Some(PartnerStage::Dormant) => partner::v1::PartnerStage::Dormant,
        Some(PartnerStage::Exited) => partner::v1::PartnerStage::Exited,
    }
}

fn status(status: Option<PartnerStatus>) -> partner::v1::PartnerStatus {
    match status {
        None => partner::v1::PartnerStatus::Unspecified,
        Some(PartnerStatus::Pending) => partner::v1::PartnerStatus::Pending,
        Some(PartnerStatus::Active) => partner::v1::PartnerStatus::Active,
        Some(PartnerStatus::Suspended) => partner::v1::PartnerStatus::Suspended,
        Some(PartnerStatus::Inactive) => partner::v1::PartnerStatus::Inactive,
    }
}

/// An enrollment.
pub(super) fn enrollment_row(row: u64, it: &Enrollment) -> enrollment::v1::EnrollmentRow {
    enrollment::v1::EnrollmentRow {
        row,
        enrollment_id: it.id(),
        partner_id: it.partner.clone(),
        program_id: it.place.0.to_owned(),
        track_id: it.place.1.to_owned(),
        start_date: it.start.to_string(),
        ..enrollment::v1::EnrollmentRow::default()
    }
}

/// A deal.
pub(super) fn deal_row(row: u64, it: &RecordDeal) -> activity::v1::DealRow {
    activity::v1::DealRow {
        row,
        deal_id: it.deal.to_string(),
        partner_id: it.partner.to_string(),
        record: Some(deal(&it.record)),
    }
}

fn deal(record: &DealRecord) -> activity::v1::DealRecord {
    let reversed = Some(record.reversed_amount).filter(|amount| !amount.is_zero());
    activity::v1::DealRecord {
        external_id: text(record.external_id.as_ref()),
        name: record.name.clone(),
        state: deal_state(record.state).into(),
        customer: record
            .customer
            .as_ref()
            .map(|customer| activity::v1::Customer {
                name: customer.name.clone(),
                domain: text(customer.domain.as_ref()),
            }),
        amount: record.amount.map(money_message),
        reversed_amount: number(reversed),
        product_lines: record.product_lines.clone(),
        region: text(record.region.as_ref()),
        source: match record.source {
            None => activity::v1::DealSource::Unspecified,
            Some(DealSource::PartnerSourced) => activity::v1::DealSource::PartnerSourced,
            Some(DealSource::Influenced) => activity::v1::DealSource::Influenced,
        }
        .into(),
        registered_date: date_text(record.registered_date),
        approved_date: date_text(record.approved_date),
        expected_close_date: date_text(record.expected_close_date),
        closed_date: date_text(record.closed_date),
        reason: record.reason.clone(),
        attributes: attributes_message(&record.attributes),
    }
}

fn deal_state(state: DealState) -> activity::v1::DealState {
    match state {
        DealState::Registered => activity::v1::DealState::Registered,
        DealState::Approved => activity::v1::DealState::Approved,
        DealState::Rejected => activity::v1::DealState::Rejected,
        DealState::Withdrawn => activity::v1::DealState::Withdrawn,
        DealState::Won => activity::v1::DealState::Won,
        DealState::Lost => activity::v1::DealState::Lost,
        DealState::Reversed => activity::v1::DealState::Reversed,
    }
}

/// A certification.
pub(super) fn certification_row(
    row: u64,
    it: &DescribeCertification,
) -> activity::v1::CertificationRow {
    activity::v1::CertificationRow {
        row,
        certification_id: it.certification.to_string(),
        partner_id: it.partner.to_string(),
        record: Some(certification(&it.record)),
    }
}

fn certification(record: &CertificationRecord) -> activity::v1::CertificationRecord {
    activity::v1::CertificationRecord {
        external_id: text(record.external_id.as_ref()),
        holder: Some(activity::v1::Holder {
            person: record.holder.person.clone(),
            name: text(record.holder.name.as_ref()),
            email: text(record.holder.email.as_ref()),
        }),
        name: record.name.clone(),
        level: text(record.level.as_ref()),
        awarded_date: record.awarded_date.to_string(),
        expires_date: date_text(record.expires_date),
        revoked_date: date_text(record.revoked_date),
        revoked_reason: record.revoked_reason.clone(),
        left_date: date_text(record.left_date),
        attributes: attributes_message(&record.attributes),
    }
}

/// A record of another activity.
pub(super) fn activity_row(row: u64, it: &RecordActivity) -> activity::v1::ActivityRow {
    let activity = &it.activity;
    activity::v1::ActivityRow {
        row,
        record_id: it.record.to_string(),
        partner_id: it.partner.to_string(),
        activity: Some(activity::v1::ActivityRecord {
            kind: activity.kind.as_str().to_owned(),
            external_id: text(activity.external_id.as_ref()),
            title: activity.title.clone(),
            held_date: activity.held_date.to_string(),
            quantity: number(activity.quantity),
            attributes: attributes_message(&activity.attributes),
        }),
    }
}
