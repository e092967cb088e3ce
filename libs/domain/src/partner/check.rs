//! What a description and a contact must satisfy. Gives them back in their normal form.

use crate::ids::{PartnerId, check_label};
use crate::limits;
use crate::money::Money;
use crate::partner::domain_name::{normalize_domain, normalize_email};
use crate::partner::profile::{PartnerProfile, Person};
use crate::rejection::Violations;

/// Names of the built-in attributes of a partner; the org's own cannot take them.
pub const RESERVED_ATTRIBUTES: &[&str] = &[
    "name",
    "domain",
    "type",
    "subtype",
    "category",
    "industry",
    "stage",
    "status",
    "region",
    "regions",
    "country",
    "partner_manager",
    "languages",
    "tags",
    "employee_count",
    "annual_revenue",
    "annual_revenue_currency",
    "parent",
];

/// Checks a description and normalizes its domain. Violations are noted under `prefix`.
pub(crate) fn checked_profile(
    v: &mut Violations,
    prefix: &str,
    mut profile: PartnerProfile,
    own: Option<&PartnerId>,
) -> PartnerProfile {
    let path = |field: &str| match prefix {
        "" => field.to_owned(),
        _ => format!("{prefix}.{field}"),
    };
    limits::check_name(v, &path("name"), &profile.name, limits::NAME);
    if let Some(domain) = v.take("", normalize_domain(&path("domain"), &profile.domain)) {
        profile.domain = domain;
    }
    for (field, text) in [
        ("region", &profile.region),
        ("country", &profile.country),
        ("partner_manager", &profile.partner_manager),
        ("subtype", &profile.subtype),
        ("category", &profile.category),
        ("industry", &profile.industry),
    ] {
        limits::check_optional_name(v, &path(field), text.as_deref(), limits::NAME);
    }
    for (field, items) in [
        ("regions", &profile.regions),
        ("languages", &profile.languages),
    ] {
        limits::check_list(v, &path(field), items, limits::LIST, limits::NAME);
    }
    if let Some(Money { amount, currency }) = profile.annual_revenue {
        v.take(&path("annual_revenue"), Money::checked(amount, currency));
        if amount.is_sign_negative() && !amount.is_zero() {
            v.add(path("annual_revenue.amount"), "must not be negative");
        }
    }
    if let Some(parent) = &profile.parent {
        v.take("", check_label(&path("parent"), parent.as_str()));
        if Some(parent) == own {
            v.add(path("parent"), "a partner is not its own parent");
        }
    }
    limits::check_attributes(
        v,
        &path("attributes"),
        &profile.attributes,
        RESERVED_ATTRIBUTES,
    );
    profile
}

/// Checks a contact's data and normalizes the e-mail address.
pub(crate) fn checked_person(v: &mut Violations, prefix: &str, mut person: Person) -> Person {
    let path = |field: &str| format!("{prefix}.{field}");
    limits::check_name(v, &path("first_name"), &person.first_name, limits::NAME);
    limits::check_name(v, &path("last_name"), &person.last_name, limits::NAME);
    if let Some(email) = v.take("", normalize_email(&path("email"), &person.email)) {
        person.email = email;
    }
    limits::check_optional_name(v, &path("phone"), person.phone.as_deref(), limits::NAME);
    limits::check_optional_name(v, &path("title"), person.title.as_deref(), limits::NAME);
    person
}
