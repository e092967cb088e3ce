//! What was observed around an enrollment. These types are the storage format: a shape once
//! written stays readable.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ids::{EnrollmentId, PartnerId};
use crate::rules::BeyondState;

/// The facts about the surroundings of an enrollment; one stream per enrollment, written by the
/// tier evaluator alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SurroundingsEvent {
    /// What lies beyond the partner was seen to be otherwise than before.
    SurroundingsObserved(Box<Observed>),
    /// Stands in for an event that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload, untouched.
        payload: serde_json::Value,
    },
}

crate::stored_events!(SurroundingsEvent, "tierline.standing.v1", {
    SurroundingsObserved = "1.0",
});

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// The partner.
    pub partner: PartnerId,
    /// What is in force from the day of the observation on.
    pub state: BeyondState,
    /// Since when the enrollment has satisfied everything else that a limited tier asks for, by
    /// the `id` of its line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_line_since: BTreeMap<String, Date>,
    /// Which observation of the day it is, from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub of_the_day: u32,
}

fn first() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_first(number: &u32) -> bool {
    *number == 1
}
