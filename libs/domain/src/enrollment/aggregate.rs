//! The enrollment: its state and its decisions.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Claim, Decide, Entity, Routing, refuse_unreadable};
use crate::enrollment::check::{check_enroll, check_track, tier_must_be_known};
use crate::enrollment::commands::{DecideRecommendation, Enroll, EnrollmentCommand, PinTier};
use crate::enrollment::events::{Enrolled, EnrollmentEvent};
use crate::ids::{EnrollmentId, TierId, check_label};
use crate::limits;
use crate::rejection::{Kind, Rejection, Violations};
use crate::time::check_date;

/// Whether an enrollment goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrollmentState {
    /// It goes on, or begins on a later day.
    #[default]
    Active,
    /// A person ended it.
    Terminated,
    /// It ended by itself.
    Expired,
}

/// A tier that a person set by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierPin {
    /// The tier.
    pub tier: TierId,
    /// Why.
    pub reason: String,
    /// The last business date on which it holds. Absent: until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// The business date from which on it holds.
    pub since: Date,
}

/// An enrollment, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrollment {
    enrolled: Option<Enrolled>,
    end_date: Option<Date>,
    state: EnrollmentState,
    ended_date: Option<Date>,
    /// Why a person ended it.
    #[serde(default)]
    termination_reason: String,
    pin: Option<TierPin>,
    /// The recommendations decided last, by number: approved or not.
    decisions: BTreeMap<u32, bool>,
    unreadable: bool,
}

crate::aggregate!(Enrollment, "Enrollment");

impl Enrollment {
    /// Identifier, once the enrollment exists.
    pub fn id(&self) -> Option<&EnrollmentId> {
        self.enrolled.as_ref().map(|enrolled| &enrolled.enrollment)
    }

    /// What was agreed at the start, once the enrollment exists. The end date in it may have been
    /// extended since; see [`Self::end_date`].
    pub fn enrolled(&self) -> Option<&Enrolled> {
        self.enrolled.as_ref()
    }

    /// The last day on which it ends by itself, if any.
    pub fn end_date(&self) -> Option<Date> {
        self.end_date
    }

    /// Whether it goes on. An enrollment whose end date has passed stays active until it is told
    /// to expire; [`Self::is_active_on`] looks at the date too.
    pub fn state(&self) -> EnrollmentState {
        self.state
    }

    /// The last day, once it was terminated or has expired.
    pub fn ended_date(&self) -> Option<Date> {
        self.ended_date
    }

    /// Why a person ended it; empty while nobody has.
    pub fn termination_reason(&self) -> &str {
        &self.termination_reason
    }

    /// The pin, even if its last day has passed.
    pub fn pin(&self) -> Option<&TierPin> {
        self.pin.as_ref()
    }

    /// True when the business date is within the enrollment.
    pub fn is_active_on(&self, day: Date) -> bool {
        self.enrolled
            .as_ref()
            .is_some_and(|enrolled| enrolled.start_date <= day)
            && self
                .ended_date
                .or(self.end_date)
                .is_none_or(|last| day <= last)
    }

    fn enroll(&self, enroll: Enroll) -> Result<Vec<EnrollmentEvent>, Rejection> {
        if self.enrolled.is_some() {
            return Err(Rejection::already_exists("enrollment", &enroll.enrollment));
        }
        check_enroll(&enroll)?;
        if !enroll.partner_status.takes_part() {
            let status = enroll.partner_status;
            return Err(Rejection::precondition(
                format!("PARTNER_{}", status.as_str().to_uppercase()),
                format!(
                    "partner {} is {status} and cannot be enrolled",
                    enroll.partner
                ),
            ));
        }
        let tiers = check_track(&enroll)?;
        if let Some(tier) = &enroll.placed_tier {
            tier_must_be_known("placed_tier", tier, tiers)?;
        }
        Ok(vec![EnrollmentEvent::Enrolled(Enrolled {
            backdated: enroll.start_date < enroll.today,
            enrollment: enroll.enrollment,
            partner: enroll.partner,
            program: enroll.program,
            track: enroll.track,
            start_date: enroll.start_date,
            end_date: enroll.end_date,
            placed_tier: enroll.placed_tier,
            primary_contact: enroll.primary_contact,
            date: enroll.today,
        })])
    }

