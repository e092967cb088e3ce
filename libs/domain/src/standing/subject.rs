//! What is assessed: an enrollment with the program versions that may apply to it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::enrollment::events::{Enrolled, EnrollmentEvent};
use crate::ids::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};
use crate::program::{ProgramDefinition, Transition};

/// The enrollment as the assessment sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// The partner.
    pub partner: PartnerId,
    /// The program.
    pub program: ProgramId,
    /// The track.
    pub track: TrackId,
    /// First day.
    pub start: Date,
    /// Last day, if it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Date>,
    /// The tier named when the partner was enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<TierId>,
    /// The tier pinned by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// A person's answer to the last recommendation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The day on which a person ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminated: Option<Date>,
}

impl Terms {
    /// The terms of a new enrollment.
    pub fn of(enrolled: &Enrolled) -> Self {
        Self {
            enrollment: enrolled.enrollment.clone(),
            partner: enrolled.partner.clone(),
            program: enrolled.program.clone(),
            track: enrolled.track.clone(),
            start: enrolled.start_date,
            end: enrolled.end_date,
            placed: enrolled.placed_tier.clone(),
            pin: None,
            verdict: None,
            terminated: None,
        }
    }

    /// Takes one fact about the enrollment into the terms.
    pub fn evolve(&mut self, event: &EnrollmentEvent) {
        match event {
            EnrollmentEvent::Enrolled(enrolled) => *self = Self::of(enrolled),
            EnrollmentEvent::TierPinned {
                tier,
                reason,
                until,
                ..
            } => {
                self.pin = Some(Pin {
                    tier: tier.clone(),
                    until: *until,
                    reason: reason.clone(),
                });
            }
            EnrollmentEvent::PinCleared { .. } => self.pin = None,
            EnrollmentEvent::EnrollmentExtended { end_date, .. } => self.end = *end_date,
            EnrollmentEvent::EnrollmentTerminated { date, .. } => self.terminated = Some(*date),
            EnrollmentEvent::RecommendationApproved { recommendation, .. } => {
                self.verdict = Some(Verdict {
                    recommendation: *recommendation,
                    approved: true,
                });
            }
            EnrollmentEvent::RecommendationRejected { recommendation, .. } => {
                self.verdict = Some(Verdict {
                    recommendation: *recommendation,
                    approved: false,
                });
            }
            // The end date has said so already.
            EnrollmentEvent::EnrollmentExpired { .. } | EnrollmentEvent::Unknown { .. } => {}
        }
    }
}

/// A pinned tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The tier.
    pub tier: TierId,
    /// Last day of the pin; absent: until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Why.
    pub reason: String,
}

/// A person's answer to a recommendation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Number of the recommendation.
    pub recommendation: u32,
    /// Approved or refused.
    pub approved: bool,
}

/// A published version of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Number, from 1.
    pub number: u32,
    /// First day on which it is in force.
    pub effective: Date,
    /// From when on tiers may be lost under it.
    #[serde(default, skip_serializing_if = "Transition::is_usual")]
    pub transition: Transition,
    /// Its content.
    pub definition: ProgramDefinition,
}

/// The version in force on a day: of those whose effective date has come, the one with the
/// highest number.
pub fn in_force(versions: &[Version], on: Date) -> Option<&Version> {
    versions
        .iter()
        .filter(|version| version.effective <= on)
        .max_by_key(|version| version.number)
}

/// The next effective date after a day.
pub fn next_effective(versions: &[Version], after: Date) -> Option<Date> {
    versions
        .iter()
        .map(|version| version.effective)
        .filter(|date| *date > after)
        .min()
}
