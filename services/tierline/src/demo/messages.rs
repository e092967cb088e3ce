//! Rows as the contract writes them.

use rust_decimal::Decimal;
use tierline_domain::activity::{DescribeCertification, RecordActivity, RecordDeal};
use tierline_domain::partner::RecordPartner;
use tierline_proto::{activity, common, enrollment, partner, program};
use tierline_rpc::convert::common::{attributes_message, money_message};

use super::world::{Enrollment, RateDay};
use crate::messages::{certification_record, contact, deal_record, partner_status, profile, text};

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
            status: partner_status(it.status).into(),
            ..profile(&it.profile)
        }),
        primary_contact: Some(contact(&it.primary_contact)),
        tags: it.tags.clone().map(|items| common::v1::TextList { items }),
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
        record: Some(deal_record(&it.record)),
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
        record: Some(certification_record(&it.record)),
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
            external_id: text(activity.external_id.as_deref()),
            title: activity.title.clone(),
            held_date: activity.held_date.to_string(),
            amount: activity.amount.map(money_message),
            quantity: number(activity.quantity),
            attributes: attributes_message(&activity.attributes),
        }),
    }
}
