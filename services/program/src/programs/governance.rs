//! What a version is compared with, and what a copy is made of.

use tierline_domain::program::diff::{Change, diff};
use tierline_domain::program::{Program, ProgramDefinition};
use tierline_domain::{ProgramId, Rejection};
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::copy_program_request::Source;
use tierline_proto::program::v1::diff_program_versions_request::To;

use super::convert::Notes;

/// The definition that a request to copy means.
pub(crate) fn copied(
    id: &ProgramId,
    program: &Program,
    source: Option<Source>,
) -> Result<ProgramDefinition, Rejection> {
    match source {
        Some(Source::Version(number)) => numbered(id, program, number).cloned(),
        Some(Source::Draft(true)) => draft(program).cloned(),
        Some(Source::Draft(false)) | None => {
            let newest = program.versions().last();
            let newest = newest.map(|newest| newest.definition.as_ref());
            let found = newest.or(program.draft()).cloned();
            found.ok_or_else(|| {
                Rejection::precondition(
                    "PROGRAM_IS_EMPTY",
                    "the program has neither a published version nor a draft to copy",
                )
            })
        }
    }
}

/// What differs, as the caller may see it.
pub(crate) fn changes(
    id: &ProgramId,
    program: &Program,
    request: &pb::DiffProgramVersionsRequest,
    notes: Notes,
) -> Result<pb::DiffProgramVersionsResponse, Rejection> {
    if request.from_version == 0 {
        return Err(Rejection::invalid("from_version", "is required"));
    }
    let before = numbered(id, program, request.from_version)?;
    let after = match request.to {
        Some(To::ToVersion(number)) => numbered(id, program, number)?,
        Some(To::Draft(true)) => draft(program)?,
        // There is a version, so there is a newest one.
        Some(To::Draft(false)) | None => program
            .versions()
            .last()
            .map_or(before, |newest| &newest.definition),
    };
    let changes = diff(&notes.of(before), &notes.of(after));
    Ok(pb::DiffProgramVersionsResponse {
        changes: changes.into_iter().map(change).collect(),
    })
}

fn change(change: Change) -> pb::ProgramChange {
    pb::ProgramChange {
        place: change.place,
        before: change.before,
        after: change.after,
    }
}

fn draft(program: &Program) -> Result<&ProgramDefinition, Rejection> {
    program.draft().ok_or_else(|| {
        Rejection::precondition(
            "PROGRAM_HAS_NO_DRAFT",
            "there is no draft; a first change makes one",
        )
    })
}

fn numbered<'a>(
    id: &ProgramId,
    program: &'a Program,
    number: u32,
) -> Result<&'a ProgramDefinition, Rejection> {
    let found = program.versions().iter().find(|v| v.version == number);
    found
        .map(|version| version.definition.as_ref())
        .ok_or_else(|| {
            let wanted = format!("{id}/versions/{number}");
            Rejection::not_found("program version", wanted)
        })
}
