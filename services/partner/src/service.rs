//! The service of partners.

use tierline_domain::partner::{Partner, PartnerCommand, normalize_domain};
use tierline_domain::{PartnerId, Rejection, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::partner::v1::partner_service_server::{
    PartnerService as Rpc, PartnerServiceServer,
};
use tierline_proto::partner::v1::{self as pb};
use tierline_rpc::bulk::Answers;
use tierline_rpc::command::Mutation;
use tierline_rpc::convert::{Reader, fields as f};
use tierline_rpc::dispatch::{checked, same, token};
use tierline_rpc::{Call, Commands, from_command_error, from_rejection, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status, Streaming};

use crate::{bulk, convert};

/// Commands of partners.
#[derive(Clone)]
pub struct PartnerService {
    commands: Commands,
}

/// The server of partners.
pub fn partner_server(commands: Commands) -> PartnerServiceServer<PartnerService> {
    PartnerServiceServer::new(PartnerService { commands })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::PartnerResponse>, Status>;

impl PartnerService {
    async fn change<M: Mutation>(
        &self,
        request: Request<M>,
        partner: fn(&M) -> &str,
        read: impl FnOnce(&mut Reader, &M) -> PartnerCommand,
        rename: fn(&str) -> String,
    ) -> Answer {
        let read = |r: &mut Reader, request: &M, _: &_| {
            let id = f::id(r, "partner_id", PartnerId::parse(partner(request)));
            (id.to_string(), read(r, request))
        };
        self.commands.change(request, read, rename, response).await
    }

    /// A parent is itself a partner of the org.
    async fn check_parent<M>(
        &self,
        call: &Call<M>,
        parent: Option<&PartnerId>,
    ) -> Result<(), Status> {
        let Some(parent) = parent else { return Ok(()) };
        let missing = self
            .commands
            .partners()
            .missing(&call.context.org, [parent].into_iter());
        let missing = missing.await.map_err(|error| from_command_error(&error))?;
        match missing.is_empty() {
            true => Ok(()),
            false => Err(from_rejection(&no_such_parent(parent))),
        }
    }
}

fn response(outcome: &Outcome<Partner>) -> pb::PartnerResponse {
    pb::PartnerResponse {
        partner: Some(convert::message(&outcome.state, outcome.version)),
        consistency_token: token(outcome),
    }
}

pub(crate) fn no_such_parent(parent: &PartnerId) -> Rejection {
    Rejection::invalid("partner.parent_id", format!("there is no partner {parent}"))
}

/// The path in a request or row that describes a partner, of a path in the domain.
pub(crate) fn in_request(field: &str) -> String {
    match field {
        "profile.parent" => "partner.parent_id".to_owned(),
        "status" => "partner.status".to_owned(),
        "partner_id" => "partner.partner_id".to_owned(),
        _ => match field.strip_prefix("profile.") {
            Some(rest) => format!("partner.{rest}"),
            None => field.to_owned(),
        },
    }
}

/// The same for a new partner, whose identifier stands at the top.
fn in_creation(field: &str) -> String {
    match field {
        "partner_id" => "partner_id".to_owned(),
        _ => in_request(field),
    }
}

/// The same for a change, which the domain knows without its profile around it.
fn in_change(field: &str) -> String {
    in_request(&format!("profile.{field}"))
}

/// The lists of tags to add and to remove are both called tags in their requests.
fn in_tags(field: &str) -> String {
    let rest = field
        .strip_prefix("add")
        .or_else(|| field.strip_prefix("remove"));
    rest.map_or_else(|| field.to_owned(), |rest| format!("tags{rest}"))
}

/// The identifier of a new partner: what the caller gave, or its domain.
fn identifier(r: &mut Reader, request: &pb::CreatePartnerRequest) -> PartnerId {
    if !request.partner_id.is_empty() {
        return f::id(
            r,
            "partner_id",
            PartnerId::parse(request.partner_id.as_str()),
        );
    }
    let domain = request
        .partner
        .as_ref()
        .map_or("", |partner| &partner.domain);
    match normalize_domain("domain", domain) {
        Ok(domain) => f::id(r, "partner_id", PartnerId::parse(domain)),
        // The domain is wrong, and said to be so where it stands; the identifier is not to blame.
        Err(rejection) => {
            r.at("partner", |r| r.take_below::<()>(Err(rejection)));
            PartnerId::parse("unknown").unwrap_or_default()
        }
    }
}

#[tonic::async_trait]
impl Rpc for PartnerService {
    async fn create_partner(&self, request: Request<pb::CreatePartnerRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let id = identifier(&mut r, &call.message);
        let create = convert::create(&mut r, id, &call.message);
        let parent = create.profile.parent.clone();
        let stream = StreamId::new(&call.context.org, &create.partner);
        let command = PartnerCommand::Create(Box::new(create));
        let command = checked::<Partner>(r, command, in_creation);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        self.check_parent(&call, parent.as_ref()).await?;
        self.commands
            .run(&call, &stream, command, in_creation, response)
            .await
    }

    async fn get_partner(
        &self,
        request: Request<pb::GetPartnerRequest>,
    ) -> Result<Response<pb::Partner>, Status> {
        let id = PartnerId::parse(request.get_ref().partner_id.as_str());
        let (_, partner) = self
            .commands
            .get::<Partner, _>(&request, "partner", id)
            .await?;
        Ok(Response::new(convert::message(
            &partner.state,
            partner.version,
        )))
    }

    async fn update_partner(&self, request: Request<pb::UpdatePartnerRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let id = call
            .message
            .partner
            .as_ref()
            .map_or("", |partner| &partner.partner_id);
        let id = r.at("partner", |r| f::id(r, "partner_id", PartnerId::parse(id)));
        let changes = convert::changes(&mut r, &call.message);
        let parent = changes.parent.clone().flatten();
        let command = PartnerCommand::Edit(Box::new(changes));
        let command = checked::<Partner>(r, command, in_change);
        let command = command.map_err(|rejection| from_rejection(&rejection))?;
        self.check_parent(&call, parent.as_ref()).await?;
        let stream = StreamId::new(&call.context.org, &id);
        self.commands
            .run(&call, &stream, command, in_change, response)
            .await
    }

    async fn add_contact(&self, request: Request<pb::AddContactRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::AddContactRequest| PartnerCommand::AddContact {
            person: convert::person(m.contact.clone()),
        };
        self.change(request, |m| &m.partner_id, read, same).await
    }

    async fn update_contact(&self, request: Request<pb::UpdateContactRequest>) -> Answer {
        let read = |r: &mut Reader, m: &pb::UpdateContactRequest| {
            let contact = m.contact.as_ref().map_or("", |contact| &contact.contact_id);
            if contact.is_empty() {
                r.at("contact", |r| {
                    r.at("contact_id", |r| r.wrong::<()>("is required"))
                });
            }
            PartnerCommand::EditContact {
                contact: contact.to_owned(),
                person: convert::person(m.contact.clone()),
            }
        };
        self.change(request, |m| &m.partner_id, read, same).await
    }

    async fn remove_contact(&self, request: Request<pb::RemoveContactRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::RemoveContactRequest| PartnerCommand::RemoveContact {
            contact: m.contact_id.clone(),
        };
        self.change(request, |m| &m.partner_id, read, same).await
    }

    async fn set_primary_contact(&self, request: Request<pb::SetPrimaryContactRequest>) -> Answer {
        let read =
            |_: &mut Reader, m: &pb::SetPrimaryContactRequest| PartnerCommand::SetPrimaryContact {
                contact: m.contact_id.clone(),
            };
        self.change(request, |m| &m.partner_id, read, same).await
    }

    async fn tag_partner(&self, request: Request<pb::TagPartnerRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::TagPartnerRequest| PartnerCommand::Tag {
            add: m.tags.clone(),
            remove: Vec::new(),
        };
        self.change(request, |m| &m.partner_id, read, in_tags).await
    }

    async fn untag_partner(&self, request: Request<pb::UntagPartnerRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::UntagPartnerRequest| PartnerCommand::Tag {
            add: Vec::new(),
            remove: m.tags.clone(),
        };
        self.change(request, |m| &m.partner_id, read, in_tags).await
    }

    async fn activate_partner(&self, request: Request<pb::ActivatePartnerRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::ActivatePartnerRequest| PartnerCommand::Activate {
            reason: m.reason.clone(),
        };
        self.change(request, |m| &m.partner_id, read, same).await
    }

    async fn suspend_partner(&self, request: Request<pb::SuspendPartnerRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::SuspendPartnerRequest| PartnerCommand::Suspend {
            reason: m.reason.clone(),
        };
        self.change(request, |m| &m.partner_id, read, same).await
    }

    async fn deactivate_partner(&self, request: Request<pb::DeactivatePartnerRequest>) -> Answer {
        let read = |_: &mut Reader, m: &pb::DeactivatePartnerRequest| PartnerCommand::Deactivate {
            reason: m.reason.clone(),
        };
        self.change(request, |m| &m.partner_id, read, same).await
    }

    type RecordPartnersStream = Answers;

    async fn record_partners(
        &self,
        request: Request<Streaming<pb::RecordPartnersRequest>>,
    ) -> Result<Response<Answers>, Status> {
        bulk::serve(self.commands.clone(), request)
    }
}
