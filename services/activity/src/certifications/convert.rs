//! Certifications between the contract and the domain.

use jiff::civil::Date;
use tierline_domain::activity::{
    Certification, CertificationRecord, DescribeCertification, Holder,
};
use tierline_domain::{CertificationId, PartnerId};
use tierline_proto::activity::v1 as pb;
use tierline_rpc::convert::{Reader, common as c, fields as f};

/// A described certification.
pub(crate) fn row(r: &mut Reader, row: pb::CertificationRow) -> DescribeCertification {
    let id = CertificationId::parse(row.certification_id);
    let certification = f::id(r, "certification_id", id);
    let partner = f::id(r, "partner_id", PartnerId::parse(row.partner_id));
    let described = row.record.unwrap_or_default();
    let record = r.at("record", |r| record(r, described));
    DescribeCertification {
        certification,
        partner,
        record,
    }
}

fn record(r: &mut Reader, record: pb::CertificationRecord) -> CertificationRecord {
    CertificationRecord {
        external_id: c::optional_text(record.external_id),
        holder: holder(record.holder),
        name: record.name,
        level: c::optional_text(record.level),
        awarded_date: f::date(r, "awarded_date", &record.awarded_date),
        expires_date: f::optional_date(r, "expires_date", &record.expires_date),
        revoked_date: f::optional_date(r, "revoked_date", &record.revoked_date),
        revoked_reason: record.revoked_reason,
        left_date: f::optional_date(r, "left_date", &record.left_date),
        attributes: f::attributes(r, "attributes", record.attributes),
    }
}

/// An award, of today where it does not say.
pub(crate) fn award(
    r: &mut Reader,
    request: &pb::AwardCertificationRequest,
    certification: CertificationId,
    today: Date,
) -> DescribeCertification {
    let request = request.clone();
    let awarded = f::optional_date(r, "awarded_date", &request.awarded_date);
    DescribeCertification {
        certification,
        partner: f::id(r, "partner_id", PartnerId::parse(request.partner_id)),
        record: CertificationRecord {
            external_id: c::optional_text(request.external_id),
            holder: holder(request.holder),
            name: request.name,
            level: c::optional_text(request.level),
            awarded_date: awarded.unwrap_or(today),
            expires_date: f::optional_date(r, "expires_date", &request.expires_date),
            revoked_date: None,
            revoked_reason: String::new(),
            left_date: None,
            attributes: f::attributes(r, "attributes", request.attributes),
        },
    }
}

/// A holder; an absent one lacks everything, and the domain says so.
fn holder(holder: Option<pb::Holder>) -> Holder {
    let holder = holder.unwrap_or_default();
    Holder {
        person: holder.person,
        name: c::optional_text(holder.name),
        email: c::optional_text(holder.email),
    }
}

/// A certification as the contract writes it.
pub(crate) fn message(id: &str, certification: &Certification, version: u64) -> pb::Certification {
    pb::Certification {
        certification_id: id.to_owned(),
        partner_id: certification
            .partner()
            .map(ToString::to_string)
            .unwrap_or_default(),
        record: certification.record().map(record_message),
        etag: tierline_rpc::command::etag(version),
    }
}

fn record_message(record: &CertificationRecord) -> pb::CertificationRecord {
    pb::CertificationRecord {
        external_id: f::text(record.external_id.as_deref()),
        holder: Some(pb::Holder {
            person: record.holder.person.clone(),
            name: f::text(record.holder.name.as_deref()),
            email: f::text(record.holder.email.as_deref()),
        }),
        name: record.name.clone(),
        level: f::text(record.level.as_deref()),
        awarded_date: record.awarded_date.to_string(),
        expires_date: c::date_text(record.expires_date),
        revoked_date: c::date_text(record.revoked_date),
        revoked_reason: record.revoked_reason.clone(),
        left_date: c::date_text(record.left_date),
        attributes: c::attributes_message(&record.attributes),
    }
}
