//! What happens to an enrollment. These types are the storage format: a shape once written stays
//! readable.
//!
//! The tier itself is not here: it is assessed, and stands in the Standing stream of the same
//! enrollment. What people decide about it is here, and the assessment obeys it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ids::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use crate::partner::profile::label;

/// The facts about an enrollment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrollmentEvent {
    /// The partner takes part in a track from the start date on.
    Enrolled(Enrolled),
    /// A person set the tier by hand. Replaces an earlier pin.
    TierPinned {
        /// The tier.
        tier: TierId,
        /// Why; never empty.
        reason: String,
        /// The last business date on which the pin holds. Absent: until it is cleared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Date>,
        /// The business date of the decision, from which on the pin holds.
        date: Date,
    },
    /// The tier is assessed again.
    PinCleared {
        /// Why; may be empty.
        reason: String,
        /// The business date of the decision: the first on which the pin holds no more.
        date: Date,
    },
    /// The enrollment ends later.
    EnrollmentExtended {
        /// The last day before.
        from: Date,
        /// The last day from now on. Absent: no end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end_date: Option<Date>,
    },
    /// A person ended the enrollment.
    EnrollmentTerminated {
        /// The last day of the enrollment.
        date: Date,
        /// Why; never empty.
        reason: String,
    },
    /// The enrollment ended by itself.
    EnrollmentExpired {
        /// The last day of the enrollment: its end date.
        date: Date,
    },
    /// A person agreed to a recommended change of the tier.
    RecommendationApproved {
        /// Number of the recommendation within the standing of the enrollment.
        recommendation: u32,
        /// Up or down.
        direction: Direction,
        /// The recommended tier.
        tier: TierId,
        /// Note of who decided; may be empty.
        note: String,
        /// The business date of the decision.
        date: Date,
    },
    /// A person refused a recommended change of the tier.
    RecommendationRejected {
        /// Number of the recommendation within the standing of the enrollment.
        recommendation: u32,
        /// Up or down.
        direction: Direction,
        /// The recommended tier.
        tier: TierId,
        /// Note of who decided; may be empty.
        note: String,
        /// The business date of the decision.
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

crate::stored_events!(EnrollmentEvent, "tierline.enrollment.v1", {
    Enrolled = "1.0",
    TierPinned = "1.0",
    PinCleared = "1.0",
    EnrollmentExtended = "1.0",
    EnrollmentTerminated = "1.0",
    EnrollmentExpired = "1.0",
    RecommendationApproved = "1.0",
    RecommendationRejected = "1.0",
});

/// The partner takes part in a track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Identifier of the enrollment.
    pub enrollment: EnrollmentId,
    /// Who takes part.
    pub partner: PartnerId,
    /// In which program.
    pub program: ProgramId,
    /// In which track of it.
    pub track: TrackId,
    /// The first day.
    pub start_date: Date,
    /// The last day. Absent: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<Date>,
    /// The tier at the start. Absent: the entry tier of the track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_tier: Option<TierId>,
    /// The contact of the partner who sees the progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_contact: Option<String>,
    /// The business date on which this was decided.
    pub date: Date,
    /// The start date was in the past then: history counts.
    pub backdated: bool,
}

label!(
    /// Up or down the ladder.
    Direction {
        /// To a higher tier.
        Promotion = "promotion",
        /// To a lower tier.
        Demotion = "demotion",
    }
);
