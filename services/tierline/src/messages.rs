//! Records of the domain as messages of the contract, as imports and the demonstration send them.

use tierline_domain::activity::{CertificationRecord, DealRecord, DealSource, DealState};
use tierline_domain::partner::{PartnerProfile, PartnerStage, PartnerStatus, PartnerType, Person};
use tierline_proto::{activity, partner};
use tierline_rpc::convert::common::{attributes_message, date_text, money_message};

/// A text; absent is empty.
pub fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// A partner without its identifier and status.
pub fn profile(profile: &PartnerProfile) -> partner::v1::Partner {
    partner::v1::Partner {
        name: profile.name.clone(),
        domain: profile.domain.clone(),
        partner_type: partner_type(profile.partner_type).into(),
        region: text(profile.region.as_deref()),
        country: text(profile.country.as_deref()),
        partner_manager: text(profile.partner_manager.as_deref()),
        subtype: text(profile.subtype.as_deref()),
        category: text(profile.category.as_deref()),
        industry: text(profile.industry.as_deref()),
        stage: partner_stage(profile.stage).into(),
        regions: profile.regions.clone(),
        languages: profile.languages.clone(),
        employee_count: profile.employee_count,
        annual_revenue: profile.annual_revenue.map(money_message),
        parent_id: text(profile.parent.as_ref().map(AsRef::as_ref)),
        attributes: attributes_message(&profile.attributes),
        ..partner::v1::Partner::default()
    }
}

/// A contact without its identifier.
pub fn contact(person: &Person) -> partner::v1::Contact {
    partner::v1::Contact {
        contact_id: String::new(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        email: person.email.clone(),
        phone: text(person.phone.as_deref()),
        title: text(person.title.as_deref()),
    }
}

fn partner_type(partner_type: PartnerType) -> partner::v1::PartnerType {
    use partner::v1::PartnerType as P;
    match partner_type {
        PartnerType::Technology => P::Technology,
        PartnerType::Channel => P::Channel,
        PartnerType::Reseller => P::Reseller,
        PartnerType::Referral => P::Referral,
    }
}

fn partner_stage(stage: Option<PartnerStage>) -> partner::v1::PartnerStage {
    use partner::v1::PartnerStage as P;
    match stage {
        None => P::Unspecified,
        Some(PartnerStage::Prospect) => P::Prospect,
        Some(PartnerStage::Onboarding) => P::Onboarding,
        Some(PartnerStage::Active) => P::Active,
        Some(PartnerStage::Scaling) => P::Scaling,
        Some(PartnerStage::Dormant) => P::Dormant,
        Some(PartnerStage::Exited) => P::Exited,
    }
}

/// A status; none is unspecified.
pub fn partner_status(status: Option<PartnerStatus>) -> partner::v1::PartnerStatus {
    use partner::v1::PartnerStatus as P;
    match status {
        None => P::Unspecified,
        Some(PartnerStatus::Pending) => P::Pending,
        Some(PartnerStatus::Active) => P::Active,
        Some(PartnerStatus::Suspended) => P::Suspended,
        Some(PartnerStatus::Inactive) => P::Inactive,
    }
}

/// What is known of a deal.
pub fn deal_record(record: &DealRecord) -> activity::v1::DealRecord {
    let reversed = record.reversed_amount;
    activity::v1::DealRecord {
        external_id: text(record.external_id.as_deref()),
        name: record.name.clone(),
        state: deal_state(record.state).into(),
        customer: record
            .customer
            .as_ref()
            .map(|customer| activity::v1::Customer {
                name: customer.name.clone(),
                domain: text(customer.domain.as_deref()),
            }),
        amount: record.amount.map(money_message),
        reversed_amount: if reversed.is_zero() {
            String::new()
        } else {
            reversed.to_string()
        },
        product_lines: record.product_lines.clone(),
        region: text(record.region.as_deref()),
        source: deal_source(record.source).into(),
        registered_date: date_text(record.registered_date),
        approved_date: date_text(record.approved_date),
        expected_close_date: date_text(record.expected_close_date),
        closed_date: date_text(record.closed_date),
        reason: record.reason.clone(),
        attributes: attributes_message(&record.attributes),
    }
}

fn deal_state(state: DealState) -> activity::v1::DealState {
    use activity::v1::DealState as P;
    match state {
        DealState::Registered => P::Registered,
        DealState::Approved => P::Approved,
        DealState::Rejected => P::Rejected,
        DealState::Withdrawn => P::Withdrawn,
        DealState::Won => P::Won,
        DealState::Lost => P::Lost,
        DealState::Reversed => P::Reversed,
    }
}

fn deal_source(source: Option<DealSource>) -> activity::v1::DealSource {
    use activity::v1::DealSource as P;
    match source {
        None => P::Unspecified,
        Some(DealSource::PartnerSourced) => P::PartnerSourced,
        Some(DealSource::Influenced) => P::Influenced,
    }
}

/// What is known of a certification.
pub fn certification_record(record: &CertificationRecord) -> activity::v1::CertificationRecord {
    let holder = &record.holder;
    activity::v1::CertificationRecord {
        external_id: text(record.external_id.as_deref()),
        holder: Some(activity::v1::Holder {
            person: holder.person.clone(),
            name: text(holder.name.as_deref()),
            email: text(holder.email.as_deref()),
        }),
        name: record.name.clone(),
        level: text(record.level.as_deref()),
        awarded_date: record.awarded_date.to_string(),
        expires_date: date_text(record.expires_date),
        revoked_date: date_text(record.revoked_date),
        revoked_reason: record.revoked_reason.clone(),
        left_date: date_text(record.left_date),
        attributes: attributes_message(&record.attributes),
    }
}
