//! Comparisons as messages.

use std::collections::BTreeMap;

use tierline_domain::standing::trial::{Compared, Deciding, Movement, Stand};
use tierline_proto::query::v1 as pb;
use tierline_rpc::convert::common::date_text;

pub(super) fn comparison(one: &Compared, name: Option<&String>) -> pb::TrialComparison {
    pb::TrialComparison {
        partner_id: one.partner.to_string(),
        partner_name: name.cloned().unwrap_or_default(),
        enrollment_id: one.enrollment.to_string(),
        track_id: one.track.to_string(),
        date: one.on.to_string(),
        before: one.before.as_ref().map(stand),
        after: one.after.as_ref().map(stand),
        movement: movement(one.movement).into(),
        deciding: one.deciding.iter().map(deciding).collect(),
    }
}

fn stand(stand: &Stand) -> pb::TrialStand {
    pb::TrialStand {
        tier_id: stand.tier.to_string(),
        tier_name: stand.name.clone(),
        at_risk_until_date: date_text(stand.at_risk_until),
        recommended_tier_id: stand
            .recommended
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

fn deciding(one: &Deciding) -> pb::DecidingCriterion {
    pb::DecidingCriterion {
        criterion_id: one.id.clone(),
        name: one.name.clone(),
        measured: one.measured.clone().unwrap_or_default(),
        required: one.required.clone(),
        gap: one.gap.clone().unwrap_or_default(),
    }
}

fn movement(movement: Movement) -> pb::TrialMovement {
    match movement {
        Movement::Promoted => pb::TrialMovement::Promoted,
        Movement::Demoted => pb::TrialMovement::Demoted,
        Movement::PromotionRecommended => pb::TrialMovement::PromotionRecommended,
        Movement::DemotionRecommended => pb::TrialMovement::DemotionRecommended,
        Movement::PutAtRisk => pb::TrialMovement::PutAtRisk,
        Movement::NoLongerAtRisk => pb::TrialMovement::NoLongerAtRisk,
        Movement::Unchanged => pb::TrialMovement::Unchanged,
    }
}

/// How many enrollments stood in which tier, by day and track.
pub(super) fn counts(compared: &[Compared]) -> Vec<pb::TrialCount> {
    let mut counts: BTreeMap<(String, &str, &str), pb::TrialCount> = BTreeMap::new();
    for one in compared {
        for (side, is_before) in [(&one.before, true), (&one.after, false)] {
            let Some(stand) = side else { continue };
            let day = one.on.to_string();
            let (track, tier) = (one.track.as_str(), stand.tier.as_str());
            let count =
                counts
                    .entry((day.clone(), track, tier))
                    .or_insert_with(|| pb::TrialCount {
                        date: day,
                        track_id: track.to_owned(),
                        tier_id: tier.to_owned(),
                        ..Default::default()
                    });
            count.tier_name.clone_from(&stand.name);
            let rank = stand.rank.and_then(|rank| u32::try_from(rank).ok());
            count.tier_rank = rank.unwrap_or(u32::MAX);
            match is_before {
                true => count.before += 1,
                false => count.after += 1,
            }
        }
    }
    counts.into_values().collect()
}
