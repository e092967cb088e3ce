//! What may be asked of a partner.

use crate::ids::PartnerId;
use crate::partner::profile::{PartnerChanges, PartnerProfile, PartnerStatus, Person};

/// The commands of a partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartnerCommand {
    /// Create the partner.
    Create(Box<CreatePartner>),
    /// Change the description. Values that are the same already are left out; nothing left:
    /// nothing to do.
    Edit(Box<PartnerChanges>),
    /// Take the whole description from another system: creates the partner where it is missing,
    /// changes what differs otherwise.
    Record(Box<RecordPartner>),
    /// Add a contact. Its identifier is the next free one; see
    /// [`crate::partner::Partner::contact_of`].
    AddContact {
        /// Who it is.
        person: Person,
    },
    /// Change the data of a contact.
    EditContact {
        /// Identifier of the contact.
        contact: String,
        /// All of the data, as it shall be.
        person: Person,
    },
    /// Remove a contact that is not the primary one.
    RemoveContact {
        /// Identifier of the contact.
        contact: String,
    },
    /// Make a contact the primary one.
    SetPrimaryContact {
        /// Identifier of the contact.
        contact: String,
    },
    /// Add and remove tags. Tags that are there, or not there, already: nothing to do.
    Tag {
        /// Tags to add.
        add: Vec<String>,
        /// Tags to remove; a tag may not be in both.
        remove: Vec<String>,
    },
    /// Let the partner take part. From pending, suspended and inactive.
    Activate {
        /// Why; may be empty.
        reason: String,
    },
    /// Hold an active partner for a while.
    Suspend {
        /// Why; required.
        reason: String,
    },
    /// End the partner's part.
    Deactivate {
        /// Why; required.
        reason: String,
    },
}

/// Create a partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePartner {
    /// Identifier of the partner.
    pub partner: PartnerId,
    /// Its description. The domain is normalized here.
    pub profile: PartnerProfile,
    /// Its status from the start: active or pending.
    pub status: PartnerStatus,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its primary contact.
    pub primary_contact: Person,
}

/// The whole description of a partner, from another system. What is absent in it is emptied,
/// except where said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPartner {
    /// Identifier of the partner.
    pub partner: PartnerId,
    /// Its description.
    pub profile: PartnerProfile,
    /// Its status. Absent: stays as it is, or active for a new partner.
    pub status: Option<PartnerStatus>,
    /// Its tags. Absent: stay as they are.
    pub tags: Option<Vec<String>>,
    /// Its primary contact. Where a contact has this e-mail address, it becomes the primary one;
    /// otherwise the present primary contact gets these data.
    pub primary_contact: Person,
}
