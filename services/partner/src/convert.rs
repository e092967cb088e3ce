//! Partners between the contract and the domain.

use tierline_domain::PartnerId;
use tierline_domain::partner::{
    Contact, CreatePartner, Partner, PartnerChanges, PartnerProfile, PartnerStage, PartnerStatus,
    PartnerType, Person, RecordPartner,
};
use tierline_proto::partner::v1 as pb;
use tierline_rpc::convert::{Reader, common as c, fields as f};
use tierline_rpc::field_mask::FieldMask;

/// The fields of a partner that `UpdatePartner` may change.
const CHANGEABLE: &[&str] = &[
    "name",
    "domain",
    "partner_type",
    "region",
    "country",
    "partner_manager",
    "subtype",
    "category",
    "industry",
    "stage",
    "regions",
    "languages",
    "employee_count",
    "annual_revenue",
    "parent_id",
    "attributes",
];

/// A new partner.
pub(crate) fn create(
    r: &mut Reader,
    partner: PartnerId,
    request: &pb::CreatePartnerRequest,
) -> CreatePartner {
    let described = request.partner.clone().unwrap_or_default();
    let status = r.at("partner", |r| {
        r.at("status", |r| {
            match pb::PartnerStatus::try_from(described.status) {
                Ok(pb::PartnerStatus::Unspecified | pb::PartnerStatus::Active) => {
                    PartnerStatus::Active
                }
                Ok(pb::PartnerStatus::Pending) => PartnerStatus::Pending,
                _ => r
                    .wrong("must be active, pending or unspecified")
                    .unwrap_or(PartnerStatus::Active),
            }
        })
    });
    CreatePartner {
        partner,
        profile: r.at("partner", |r| profile(r, described)),
        status,
        tags: request.tags.clone(),
        primary_contact: person(request.primary_contact.clone()),
    }
}

/// A described partner.
pub(crate) fn row(r: &mut Reader, row: pb::PartnerRow) -> RecordPartner {
    let described = row.partner.unwrap_or_default();
    r.at("partner", |r| RecordPartner {
        partner: f::id(
            r,
            "partner_id",
            PartnerId::parse(described.partner_id.as_str()),
        ),
        status: r.at("status", |r| status(r, described.status)),
        profile: profile(r, described),
        tags: row.tags.map(|tags| tags.items),
        primary_contact: person(row.primary_contact),
    })
}

fn profile(r: &mut Reader, partner: pb::Partner) -> PartnerProfile {
    PartnerProfile {
        name: partner.name,
        domain: partner.domain,
        partner_type: r.at("partner_type", |r| partner_type(r, partner.partner_type)),
        region: c::optional_text(partner.region),
        country: c::optional_text(partner.country),
        partner_manager: c::optional_text(partner.partner_manager),
        subtype: c::optional_text(partner.subtype),
        category: c::optional_text(partner.category),
        industry: c::optional_text(partner.industry),
        stage: r.at("stage", |r| stage(r, partner.stage)),
        regions: partner.regions,
        languages: partner.languages,
        employee_count: partner.employee_count,
        annual_revenue: f::optional_money(r, "annual_revenue", partner.annual_revenue),
        parent: f::optional_id(r, "parent_id", partner.parent_id, PartnerId::parse),
        attributes: f::attributes(r, "attributes", partner.attributes),
    }
}

/// The changes that the mask names, or the fields that are set where there is no mask.
pub(crate) fn changes(r: &mut Reader, request: &pb::UpdatePartnerRequest) -> PartnerChanges {
    let partner = request.partner.clone().unwrap_or_default();
    let mask = FieldMask::new(request.update_mask.as_ref(), CHANGEABLE, |field| {
        is_set(&partner, field)
    });
    let Some(mask) = r.take_below(mask) else {
        return PartnerChanges::default();
    };
    r.at("partner", |r| masked(r, &mask, partner))
}

