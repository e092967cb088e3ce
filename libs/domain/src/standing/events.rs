//! The facts about a standing: which tier an enrollment is in, why, and how far it is from others.
//!
//! One stream per enrollment; the tier evaluator is its only writer. Every event names the date
//! for which it was decided and how far the log had been read, so that it can be decided again.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ids::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use crate::rules::Explanation;
use crate::stored_events;

/// How far the log had been read when something was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// Partition of the log that carries the partner.
    pub partition: u16,
    /// Number, within the partition, of the last event taken into account.
    pub number: u64,
    /// Version of the program that was in force.
    #[serde(default)]
    pub program_version: u32,
    /// Numbers, within the partition, of the events that gave rise to the assessment: at most
    /// [`MAX_TRIGGERS`]. Empty: the passing of time alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<u64>,
}

/// Most triggers that are kept of one assessment.
pub const MAX_TRIGGERS: usize = 16;

/// Everything that happens to a standing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "stored, not kept in memory")]
pub enum StandingEvent {
    /// The enrollment began and took its first tier.
    StandingOpened(Opened),
    /// Measured values changed.
    ProgressRecomputed(Progress),
    /// The tier changed.
    TierChanged(TierChange),
    /// The facts qualify for a higher tier and the program asks a person to decide.
    PromotionRecommended(Recommendation),
    /// The retention requirement stayed unmet and the program asks a person to decide.
    DemotionRecommended(Recommendation),
    /// What was recommended no longer holds, or a person refused it.
    RecommendationWithdrawn(Withdrawn),
    /// The retention requirement was found unmet; the demotion process begins.
    DemotionNoticeIssued(Notice),
    /// The notice ended and the requirement is still unmet.
    RemediationStarted(Remediation),
    /// The retention thresholds are met again; the demotion process ends.
    RecoveryRecorded(Recovery),
    /// After a demotion, the time begins in which the tier may be earned again.
    RequalificationPathOpened(Requalification),
    /// A pin was cleared or ran out; the tier is decided by the facts again.
    PinReleased(PinReleased),
    /// The enrollment ended.
    StandingClosed(Closed),
    /// A type that this release does not know.
    Unknown {
        /// The stored type.
        event_type: String,
        /// The stored payload.
        payload: serde_json::Value,
    },
}

stored_events!(StandingEvent, "tierline.standing.v1", {
    StandingOpened = "1.0",
    ProgressRecomputed = "1.0",
    TierChanged = "1.0",
    PromotionRecommended = "1.0",
    DemotionRecommended = "1.0",
    RecommendationWithdrawn = "1.0",
    DemotionNoticeIssued = "1.0",
    RemediationStarted = "1.0",
    RecoveryRecorded = "1.0",
    RequalificationPathOpened = "1.0",
    PinReleased = "1.0",
    StandingClosed = "1.0",
});

impl StandingEvent {
    /// The date for which it was decided.
    pub fn as_of(&self) -> Option<Date> {
        self.head().map(|(as_of, _)| as_of)
    }

    /// How far the log had been read.
    pub fn basis(&self) -> Option<&Basis> {
        self.head().map(|(_, basis)| basis)
    }

    fn head(&self) -> Option<(Date, &Basis)> {
        match self {
            Self::StandingOpened(event) => Some((event.as_of, &event.basis)),
            Self::ProgressRecomputed(event) => Some((event.as_of, &event.basis)),
            Self::TierChanged(event) => Some((event.as_of, &event.basis)),
            Self::PromotionRecommended(event) | Self::DemotionRecommended(event) => {
                Some((event.as_of, &event.basis))
            }
            Self::RecommendationWithdrawn(event) => Some((event.as_of, &event.basis)),
            Self::DemotionNoticeIssued(event) => Some((event.as_of, &event.basis)),
            Self::RemediationStarted(event) => Some((event.as_of, &event.basis)),
            Self::RecoveryRecorded(event) => Some((event.as_of, &event.basis)),
            Self::RequalificationPathOpened(event) => Some((event.as_of, &event.basis)),
            Self::PinReleased(event) => Some((event.as_of, &event.basis)),
            Self::StandingClosed(event) => Some((event.as_of, &event.basis)),
            Self::Unknown { .. } => None,
        }
    }

    /// True for the events that a person would call a decision about the tier.
    pub fn is_decision(&self) -> bool {
        !matches!(self, Self::ProgressRecomputed(_) | Self::Unknown { .. })
    }
}

/// The enrollment began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// Date for which it was decided.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// The partner.
    pub partner: PartnerId,
    /// The program.
    pub program: ProgramId,
    /// The track.
    pub track: TrackId,
    /// The first tier.
    pub tier: TierId,
    /// Name of the tier.
    pub tier_name: String,
    /// Rank of the tier in its track: 0 is the highest.
    pub rank: u16,
    /// Since when the tier is held: the start of the enrollment.
    pub since: Date,
    /// `entry`, or `placed` when the enrollment named a tier.
    pub source: TierSource,
}

