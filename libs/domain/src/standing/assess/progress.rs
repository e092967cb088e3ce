//! How far the enrollment is: the measured value of every criterion.

use super::{Rules, Work};
use crate::program::Tier;
use crate::rules::{Explanation, FactSource, Mode};
use crate::standing::events::{CriterionProgress, Progress, StandingEvent, TierProgress};

impl Work<'_> {
    /// Records the measured values when any of them changed. `qualified` are those of the
    /// qualifications, where they still hold.
    pub(super) fn progress<F: FactSource + ?Sized>(
        &mut self,
        rules: &Rules<'_, F>,
        qualified: Option<Vec<Option<Explanation>>>,
    ) {
        let qualified = match qualified {
            Some(qualified) => qualified,
            None => self.qualified(rules),
        };
        let both = rules.track.tiers.iter().zip(&qualified);
        let tiers = both
            .filter_map(|(tier, explanation)| Some(tier_progress(tier, explanation.as_ref()?)))
            .collect();
        let present = self.rank(rules.track).map(|rank| &rules.track.tiers[rank]);
        let retention = present.and_then(|tier| tier.keeps().map(|keeps| (tier, keeps)));
        let retention = retention.map(|(tier, requirement)| {
            let mode = match self.standing.process {
                Some(_) => Mode::AsOfToday,
                None => Mode::AtPeriodEnds,
            };
            tier_progress(tier, &self.evaluate(rules, requirement, mode))
        });
        let progress = Progress {
            as_of: self.as_of,
            basis: self.basis.clone(),
            tiers,
            retention,
        };
        if !self
            .standing
            .progress
            .as_ref()
            .is_some_and(|last| last.same_values(&progress))
        {
            self.emit(StandingEvent::ProgressRecomputed(progress));
        }
    }
}

fn tier_progress(tier: &Tier, explanation: &Explanation) -> TierProgress {
    let mut criteria = Vec::new();
    explanation.each_leaf(&mut |leaf, period_end| {
        criteria.push(CriterionProgress {
            id: leaf.id.clone().unwrap_or_default(),
            name: leaf.name.clone().unwrap_or_default(),
            period_end,
            outcome: leaf.outcome,
            measured: leaf.measured_text(),
            required: leaf.required_text(),
            gap: leaf.gap_text(),
            percent: leaf.percent.unwrap_or_default(),
        });
    });
    TierProgress {
        tier: tier.id.clone(),
        outcome: explanation.outcome,
        criteria,
    }
}
