//! The target fields of each kind.

use super::Kind;
use crate::parse::Target;

/// A target field.
pub(crate) struct FieldDef {
    pub(crate) name: &'static str,
    pub(crate) target: Target,
    pub(crate) required: bool,
}

const fn needed(name: &'static str, target: Target) -> FieldDef {
    FieldDef {
        name,
        target,
        required: true,
    }
}

const fn free(name: &'static str, target: Target) -> FieldDef {
    FieldDef {
        name,
        target,
        required: false,
    }
}

/// Types of a partner.
const TYPES: &[&str] = &["technology", "channel", "reseller", "referral"];
/// Stages of a partner.
const STAGES: &[&str] = &[
    "prospect",
    "onboarding",
    "active",
    "scaling",
    "dormant",
    "exited",
];
/// Status of a partner.
const STATUS: &[&str] = &["pending", "active", "suspended", "inactive"];
/// States of a deal.
const STATES: &[&str] = &[
    "registered",
    "approved",
    "rejected",
    "withdrawn",
    "won",
    "lost",
    "reversed",
];
/// Sources of a deal.
const SOURCES: &[&str] = &["partner_sourced", "influenced"];

static PARTNER: &[FieldDef] = &[
    needed("external_id", Target::Text),
    free("partner_id", Target::Id),
    needed("name", Target::Text),
    needed("domain", Target::Domain),
    needed("type", Target::Choice(TYPES)),
    free("subtype", Target::Text),
    free("category", Target::Text),
    free("industry", Target::Text),
    free("stage", Target::Choice(STAGES)),
    free("status", Target::Choice(STATUS)),
    free("region", Target::Text),
    free("regions", Target::List),
    free("languages", Target::List),
    free("country", Target::Text),
    free("partner_manager", Target::Text),
    free("tags", Target::List),
    needed("primary_contact.first_name", Target::Text),
    needed("primary_contact.last_name", Target::Text),
    needed("primary_contact.email", Target::Email),
    free("primary_contact.phone", Target::Text),
    free("primary_contact.title", Target::Text),
    free("employee_count", Target::Count),
    free("annual_revenue", Target::Amount),
    free("annual_revenue_currency", Target::Currency),
    free("parent_partner_id", Target::Id),
];

static DEAL: &[FieldDef] = &[
    needed("external_id", Target::Text),
    free("deal_id", Target::Id),
    needed("partner_id", Target::Id),
    free("name", Target::Text),
    free("customer_name", Target::Text),
    free("customer_domain", Target::Domain),
    free("amount", Target::Amount),
    free("currency", Target::Currency),
    free("reversed_amount", Target::Amount),
    free("product_lines", Target::List),
    free("region", Target::Text),
    free("source", Target::Choice(SOURCES)),
    needed("state", Target::Choice(STATES)),
    free("registered_date", Target::Date),
    free("approved_date", Target::Date),
    free("expected_close_date", Target::Date),
    free("closed_date", Target::Date),
    free("reason", Target::Text),
];

static CERTIFICATION: &[FieldDef] = &[
    needed("external_id", Target::Text),
    free("certification_id", Target::Id),
    needed("partner_id", Target::Id),
    needed("person_id", Target::Text),
    free("person_name", Target::Text),
    free("person_email", Target::Email),
    needed("certification", Target::Text),
    free("level", Target::Text),
    needed("awarded_date", Target::Date),
    free("expires_date", Target::Date),
    free("revoked_date", Target::Date),
    free("revoked_reason", Target::Text),
    free("left_date", Target::Date),
];

static RATES: &[FieldDef] = &[
    needed("date", Target::Date),
    free("currency", Target::Currency),
    free("rate", Target::Amount),
];

impl Kind {
    /// The fields of a record of this kind. Attributes come on top, except for rates.
    pub(crate) fn fields(self) -> &'static [FieldDef] {
        match self {
            Self::Partners => PARTNER,
            Self::Deals => DEAL,
            Self::Certifications => CERTIFICATION,
            Self::Rates => RATES,
        }
    }

    /// Position of a field in [`Kind::fields`].
    pub(crate) fn slot(self, name: &str) -> Option<usize> {
        self.fields().iter().position(|field| field.name == name)
    }

    /// Names that attributes cannot take.
    pub(crate) fn reserved(self) -> &'static [&'static str] {
        match self {
            Self::Partners => tierline_domain::partner::check::RESERVED_ATTRIBUTES,
            Self::Deals => tierline_domain::activity::deal::check::RESERVED_FIELDS,
            Self::Certifications | Self::Rates => &[],
        }
    }

    /// True when records of this kind have attributes.
    pub(crate) fn has_attributes(self) -> bool {
        self != Self::Rates
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use tierline_domain::activity::{DealSource, DealState};
    use tierline_domain::partner::{PartnerStage, PartnerStatus, PartnerType};

    use super::*;

    fn words(all: &[impl Display]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_words_are_those_of_the_business() {
        assert_eq!(words(PartnerType::ALL), TYPES);
        assert_eq!(words(PartnerStage::ALL), STAGES);
        assert_eq!(words(PartnerStatus::ALL), STATUS);
        assert_eq!(words(DealState::ALL), STATES);
        assert_eq!(words(DealSource::ALL), SOURCES);
    }
}
