//! What an enrollment refers to: the track of a program, and the identifier that is free for it.

use std::sync::Arc;

use jiff::civil::Date;
use tierline_domain::enrollment::{Enrollment, EnrollmentState};
use tierline_domain::partner::Partner;
use tierline_domain::program::{Program, PublishedVersion};
use tierline_domain::{
    EnrollmentId, Kind, OrgId, PartnerId, ProgramId, Rejection, StreamId, TrackId,
};
use tierline_eventstore::CommandError;
use tierline_rpc::Commands;
use uuid::Uuid;

/// Longest identifier that is written out; longer ones become a UUID. Leaves room for a number.
const WRITTEN_OUT: usize = 58;
/// How often a partner can be enrolled in a track with an identifier that is made here.
const TURNS: usize = 50;

/// The track that was named, or the only one of the version in force (or of the newest, while none
/// is in force yet).
pub(crate) fn track_of(
    program: &Program,
    named: Option<TrackId>,
    today: Date,
) -> Result<TrackId, Rejection> {
    if let Some(track) = named {
        return Ok(track);
    }
    let version: Option<&PublishedVersion> = program
        .in_force_on(today)
        .or_else(|| program.versions().last());
    match version.map_or(&[][..], |version| &version.definition.tracks) {
        [only] => Ok(only.id.clone()),
        [] => Err(Rejection::precondition(
            "PROGRAM_NOT_PUBLISHED",
            "the program has no published version yet; publish it first",
        )),
        several => {
            let ids: Vec<_> = several.iter().map(|track| track.id.as_str()).collect();
            let text = format!("is required: the program has the tracks {}", ids.join(", "));
            Err(Rejection::invalid("track_id", text))
        }
    }
}

/// The contact who sees the progress: the one that was named, or the primary one.
pub(crate) fn contact_of(
    partner: &Partner,
    named: Option<String>,
) -> Result<Option<String>, Rejection> {
    match named {
        None => Ok(partner.primary_contact().map(|contact| contact.id.clone())),
        Some(id) if partner.contact(&id).is_some() => Ok(Some(id)),
        Some(id) => Err(Rejection::invalid(
            "primary_contact_id",
            format!("the partner has no contact \"{id}\""),
        )),
    }
}

/// The program as of now.
pub(crate) async fn program(
    commands: &Commands,
    org: &OrgId,
    id: &ProgramId,
) -> Result<Arc<Program>, CommandError> {
    let loaded = commands
        .store()
        .load::<Program>(&StreamId::new(org, id))
        .await?;
    if loaded.version == 0 {
        return Err(Rejection::not_found("program", id).into());
    }
    Ok(loaded.state)
}

/// Which stream an enrollment goes to.
pub(crate) enum Place {
    /// To this one, which is new.
    Free(EnrollmentId),
    /// The partner is enrolled in the track, under this identifier.
    Enrolled(EnrollmentId),
}

/// The first of the identifiers made from partner, program and track that was not used for an
/// enrollment which has ended.
pub(crate) async fn place(
    commands: &Commands,
    org: &OrgId,
    of: (&PartnerId, &ProgramId, &TrackId),
) -> Result<Place, CommandError> {
    for turn in 1..=TURNS {
        let id = made_id(org, of, turn)?;
        let loaded = commands
            .store()
            .load::<Enrollment>(&StreamId::new(org, &id))
            .await?;
        let Some(enrolled) = loaded.state.enrolled() else {
            return Ok(Place::Free(id));
        };
        let same = (&enrolled.partner, &enrolled.program, &enrolled.track) == of;
        if same && loaded.state.state() == EnrollmentState::Active {
            return Ok(Place::Enrolled(id));
        }
    }
    let text = format!("the partner was enrolled {TURNS} times; name an enrollment_id yourself");
    Err(Rejection::new(Kind::Exhausted, "TOO_MANY_ENROLLMENTS", text).into())
}

/// The identifier for the n-th time that a partner is enrolled in a track.
fn made_id(
    org: &OrgId,
    (partner, program, track): (&PartnerId, &ProgramId, &TrackId),
    turn: usize,
) -> Result<EnrollmentId, Rejection> {
    let written = format!("{partner}.{program}.{track}");
    let base = if written.len() <= WRITTEN_OUT {
        written
    } else {
        let name = format!("{org}/{partner}/{program}/{track}");
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
    };
    EnrollmentId::parse(if turn == 1 {
        base
    } else {
        format!("{base}.{turn}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(partner: &str, turn: usize) -> EnrollmentId {
        let org = OrgId::parse("acme").unwrap();
        let partner = PartnerId::parse(partner).unwrap();
        let program = ProgramId::parse("resale").unwrap();
        let track = TrackId::parse("gold-track").unwrap();
        made_id(&org, (&partner, &program, &track), turn).unwrap()
    }

    #[test]
    fn a_made_identifier_says_what_it_is_of_and_which_turn() {
        assert_eq!(
            made("nova.example", 1).as_str(),
            "nova.example.resale.gold-track"
        );
        assert_eq!(
            made("nova.example", 2).as_str(),
            "nova.example.resale.gold-track.2"
        );
    }

    #[test]
    fn long_identifiers_stay_different_and_within_the_bound() {
        let long = |end: char| format!("{}{end}", "x".repeat(63));
        let (a, b) = (made(&long('a'), 50), made(&long('b'), 50));
        assert_ne!(a, b);
        assert!(a.as_str().len() <= 64);
    }
}