    /// The enrollment, if it exists and goes on.
    fn going_on(&self, today: Date) -> Result<&Enrolled, Rejection> {
        let enrolled = self.present()?;
        let (reason, last) = match (self.state, self.ended_date, self.end_date) {
            (EnrollmentState::Terminated, Some(last), _) => ("ENROLLMENT_TERMINATED", last),
            (EnrollmentState::Expired, Some(last), _) => ("ENROLLMENT_EXPIRED", last),
            (_, _, Some(last)) if last < today => ("ENROLLMENT_EXPIRED", last),
            _ => return Ok(enrolled),
        };
        Err(Rejection::precondition(
            reason,
            format!("the enrollment ended on {last}; enroll the partner again"),
        ))
    }

    fn present(&self) -> Result<&Enrolled, Rejection> {
        self.enrolled.as_ref().ok_or_else(|| {
            Rejection::new(
                Kind::NotFound,
                "ENROLLMENT_NOT_FOUND",
                "the enrollment does not exist",
            )
        })
    }

    fn pin_tier(&self, pin: PinTier) -> Result<Vec<EnrollmentEvent>, Rejection> {
        self.going_on(pin.today)?;
        let mut v = Violations::default();
        limits::check_reason(&mut v, "reason", &pin.reason);
        v.take("", check_date("today", pin.today));
        if let Some(until) = pin.until {
            v.take("", check_date("until", until));
            if until < pin.today {
                v.add("until", format!("must not be before today, {}", pin.today));
            }
        }
        v.check()?;
        tier_must_be_known(
            "tier",
            &pin.tier,
            pin.track_facts.tiers.as_deref().unwrap_or(&[]),
        )?;
        let same = self.pin.as_ref().is_some_and(|known| {
            known.tier == pin.tier && known.reason == pin.reason && known.until == pin.until
        });
        if same {
            return Ok(Vec::new());
        }
        Ok(vec![EnrollmentEvent::TierPinned {
            tier: pin.tier,
            reason: pin.reason,
            until: pin.until,
            date: pin.today,
        }])
    }

    fn clear_pin(&self, reason: String, today: Date) -> Result<Vec<EnrollmentEvent>, Rejection> {
        self.going_on(today)?;
        let mut v = Violations::default();
        limits::check_note(&mut v, "reason", &reason);
        v.take("", check_date("today", today));
        v.check()?;
        if self.pin.is_none() {
            return Ok(Vec::new());
        }
        Ok(vec![EnrollmentEvent::PinCleared {
            reason,
            date: today,
        }])
    }

    fn extend(
        &self,
        end_date: Option<Date>,
        today: Date,
    ) -> Result<Vec<EnrollmentEvent>, Rejection> {
        self.going_on(today)?;
        if let Some(end) = end_date {
            check_date("end_date", end)?;
        }
        let from = match self.end_date {
            from if from == end_date => return Ok(Vec::new()),
            Some(from) if end_date.is_none_or(|end| end > from) => from,
            Some(from) => {
                return Err(Rejection::invalid(
                    "end_date",
                    format!("must be later than {from}; to end earlier, terminate"),
                ));
            }
            None => {
                return Err(Rejection::precondition(
                    "ENROLLMENT_OPEN_ENDED",
                    "the enrollment has no end that could be extended; to end it, terminate",
                ));
            }
        };
        Ok(vec![EnrollmentEvent::EnrollmentExtended { from, end_date }])
    }

    fn terminate(
        &self,
        date: Date,
        reason: String,
        today: Date,
    ) -> Result<Vec<EnrollmentEvent>, Rejection> {
        let again = self.state == EnrollmentState::Terminated && self.ended_date == Some(date);
        if again {
            return Ok(Vec::new());
        }
        let enrolled = self.going_on(today)?;
        let mut v = Violations::default();
        limits::check_reason(&mut v, "reason", &reason);
        v.take("", check_date("date", date));
        // An enrollment that has not begun is ended on its first day.
        let latest = today.max(enrolled.start_date);
        if date < enrolled.start_date || date > latest {
            let first = enrolled.start_date;
            v.add("date", format!("must be from {first} to {latest}"));
        }
        v.check()?;
        Ok(vec![EnrollmentEvent::EnrollmentTerminated { date, reason }])
    }

    fn expire(&self, today: Date) -> Result<Vec<EnrollmentEvent>, Rejection> {
        self.present()?;
        match (self.state, self.end_date) {
            (EnrollmentState::Expired, _) => Ok(Vec::new()),
            (EnrollmentState::Terminated, _) => {
                self.going_on(today)?;
                Ok(Vec::new())
            }
            (EnrollmentState::Active, Some(date)) if date < today => {
                Ok(vec![EnrollmentEvent::EnrollmentExpired { date }])
            }
            (EnrollmentState::Active, end) => Err(Rejection::precondition(
                "ENROLLMENT_NOT_OVER",
                match end {
                    Some(end) => format!("the enrollment goes on until {end}"),
                    None => "the enrollment has no end".to_owned(),
                },
            )),
        }
    }

