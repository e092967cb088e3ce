//! A draft as if it had been in force from the beginning, against what was recorded.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::compare::{Ground, Side, compare};
use super::course::Course;
use super::{Compared, Draft};
use crate::aggregate::Decide;
use crate::ids::EnrollmentId;
use crate::rejection::Rejection;
use crate::rules::WithBeyond;
use crate::standing::aggregate::Standing;
use crate::standing::events::StandingEvent;
use crate::standing::past::{OrgHistory, PartnerHistory};
use crate::standing::subject::in_force;

/// Compares what was recorded with what the draft would have led to, at the end of each of `days`,
/// which are in order, for the enrollments of a partner in the program of the draft.
///
/// What was recorded late counts from when it was recorded, on both sides.
///
/// # Errors
/// When an input cannot be read.
pub fn backtest(
    org: &OrgHistory,
    partner: &PartnerHistory,
    draft: &Draft,
    only: Option<&EnrollmentId>,
    days: &[Date],
    up_to: u64,
) -> Result<Vec<Compared>, Rejection> {
    let mut compared = Vec::new();
    let mut recorded: BTreeMap<EnrollmentId, Recorded<'_>> = BTreeMap::new();
    let mut course = Course::new(org, draft);
    course.play(partner, up_to, days, |course, day| {
        let wanted = course.enrollments.iter();
        for (id, tried) in wanted.filter(|(id, _)| only.is_none_or(|only| only == *id)) {
            let known = recorded.entry(id.clone()).or_insert_with(|| Recorded {
                events: partner.recorded(id),
                standing: Standing::default(),
            });
            known.up_to(day);
            let ground = Ground {
                terms: &tried.terms,
                calendar: course.org.calendar(),
                facts: &WithBeyond {
                    facts: &course.index,
                    beyond: course.observed.around(id),
                },
                on: day,
            };
            let definition = |versions| in_force(versions, day).map(|found| &found.definition);
            let before = Side {
                standing: &known.standing,
                definition: definition(&course.published),
            };
            let after = Side {
                standing: &tried.standing,
                definition: definition(&course.versions),
            };
            compared.extend(compare(&ground, &before, &after));
        }
    })?;
    Ok(compared)
}

/// A standing as it was recorded.
struct Recorded<'h> {
    events: &'h [(u64, StandingEvent)],
    standing: Standing,
}

impl Recorded<'_> {
    /// Takes what was decided up to a day.
    fn up_to(&mut self, day: Date) {
        let decided = |event: &StandingEvent| event.as_of().is_none_or(|as_of| as_of <= day);
        while let Some(((_, event), rest)) = self
            .events
            .split_first()
            .filter(|(first, _)| decided(&first.1))
        {
            self.standing.evolve(event);
            self.events = rest;
        }
    }
}
