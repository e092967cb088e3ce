//! Going down: notice, remediation, recovery, and the loss of the tier.

use super::{Rules, Work, highest};
use crate::ids::TierId;
use crate::program::{DemotionMode, Step, Tier, Track};
use crate::rules::{Context, Explanation, FactSource, Mode, Outcome, Requirement, evaluate};
use crate::standing::events::{
    Cause, Evidence, Notice, Recovery, Remediation, Requalification, StandingEvent,
};
use crate::time::{add_days, add_months, previous_day};

impl Work<'_> {
    /// Looks at what keeps the present tier. True when the tier was lost, so that the next one has
    /// to be looked at.
    pub(super) fn retain<F: FactSource + ?Sized>(
        &mut self,
        rules: &Rules<'_, F>,
        qualified: &[Option<Explanation>],
    ) -> bool {
        let policy = rules.track.demotion;
        let Some(rank) = self.rank(rules.track) else {
            return false;
        };
        let tier = &rules.track.tiers[rank];
        let Some(requirement) = tier.keeps() else {
            return false;
        };
        if policy.mode == DemotionMode::Never {
            return false;
        }
        if let Some(first) = rules.spared.filter(|first| self.as_of < *first) {
            self.wake(Some(first));
            return false;
        }
        let at_ends = self.evaluate(rules, requirement, Mode::AtPeriodEnds);
        let today = match self.after_the_last_day(rules, requirement) {
            None => None,
            Some(then) => {
                let today = self.evaluate(rules, requirement, Mode::AsOfToday);
                let met_today = today.outcome == Outcome::Met;
                if then.outcome != Outcome::Met {
                    let unmet = if met_today { &then } else { &at_ends };
                    let lost = self.advance(rules, rank, unmet, qualified);
                    self.regains = lost && met_today;
                    return lost;
                }
                self.recover(tier, if met_today { &today } else { &then });
                Some(today)
            }
        };
        let in_process = self.standing.process.is_some();
        if !in_process && at_ends.outcome != Outcome::Unmet {
            self.forget_demotion(rules.track, rank);
            return false;
        }
        let today = today.unwrap_or_else(|| self.evaluate(rules, requirement, Mode::AsOfToday));
        if today.outcome == Outcome::Met {
            if in_process {
                self.recover(tier, &today);
            } else {
                self.forget_demotion(rules.track, rank);
            }
            return false;
        }
        if in_process {
            return self.advance(rules, rank, &at_ends, qualified);
        }
        if self.standing.recommended.is_some() || self.standing.refused.is_some() {
            return false;
        }
        if !self.on_review_day(policy.review, rules.calendar) {
            return false;
        }
        self.give_notice(tier, &at_ends, rules);
        self.advance(rules, rank, &at_ends, qualified)
    }

    /// Once the remediation is over, what was satisfied as of its last day decides; `None` before
    /// that. A demotion that is only recommended is lost by nobody until a person decides, and the
    /// present day goes on deciding.
    fn after_the_last_day<F: FactSource + ?Sized>(
        &self,
        rules: &Rules<'_, F>,
        requirement: &Requirement,
    ) -> Option<Explanation> {
        let process = self.standing.process.as_ref()?;
        let recommends = rules.track.demotion.mode == DemotionMode::Recommend;
        if recommends || self.as_of < process.remediation_ends {
            return None;
        }
        let context = Context {
            as_of: previous_day(process.remediation_ends),
            ..self.context(rules, Mode::AsOfToday)
        };
        Some(evaluate(requirement, &context, rules.facts).explanation)
    }

    pub(super) fn forget_demotion(&mut self, track: &Track, present: usize) {
        let is_down = |tier: &TierId| track.rank(tier).is_some_and(|rank| rank > present);
        if let Some(open) = self
            .standing
            .recommended
            .clone()
            .filter(|open| is_down(&open.to))
        {
            self.withdraw(&open.to, false);
        } else if let Some(refused) = self.standing.refused.clone().filter(is_down) {
            self.withdraw(&refused, false);
        }
    }

    pub(super) fn recover(&mut self, tier: &Tier, today: &Explanation) {
        let sentence = format!("Keeps {}: {}", tier.name, today.sentence());
        self.emit(StandingEvent::RecoveryRecorded(Recovery {
            as_of: self.as_of,
            basis: self.basis.clone(),
            tier: tier.id.clone(),
            evidence: Evidence {
                sentence,
                explanation: Some(today.clone()),
            },
        }));
        if let Some(open) = self.standing.recommended.clone() {
            self.withdraw(&open.to, false);
        }
    }

    pub(super) fn give_notice<F: FactSource + ?Sized>(
        &mut self,
        tier: &Tier,
        unmet: &Explanation,
        rules: &Rules<'_, F>,
    ) {
        let policy = rules.track.demotion;
        let notice_ends = add_days(self.as_of, i32::from(policy.notice_days));
        let remediation_ends = add_days(notice_ends, i32::from(policy.remediation_days));
        let sentence = format!("{} is at risk: {}", tier.name, unmet.sentence());
        self.emit(StandingEvent::DemotionNoticeIssued(Notice {
            as_of: self.as_of,
            basis: self.basis.clone(),
            tier: tier.id.clone(),
            notice_ends,
            remediation_ends,
            evidence: Evidence {
                sentence,
                explanation: Some(unmet.clone()),
            },
        }));
    }

    /// Takes a running demotion process to where it is on the as-of date. True when it ended in a
    /// demotion.
    pub(super) fn advance<F: FactSource + ?Sized>(
        &mut self,
        rules: &Rules<'_, F>,
        rank: usize,
        unmet: &Explanation,
        qualified: &[Option<Explanation>],
    ) -> bool {
        let Some(process) = self.standing.process.clone() else {
            return false;
        };
        self.wake(Some(process.notice_ends));
        self.wake(Some(process.remediation_ends));
        if self.as_of >= process.notice_ends
            && self.as_of < process.remediation_ends
            && !process.in_remediation
        {
            self.emit(StandingEvent::RemediationStarted(Remediation {
                as_of: self.as_of,
                basis: self.basis.clone(),
                tier: process.tier.clone(),
                ends: process.remediation_ends,
            }));
        }
        if self.as_of < process.remediation_ends {
            return false;
        }
        let target = match rules.track.demotion.step {
            Step::One => rank + 1,
            Step::Qualified => highest(qualified).max(rank + 1),
        };
        let (Some(lost), Some(tier)) = (rules.track.tiers.get(rank), rules.track.tiers.get(target))
        else {
            return false;
        };
        let sentence = format!("Loses {}: {}", lost.name, unmet.sentence());
        let evidence = Evidence {
            sentence,
            explanation: Some(unmet.clone()),
        };
        if rules.track.demotion.mode == DemotionMode::Recommend {
            self.recommend(tier, false, evidence);
            return false;
        }
        self.change(rules.track, &tier.id, Cause::RetentionUnmet, evidence);
        self.open_requalification(lost, rules.track.demotion.requalification_months);
        true
    }

    pub(super) fn open_requalification(&mut self, lost: &Tier, months: u16) {
        if months == 0 {
            return;
        }
        self.emit(StandingEvent::RequalificationPathOpened(Requalification {
            as_of: self.as_of,
            basis: self.basis.clone(),
            tier: lost.id.clone(),
            until: add_months(self.as_of, i32::from(months)),
        }));
    }
}