    fn decide_recommendation(
        &self,
        decide: DecideRecommendation,
        approved: bool,
    ) -> Result<Vec<EnrollmentEvent>, Rejection> {
        self.going_on(decide.today)?;
        let mut v = Violations::default();
        limits::check_note(&mut v, "note", &decide.note);
        v.take("", check_label("tier_id", decide.tier.as_str()));
        v.take("", check_date("today", decide.today));
        v.check()?;
        match self.decisions.get(&decide.recommendation) {
            Some(known) if *known == approved => return Ok(Vec::new()),
            Some(known) => {
                let word = if *known { "approved" } else { "rejected" };
                return Err(Rejection::precondition(
                    "RECOMMENDATION_DECIDED",
                    format!(
                        "recommendation {} was {word} already",
                        decide.recommendation
                    ),
                ));
            }
            None => {}
        }
        let DecideRecommendation {
            recommendation,
            direction,
            tier,
            note,
            today: date,
        } = decide;
        Ok(vec![if approved {
            EnrollmentEvent::RecommendationApproved {
                recommendation,
                direction,
                tier,
                note,
                date,
            }
        } else {
            EnrollmentEvent::RecommendationRejected {
                recommendation,
                direction,
                tier,
                note,
                date,
            }
        }])
    }

    fn remember(&mut self, recommendation: u32, approved: bool) {
        self.decisions.insert(recommendation, approved);
        while self.decisions.len() > limits::DECISIONS {
            self.decisions.pop_first();
        }
    }

    fn ended(&mut self, state: EnrollmentState, date: Date) {
        self.state = state;
        self.ended_date = Some(date);
    }
}

impl Decide for Enrollment {
    type Command = EnrollmentCommand;
    type Event = EnrollmentEvent;

    fn decide(&self, command: EnrollmentCommand) -> Result<Vec<EnrollmentEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            EnrollmentCommand::Enroll(enroll) => self.enroll(*enroll),
            EnrollmentCommand::Pin(pin) => self.pin_tier(pin),
            EnrollmentCommand::ClearPin { reason, today } => self.clear_pin(reason, today),
            EnrollmentCommand::Extend { end_date, today } => self.extend(end_date, today),
            EnrollmentCommand::Terminate {
                date,
                reason,
                today,
            } => self.terminate(date, reason, today),
            EnrollmentCommand::Expire { today } => self.expire(today),
            EnrollmentCommand::ApproveRecommendation(decide) => {
                self.decide_recommendation(decide, true)
            }
            EnrollmentCommand::RejectRecommendation(decide) => {
                self.decide_recommendation(decide, false)
            }
        }
    }

    fn evolve(&mut self, event: &EnrollmentEvent) {
        match event {
            EnrollmentEvent::Enrolled(enrolled) => {
                self.end_date = enrolled.end_date;
                self.enrolled = Some(enrolled.clone());
            }
            EnrollmentEvent::TierPinned {
                tier,
                reason,
                until,
                date,
            } => {
                self.pin = Some(TierPin {
                    tier: tier.clone(),
                    reason: reason.clone(),
                    until: *until,
                    since: *date,
                });
            }
            EnrollmentEvent::PinCleared { .. } => self.pin = None,
            EnrollmentEvent::EnrollmentExtended { end_date, .. } => self.end_date = *end_date,
            EnrollmentEvent::EnrollmentTerminated { date, reason } => {
                self.ended(EnrollmentState::Terminated, *date);
                self.termination_reason.clone_from(reason);
            }
            EnrollmentEvent::EnrollmentExpired { date } => {
                self.ended(EnrollmentState::Expired, *date);
            }
            EnrollmentEvent::RecommendationApproved { recommendation, .. } => {
                self.remember(*recommendation, true);
            }
            EnrollmentEvent::RecommendationRejected { recommendation, .. } => {
                self.remember(*recommendation, false);
            }
            EnrollmentEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Enrollment {
    fn routing(&self) -> Option<Routing> {
        self.enrolled
            .as_ref()
            .map(|enrolled| Routing::Partner(enrolled.partner.clone()))
    }

    /// A partner is enrolled once in a track at a time.
    fn claims(&self) -> Vec<Claim> {
        self.enrolled
            .iter()
            .filter(|_| self.state == EnrollmentState::Active)
            .map(|enrolled| Claim {
                scope: "enrollment_of",
                key: format!(
                    "{}/{}/{}",
                    enrolled.partner, enrolled.program, enrolled.track
                ),
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
