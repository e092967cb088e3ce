//! What may be asked of an enrollment. Looked-up data arrives in the command.

use jiff::civil::Date;

use crate::enrollment::events::Direction;
use crate::ids::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use crate::partner::PartnerStatus;
use crate::program::Program;

/// The commands of an enrollment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrollmentCommand {
    /// Enroll a partner in a track.
    Enroll(Box<Enroll>),
    /// Set the tier by hand. The same pin again: nothing to do.
    Pin(PinTier),
    /// Let the tier be assessed again. No pin: nothing to do.
    ClearPin {
        /// Why; may be empty.
        reason: String,
        /// The business date in the org.
        today: Date,
    },
    /// End later.
    Extend {
        /// The new last day; later than the present one. Absent: no end.
        end_date: Option<Date>,
        /// The business date in the org.
        today: Date,
    },
    /// End by hand.
    Terminate {
        /// The last day: from the start date to today.
        date: Date,
        /// Why; required.
        reason: String,
        /// The business date in the org.
        today: Date,
    },
    /// End by itself, on any day after the end date.
    Expire {
        /// The business date in the org.
        today: Date,
    },
    /// Agree to a recommended change of the tier.
    ApproveRecommendation(DecideRecommendation),
    /// Refuse a recommended change of the tier.
    RejectRecommendation(DecideRecommendation),
}

/// Enroll a partner in a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enroll {
    /// Identifier of the enrollment.
    pub enrollment: EnrollmentId,
    /// Who takes part.
    pub partner: PartnerId,
    /// In which program.
    pub program: ProgramId,
    /// In which track of it.
    pub track: TrackId,
    /// The first day. In the past: allowed, and marked in the event, since history then counts.
    pub start_date: Date,
    /// The last day. Absent: no end.
    pub end_date: Option<Date>,
    /// The tier at the start. Absent: the entry tier.
    pub placed_tier: Option<TierId>,
    /// The contact of the partner who sees the progress.
    pub primary_contact: Option<String>,
    /// The business date in the org.
    pub today: Date,
    /// Looked up: the status of the partner.
    pub partner_status: PartnerStatus,
    /// Looked up: what the program says about the track.
    pub track_facts: TrackFacts,
}

/// Set the tier by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinTier {
    /// The tier.
    pub tier: TierId,
    /// Why; required.
    pub reason: String,
    /// The last business date on which the pin holds. Absent: until it is cleared.
    pub until: Option<Date>,
    /// The business date in the org.
    pub today: Date,
    /// Looked up: what the program says about the track.
    pub track_facts: TrackFacts,
}

/// Decide on a recommended change of the tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecideRecommendation {
    /// Number of the recommendation within the standing. Looked up to be open.
    pub recommendation: u32,
    /// Up or down.
    pub direction: Direction,
    /// The recommended tier.
    pub tier: TierId,
    /// Note; may be empty.
    pub note: String,
    /// The business date in the org.
    pub today: Date,
}

/// What a program says about one of its tracks, looked up for a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackFacts {
    /// The program takes no more enrollments.
    pub archived: bool,
    /// The program has at least one published version.
    pub published: bool,
    /// The tiers of the track in any published version. `None`: no published version has the
    /// track.
    pub tiers: Option<Vec<TierId>>,
    /// The first day on which an enrollment can begin, by the newest version.
    pub start_date: Option<Date>,
    /// The last day on which an enrollment can begin, by the newest version.
    pub end_date: Option<Date>,
}

impl TrackFacts {
    /// What `program` says about `track`: a track or tier counts when any published version has
    /// it, since a version may take effect later than it is published.
    pub fn of(program: &Program, track: &TrackId) -> Self {
        let mut tiers: Option<Vec<TierId>> = None;
        for version in program.versions() {
            if let Some(track) = version.definition.track(track) {
                let known = tiers.get_or_insert_default();
                for tier in &track.tiers {
                    if !known.contains(&tier.id) {
                        known.push(tier.id.clone());
                    }
                }
            }
        }
        let newest = program.versions().last();
        Self {
            archived: program.is_archived(),
            published: newest.is_some(),
            tiers,
            start_date: newest.and_then(|newest| newest.definition.start_date),
            end_date: newest.and_then(|newest| newest.definition.end_date),
        }
    }
}