fn masked(r: &mut Reader, mask: &FieldMask, partner: pb::Partner) -> PartnerChanges {
    let mut changes = PartnerChanges {
        name: mask.take("name", partner.name),
        domain: mask.take("domain", partner.domain),
        region: mask.take("region", c::optional_text(partner.region)),
        country: mask.take("country", c::optional_text(partner.country)),
        partner_manager: mask.take("partner_manager", c::optional_text(partner.partner_manager)),
        subtype: mask.take("subtype", c::optional_text(partner.subtype)),
        category: mask.take("category", c::optional_text(partner.category)),
        industry: mask.take("industry", c::optional_text(partner.industry)),
        regions: mask.take("regions", partner.regions),
        languages: mask.take("languages", partner.languages),
        employee_count: mask.take("employee_count", partner.employee_count),
        ..PartnerChanges::default()
    };
    if mask.has("partner_type") {
        let read = r.at("partner_type", |r| partner_type(r, partner.partner_type));
        changes.partner_type = Some(read);
    }
    if mask.has("stage") {
        changes.stage = Some(r.at("stage", |r| stage(r, partner.stage)));
    }
    if mask.has("annual_revenue") {
        let revenue = f::optional_money(r, "annual_revenue", partner.annual_revenue);
        changes.annual_revenue = Some(revenue);
    }
    if mask.has("parent_id") {
        let parent = f::optional_id(r, "parent_id", partner.parent_id, PartnerId::parse);
        changes.parent = Some(parent);
    }
    if mask.has("attributes") {
        changes.attributes = Some(f::attributes(r, "attributes", partner.attributes));
    }
    changes
}

fn is_set(partner: &pb::Partner, field: &str) -> bool {
    match field {
        "name" => !partner.name.is_empty(),
        "domain" => !partner.domain.is_empty(),
        "partner_type" => partner.partner_type != 0,
        "region" => !partner.region.is_empty(),
        "country" => !partner.country.is_empty(),
        "partner_manager" => !partner.partner_manager.is_empty(),
        "subtype" => !partner.subtype.is_empty(),
        "category" => !partner.category.is_empty(),
        "industry" => !partner.industry.is_empty(),
        "stage" => partner.stage != 0,
        "regions" => !partner.regions.is_empty(),
        "languages" => !partner.languages.is_empty(),
        "employee_count" => partner.employee_count.is_some(),
        "annual_revenue" => partner.annual_revenue.is_some(),
        "parent_id" => !partner.parent_id.is_empty(),
        "attributes" => !partner.attributes.is_empty(),
        _ => false,
    }
}

/// The data of a contact; an absent one lacks everything, and the domain says so.
pub(crate) fn person(contact: Option<pb::Contact>) -> Person {
    let contact = contact.unwrap_or_default();
    Person {
        first_name: contact.first_name,
        last_name: contact.last_name,
        email: contact.email,
        phone: c::optional_text(contact.phone),
        title: c::optional_text(contact.title),
    }
}

fn partner_type(r: &mut Reader, number: i32) -> PartnerType {
    use pb::PartnerType as P;
    match P::try_from(number) {
        Ok(P::Technology) => PartnerType::Technology,
        Ok(P::Channel) => PartnerType::Channel,
        Ok(P::Reseller) => PartnerType::Reseller,
        Ok(P::Referral) => PartnerType::Referral,
        Ok(P::Unspecified) | Err(_) => r
            .wrong("must be technology, channel, reseller or referral")
            .unwrap_or(PartnerType::Reseller),
    }
}

fn stage(r: &mut Reader, number: i32) -> Option<PartnerStage> {
    use pb::PartnerStage as P;
    match P::try_from(number) {
        Ok(P::Unspecified) => None,
        Ok(P::Prospect) => Some(PartnerStage::Prospect),
        Ok(P::Onboarding) => Some(PartnerStage::Onboarding),
        Ok(P::Active) => Some(PartnerStage::Active),
        Ok(P::Scaling) => Some(PartnerStage::Scaling),
        Ok(P::Dormant) => Some(PartnerStage::Dormant),
        Ok(P::Exited) => Some(PartnerStage::Exited),
        Err(_) => r.wrong("must be one of the stages of a partner, or unspecified"),
    }
}

