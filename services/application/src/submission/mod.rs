//! The service of submissions.

mod convert;

use tierline_domain::application::{Form, Review, Submission, SubmissionCommand, Submit};
use tierline_domain::{FormId, StreamId, SubmissionId};
use tierline_eventstore::Outcome;
use tierline_proto::application::v1 as pb;
use tierline_proto::application::v1::submission_service_server::{
    SubmissionService as Rpc, SubmissionServiceServer,
};
use tierline_rpc::command::Mutation;
use tierline_rpc::convert::{Reader, fields as f};
use tierline_rpc::dispatch::{checked, new_id, same, token};
use tierline_rpc::{Call, Caller, Commands, OrgTime, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

use convert::Personal;

/// Commands of submissions.
#[derive(Clone)]
pub struct SubmissionService {
    commands: Commands,
}

/// The server of submissions.
pub fn submission_server(commands: Commands) -> SubmissionServiceServer<SubmissionService> {
    SubmissionServiceServer::new(SubmissionService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::SubmissionResponse>, Status>;

impl SubmissionService {
    /// Decides about a submission. `fields` gives its identifier and the note.
    async fn review<M: Mutation>(
        &self,
        request: Request<M>,
        fields: fn(&M) -> (&str, &str),
        command: fn(Review) -> SubmissionCommand,
    ) -> Answer {
        let by = Caller::of(&request)?.actor();
        let read = |r: &mut Reader, message: &M, time: &OrgTime| {
            let (id, note) = fields(message);
            let id = f::id(r, "submission_id", SubmissionId::parse(id));
            let review = Review {
                by,
                note: note.to_owned(),
                now: time.now,
            };
            (id.to_string(), command(review))
        };
        self.commands.change(request, read, same, response).await
    }
}

fn response(outcome: &Outcome<Submission>) -> pb::SubmissionResponse {
    let (id, state) = (outcome.stream.id(), &outcome.state);
    let message = convert::message(id, state, outcome.version, Personal::LeftOut);
    pb::SubmissionResponse {
        submission: Some(message),
        success_message: String::new(),
        consistency_token: token(outcome),
    }
}

#[tonic::async_trait]
impl Rpc for SubmissionService {
    async fn submit_application(&self, request: Request<pb::SubmitApplicationRequest>) -> Answer {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let form_id = FormId::parse(call.message.form_id.as_str());
        let form_id = form_id.map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, &form_id);
        let form = self.commands.existing::<Form>(&stream, "form").await?;
        let shown = Some(call.message.form_version).filter(|number| *number > 0);
        let (form_version, content) = match form.state.open_version(shown) {
            Ok((number, content)) => (number, content.clone()),
            Err(rejection) => return self.commands.refuse_or_repeat(&call, &rejection).await,
        };
        let success_message = content.success_message.clone();
        let mut r = Reader::new();
        let id = new_id(&mut r, "submission_id", "", &call.context, |text| {
            SubmissionId::parse(text)
        });
        let submit = Submit {
            submission: id.clone(),
            form: form_id,
            form_version,
            content: Box::new(content),
            answers: convert::answers(&mut r, call.message.answers.clone()),
            accepted: call.message.accepted_agreements.clone(),
            now: time.now,
        };
        let command = checked::<Submission>(r, SubmissionCommand::Submit(Box::new(submit)), same);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, &id);
        let respond = |outcome: &Outcome<Submission>| pb::SubmissionResponse {
            success_message: success_message.clone(),
            ..response(outcome)
        };
        self.commands
            .run(&call, &stream, command, same, respond)
            .await
    }

    async fn get_submission(
        &self,
        request: Request<pb::GetSubmissionRequest>,
    ) -> Result<Response<pb::Submission>, Status> {
        let id = SubmissionId::parse(request.get_ref().submission_id.as_str());
        let found = self
            .commands
            .get::<Submission, _>(&request, "submission", id)
            .await;
        let (stream, found) = found?;
        let message = convert::message(stream.id(), &found.state, found.version, Personal::Shown);
        Ok(Response::new(message))
    }

    async fn approve_submission(&self, request: Request<pb::ApproveSubmissionRequest>) -> Answer {
        self.review(
            request,
            |m| (&m.submission_id, &m.note),
            SubmissionCommand::Approve,
        )
        .await
    }

    async fn reject_submission(&self, request: Request<pb::RejectSubmissionRequest>) -> Answer {
        self.review(
            request,
            |m| (&m.submission_id, &m.note),
            SubmissionCommand::Reject,
        )
        .await
    }
}
