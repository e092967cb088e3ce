//! Going up: by the system, or recommended to a person and decided by one.

use super::{Rules, Work, highest};
use crate::ids::TierId;
use crate::program::{PromotionMode, Step, Tier, Track};
use crate::rules::{Explanation, FactSource};
use crate::standing::events::{Cause, Evidence, Recommendation, StandingEvent, Withdrawn};
use crate::time::{add_months, next_day};

impl Work<'_> {
    /// Moves up, or recommends it.
    pub(super) fn promote<F: FactSource + ?Sized>(
        &mut self,
        rules: &Rules<'_, F>,
        qualified: &[Option<Explanation>],
    ) {
        let policy = rules.track.promotion;
        let Some(present) = self.rank(rules.track) else {
            return;
        };
        let best = highest(qualified);
        if best >= present {
            self.forget_promotion(rules.track, present);
            return;
        }
        let target = match policy.step {
            Step::Qualified => best,
            Step::One => present - 1,
        };
        let months = i32::from(policy.minimum_months_in_tier);
        let mut ripe = add_months(self.standing.tier_since, months);
        if policy.step == Step::One && self.climbed(rules.track, present) {
            ripe = ripe.max(next_day(self.standing.tier_since));
        }
        if self.as_of < ripe {
            self.wake(Some(ripe));
            return;
        }
        if !self.on_review_day(policy.review, rules.calendar) {
            return;
        }
        let Some(tier) = rules.track.tiers.get(target) else {
            return;
        };
        let explanation = qualified.get(best).cloned().flatten();
        let because = explanation
            .as_ref()
            .map(Explanation::sentence)
            .unwrap_or_default();
        let sentence = format!("Qualifies for {}: {because}", tier.name);
        let evidence = Evidence {
            sentence,
            explanation,
        };
        match policy.mode {
            PromotionMode::Automatic => {
                self.change(rules.track, &tier.id, Cause::Qualified, evidence);
                if best < target {
                    let next = add_months(self.as_of, months).max(next_day(self.as_of));
                    self.wake(Some(next));
                }
            }
            PromotionMode::Recommend => self.recommend(tier, true, evidence),
        }
    }

    /// True when the present tier was gained from a lower one: a step a day, and no more.
    fn climbed(&self, track: &Track, present: usize) -> bool {
        let before = self.standing.tiers.iter().rev().nth(1);
        before.is_some_and(|(tier, _)| track.rank(tier).is_some_and(|rank| rank > present))
    }

    /// A recommended or refused promotion is forgotten when the facts no longer support it.
    pub(super) fn forget_promotion(&mut self, track: &Track, present: usize) {
        let is_up = |tier: &TierId| track.rank(tier).is_some_and(|rank| rank < present);
        if let Some(open) = self
            .standing
            .recommended
            .clone()
            .filter(|open| is_up(&open.to))
        {
            self.withdraw(&open.to, false);
        } else if let Some(refused) = self.standing.refused.clone().filter(is_up) {
            self.withdraw(&refused, false);
        }
    }

    pub(super) fn obey_verdict(&mut self, track: &Track) {
        let (Some(verdict), Some(open)) = (&self.terms.verdict, self.standing.recommended.clone())
        else {
            return;
        };
        if verdict.recommendation != open.number {
            return;
        }
        if !verdict.approved {
            self.withdraw(&open.to, true);
            return;
        }
        if track.rank(&open.to).is_none() {
            return;
        }
        let sentence = format!("Recommendation {} was approved.", open.number);
        let evidence = Evidence {
            sentence,
            explanation: None,
        };
        self.change(track, &open.to, Cause::Approved, evidence);
    }

    pub(super) fn withdraw(&mut self, to: &TierId, refused: bool) {
        self.emit(StandingEvent::RecommendationWithdrawn(Withdrawn {
            as_of: self.as_of,
            basis: self.basis.clone(),
            to: to.clone(),
            refused,
        }));
    }

    pub(super) fn recommend(&mut self, to: &Tier, up: bool, evidence: Evidence) {
        let Some(from) = self.standing.tier.clone() else {
            return;
        };
        if self
            .standing
            .recommended
            .as_ref()
            .is_some_and(|open| open.to == to.id)
            || self.standing.refused.as_ref() == Some(&to.id)
        {
            return;
        }
        let recommendation = Recommendation {
            as_of: self.as_of,
            basis: self.basis.clone(),
            number: self.standing.recommendations + 1,
            from,
            to: to.id.clone(),
            evidence,
        };
        self.emit(if up {
            StandingEvent::PromotionRecommended(recommendation)
        } else {
            StandingEvent::DemotionRecommended(recommendation)
        });
    }
}
