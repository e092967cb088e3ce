//! The service of segments.

use tierline_domain::segment::{
    CreateSegment, Segment, SegmentChanges, SegmentCommand, SegmentContent, SegmentFamily,
    default_segments,
};
use tierline_domain::{OrgId, Rejection, SegmentId, StreamId, limits as domain_limits};
use tierline_eventstore::{CommandError, Outcome};
use tierline_proto::common::v1::{RowOutcome, RowResult};
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::segment_service_server::{
    SegmentService as Rpc, SegmentServiceServer,
};
use tierline_rpc::bulk::{BulkCall, Row, Task, run_rows};
use tierline_rpc::command::etag;
use tierline_rpc::convert::{Reader, condition, condition_message, fields as f};
use tierline_rpc::dispatch::{checked, same, token};
use tierline_rpc::field_mask::FieldMask;
use tierline_rpc::{
    Call, Caller, Commands, OrgTime, from_command_error, from_rejection, limits, status,
};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

/// Fields of a segment that UpdateSegment changes.
const CHANGEABLE: &[&str] = &["name", "description", "family", "filter"];

/// Commands of segments.
#[derive(Clone)]
pub struct SegmentService {
    commands: Commands,
}

/// The server of segments.
pub fn segment_server(commands: Commands) -> SegmentServiceServer<SegmentService> {
    SegmentServiceServer::new(SegmentService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

impl SegmentService {
    /// How many segments an org has. Calls at the same moment do not see each other, so that an org
    /// may end up with a few more than the limit.
    async fn count(&self, org: &OrgId) -> Result<usize, Status> {
        let most = u32::try_from(domain_limits::SEGMENTS).unwrap_or(u32::MAX);
        let count = self.commands.store().count_streams::<Segment>(org, most);
        let count = count
            .await
            .map_err(|error| from_command_error(&CommandError::Unavailable(Some(error))))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

type Answer = Result<Response<pb::SegmentResponse>, Status>;

fn response(outcome: &Outcome<Segment>) -> pb::SegmentResponse {
    pb::SegmentResponse {
        segment: Some(message(&outcome.state, outcome.version)),
        consistency_token: token(outcome),
    }
}

fn message(segment: &Segment, version: u64) -> pb::Segment {
    let mut message = pb::Segment {
        segment_id: segment.id().map(ToString::to_string).unwrap_or_default(),
        archived: segment.is_archived(),
        etag: etag(version),
        ..pb::Segment::default()
    };
    if let Some(content) = segment.content() {
        message.name.clone_from(&content.name);
        message.description.clone_from(&content.description);
        message.family = family_message(content.family).into();
        message.filter = Some(condition_message(&content.filter));
    }
    message
}

fn family_message(family: SegmentFamily) -> pb::SegmentFamily {
    match family {
        SegmentFamily::Market => pb::SegmentFamily::Market,
        SegmentFamily::Technology => pb::SegmentFamily::Technology,
        SegmentFamily::Services => pb::SegmentFamily::Services,
    }
}

fn family(r: &mut Reader, number: i32) -> Option<SegmentFamily> {
    match pb::SegmentFamily::try_from(number) {
        Ok(pb::SegmentFamily::Market) => Some(SegmentFamily::Market),
        Ok(pb::SegmentFamily::Technology) => Some(SegmentFamily::Technology),
        Ok(pb::SegmentFamily::Services) => Some(SegmentFamily::Services),
        Ok(pb::SegmentFamily::Unspecified) => r.wrong("is required"),
        Err(_) => r.wrong("is none that this release knows"),
    }
}

/// What a new segment says. What cannot be read is noted, and replaced so that the rest is checked.
fn content(r: &mut Reader, segment: &pb::Segment) -> SegmentContent {
    let family = r.at("family", |r| family(r, segment.family));
    let filter = r.required("filter", segment.filter.clone(), condition);
    SegmentContent {
        name: segment.name.clone(),
        description: segment.description.clone(),
        family: family.unwrap_or(SegmentFamily::Market),
        filter: filter.unwrap_or_default(),
    }
}

/// The changes that the mask names, or the fields that are set where there is no mask.
fn changes(r: &mut Reader, request: &pb::UpdateSegmentRequest) -> SegmentChanges {
    let segment = request.segment.clone().unwrap_or_default();
    let is_set = |field: &str| match field {
        "name" => !segment.name.is_empty(),
        "description" => !segment.description.is_empty(),
        "family" => segment.family != 0,
        "filter" => segment.filter.is_some(),
        _ => false,
    };
    let mask = FieldMask::new(request.update_mask.as_ref(), CHANGEABLE, is_set);
    let Some(mask) = r.take_below(mask) else {
        return SegmentChanges::default();
    };
    r.at("segment", |r| {
        let mut changes = SegmentChanges {
            name: mask.take("name", segment.name),
            description: mask.take("description", segment.description),
            ..SegmentChanges::default()
        };
        if mask.has("family") {
            changes.family = r.at("family", |r| family(r, segment.family));
        }
        if mask.has("filter") {
            changes.filter = r.required("filter", segment.filter, condition);
        }
        changes
    })
}

fn segment_id(r: &mut Reader, id: &str) -> SegmentId {
    f::id(r, "segment_id", SegmentId::parse(id))
}

/// The path in a request, of a path in the domain: of a new segment or of changes. Within the
/// condition it is the one of the YAML form.
fn in_request(field: &str) -> String {
    let field = field.strip_prefix("content.").unwrap_or(field);
    match field.strip_prefix("where") {
        _ if field == "segment" => "segment.segment_id".to_owned(),
        Some(rest) => format!("segment.filter{rest}"),
        None => format!("segment.{field}"),
    }
}

#[tonic::async_trait]
impl Rpc for SegmentService {
    async fn create_segment(&self, request: Request<pb::CreateSegmentRequest>) -> Answer {
        let others = self.count(&Caller::of(&request)?.org).await?;
        let read = |r: &mut Reader, m: &pb::CreateSegmentRequest, _: &OrgTime| {
            let segment = m.segment.clone().unwrap_or_default();
            r.at("segment", |r| {
                let id = segment_id(r, &segment.segment_id);
                let content = content(r, &segment);
                let text = id.to_string();
                let create = CreateSegment {
                    segment: id,
                    content,
                    others,
                };
                (text, SegmentCommand::Create(Box::new(create)))
            })
        };
        self.commands
            .change(request, read, in_request, response)
            .await
    }

    async fn update_segment(&self, request: Request<pb::UpdateSegmentRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let segment = call.message.segment.as_ref();
        let id = segment.map_or("", |segment| segment.segment_id.as_str());
        let id = r.at("segment", |r| segment_id(r, id));
        let command = SegmentCommand::Edit(Box::new(changes(&mut r, &call.message)));
        let command = checked::<Segment>(r, command, in_request);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, &id);
        self.commands
            .run(&call, &stream, command, in_request, response)
            .await
    }

    async fn get_segment(
        &self,
        request: Request<pb::GetSegmentRequest>,
    ) -> Result<Response<pb::Segment>, Status> {
        let id = SegmentId::parse(request.get_ref().segment_id.as_str());
        let (_, found) = self
            .commands
            .get::<Segment, _>(&request, "segment", id)
            .await?;
        Ok(Response::new(message(&found.state, found.version)))
    }

    async fn archive_segment(&self, request: Request<pb::ArchiveSegmentRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::ArchiveSegmentRequest, _: &OrgTime| {
            let id = segment_id(r, &m.segment_id);
            (id.to_string(), SegmentCommand::Archive)
        };
        self.commands.change(request, read, same, response).await
    }

    async fn restore_segment(&self, request: Request<pb::RestoreSegmentRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::RestoreSegmentRequest, _: &OrgTime| {
            let id = segment_id(r, &m.segment_id);
            (id.to_string(), SegmentCommand::Restore)
        };
        self.commands.change(request, read, same, response).await
    }

    async fn seed_segments(
        &self,
        request: Request<pb::SeedSegmentsRequest>,
    ) -> Result<Response<pb::SeedSegmentsResponse>, Status> {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        // Seeding is idempotent by itself; as in bulk calls, the id only names the request.
        if let Some(id) = call.context.request_id.take() {
            call.context.correlation_id = Some(id);
        }
        let defaults = default_segments().map_err(|rejection| from_rejection(&rejection))?;
        let others = self.count(&call.context.org).await?;
        let rows = (1..).zip(defaults).map(|(row, mut new)| {
            new.others = others;
            Row {
                row,
                id: new.segment.to_string(),
                needs: None,
                task: Task::Run(SegmentCommand::Seed(Box::new(new))),
            }
        });
        let bulk = BulkCall {
            context: call.context,
            validate_only: call.validate_only,
        };
        let keep = |_: usize, _: &Rejection| None;
        let done =
            run_rows::<Segment>(&self.commands, &bulk, rows.collect(), in_request, keep).await;
        let mut answer = pb::SeedSegmentsResponse {
            consistency_token: done.consistency_token,
            ..pb::SeedSegmentsResponse::default()
        };
        for result in done.results {
            match result.outcome() {
                RowOutcome::Created => answer.created_segment_ids.push(result.id),
                RowOutcome::Unchanged => answer.unchanged_segment_ids.push(result.id),
                _ => return Err(not_seeded(&result)),
            }
        }
        Ok(Response::new(answer))
    }
}

/// A default segment was not created. Others may have been: seeding again is harmless, and helps
/// where the cause goes away by itself.
fn not_seeded(result: &RowResult) -> Status {
    let error = result.error.clone().unwrap_or_default();
    let message = format!("segment {}: {}", result.id, error.message);
    if error.retryable {
        return status::unavailable(&error.reason, &message);
    }
    from_rejection(&Rejection::precondition(error.reason, message))
}
