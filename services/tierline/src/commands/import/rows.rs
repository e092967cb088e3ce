//! Records as rows of the contract.

use tierline_importer::{CertificationRow, DealRow, PartnerRow, RateDay};
use tierline_proto::common::v1 as common;
use tierline_proto::{activity, partner, program};

use crate::messages::{certification_record, contact, deal_record, partner_status, profile};

/// A deal.
pub(super) fn deal(row: u64, deal: &DealRow) -> activity::v1::DealRow {
    activity::v1::DealRow {
        row,
        deal_id: deal.deal.to_string(),
        partner_id: deal.partner.to_string(),
        record: Some(deal_record(&deal.record)),
    }
}

/// A certification.
pub(super) fn certification(row: u64, of: &CertificationRow) -> activity::v1::CertificationRow {
    activity::v1::CertificationRow {
        row,
        certification_id: of.certification.to_string(),
        partner_id: of.partner.to_string(),
        record: Some(certification_record(&of.record)),
    }
}

/// A partner.
pub(super) fn partner(row: u64, partner: &PartnerRow) -> partner::v1::PartnerRow {
    partner::v1::PartnerRow {
        row,
        partner: Some(partner::v1::Partner {
            partner_id: partner.partner.to_string(),
            status: partner_status(partner.status).into(),
            ..profile(&partner.profile)
        }),
        primary_contact: Some(contact(&partner.primary_contact)),
        tags: partner.tags.as_ref().map(|tags| common::TextList {
            items: tags.clone(),
        }),
    }
}

/// The rates of a day.
pub(super) fn rate_day(day: &RateDay) -> program::v1::RateDay {
    let rates = day.rates.iter();
    program::v1::RateDay {
        rate_date: day.date.to_string(),
        rates: rates
            .map(|(currency, rate)| (currency.to_string(), rate.to_string()))
            .collect(),
    }
}
