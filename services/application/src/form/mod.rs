//! The service of forms.

mod convert;

use tierline_domain::application::{Form, FormCommand, form_to_yaml};
use tierline_domain::{FormId, Rejection, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::application::v1 as pb;
use tierline_proto::application::v1::form_service_server::{FormService as Rpc, FormServiceServer};
use tierline_rpc::convert::{Reader, fields as f};
use tierline_rpc::dispatch::{same, token};
use tierline_rpc::{Call, Commands, OrgTime, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

/// Commands of forms.
#[derive(Clone)]
pub struct FormService {
    commands: Commands,
}

/// The server of forms.
pub fn form_server(commands: Commands) -> FormServiceServer<FormService> {
    FormServiceServer::new(FormService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::FormResponse>, Status>;

fn response(outcome: &Outcome<Form>) -> pb::FormResponse {
    let form = &outcome.state;
    pb::FormResponse {
        form: Some(convert::message(form, outcome.version, form.newest())),
        consistency_token: token(outcome),
    }
}

/// What is published is the draft; its parts are named as such.
fn in_draft(field: &str) -> String {
    match field.strip_prefix("content") {
        Some(rest) if rest.is_empty() || rest.starts_with('.') => format!("draft{rest}"),
        _ => field.to_owned(),
    }
}

#[tonic::async_trait]
impl Rpc for FormService {
    async fn define_form(&self, request: Request<pb::DefineFormRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let content = convert::read(call.message.source.clone());
        let content = content.map_err(|rejection| from_rejection(&rejection))?;
        let mut r = Reader::new();
        let id = r.at("content", |r| {
            f::id(r, "form", FormId::parse(content.form.as_str()))
        });
        r.finish(Some(()))
            .map_err(|rejection| from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, &id);
        let command = FormCommand::Define {
            content: Box::new(content),
        };
        self.commands
            .run(&call, &stream, command, same, response)
            .await
    }

    async fn publish_form(&self, request: Request<pb::PublishFormRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::PublishFormRequest, _: &OrgTime| {
            let id = f::id(r, "form_id", FormId::parse(m.form_id.as_str()));
            (id.to_string(), FormCommand::Publish)
        };
        self.commands
            .change(request, read, in_draft, response)
            .await
    }

    async fn get_form(
        &self,
        request: Request<pb::GetFormRequest>,
    ) -> Result<Response<pb::Form>, Status> {
        let id = FormId::parse(request.get_ref().form_id.as_str());
        let (stream, found) = self.commands.get::<Form, _>(&request, "form", id).await?;
        let form = &found.state;
        let refused = |rejection: Rejection| from_rejection(&rejection);
        let number = match request.get_ref().version {
            0 => form.newest(),
            number if form.version(number).is_some() => number,
            number => {
                let name = format!("{}/versions/{number}", stream.id());
                return Err(refused(Rejection::not_found("form version", name)));
            }
        };
        let mut message = convert::message(form, found.version, number);
        if let Some(content) = form.version(number).or(form.draft()) {
            message.yaml = form_to_yaml(content).map_err(refused)?;
        }
        Ok(Response::new(message))
    }
}
