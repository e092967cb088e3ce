//! Many enrollments at a time.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use tierline_domain::enrollment::{Enrollment, EnrollmentCommand, EnrollmentState, TrackFacts};
use tierline_domain::partner::{Partner, PartnerStatus};
use tierline_domain::program::Program;
use tierline_domain::{EnrollmentId, OrgId, PartnerId, ProgramId, Rejection, StreamId};
use tierline_eventstore::CommandError;
use tierline_proto::common::v1::{RowOutcome, RowResults};
use tierline_proto::enrollment::v1 as pb;
use tierline_rpc::bulk::{self, Answers, BulkCall, Row, Task};
use tierline_rpc::convert::Reader;
use tierline_rpc::{Commands, OrgTime, from_command_error};
use tonic::{Request, Response, Status, Streaming};

use crate::convert::{self, Wish, in_request};
use crate::lookup::{Place, contact_of, place, program, track_of};

pub(crate) fn serve(
    commands: Commands,
    request: Request<Streaming<pb::EnrollPartnersRequest>>,
) -> Result<Response<Answers>, Status> {
    bulk::serve(request, move |call, batch| {
        enroll(commands.clone(), call, batch)
    })
}

/// A row that was read.
struct Asked {
    row: u64,
    id: String,
    wish: Result<Wish, Rejection>,
}

/// What the rows of a batch refer to, each looked up once. Absent: it does not exist.
struct Found {
    partners: HashMap<PartnerId, Arc<Partner>>,
    programs: HashMap<ProgramId, Arc<Program>>,
}

async fn enroll(
    commands: Commands,
    mut call: BulkCall,
    batch: pb::EnrollPartnersRequest,
) -> Result<RowResults, Status> {
    let time = commands.stamp(&mut call).await?;
    let asked: Vec<Asked> = batch.rows.into_iter().map(read).collect();
    let org = &call.context.org;
    let found = look_up(&commands, org, &asked).await;
    let found = found.map_err(|error| from_command_error(&error))?;
    let rows = join_all(
        asked
            .into_iter()
            .map(|asked| row(&commands, org, &time, &found, asked)),
    );
    let (rows, made): (Vec<_>, Vec<bool>) = rows.await.into_iter().unzip();
    let settle = |index: usize, rejection: &Rejection| {
        let there = match rejection.reason.as_str() {
            // Enrolled in the track under another identifier.
            "ENROLLMENT_OF_TAKEN" => true,
            // A made identifier stands for the partner in the track: somebody was faster.
            "ENROLLMENT_EXISTS" => made.get(index).copied().unwrap_or_default(),
            _ => false,
        };
        there.then_some(RowOutcome::Unchanged)
    };
    Ok(bulk::run_rows::<Enrollment>(&commands, &call, rows, in_request, settle).await)
}

fn read(row: pb::EnrollmentRow) -> Asked {
    let mut reader = Reader::new();
    let (ordinal, id) = (row.row, row.enrollment_id.clone());
    let wish = convert::row(&mut reader, row);
    Asked {
        row: ordinal,
        id,
        wish: reader.finish(Some(wish)),
    }
}

async fn look_up(commands: &Commands, org: &OrgId, asked: &[Asked]) -> Result<Found, CommandError> {
    let wishes = || asked.iter().filter_map(|asked| asked.wish.as_ref().ok());
    let mut partners: Vec<&PartnerId> = wishes().map(|wish| &wish.partner).collect();
    partners.sort_unstable();
    partners.dedup();
    let mut programs: Vec<&ProgramId> = wishes().map(|wish| &wish.program).collect();
    programs.sort_unstable();
    programs.dedup();
    let partners = partners.into_iter().map(|id| async move {
        let found = existing(commands.partners().get(org, id).await)?;
        Ok::<_, CommandError>(found.map(|partner| (id.clone(), partner)))
    });
    let programs = programs.into_iter().map(|id| async move {
        let found = existing(program(commands, org, id).await)?;
        Ok::<_, CommandError>(found.map(|program| (id.clone(), program)))
    });
    let (partners, programs) =
        futures::future::try_join(try_join_all(partners), try_join_all(programs)).await?;
    Ok(Found {
        partners: partners.into_iter().flatten().collect(),
        programs: programs.into_iter().flatten().collect(),
    })
}

/// What was found, with "not found" as `None`.
fn existing<T>(found: Result<T, CommandError>) -> Result<Option<T>, CommandError> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(CommandError::Rejected(rejection))
            if rejection.kind == tierline_domain::Kind::NotFound =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The row with its command, and whether its identifier was made here.
async fn row(
    commands: &Commands,
    org: &OrgId,
    time: &OrgTime,
    found: &Found,
    asked: Asked,
) -> (Row<EnrollmentCommand>, bool) {
    let made = asked.id.is_empty();
    let (id, task) = match asked.wish {
        Ok(wish) => task(commands, org, time, found, wish).await,
        Err(rejection) => (None, Task::Refuse(rejection)),
    };
    let id = id.map_or(asked.id, |id| id.to_string());
    (
        Row {
            row: asked.row,
            id,
            needs: None,
            task,
        },
        made,
    )
}

async fn task(
    commands: &Commands,
    org: &OrgId,
    time: &OrgTime,
    found: &Found,
    mut wish: Wish,
) -> (Option<EnrollmentId>, Task<EnrollmentCommand>) {
    let Some(partner) = found.partners.get(&wish.partner) else {
        return (
            None,
            Task::Refuse(Rejection::not_found("partner", &wish.partner)),
        );
    };
    let Some(program) = found.programs.get(&wish.program) else {
        return (
            None,
            Task::Refuse(Rejection::not_found("program", &wish.program)),
        );
    };
    let track = match track_of(program, wish.track.take(), time.today) {
        Ok(track) => track,
        Err(rejection) => return (None, Task::Refuse(rejection)),
    };
    let of = (&wish.partner, &wish.program, &track);
    let placed = match wish.enrollment.take() {
        None => place(commands, org, of).await,
        Some(id) => named(commands, org, id, of).await,
    };
    let id = match placed {
        Ok(Place::Free(id)) => id,
        Ok(Place::Enrolled(id)) => return (Some(id), Task::Leave),
        Err(CommandError::Rejected(rejection)) => return (None, Task::Refuse(rejection)),
        Err(error) => return (None, Task::Fail(error)),
    };
    match contact_of(partner, wish.primary_contact.take()) {
        Ok(contact) => wish.primary_contact = contact,
        Err(rejection) => return (None, Task::Refuse(rejection)),
    }
    let status = partner.status().unwrap_or(PartnerStatus::Inactive);
    let facts = TrackFacts::of(program, &track);
    let enroll = wish.command(id.clone(), track, status, facts, time.today);
    (
        Some(id),
        Task::Run(EnrollmentCommand::Enroll(Box::new(enroll))),
    )
}

/// A row that names its enrollment: new, or just what is there already.
async fn named(
    commands: &Commands,
    org: &OrgId,
    id: EnrollmentId,
    of: (&PartnerId, &ProgramId, &tierline_domain::TrackId),
) -> Result<Place, CommandError> {
    let loaded = commands
        .store()
        .load::<Enrollment>(&StreamId::new(org, &id))
        .await?;
    let same = loaded.state.enrolled().is_some_and(|enrolled| {
        (&enrolled.partner, &enrolled.program, &enrolled.track) == of
            && loaded.state.state() == EnrollmentState::Active
    });
    // Where something else has the identifier, the command is refused by the rules.
    Ok(if same {
        Place::Enrolled(id)
    } else {
        Place::Free(id)
    })
}
