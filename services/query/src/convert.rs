//! Rows as messages.

use jiff::Timestamp;
use tierline_domain::ids::TierId;
use tierline_domain::partner::{PartnerStage, PartnerStatus, PartnerType};
use tierline_domain::program::Track;
use tierline_domain::rules::Outcome;
use tierline_domain::standing::{self, Cause, CriterionProgress, Direction, Ending, TierSource};
use tierline_proto::partner::v1 as partner;
use tierline_proto::query::v1 as query;
use tierline_proto::standing::v1 as pb;
use tierline_readmodel::{DecisionCause, DecisionKind, DecisionRow, PartnerRow, StandingLine};

/// An instant as a message.
pub(crate) fn instant(at: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    })
}

pub(crate) fn partner_summary(row: &PartnerRow) -> query::PartnerSummary {
    query::PartnerSummary {
        partner_id: row.partner.to_string(),
        name: row.profile.name.clone(),
        domain: row.profile.domain.clone(),
        r#type: partner_type(row.profile.partner_type).into(),
        status: status(row.status).into(),
        stage: row
            .profile
            .stage
            .map_or(partner::PartnerStage::Unspecified, stage)
            .into(),
        regions: row.all_regions().into_iter().map(str::to_owned).collect(),
        tags: row.tags.iter().cloned().collect(),
        manager: row.profile.partner_manager.clone().unwrap_or_default(),
        enrollments: row
            .standings
            .iter()
            .map(|(id, line)| enrollment_summary(id.to_string(), line))
            .collect(),
        create_time: instant(row.create_time),
        update_time: instant(row.update_time),
    }
}

fn enrollment_summary(enrollment_id: String, line: &StandingLine) -> query::EnrollmentSummary {
    let held = line.tier.is_some();
    query::EnrollmentSummary {
        enrollment_id,
        program_id: line.program.to_string(),
        track_id: line.track.to_string(),
        tier_id: line
            .tier
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        tier_name: line.tier_name.clone(),
        tier_rank: if held { line.rank.into() } else { 0 },
        tier_since_date: if held {
            line.since.to_string()
        } else {
            String::new()
        },
        closed: line.closed,
    }
}

fn partner_type(kind: PartnerType) -> partner::PartnerType {
    match kind {
        PartnerType::Technology => partner::PartnerType::Technology,
        PartnerType::Channel => partner::PartnerType::Channel,
        PartnerType::Reseller => partner::PartnerType::Reseller,
        PartnerType::Referral => partner::PartnerType::Referral,
    }
}

fn status(status: PartnerStatus) -> partner::PartnerStatus {
    match status {
        PartnerStatus::Pending => partner::PartnerStatus::Pending,
        PartnerStatus::Active => partner::PartnerStatus::Active,
        PartnerStatus::Suspended => partner::PartnerStatus::Suspended,
        PartnerStatus::Inactive => partner::PartnerStatus::Inactive,
    }
}

fn stage(stage: PartnerStage) -> partner::PartnerStage {
    match stage {
        PartnerStage::Prospect => partner::PartnerStage::Prospect,
        PartnerStage::Onboarding => partner::PartnerStage::Onboarding,
        PartnerStage::Active => partner::PartnerStage::Active,
        PartnerStage::Scaling => partner::PartnerStage::Scaling,
        PartnerStage::Dormant => partner::PartnerStage::Dormant,
        PartnerStage::Exited => partner::PartnerStage::Exited,
    }
}

/// The progress towards a tier, with the name and rank that the track gives the tier.
pub(crate) fn tier_progress(
    progress: &standing::TierProgress,
    track: Option<&Track>,
) -> pb::TierProgress {
    pb::TierProgress {
        tier_id: progress.tier.to_string(),
        tier_name: tier_name(&progress.tier, track),
        tier_rank: track
            .and_then(|track| track.rank(&progress.tier))
            .and_then(|rank| u32::try_from(rank).ok())
            .unwrap_or_default(),
        outcome: outcome(progress.outcome).into(),
        criteria: progress.criteria.iter().map(criterion_progress).collect(),
    }
}

/// The name of a tier; its identifier where the track does not have it.
pub(crate) fn tier_name(id: &TierId, track: Option<&Track>) -> String {
    let tier = track.and_then(|track| track.tiers.iter().find(|tier| tier.id == *id));
    tier.map_or_else(|| id.to_string(), |tier| tier.name.clone())
}

