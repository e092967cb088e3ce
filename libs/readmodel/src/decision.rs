//! The history of tiers: a row per decision, written once.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tierline_domain::standing::{Basis, Cause, Direction, Ending, TierSource};
use tierline_domain::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use uuid::Uuid;

/// A decision about a standing. Its evidence stays in the log, under the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// Identifier: that of the event.
    pub decision: Uuid,
    /// Version of the stream of the standing after the decision.
    pub sequence: i64,
    /// What kind of decision.
    pub kind: DecisionKind,
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// The partner.
    pub partner: PartnerId,
    /// The program.
    pub program: ProgramId,
    /// The track.
    pub track: TrackId,
    /// The tier before; absent for the first one and where the tier does not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TierId>,
    /// The tier after, the recommended one, or the one that the decision is about.
    pub to: TierId,
    /// Up or down, where the tier changes or would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Why, where the tier changes or the enrollment ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<DecisionCause>,
    /// What decides the tier after the decision.
    pub source: TierSource,
    /// The tier held after the decision.
    pub held: TierId,
    /// Name of the tier held after the decision.
    pub held_name: String,
    /// The business date for which it was decided.
    pub as_of: Date,
    /// When it was recorded.
    pub record_time: Timestamp,
    /// One sentence that a person reads.
    pub sentence: String,
    /// How far the log had been read.
    pub basis: Basis,
}

/// What kind of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// The enrollment took its first tier.
    Opened,
    /// The tier changed.
    TierChanged,
    /// A promotion was recommended to a person.
    PromotionRecommended,
    /// A demotion was recommended to a person.
    DemotionRecommended,
    /// A recommendation no longer holds, or was refused.
    RecommendationWithdrawn,
    /// The demotion process began with a notice.
    NoticeIssued,
    /// The notice ended and the remediation began.
    RemediationStarted,
    /// The demotion process ended by recovery.
    RecoveryRecorded,
    /// The path to earn a lost tier again was opened.
    RequalificationOpened,
    /// A pin no longer holds.
    PinReleased,
    /// The enrollment ended.
    Closed,
}

/// Why a tier changed or an enrollment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DecisionCause {
    /// Of a change of tier.
    Change(Cause),
    /// Of the end of an enrollment.
    End(Ending),
}

/// The columns of `read.tier_history` beside the common ones.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the columns of the table, under their names")]
pub struct DecisionColumns<'a> {
    pub decision_id: Uuid,
    pub partner_id: &'a PartnerId,
    pub program: &'a ProgramId,
    pub track: &'a TrackId,
    pub kind: DecisionKind,
    pub from_tier: Option<&'a TierId>,
    pub tier: &'a TierId,
    pub direction: Option<Direction>,
    pub cause: Option<DecisionCause>,
    pub source: TierSource,
    pub as_of: Date,
    pub record_time: Timestamp,
}

impl DecisionRow {
    /// What stands in the columns.
    pub fn columns(&self) -> DecisionColumns<'_> {
        DecisionColumns {
            decision_id: self.decision,
            partner_id: &self.partner,
            program: &self.program,
            track: &self.track,
            kind: self.kind,
            from_tier: self.from.as_ref(),
            tier: &self.to,
            direction: self.direction,
            cause: self.cause,
            source: self.source,
            as_of: self.as_of,
            record_time: self.record_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_read_as_it_is_written() {
        for cause in [
            DecisionCause::Change(Cause::Qualified),
            DecisionCause::Change(Cause::TierRemoved),
            DecisionCause::End(Ending::Terminated),
            DecisionCause::End(Ending::Expired),
        ] {
            let text = serde_json::to_string(&cause).unwrap();
            assert_eq!(
                serde_json::from_str::<DecisionCause>(&text).unwrap(),
                cause,
                "{text}"
            );
        }
    }
}
