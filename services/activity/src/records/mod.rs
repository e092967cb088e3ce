//! The service of records of activities.

mod bulk;
mod convert;

use tierline_domain::activity::{Record, RecordCommand};
use tierline_domain::{RecordId, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::activity::v1::record_service_server::{
    RecordService as Rpc, RecordServiceServer,
};
use tierline_proto::activity::v1::{self as pb};
use tierline_rpc::bulk::Answers;
use tierline_rpc::command::Mutation;
use tierline_rpc::convert::{Reader, fields as f};
use tierline_rpc::dispatch::{checked, new_id, same, token};
use tierline_rpc::{Call, Commands, OrgTime, from_command_error, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status, Streaming};

/// Commands of records.
#[derive(Clone)]
pub struct RecordService {
    commands: Commands,
}

/// The server of records.
pub fn record_server(commands: Commands) -> RecordServiceServer<RecordService> {
    RecordServiceServer::new(RecordService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::RecordResponse>, Status>;

impl RecordService {
    async fn change<M: Mutation>(
        &self,
        request: Request<M>,
        record: fn(&M) -> &str,
        read: impl FnOnce(&mut Reader, &M, &OrgTime) -> RecordCommand,
        rename: fn(&str) -> String,
    ) -> Answer {
        let read = |r: &mut Reader, request: &M, time: &OrgTime| {
            let id = f::id(r, "record_id", RecordId::parse(record(request)));
            (id.to_string(), read(r, request, time))
        };
        self.commands.change(request, read, rename, response).await
    }
}

fn response(outcome: &Outcome<Record>) -> pb::RecordResponse {
    pb::RecordResponse {
        record: Some(convert::message(
            outcome.stream.id(),
            &outcome.state,
            outcome.version,
        )),
        consistency_token: token(outcome),
    }
}

/// A correction names the fields of the activity.
fn in_activity(field: &str) -> String {
    format!("activity.{field}")
}

#[tonic::async_trait]
impl Rpc for RecordService {
    async fn record_activity(&self, request: Request<pb::RecordActivityRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let (given, context) = (&call.message.record_id, &call.context);
        let id = new_id(&mut r, "record_id", given, context, RecordId::parse);
        let message = &call.message;
        let described = convert::described(
            &mut r,
            id,
            message.partner_id.clone(),
            message.activity.clone(),
        );
        let partner = described.partner.clone();
        let stream = StreamId::new(&call.context.org, &described.record);
        let command = checked::<Record>(r, RecordCommand::Record(Box::new(described)), same);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        let exists = self
            .commands
            .partners()
            .check(&call.context.org, &partner)
            .await;
        exists.map_err(|error| from_command_error(&error))?;
        self.commands
            .run(&call, &stream, command, same, response)
            .await
    }

    async fn get_record(
        &self,
        request: Request<pb::GetRecordRequest>,
    ) -> Result<Response<pb::Record>, Status> {
        let id = RecordId::parse(request.get_ref().record_id.as_str());
        let (stream, record) = self
            .commands
            .get::<Record, _>(&request, "record", id)
            .await?;
        Ok(Response::new(convert::message(
            stream.id(),
            &record.state,
            record.version,
        )))
    }

    async fn amend_record(&self, request: Request<pb::AmendRecordRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::AmendRecordRequest, _: &OrgTime| {
            RecordCommand::Amend(Box::new(convert::changes(r, m)))
        };
        self.change(request, |m| &m.record_id, read, in_activity)
            .await
    }

    async fn retract_record(&self, request: Request<pb::RetractRecordRequest>) -> Answer {
        let read =
            |_: &mut Reader, m: &pb::RetractRecordRequest, _: &OrgTime| RecordCommand::Retract {
                reason: m.reason.clone(),
            };
        self.change(request, |m| &m.record_id, read, same).await
    }

    type RecordActivitiesStream = Answers;

    async fn record_activities(
        &self,
        request: Request<Streaming<pb::RecordActivitiesRequest>>,
    ) -> Result<Response<Answers>, Status> {
        bulk::serve(self.commands.clone(), request)
    }
}
