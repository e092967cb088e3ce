//! What happens to a partner. These types are the storage format: a shape once written stays
//! readable.
//!
//! Personal data appears only inside [`Person`], so that a later version of the events can treat
//! it differently without touching anything else.

use serde::{Deserialize, Serialize};

use crate::ids::PartnerId;
use crate::partner::profile::{PartnerChanges, PartnerProfile, PartnerStatus, Person};

/// The facts about a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartnerEvent {
    /// The partner exists from now on.
    PartnerCreated(Box<PartnerCreated>),
    /// The description changed.
    PartnerEdited {
        /// Only what differs from before.
        changes: Box<PartnerChanges>,
    },
    /// A contact was added.
    ContactAdded {
        /// Identifier of the contact, unique within the partner and never given again: `c1`,
        /// `c2`, …
        contact: String,
        /// Who it is.
        person: Person,
    },
    /// A contact's data changed.
    ContactEdited {
        /// Identifier of the contact.
        contact: String,
        /// All of the data, as it is now.
        person: Person,
    },
    /// A contact was removed. It was not the primary one.
    ContactRemoved {
        /// Identifier of the contact.
        contact: String,
    },
    /// Another contact is the primary one from now on.
    PrimaryContactChanged {
        /// Identifier of the new primary contact.
        contact: String,
    },
    /// Tags were added.
    PartnerTagged {
        /// The tags that the partner did not have, ascending.
        tags: Vec<String>,
    },
    /// Tags were removed.
    PartnerUntagged {
        /// The tags that the partner had, ascending.
        tags: Vec<String>,
    },
    /// The status changed.
    PartnerStatusChanged {
        /// The status before.
        from: PartnerStatus,
        /// The status from now on.
        to: PartnerStatus,
        /// Why, in the words of who did it; may be empty.
        reason: String,
    },
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(PartnerEvent, "tierline.partner.v1", {
    PartnerCreated = "1.0",
    PartnerEdited = "1.0",
    ContactAdded = "1.0",
    ContactEdited = "1.0",
    ContactRemoved = "1.0",
    PrimaryContactChanged = "1.0",
    PartnerTagged = "1.0",
    PartnerUntagged = "1.0",
    PartnerStatusChanged = "1.0",
});

/// The partner exists from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerCreated {
    /// Identifier of the partner.
    pub partner: PartnerId,
    /// Its status from the start.
    pub status: PartnerStatus,
    /// Its description.
    pub profile: PartnerProfile,
    /// Its tags, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its first contact, which is the primary one and gets the identifier `c1`.
    pub primary_contact: Person,
}
