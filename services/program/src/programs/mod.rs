//! The service of programs.

mod convert;
mod drafts;
mod governance;

use std::sync::Arc;

use jiff::civil::Date;
use tierline_domain::benefit::{Benefit, BenefitLibrary, benefits_of};
use tierline_domain::program::lint::{Finding, Severity, lint};
use tierline_domain::program::{
    ApplyProgram, Program, ProgramCommand, ProgramDefinition, ProgramEvent, PublishDraft,
    Publisher, validate,
};
use tierline_domain::rejection::Violations;
use tierline_domain::{Currency, OrgId, ProgramId, Rejection, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::common::v1::Violation;
use tierline_proto::program::v1::program_service_server::{
    ProgramService as Rpc, ProgramServiceServer,
};
use tierline_proto::program::v1::{self as pb};
use tierline_rpc::command::Mutation;
use tierline_rpc::convert::{Reader, definition_message, fields as f};
use tierline_rpc::dispatch::{checked, token};
use tierline_rpc::org_clock::OrgTime;
use tierline_rpc::paging::Page;
use tierline_rpc::{Call, Caller, Commands, from_command_error, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

use crate::badges;

use convert::Notes;

/// Commands of programs.
#[derive(Clone)]
pub struct ProgramService {
    commands: Commands,
}

/// The server of programs.
pub fn program_server(commands: Commands) -> ProgramServiceServer<ProgramService> {
    ProgramServiceServer::new(ProgramService { commands })
        .max_decoding_message_size(limits::MAX_SMALL_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::ProgramResponse>, Status>;
type Applied = Result<Response<pb::ApplyProgramResponse>, Status>;

impl ProgramService {
    /// Carries out a command on the program, whose identifier `id` was read or is wrong.
    async fn run<M: Mutation>(
        &self,
        mut call: Call<M>,
        id: Result<ProgramId, Rejection>,
        command: ProgramCommand,
        rename: fn(&str) -> String,
    ) -> Answer {
        let time = self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let id = f::id(&mut r, "program_id", id);
        let command = checked::<Program>(r, command, rename);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        self.carry_out(&call, &id, command, rename, time.today)
            .await
    }

    /// Changes a part of the draft of a program.
    async fn edit<M: Mutation>(
        &self,
        request: Request<M>,
        read: fn(&mut Reader, &M) -> drafts::Read,
    ) -> Answer {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let (id, edit) = read(&mut r, &call.message);
        let id = f::id(&mut r, "program_id", ProgramId::parse(id));
        let edit = r.finish(edit);
        let command = ProgramCommand::EditDraft {
            edit: Box::new(edit.map_err(|rejection| from_rejection(&rejection))?),
            currency: time.org.base_currency().unwrap_or(Currency::USD),
        };
        self.carry_out(&call, &id, command, same, time.today).await
    }

    /// Carries out a command that was read and checked.
    async fn carry_out<M>(
        &self,
        call: &Call<M>,
        id: &ProgramId,
        command: ProgramCommand,
        rename: fn(&str) -> String,
        today: Date,
    ) -> Answer {
        let stream = StreamId::new(&call.context.org, id);
        let notes = Notes::to(&call.caller);
        let respond = |outcome: &Outcome<Program>| pb::ProgramResponse {
            program: Some(convert::message(
                &outcome.state,
                outcome.version,
                today,
                notes,
            )),
            consistency_token: token(outcome),
        };
        self.commands
            .run(call, &stream, command, rename, respond)
            .await
    }

    /// Carries out a command that publishes a version.
    async fn publish<M>(
        &self,
        call: &Call<M>,
        id: &ProgramId,
        command: ProgramCommand,
        rename: fn(&str) -> String,
        today: Date,
    ) -> Applied {
        let stream = StreamId::new(&call.context.org, id);
        let notes = Notes::to(&call.caller);
        let respond = |outcome: &Outcome<Program>| applied(outcome, today, notes);
        self.commands
            .run(call, &stream, command, rename, respond)
            .await
    }

    /// The benefits that a definition names, from the library. Beyond the most that a program may
    /// name nothing is looked up: it is refused for their number.
    async fn library(
        &self,
        org: &OrgId,
        definition: &ProgramDefinition,
    ) -> Result<BenefitLibrary, Status> {
        let mut library = BenefitLibrary::default();
        let named = benefits_of(definition).into_iter();
        for id in named.take(tierline_domain::limits::LIBRARY_BENEFITS) {
            let stream = StreamId::new(org, id);
            let found = self.commands.store().load::<Benefit>(&stream).await;
            let found = found.map_err(|error| from_command_error(&error))?;
            library.note(id.clone(), &found.state);
        }
        Ok(library)
    }

    /// The benefits that the draft of a program names.
    async fn library_of_draft(
        &self,
        org: &OrgId,
        program: &ProgramId,
    ) -> Result<BenefitLibrary, Status> {
        let stream = StreamId::new(org, program);
        let found = self.commands.store().load::<Program>(&stream).await;
        let found = found.map_err(|error| from_command_error(&error))?;
        match found.state.draft() {
            Some(draft) => self.library(org, draft).await,
            None => Ok(BenefitLibrary::default()),
        }
    }

    /// Refuses a draft with badges that nobody has uploaded.
    async fn badges_of_draft(&self, org: &OrgId, program: &ProgramId) -> Result<(), Status> {
        let stream = StreamId::new(org, program);
        let found = self.commands.store().load::<Program>(&stream).await;
        let found = found.map_err(|error| from_command_error(&error))?;
        match found.state.draft() {
            Some(draft) => badges::must_exist(self.commands.store().pool(), org, draft).await,
            None => Ok(()),
        }
    }

    /// A program that a request asks for, and how the caller may see it.
    async fn find<T>(&self, request: &Request<T>, id: &str) -> Result<Found, Status> {
        let caller = Caller::of(request)?;
        let id = ProgramId::parse(id).map_err(|rejection| from_rejection(&rejection))?;
        let time = self.commands.clock().at(&caller.org).await;
        let time = time.map_err(|error| from_command_error(&error))?;
        let stream = StreamId::new(&caller.org, &id);
        let loaded = self
            .commands
            .existing::<Program>(&stream, "program")
            .await?;
        Ok(Found {
            id,
            program: loaded.state,
            version: loaded.version,
            today: time.today,
            notes: Notes::to(&caller),
        })
    }
}

/// A program as a request found it.
struct Found {
    id: ProgramId,
    program: Arc<Program>,
    version: u64,
    /// The business date.
    today: Date,
    /// Whether the caller sees notes.
    notes: Notes,
}

/// Who publishes by this call, and when.
fn publisher<M>(call: &Call<M>, time: &OrgTime) -> Publisher {
    Publisher {
        author: call.context.actor.clone(),
        time: Some(time.now),
    }
}

fn applied(outcome: &Outcome<Program>, today: Date, notes: Notes) -> pb::ApplyProgramResponse {
    let newest = outcome.state.versions().last();
    let is_publication =
        |event: &ProgramEvent| matches!(event, ProgramEvent::ProgramVersionPublished { .. });
    pb::ApplyProgramResponse {
        program: Some(convert::message(
            &outcome.state,
            outcome.version,
            today,
            notes,
        )),
        version: newest.map_or(0, |newest| newest.version),
        published: outcome.events.iter().any(is_publication),
        findings: newest
            .map(|newest| findings(&newest.definition))
            .unwrap_or_default(),
        consistency_token: token(outcome),
    }
}

fn findings(definition: &ProgramDefinition) -> Vec<pb::Finding> {
    lint(definition).into_iter().map(finding).collect()
}

fn finding(finding: Finding) -> pb::Finding {
    let severity = match finding.severity {
        Severity::Advice => pb::Severity::Advice,
        Severity::Warning => pb::Severity::Warning,
    };
    pb::Finding {
        code: finding.rule.to_owned(),
        field: finding.field,
        message: finding.message,
        severity: severity.into(),
        why: finding.why.to_owned(),
        remedy: finding.remedy.to_owned(),
        suppressed_reason: finding.suppressed,
    }
}

/// Fields are called the same in the requests about a draft.
fn same(field: &str) -> String {
    field.to_owned()
}

/// The checks of a whole definition name its parts without the definition around them.
fn in_definition(field: &str) -> String {
    const BESIDE: &[&str] = &[
        "effective_date",
        "transition",
        "note",
        "definition",
        "program_id",
    ];
    if BESIDE.contains(&field) || field.starts_with("definition.") {
        field.to_owned()
    } else {
        format!("definition.{field}")
    }
}

#[tonic::async_trait]
impl Rpc for ProgramService {
    async fn create_program(&self, request: Request<pb::CreateProgramRequest>) -> Answer {
        let call = Call::new(request)?;
        let pb::CreateProgramRequest {
            program_id, name, ..
        } = call.message.clone();
        let text = if program_id.is_empty() {
            convert::slug(&name)
        } else {
            program_id
        };
        let id = ProgramId::parse(text);
        let program = id.clone().unwrap_or_default();
        self.run(call, id, ProgramCommand::Create { program, name }, same)
            .await
    }

    async fn save_draft(&self, request: Request<pb::SaveDraftRequest>) -> Answer {
        let call = Call::new(request)?;
        let definition = convert::read(call.message.content.clone());
        let definition = definition.map_err(|rejection| from_rejection(&rejection))?;
        let id = id_of(&definition).map_err(|rejection| from_rejection(&rejection))?;
        let command = ProgramCommand::SaveDraft {
            definition: Box::new(definition),
        };
        self.run(call, Ok(id), command, in_definition).await
    }

    async fn update_program(&self, request: Request<pb::UpdateProgramRequest>) -> Answer {
        self.edit(request, drafts::update_program).await
    }

    async fn add_track(&self, request: Request<pb::AddTrackRequest>) -> Answer {
        self.edit(request, drafts::add_track).await
    }

    async fn update_track(&self, request: Request<pb::UpdateTrackRequest>) -> Answer {
        self.edit(request, drafts::update_track).await
    }

    async fn remove_track(&self, request: Request<pb::RemoveTrackRequest>) -> Answer {
        self.edit(request, drafts::remove_track).await
    }

    async fn reorder_tracks(&self, request: Request<pb::ReorderTracksRequest>) -> Answer {
        self.edit(request, drafts::reorder_tracks).await
    }

    async fn seed_tracks(&self, request: Request<pb::SeedTracksRequest>) -> Answer {
        self.edit(request, drafts::seed_tracks).await
    }

    async fn add_tier(&self, request: Request<pb::AddTierRequest>) -> Answer {
        self.edit(request, drafts::add_tier).await
    }

    async fn update_tier(&self, request: Request<pb::UpdateTierRequest>) -> Answer {
        self.edit(request, drafts::update_tier).await
    }

    async fn remove_tier(&self, request: Request<pb::RemoveTierRequest>) -> Answer {
        self.edit(request, drafts::remove_tier).await
    }

    async fn reorder_tiers(&self, request: Request<pb::ReorderTiersRequest>) -> Answer {
        self.edit(request, drafts::reorder_tiers).await
    }

    async fn discard_draft(&self, request: Request<pb::DiscardDraftRequest>) -> Answer {
        let call = Call::new(request)?;
        let id = ProgramId::parse(call.message.program_id.as_str());
        self.run(call, id, ProgramCommand::DiscardDraft, same).await
    }

    async fn publish_draft(&self, request: Request<pb::PublishDraftRequest>) -> Applied {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let id = ProgramId::parse(call.message.program_id.as_str());
        let id = f::id(&mut r, "program_id", id);
        let effective = f::optional_date(&mut r, "effective_date", &call.message.effective_date);
        let transition = convert::transition(&mut r, call.message.transition.clone());
        let library = self.library_of_draft(&call.context.org, &id).await?;
        self.badges_of_draft(&call.context.org, &id).await?;
        let command = ProgramCommand::Publish(PublishDraft {
            effective_date: effective.unwrap_or(time.today),
            note: call.message.note.clone(),
            transition,
            today: time.today,
            publisher: publisher(&call, &time),
            library,
        });
        let command = checked::<Program>(r, command, same);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        self.publish(&call, &id, command, same, time.today).await
    }

    async fn archive_program(&self, request: Request<pb::ArchiveProgramRequest>) -> Answer {
        let call = Call::new(request)?;
        let id = ProgramId::parse(call.message.program_id.as_str());
        self.run(call, id, ProgramCommand::Archive, same).await
    }

    async fn restore_program(&self, request: Request<pb::RestoreProgramRequest>) -> Answer {
        let call = Call::new(request)?;
        let id = ProgramId::parse(call.message.program_id.as_str());
        self.run(call, id, ProgramCommand::Restore, same).await
    }

    async fn copy_program(&self, request: Request<pb::CopyProgramRequest>) -> Answer {
        let call = Call::new(request)?;
        let pb::CopyProgramRequest {
            source_program_id,
            source,
            program_id,
            name,
            ..
        } = call.message.clone();
        let mut r = Reader::new();
        let from = ProgramId::parse(source_program_id);
        let from = f::id(&mut r, "source_program_id", from);
        r.finish(Some(()))
            .map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, &from);
        let loaded = self
            .commands
            .existing::<Program>(&stream, "program")
            .await?;
        let definition = match governance::copied(&from, &loaded.state, source) {
            Ok(definition) => Box::new(definition),
            // A repetition gets its answer even where the source is no longer what it was.
            Err(rejection) => return self.commands.refuse_or_repeat(&call, &rejection).await,
        };
        let text = if program_id.is_empty() {
            convert::slug(&name)
        } else {
            program_id
        };
        let id = ProgramId::parse(text);
        let command = ProgramCommand::Copy {
            program: id.clone().unwrap_or_default(),
            name,
            definition,
        };
        self.run(call, id, command, same).await
    }

    async fn apply_program(&self, request: Request<pb::ApplyProgramRequest>) -> Applied {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let definition = convert::read(call.message.content.clone());
        let definition = definition.map_err(|rejection| from_rejection(&rejection))?;
        let id = id_of(&definition).map_err(|rejection| from_rejection(&rejection))?;
        let mut r = Reader::new();
        let effective = f::optional_date(&mut r, "effective_date", &call.message.effective_date);
        let transition = convert::transition(&mut r, call.message.transition.clone());
        let org = &call.context.org;
        let library = self.library(org, &definition).await?;
        badges::must_exist(self.commands.store().pool(), org, &definition).await?;
        let command = ProgramCommand::Apply(ApplyProgram {
            definition: Box::new(definition),
            effective_date: effective.unwrap_or(time.today),
            note: call.message.note.clone(),
            transition,
            today: time.today,
            publisher: publisher(&call, &time),
            library,
        });
        let command = checked::<Program>(r, command, in_definition);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        self.publish(&call, &id, command, in_definition, time.today)
            .await
    }

    async fn validate_program(
        &self,
        request: Request<pb::ValidateProgramRequest>,
    ) -> Result<Response<pb::ValidateProgramResponse>, Status> {
        let org = Caller::of(&request)?.org.clone();
        let violated = |rejection: Rejection, prefix: &str| {
            let mut all = Violations::default();
            all.take::<()>(prefix, Err(rejection));
            let violations = all.into_rejection().violations.into_iter();
            violations
                .map(|v| Violation {
                    field: v.field,
                    description: v.description,
                })
                .collect()
        };
        let definition = match convert::read(request.into_inner().content) {
            Ok(definition) => definition,
            Err(rejection) => {
                return Ok(Response::new(pb::ValidateProgramResponse {
                    violations: violated(rejection, ""),
                    ..pb::ValidateProgramResponse::default()
                }));
            }
        };
        let library = self.library(&org, &definition).await?;
        let mut checked = Violations::default();
        checked.take("", validate(&definition));
        checked.take("", library.check(&definition));
        let badges = badges::missing(self.commands.store().pool(), &org, &definition);
        checked.take("", badges.await?.check());
        let violations = checked
            .check()
            .err()
            .map(|rejection| violated(rejection, "definition"));
        Ok(Response::new(pb::ValidateProgramResponse {
            definition: Some(definition_message(&definition)),
            violations: violations.unwrap_or_default(),
            findings: findings(&definition),
        }))
    }

    async fn get_program(
        &self,
        request: Request<pb::GetProgramRequest>,
    ) -> Result<Response<pb::Program>, Status> {
        let found = self.find(&request, &request.get_ref().program_id).await;
        let found = found?;
        Ok(Response::new(convert::message(
            &found.program,
            found.version,
            found.today,
            found.notes,
        )))
    }

    async fn get_program_version(
        &self,
        request: Request<pb::GetProgramVersionRequest>,
    ) -> Result<Response<pb::ProgramVersion>, Status> {
        use pb::get_program_version_request::Selector;
        let found = self.find(&request, &request.get_ref().program_id).await;
        let Found {
            id,
            program,
            today,
            notes,
            ..
        } = found?;
        let (version, wanted) = match request.into_inner().selector {
            Some(Selector::Version(number)) => {
                let version = program.versions().iter().find(|v| v.version == number);
                (version, format!("{id}/versions/{number}"))
            }
            Some(Selector::AsOfDate(text)) => {
                let mut r = Reader::new();
                let day = f::date(&mut r, "as_of_date", &text);
                r.finish(Some(()))
                    .map_err(|rejection| from_rejection(&rejection))?;
                (
                    program.in_force_on(day),
                    format!("{id}/versions/in-force-on-{day}"),
                )
            }
            None => (
                program.in_force_on(today),
                format!("{id}/versions/in-force-on-{today}"),
            ),
        };
        let missing = || from_rejection(&Rejection::not_found("program version", wanted));
        let version = convert::version(&id, version.ok_or_else(missing)?, notes);
        Ok(Response::new(
            version.map_err(|rejection| from_rejection(&rejection))?,
        ))
    }

    async fn list_program_versions(
        &self,
        request: Request<pb::ListProgramVersionsRequest>,
    ) -> Result<Response<pb::ListProgramVersionsResponse>, Status> {
        let found = self.find(&request, &request.get_ref().program_id).await;
        let Found { id, program, .. } = found?;
        let caller = Caller::of(&request)?;
        let message = request.get_ref();
        let binding = ["ListProgramVersions", caller.org.as_str(), id.as_str()];
        let page = Page::<u32>::new(message.page_size, &message.page_token, &binding);
        let page = page.map_err(|rejection| from_rejection(&rejection))?;
        let mut versions: Vec<_> = program
            .versions()
            .iter()
            .rev()
            .filter(|version| page.after.is_none_or(|after| version.version < after))
            .take(page.size as usize + 1)
            .collect();
        let next_page_token = page.finish(&mut versions, |version| version.version);
        Ok(Response::new(pb::ListProgramVersionsResponse {
            versions: versions.into_iter().map(convert::summary).collect(),
            next_page_token,
        }))
    }

    async fn diff_program_versions(
        &self,
        request: Request<pb::DiffProgramVersionsRequest>,
    ) -> Result<Response<pb::DiffProgramVersionsResponse>, Status> {
        let found = self.find(&request, &request.get_ref().program_id).await?;
        let message = request.get_ref();
        let changes = governance::changes(&found.id, &found.program, message, found.notes);
        let changes = changes.map_err(|rejection| from_rejection(&rejection))?;
        Ok(Response::new(changes))
    }
}

/// The program that a definition is of.
fn id_of(definition: &ProgramDefinition) -> Result<ProgramId, Rejection> {
    ProgramId::parse(definition.slug.as_str()).map_err(|rejection| {
        let description = rejection
            .violations
            .into_iter()
            .next()
            .map(|v| v.description);
        Rejection::invalid("definition.slug", description.unwrap_or_default())
    })
}
