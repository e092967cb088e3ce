//! What an enrollment must satisfy before it begins.

use crate::enrollment::commands::{Enroll, TrackFacts};
use crate::ids::{TierId, check_label};
use crate::limits;
use crate::rejection::{Rejection, Violations};
use crate::time::check_date;

/// Form and bounds of an enrollment.
pub(crate) fn check_enroll(enroll: &Enroll) -> Result<(), Rejection> {
    let mut v = Violations::default();
    for (field, id) in [
        ("enrollment_id", enroll.enrollment.as_str()),
        ("partner_id", enroll.partner.as_str()),
        ("program_id", enroll.program.as_str()),
        ("track_id", enroll.track.as_str()),
    ] {
        v.take("", check_label(field, id));
    }
    v.take("", check_date("start_date", enroll.start_date));
    v.take("", check_date("today", enroll.today));
    if let Some(end) = enroll.end_date {
        v.take("", check_date("end_date", end));
        if end < enroll.start_date {
            v.add(
                "end_date",
                format!("must not be before the start date, {}", enroll.start_date),
            );
        }
    }
    let contact = enroll.primary_contact.as_deref();
    limits::check_optional_name(&mut v, "primary_contact", contact, limits::NAME);
    v.check()
}

/// The tiers of the track, if the program takes enrollments in it.
pub(crate) fn check_track(enroll: &Enroll) -> Result<&[TierId], Rejection> {
    let TrackFacts {
        archived,
        published,
        tiers,
        start_date,
        end_date,
    } = &enroll.track_facts;
    let program = &enroll.program;
    if *archived {
        return Err(Rejection::precondition(
            "PROGRAM_ARCHIVED",
            format!("program {program} is archived and takes no more enrollments"),
        ));
    }
    if !published {
        return Err(Rejection::precondition(
            "PROGRAM_NOT_PUBLISHED",
            format!("program {program} has no published version yet; publish it first"),
        ));
    }
    let begins = enroll.start_date;
    if let Some(start) = start_date.filter(|start| begins < *start) {
        return Err(Rejection::precondition(
            "PROGRAM_NOT_STARTED",
            format!(
                "start_date: program {program} starts on {start}; an enrollment cannot begin \
                 before it, on {begins}"
            ),
        ));
    }
    if let Some(end) = end_date.filter(|end| begins > *end) {
        return Err(Rejection::precondition(
            "PROGRAM_ENDED",
            format!(
                "start_date: program {program} ended on {end}; an enrollment cannot begin after \
                 it, on {begins}"
            ),
        ));
    }
    tiers.as_deref().ok_or_else(|| {
        Rejection::precondition(
            "TRACK_NOT_PUBLISHED",
            format!(
                "no published version of program {program} has a track {}",
                enroll.track
            ),
        )
    })
}

/// A tier is one of those that the track has.
pub(crate) fn tier_must_be_known(
    field: &str,
    tier: &TierId,
    known: &[TierId],
) -> Result<(), Rejection> {
    if known.contains(tier) {
        return Ok(());
    }
    let names: Vec<_> = known.iter().map(TierId::as_str).collect();
    Err(Rejection::invalid(
        field,
        format!("must be one of: {}", names.join(", ")),
    ))
}
