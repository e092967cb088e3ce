//! What happens to a certification. These types are the storage format: a shape once written
//! stays readable.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ids::{CertificationId, PartnerId};
use crate::rules::Value;

/// The facts about a certification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CertificationEvent {
    /// A person at the partner got it.
    CertificationAwarded {
        /// Identifier of this certification of this person.
        certification: CertificationId,
        /// The partner it counts for; never changes.
        partner: PartnerId,
        /// Everything that was said about it.
        record: Box<CertificationRecord>,
    },
    /// The whole present state was taken from another system; replaces what was known.
    CertificationImported {
        /// Identifier of this certification of this person.
        certification: CertificationId,
        /// The partner it counts for; never changes.
        partner: PartnerId,
        /// The whole state.
        record: Box<CertificationRecord>,
    },
    /// It is valid for longer.
    CertificationRenewed {
        /// The business date of the renewal.
        renewed_date: Date,
        /// The new last day. Absent: it does not expire.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_date: Option<Date>,
    },
    /// It was taken away, and counts for no date any more.
    CertificationRevoked {
        /// The business date of the decision.
        date: Date,
        /// Why; never empty.
        reason: String,
    },
    /// The person is no longer at the partner: from this date on it does not count for it.
    CertificationHolderLeft {
        /// The first business date on which the person is not at the partner.
        date: Date,
    },
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(CertificationEvent, "tierline.activity.v1", {
    CertificationAwarded = "1.0",
    CertificationImported = "1.0",
    CertificationRenewed = "1.0",
    CertificationRevoked = "1.0",
    CertificationHolderLeft = "1.0",
});

/// Who holds a certification. Personal data, kept apart from the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Identifier of the person, the same in all of the person's certifications at the partner.
    /// It should say nothing about the person; requirements tell persons apart by it.
    pub person: String,
    /// Name of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// E-mail address of the person, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A certification as it stands. The partner stands beside it and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificationRecord {
    /// Identifier in another system; unique in the org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Who holds it.
    pub holder: Holder,
    /// What is certified, as the org names it.
    pub name: String,
    /// Level, such as `advanced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The first business date on which it is valid.
    pub awarded_date: Date,
    /// The last business date on which it is valid. Absent: it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_date: Option<Date>,
    /// The business date on which it was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_date: Option<Date>,
    /// Why it was taken away.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub revoked_reason: String,
    /// The first business date on which the person is not at the partner any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_date: Option<Date>,
    /// Attributes of the org's own, for requirements and filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
}
