//! How a new version of a program begins to take tiers away.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::program::definition::{DemotionMode, ProgramDefinition, Track};
use crate::rejection::Rejection;
use crate::time::{Calendar, next_day};

/// From when on tiers may be lost under a version. What a version gives is given from its first
/// day.
///
/// Until then no demotion process begins and none ends with a loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// From its first day.
    #[default]
    Now,
    /// From the first review of the track on or after its first day.
    NextReview,
    /// From this day.
    NoLossUntil(Date),
}

impl Transition {
    /// True for what is meant where nothing is said.
    pub fn is_usual(&self) -> bool {
        *self == Self::Now
    }

    /// The first day on which a tier of the track may be lost under a version that is in force from
    /// `effective`; absent: from its first day.
    pub fn begins(self, effective: Date, track: &Track, calendar: &Calendar) -> Option<Date> {
        match self {
            Self::Now => None,
            Self::NoLossUntil(day) => Some(day),
            Self::NextReview => {
                let period = track.demotion.review?.containing(effective, calendar);
                Some(match period.from == effective {
                    true => effective,
                    false => next_day(period.to),
                })
            }
        }
    }

    /// Whether a definition has what the transition speaks of.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `transition`.
    pub fn check(self, definition: &ProgramDefinition, effective: Date) -> Result<(), Rejection> {
        let wrong = |what: String| Err(Rejection::invalid("transition", what));
        match self {
            Self::Now => Ok(()),
            Self::NoLossUntil(day) if day < effective => wrong(format!(
                "must be {effective} or later, from when the version is in force"
            )),
            Self::NoLossUntil(_) => Ok(()),
            Self::NextReview => {
                let unreviewed = |track: &&Track| {
                    track.demotion.review.is_none() && track.demotion.mode != DemotionMode::Never
                };
                match definition.tracks.iter().find(unreviewed) {
                    None => Ok(()),
                    Some(track) => wrong(format!(
                        "track {} has no review calendar (demotion.review); say a date instead",
                        track.id
                    )),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::program::yaml::program_from_yaml;

    fn definition(review: &str) -> ProgramDefinition {
        let text = format!(
            "slug: resale\nname: Resale\ncurrency: EUR\ntracks:\n  - id: main\n    name: Main\n    \
             demotion: {{notice_days: 1{review}}}\n    tiers:\n      - id: member\n        \
             name: Member\n"
        );
        program_from_yaml(&text).unwrap()
    }

    #[test]
    fn the_next_review_is_the_first_day_of_a_period_on_or_after_the_first_day() {
        let reviewed = definition(", review: quarter");
        let begins = |effective| {
            Transition::NextReview.begins(effective, &reviewed.tracks[0], &Calendar::default())
        };
        assert_eq!(begins(date(2026, 4, 1)), Some(date(2026, 4, 1)));
        assert_eq!(begins(date(2026, 4, 2)), Some(date(2026, 7, 1)));
        assert_eq!(begins(date(2026, 6, 30)), Some(date(2026, 7, 1)));
    }

    #[test]
    fn a_review_has_to_be_there_and_a_day_not_before_the_first_one() {
        let day = date(2026, 4, 1);
        let wrong = |transition: Transition, review: &str| {
            transition
                .check(&definition(review), day)
                .unwrap_err()
                .violations[0]
                .clone()
        };
        let missing = wrong(Transition::NextReview, "");
        assert!(missing.description.contains("track main"), "{missing:?}");
        let early = wrong(Transition::NoLossUntil(date(2026, 3, 31)), "");
        assert_eq!(early.field, "transition");
        assert_eq!(
            Transition::NoLossUntil(day).check(&definition(""), day),
            Ok(())
        );
    }
}
