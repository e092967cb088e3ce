//! What happens to a benefit of the library. These types are the storage format: a shape once
//! written stays readable.

use serde::{Deserialize, Serialize};

use crate::benefit::content::{BenefitChanges, BenefitContent};
use crate::ids::BenefitId;

/// The facts about a benefit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BenefitEvent {
    /// The benefit exists from now on and may be given by tiers.
    BenefitCreated {
        /// Identifier.
        benefit: BenefitId,
        /// What it is.
        content: Box<BenefitContent>,
    },
    /// Some of what is said of it changed, in every program that uses it.
    BenefitEdited {
        /// What changed.
        changes: Box<BenefitChanges>,
    },
    /// New versions of programs do not give it.
    BenefitArchived {},
    /// New versions of programs may give it again.
    BenefitRestored {},
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(BenefitEvent, "tierline.program.v1", {
    BenefitCreated = "1.0",
    BenefitEdited = "1.0",
    BenefitArchived = "1.0",
    BenefitRestored = "1.0",
});
