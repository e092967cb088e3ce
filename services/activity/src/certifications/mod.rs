//! The service of certifications.

mod bulk;
mod convert;

use tierline_domain::activity::{Certification, CertificationCommand};
use tierline_domain::{CertificationId, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::activity::v1::certification_service_server::{
    CertificationService as Rpc, CertificationServiceServer,
};
use tierline_proto::activity::v1::{self as pb};
use tierline_rpc::bulk::Answers;
use tierline_rpc::command::Mutation;
use tierline_rpc::convert::{Reader, fields as f};
use tierline_rpc::dispatch::{checked, new_id, same, token};
use tierline_rpc::{Call, Commands, OrgTime, from_command_error, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status, Streaming};

/// Commands of certifications.
#[derive(Clone)]
pub struct CertificationService {
    commands: Commands,
}

/// The server of certifications.
pub fn certification_server(
    commands: Commands,
) -> CertificationServiceServer<CertificationService> {
    CertificationServiceServer::new(CertificationService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::CertificationResponse>, Status>;

impl CertificationService {
    async fn change<M: Mutation>(
        &self,
        request: Request<M>,
        certification: fn(&M) -> &str,
        read: impl FnOnce(&mut Reader, &M, &OrgTime) -> CertificationCommand,
    ) -> Answer {
        let read = |r: &mut Reader, request: &M, time: &OrgTime| {
            let id = CertificationId::parse(certification(request));
            let id = f::id(r, "certification_id", id);
            (id.to_string(), read(r, request, time))
        };
        self.commands.change(request, read, same, response).await
    }
}

fn response(outcome: &Outcome<Certification>) -> pb::CertificationResponse {
    let id = outcome.stream.id();
    pb::CertificationResponse {
        certification: Some(convert::message(id, &outcome.state, outcome.version)),
        consistency_token: token(outcome),
    }
}

/// An award has the fields of the record at its top.
fn at_the_top(field: &str) -> String {
    field.strip_prefix("record.").unwrap_or(field).to_owned()
}

#[tonic::async_trait]
impl Rpc for CertificationService {
    async fn award_certification(&self, request: Request<pb::AwardCertificationRequest>) -> Answer {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let (given, context) = (&call.message.certification_id, &call.context);
        let id = new_id(
            &mut r,
            "certification_id",
            given,
            context,
            CertificationId::parse,
        );
        let award = convert::award(&mut r, &call.message, id, time.today);
        let partner = award.partner.clone();
        let stream = StreamId::new(&call.context.org, &award.certification);
        let command = CertificationCommand::Award(Box::new(award));
        let command = checked::<Certification>(r, command, at_the_top);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        let exists = self
            .commands
            .partners()
            .check(&call.context.org, &partner)
            .await;
        exists.map_err(|error| from_command_error(&error))?;
        self.commands
            .run(&call, &stream, command, at_the_top, response)
            .await
    }

    async fn get_certification(
        &self,
        request: Request<pb::GetCertificationRequest>,
    ) -> Result<Response<pb::Certification>, Status> {
        let id = CertificationId::parse(request.get_ref().certification_id.as_str());
        let found = self
            .commands
            .get::<Certification, _>(&request, "certification", id)
            .await;
        let (stream, certification) = found?;
        let (state, version) = (&certification.state, certification.version);
        Ok(Response::new(convert::message(stream.id(), state, version)))
    }

    async fn renew_certification(&self, request: Request<pb::RenewCertificationRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::RenewCertificationRequest, time: &OrgTime| {
            let renewed = f::optional_date(r, "renewed_date", &m.renewed_date);
            CertificationCommand::Renew {
                renewed_date: renewed.unwrap_or(time.today),
                expires_date: f::optional_date(r, "expires_date", &m.expires_date),
            }
        };
        self.change(request, |m| &m.certification_id, read).await
    }

    async fn revoke_certification(
        &self,
        request: Request<pb::RevokeCertificationRequest>,
    ) -> Answer {
        let read = |r: &mut Reader, m: &pb::RevokeCertificationRequest, time: &OrgTime| {
            CertificationCommand::Revoke {
                date: f::optional_date(r, "date", &m.date).unwrap_or(time.today),
                reason: m.reason.clone(),
            }
        };
        self.change(request, |m| &m.certification_id, read).await
    }

    async fn mark_holder_left(&self, request: Request<pb::MarkHolderLeftRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::MarkHolderLeftRequest, time: &OrgTime| {
            let date = f::optional_date(r, "date", &m.date);
            CertificationCommand::HolderLeft {
                date: date.unwrap_or(time.today),
            }
        };
        self.change(request, |m| &m.certification_id, read).await
    }

    type RecordCertificationsStream = Answers;

    async fn record_certifications(
        &self,
        request: Request<Streaming<pb::RecordCertificationsRequest>>,
    ) -> Result<Response<Answers>, Status> {
        bulk::serve(self.commands.clone(), request)
    }
}