/// What decides the tier at present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierSource {
    /// The tier every enrollment begins with.
    #[default]
    Entry,
    /// Named when the partner was enrolled.
    Placed,
    /// The facts.
    Automatic,
    /// A person pinned it.
    Pin,
    /// A person approved a recommendation.
    Approved,
}

/// The state of all criteria that matter for a standing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Date for which it was computed.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// One entry per tier above the entry tier, highest first.
    pub tiers: Vec<TierProgress>,
    /// What keeps the present tier; absent in the entry tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<TierProgress>,
}

impl Progress {
    /// True when both say the same about every criterion, whenever they were computed.
    pub fn same_values(&self, other: &Self) -> bool {
        self.tiers == other.tiers && self.retention == other.retention
    }
}

/// The state of one requirement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TierProgress {
    /// The tier whose requirement it is.
    pub tier: TierId,
    /// The outcome of the whole requirement.
    pub outcome: crate::rules::Outcome,
    /// Its leaves in the order of the requirement.
    pub criteria: Vec<CriterionProgress>,
}

/// The state of one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriterionProgress {
    /// Identifier of the criterion in the program.
    pub id: String,
    /// Name that a person reads.
    pub name: String,
    /// End of the period for which it was measured, for a criterion over complete periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Date>,
    /// The outcome.
    pub outcome: crate::rules::Outcome,
    /// The measured value as a person reads it; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<String>,
    /// What is required, as a person reads it.
    pub required: String,
    /// What is missing, as a person reads it; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// How much of the requirement is reached, 0 to 100.
    pub percent: u8,
}

/// The tier changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TierChange {
    /// Date for which it was decided; the tier holds from this date.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The tier before.
    pub from: TierId,
    /// The tier from now on.
    pub to: TierId,
    /// Name of the tier before.
    pub from_name: String,
    /// Name of the tier from now on.
    pub to_name: String,
    /// Rank of the tier from now on: 0 is the highest.
    pub rank: u16,
    /// Up or down the ladder.
    pub direction: Direction,
    /// Why.
    pub cause: Cause,
    /// What decides the tier from now on.
    pub source: TierSource,
    /// What was measured, and one sentence that a person reads.
    pub evidence: Evidence,
}

/// Up or down the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To a higher tier.
    Promotion,
    /// To a lower tier.
    Demotion,
}

/// Why a tier changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The qualification requirement of the tier is met.
    Qualified,
    /// The retention requirement stayed unmet to the end of the process.
    RetentionUnmet,
    /// A person pinned the tier.
    Pinned,
    /// A pin was cleared or ran out, and the facts decide again.
    PinReleased,
    /// A person approved a recommendation.
    Approved,
    /// The version of the program now in force no longer has the tier.
    TierRemoved,
}

/// What a decision rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// One sentence.
    pub sentence: String,
    /// The requirement that decided, node by node; absent where a person decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// A recommendation to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Date for which it was made.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// Number of the recommendation within the standing, from 1; a verdict names it.
    pub number: u32,
    /// The present tier.
    pub from: TierId,
    /// The recommended tier.
    pub to: TierId,
    /// What it rests on.
    pub evidence: Evidence,
}

/// A recommendation that no longer stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Date for which it was decided.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The tier that was recommended.
    pub to: TierId,
    /// True when a person refused it; false when the facts no longer support it.
    pub refused: bool,
}

/// The demotion process begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The day on which the requirement was found unmet.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The tier at risk.
    pub tier: TierId,
    /// First day of the remediation.
    pub notice_ends: Date,
    /// The day of the demotion if nothing changes.
    pub remediation_ends: Date,
    /// What it rests on.
    pub evidence: Evidence,
}

/// The notice ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remediation {
    /// Date for which it was decided.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The tier at risk.
    pub tier: TierId,
    /// The day of the demotion if nothing changes.
    pub ends: Date,
}

/// The demotion process ended well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Date for which it was decided.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The tier that is kept.
    pub tier: TierId,
    /// What it rests on.
    pub evidence: Evidence,
}

/// The path to earn a lost tier again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requalification {
    /// Date for which it was decided.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The tier that was lost.
    pub tier: TierId,
    /// Last day of the path.
    pub until: Date,
}

/// A pin no longer holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PinReleased {
    /// Date for which it was decided.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The tier that had been pinned.
    pub tier: TierId,
}

/// The enrollment ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// Date for which it was decided.
    pub as_of: Date,
    /// How far the log had been read.
    pub basis: Basis,
    /// The tier held at the end.
    pub tier: TierId,
    /// `terminated` or `expired`.
    pub cause: Ending,
}

/// How an enrollment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By a person.
    Terminated,
    /// By its end date.
    Expired,
}