fn status(r: &mut Reader, number: i32) -> Option<PartnerStatus> {
    use pb::PartnerStatus as P;
    match P::try_from(number) {
        Ok(P::Unspecified) => None,
        Ok(P::Pending) => Some(PartnerStatus::Pending),
        Ok(P::Active) => Some(PartnerStatus::Active),
        Ok(P::Suspended) => Some(PartnerStatus::Suspended),
        Ok(P::Inactive) => Some(PartnerStatus::Inactive),
        Err(_) => r.wrong("must be pending, active, suspended, inactive or unspecified"),
    }
}

fn type_message(partner_type: PartnerType) -> pb::PartnerType {
    match partner_type {
        PartnerType::Technology => pb::PartnerType::Technology,
        PartnerType::Channel => pb::PartnerType::Channel,
        PartnerType::Reseller => pb::PartnerType::Reseller,
        PartnerType::Referral => pb::PartnerType::Referral,
    }
}

fn stage_message(stage: Option<PartnerStage>) -> pb::PartnerStage {
    match stage {
        None => pb::PartnerStage::Unspecified,
        Some(PartnerStage::Prospect) => pb::PartnerStage::Prospect,
        Some(PartnerStage::Onboarding) => pb::PartnerStage::Onboarding,
        Some(PartnerStage::Active) => pb::PartnerStage::Active,
        Some(PartnerStage::Scaling) => pb::PartnerStage::Scaling,
        Some(PartnerStage::Dormant) => pb::PartnerStage::Dormant,
        Some(PartnerStage::Exited) => pb::PartnerStage::Exited,
    }
}

fn status_message(status: PartnerStatus) -> pb::PartnerStatus {
    match status {
        PartnerStatus::Pending => pb::PartnerStatus::Pending,
        PartnerStatus::Active => pb::PartnerStatus::Active,
        PartnerStatus::Suspended => pb::PartnerStatus::Suspended,
        PartnerStatus::Inactive => pb::PartnerStatus::Inactive,
    }
}

/// A partner as the contract writes it.
pub(crate) fn message(partner: &Partner, version: u64) -> pb::Partner {
    let primary = partner.primary_contact();
    pb::Partner {
        partner_id: partner.id().map(ToString::to_string).unwrap_or_default(),
        status: partner
            .status()
            .map_or(0, |status| status_message(status).into()),
        tags: partner.tags().map(str::to_owned).collect(),
        contacts: partner.contacts().iter().map(contact_message).collect(),
        primary_contact_id: primary
            .map(|contact| contact.id.clone())
            .unwrap_or_default(),
        etag: tierline_rpc::command::etag(version),
        ..partner.profile().map(profile_message).unwrap_or_default()
    }
}

fn profile_message(profile: &PartnerProfile) -> pb::Partner {
    pb::Partner {
        name: profile.name.clone(),
        domain: profile.domain.clone(),
        partner_type: type_message(profile.partner_type).into(),
        region: f::text(profile.region.as_deref()),
        country: f::text(profile.country.as_deref()),
        partner_manager: f::text(profile.partner_manager.as_deref()),
        subtype: f::text(profile.subtype.as_deref()),
        category: f::text(profile.category.as_deref()),
        industry: f::text(profile.industry.as_deref()),
        stage: stage_message(profile.stage).into(),
        regions: profile.regions.clone(),
        languages: profile.languages.clone(),
        employee_count: profile.employee_count,
        annual_revenue: profile.annual_revenue.map(c::money_message),
        parent_id: profile
            .parent
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        attributes: c::attributes_message(&profile.attributes),
        ..pb::Partner::default()
    }
}

fn contact_message(contact: &Contact) -> pb::Contact {
    let person = &contact.person;
    pb::Contact {
        contact_id: contact.id.clone(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        email: person.email.clone(),
        phone: f::text(person.phone.as_deref()),
        title: f::text(person.title.as_deref()),
    }
}