fn criterion_progress(criterion: &CriterionProgress) -> pb::CriterionProgress {
    pb::CriterionProgress {
        criterion_id: criterion.id.clone(),
        name: criterion.name.clone(),
        period_end_date: criterion
            .period_end
            .map(|end| end.to_string())
            .unwrap_or_default(),
        outcome: outcome(criterion.outcome).into(),
        measured: criterion.measured.clone().unwrap_or_default(),
        required: criterion.required.clone(),
        gap: criterion.gap.clone().unwrap_or_default(),
        percent: criterion.percent.into(),
    }
}

pub(crate) fn outcome(outcome: Outcome) -> pb::Outcome {
    match outcome {
        Outcome::Met => pb::Outcome::Met,
        Outcome::Unmet => pb::Outcome::Unmet,
        Outcome::Unknown => pb::Outcome::Unknown,
        Outcome::NotApplicable => pb::Outcome::NotApplicable,
    }
}

pub(crate) fn tier_source(source: TierSource) -> pb::TierSource {
    match source {
        TierSource::Entry => pb::TierSource::Entry,
        TierSource::Placed => pb::TierSource::Placed,
        TierSource::Automatic => pb::TierSource::Automatic,
        TierSource::Pin => pb::TierSource::Pin,
        TierSource::Approved => pb::TierSource::Approved,
    }
}

pub(crate) fn decision(row: &DecisionRow, partner_name: String) -> pb::Decision {
    let direction =
        row.direction
            .map_or(pb::Direction::Unspecified, |up_or_down| match up_or_down {
                Direction::Promotion => pb::Direction::Promotion,
                Direction::Demotion => pb::Direction::Demotion,
            });
    pb::Decision {
        decision_id: row.decision.to_string(),
        kind: kind(row.kind).into(),
        enrollment_id: row.enrollment.to_string(),
        partner_id: row.partner.to_string(),
        partner_name,
        program_id: row.program.to_string(),
        track_id: row.track.to_string(),
        from_tier_id: row
            .from
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        to_tier_id: row.to.to_string(),
        direction: direction.into(),
        cause: row.cause.map_or(pb::Cause::Unspecified, cause).into(),
        source: tier_source(row.source).into(),
        as_of_date: row.as_of.to_string(),
        record_time: instant(row.record_time),
        program_version: row.basis.program_version,
        sentence: row.sentence.clone(),
        basis: Some(pb::Basis {
            partition: row.basis.partition.into(),
            number: row.basis.number,
            triggers: row.basis.triggers.clone(),
        }),
        sequence: u64::try_from(row.sequence).unwrap_or_default(),
    }
}

fn kind(kind: DecisionKind) -> pb::DecisionKind {
    match kind {
        DecisionKind::Opened => pb::DecisionKind::Opened,
        DecisionKind::TierChanged => pb::DecisionKind::TierChanged,
        DecisionKind::PromotionRecommended => pb::DecisionKind::PromotionRecommended,
        DecisionKind::DemotionRecommended => pb::DecisionKind::DemotionRecommended,
        DecisionKind::RecommendationWithdrawn => pb::DecisionKind::RecommendationWithdrawn,
        DecisionKind::NoticeIssued => pb::DecisionKind::NoticeIssued,
        DecisionKind::RemediationStarted => pb::DecisionKind::RemediationStarted,
        DecisionKind::RecoveryRecorded => pb::DecisionKind::RecoveryRecorded,
        DecisionKind::RequalificationOpened => pb::DecisionKind::RequalificationOpened,
        DecisionKind::PinReleased => pb::DecisionKind::PinReleased,
        DecisionKind::Closed => pb::DecisionKind::Closed,
    }
}

fn cause(cause: DecisionCause) -> pb::Cause {
    match cause {
        DecisionCause::Change(Cause::Qualified) => pb::Cause::Qualified,
        DecisionCause::Change(Cause::RetentionUnmet) => pb::Cause::RetentionUnmet,
        DecisionCause::Change(Cause::Pinned) => pb::Cause::Pinned,
        DecisionCause::Change(Cause::PinReleased) => pb::Cause::PinReleased,
        DecisionCause::Change(Cause::Approved) => pb::Cause::Approved,
        DecisionCause::Change(Cause::TierRemoved) => pb::Cause::TierRemoved,
        DecisionCause::End(Ending::Terminated) => pb::Cause::Terminated,
        DecisionCause::End(Ending::Expired) => pb::Cause::Expired,
    }
}
