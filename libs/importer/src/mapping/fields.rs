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

/// States of a deal, as mappings write them.
pub(crate) const STATES: &[&str] = &["registered", "approved", "rejected", "won", "lost"];
/// Sources of a deal, as mappings write them.
pub(crate) const SOURCES: &[&str] = &["partner_sourced", "influenced"];

static PARTNER: &[FieldDef] = &[
    needed("external_id", Target::Text),
    free("partner_id", Target::Id),
    needed("name", Target::Text),
    needed("domain", Target::Domain),
    free("type", Target::Text),
    free("stage", Target::Text),
    free("status", Target::Text),
    free("region", Target::Text),
    free("country", Target::Text),
    free("tags", Target::List),
    needed("primary_contact.first_name", Target::Text),
    needed("primary_contact.last_name", Target::Text),
    needed("primary_contact.email", Target::Email),
    free("employee_count", Target::Count),
    free("annual_revenue", Target::Amount),
    free("annual_revenue_currency", Target::Currency),
    free("parent_partner_id", Target::Id),
];

static DEAL: &[FieldDef] = &[
    needed("external_id", Target::Text),
    free("deal_id", Target::Id),
    needed("partner_id", Target::Id),
    free("customer_name", Target::Text),
    free("customer_domain", Target::Domain),
    free("amount", Target::Amount),
    free("currency", Target::Currency),
    free("product_lines", Target::List),
    free("region", Target::Text),
    free("source", Target::Choice(SOURCES)),
    needed("state", Target::Choice(STATES)),
    free("stage", Target::Text),
    free("registered_date", Target::Date),
    free("approved_date", Target::Date),
    free("expected_close_date", Target::Date),
    free("closed_date", Target::Date),
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

    /// True when records of this kind have attributes.
    pub(crate) fn has_attributes(self) -> bool {
        self != Self::Rates
    }
}
