//! The service of the benefits library.

use tierline_domain::benefit::{
    Benefit, BenefitChanges, BenefitCommand, BenefitContent, BenefitType, CreateBenefit,
    default_benefits,
};
use tierline_domain::{BenefitId, Rejection, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::common::v1::{RowOutcome, RowResult};
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::benefit_service_server::{
    BenefitService as Rpc, BenefitServiceServer,
};
use tierline_rpc::bulk::{BulkCall, Row, Task, run_rows};
use tierline_rpc::command::etag;
use tierline_rpc::convert::{Reader, benefit_type, benefit_type_message, fields as f};
use tierline_rpc::dispatch::{checked, same, token};
use tierline_rpc::field_mask::FieldMask;
use tierline_rpc::{Call, Commands, OrgTime, from_rejection, limits, status};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

/// Fields of a benefit that UpdateBenefit changes.
const CHANGEABLE: &[&str] = &["name", "description"];
/// Why a default benefit is left out: another one has its name.
const NAME_TAKEN: &str = "BENEFIT_NAME_TAKEN";

/// Commands of the benefits library.
#[derive(Clone)]
pub struct BenefitService {
    commands: Commands,
}

/// The server of the benefits library.
pub fn benefit_server(commands: Commands) -> BenefitServiceServer<BenefitService> {
    BenefitServiceServer::new(BenefitService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::BenefitResponse>, Status>;

fn response(outcome: &Outcome<Benefit>) -> pb::BenefitResponse {
    pb::BenefitResponse {
        benefit: Some(message(&outcome.state, outcome.version)),
        consistency_token: token(outcome),
    }
}

fn message(benefit: &Benefit, version: u64) -> pb::LibraryBenefit {
    let mut message = pb::LibraryBenefit {
        benefit_id: benefit.id().map(ToString::to_string).unwrap_or_default(),
        archived: benefit.is_archived(),
        etag: etag(version),
        ..pb::LibraryBenefit::default()
    };
    if let Some(content) = benefit.content() {
        message.name.clone_from(&content.name);
        message.description.clone_from(&content.description);
        message.r#type = benefit_type_message(content.benefit_type).into();
    }
    message
}

/// What a new benefit is. What cannot be read is noted, and replaced so that the rest is checked.
fn content(r: &mut Reader, benefit: &pb::LibraryBenefit) -> BenefitContent {
    let read = r.at("type", |r| benefit_type(r, benefit.r#type));
    BenefitContent {
        name: benefit.name.clone(),
        description: benefit.description.clone(),
        benefit_type: read.unwrap_or(BenefitType::Text),
    }
}

/// The changes that the mask names, or the fields that are set where there is no mask.
fn changes(r: &mut Reader, request: &pb::UpdateBenefitRequest) -> BenefitChanges {
    let benefit = request.benefit.clone().unwrap_or_default();
    let is_set = |field: &str| match field {
        "name" => !benefit.name.is_empty(),
        _ => !benefit.description.is_empty(),
    };
    let mask = FieldMask::new(request.update_mask.as_ref(), CHANGEABLE, is_set);
    let Some(mask) = r.take_below(mask) else {
        return BenefitChanges::default();
    };
    BenefitChanges {
        name: mask.take("name", benefit.name),
        description: mask.take("description", benefit.description),
    }
}

fn benefit_id(r: &mut Reader, id: &str) -> BenefitId {
    f::id(r, "benefit_id", BenefitId::parse(id))
}

/// The path in a request, of a path in the domain: of a new benefit or of changes.
fn in_request(field: &str) -> String {
    match field.strip_prefix("content.").unwrap_or(field) {
        "benefit" => "benefit.benefit_id".to_owned(),
        field => format!("benefit.{field}"),
    }
}

#[tonic::async_trait]
impl Rpc for BenefitService {
    async fn create_benefit(&self, request: Request<pb::CreateBenefitRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::CreateBenefitRequest, _: &OrgTime| {
            let benefit = m.benefit.clone().unwrap_or_default();
            r.at("benefit", |r| {
                let id = benefit_id(r, &benefit.benefit_id);
                let content = content(r, &benefit);
                let text = id.to_string();
                let create = CreateBenefit {
                    benefit: id,
                    content,
                };
                (text, BenefitCommand::Create(Box::new(create)))
            })
        };
        self.commands
            .change(request, read, in_request, response)
            .await
    }

    async fn update_benefit(&self, request: Request<pb::UpdateBenefitRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let benefit = call.message.benefit.as_ref();
        let id = benefit.map_or("", |benefit| benefit.benefit_id.as_str());
        let id = r.at("benefit", |r| benefit_id(r, id));
        let command = BenefitCommand::Edit(Box::new(changes(&mut r, &call.message)));
        let command = checked::<Benefit>(r, command, in_request);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, &id);
        self.commands
            .run(&call, &stream, command, in_request, response)
            .await
    }

    async fn get_benefit(
        &self,
        request: Request<pb::GetBenefitRequest>,
    ) -> Result<Response<pb::LibraryBenefit>, Status> {
        let id = BenefitId::parse(request.get_ref().benefit_id.as_str());
        let (_, found) = self
            .commands
            .get::<Benefit, _>(&request, "benefit", id)
            .await?;
        Ok(Response::new(message(&found.state, found.version)))
    }

    async fn archive_benefit(&self, request: Request<pb::ArchiveBenefitRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::ArchiveBenefitRequest, _: &OrgTime| {
            let id = benefit_id(r, &m.benefit_id);
            (id.to_string(), BenefitCommand::Archive)
        };
        self.commands.change(request, read, same, response).await
    }

    async fn restore_benefit(&self, request: Request<pb::RestoreBenefitRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::RestoreBenefitRequest, _: &OrgTime| {
            let id = benefit_id(r, &m.benefit_id);
            (id.to_string(), BenefitCommand::Restore)
        };
        self.commands.change(request, read, same, response).await
    }

    async fn seed_benefits(
        &self,
        request: Request<pb::SeedBenefitsRequest>,
    ) -> Result<Response<pb::SeedBenefitsResponse>, Status> {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        // Seeding is idempotent by itself; as in bulk calls, the id only names the request.
        if let Some(id) = call.context.request_id.take() {
            call.context.correlation_id = Some(id);
        }
        let defaults = default_benefits().map_err(|rejection| from_rejection(&rejection))?;
        let rows = (1..).zip(defaults).map(|(row, new)| Row {
            row,
            id: new.benefit.to_string(),
            needs: None,
            task: Task::Run(BenefitCommand::Seed(Box::new(new))),
        });
        let bulk = BulkCall {
            context: call.context,
            validate_only: call.validate_only,
        };
        let keep = |_: usize, _: &Rejection| None;
        let done =
            run_rows::<Benefit>(&self.commands, &bulk, rows.collect(), in_request, keep).await;
        let mut answer = pb::SeedBenefitsResponse {
            consistency_token: done.consistency_token,
            ..pb::SeedBenefitsResponse::default()
        };
        for result in done.results {
            let reason = result.error.as_ref().map(|error| error.reason.as_str());
            match (result.outcome(), reason) {
                (RowOutcome::Created, _) => answer.created_benefit_ids.push(result.id),
                (RowOutcome::Unchanged, _) | (_, Some(NAME_TAKEN)) => {
                    answer.unchanged_benefit_ids.push(result.id);
                }
                _ => return Err(not_seeded(&result)),
            }
        }
        Ok(Response::new(answer))
    }
}

/// A default benefit was not created. Others may have been: seeding again is harmless, and helps
/// where the cause goes away by itself.
fn not_seeded(result: &RowResult) -> Status {
    let error = result.error.clone().unwrap_or_default();
    let message = format!("benefit {}: {}", result.id, error.message);
    if error.retryable {
        return status::unavailable(&error.reason, &message);
    }
    from_rejection(&Rejection::precondition(error.reason, message))
}
