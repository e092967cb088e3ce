//! The service of API keys.

use std::collections::HashMap;

use jiff::Timestamp;
use prost::Message as _;
use sqlx::PgPool;
use tierline_domain::access::{ApiKey, CreateApiKey, Keyring, KeyringCommand, RotateApiKey};
use tierline_domain::{ApiKeyId, OrgId, PartnerId, Rejection, StreamId};
use tierline_eventstore::Outcome;
use tierline_proto::access::v1::api_key_service_server::{
    ApiKeyService as Rpc, ApiKeyServiceServer,
};
use tierline_proto::access::v1::{self as pb};
use tierline_rpc::auth::api_key::NewKey;
use tierline_rpc::auth::{ApiKeys, KEYRING};
use tierline_rpc::command::Mutation;
use tierline_rpc::convert::{Reader, fields as f};
use tierline_rpc::dispatch::{checked, same, token};
use tierline_rpc::paging::Page;
use tierline_rpc::{Call, Caller, Commands, from_command_error, from_rejection, internal, limits};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

use crate::{convert, uses};

/// Commands and queries of API keys.
#[derive(Clone)]
pub struct ApiKeyService {
    commands: Commands,
    api_keys: ApiKeys,
    pool: PgPool,
}

/// The server of API keys. `api_keys` is what the gate of this process knows; `pool` has the
/// table of uses.
pub fn api_key_server(
    commands: Commands,
    api_keys: ApiKeys,
    pool: PgPool,
) -> ApiKeyServiceServer<ApiKeyService> {
    ApiKeyServiceServer::new(ApiKeyService {
        commands,
        api_keys,
        pool,
    })
    .max_decoding_message_size(limits::MAX_SMALL_REQUEST_BYTES)
    .accept_compressed(Gzip)
}

type Answer = Result<Response<pb::ApiKeyResponse>, Status>;

fn refused(rejection: Rejection) -> Status {
    from_rejection(&rejection)
}

fn stream(org: &OrgId) -> StreamId {
    StreamId::new(org, KEYRING)
}

impl ApiKeyService {
    fn now(&self) -> Timestamp {
        self.commands.clock().real_now()
    }

    /// Runs a command on the keys of the caller's org. The answer that is stored for a repetition
    /// has no text in it; the text is added to the answer of the one call that made it.
    async fn change<M: Mutation>(
        &self,
        call: &Call<M>,
        reader: Reader,
        command: KeyringCommand,
        new: Option<NewKey>,
    ) -> Answer {
        let id = match &command {
            KeyringCommand::Create(create) => create.key.clone(),
            KeyringCommand::Rotate(rotate) => rotate.key.clone(),
            KeyringCommand::Revoke { key, .. } => key.clone(),
        };
        let command = checked::<Keyring>(reader, command, same).map_err(refused)?;
        let used = self.uses(&call.context.org).await?;
        let now = self.now();
        let respond = |outcome: &Outcome<Keyring>| pb::ApiKeyResponse {
            api_key: outcome
                .state
                .key(id.as_str())
                .map(|key| convert::message(key, now, &used)),
            secret: String::new(),
            consistency_token: token(outcome),
        };
        let stream = stream(&call.context.org);
        if call.validate_only {
            let answer = self
                .commands
                .run::<Keyring, _, _>(call, &stream, command, same, respond);
            return answer.await;
        }
        let done = self
            .commands
            .runner()
            .execute::<Keyring, _>(&call.context, &stream, command, |outcome| {
                respond(outcome).encode_to_vec()
            })
            .await;
        let done = done.map_err(|error| from_command_error(&error))?;
        self.api_keys.forget(&call.context.org);
        let answer = pb::ApiKeyResponse::decode(done.response.as_slice());
        let mut answer = answer.map_err(|error| internal(&error))?;
        if let (Some(new), false) = (new, done.is_replay()) {
            answer.secret = new.text;
        }
        Ok(Response::new(answer))
    }

    async fn uses(&self, org: &OrgId) -> Result<HashMap<String, Timestamp>, Status> {
        let found = uses::last_uses(&self.pool, org).await;
        found.map_err(|error| {
            tracing::warn!(%error, "uses of API keys cannot be read: {error}");
            tierline_rpc::status::unavailable(
                tierline_rpc::status::UNAVAILABLE,
                "the database does not answer; try again in a moment",
            )
        })
    }

    async fn ring(&self, org: &OrgId) -> Result<std::sync::Arc<Keyring>, Status> {
        let loaded = self.commands.store().load::<Keyring>(&stream(org)).await;
        let loaded = loaded.map_err(|error| from_command_error(&error))?;
        Ok(loaded.state)
    }
}

fn partner(r: &mut Reader, text: &str) -> Option<PartnerId> {
    f::optional_id(r, "partner_id", text.to_owned(), PartnerId::parse)
}

#[tonic::async_trait]
impl Rpc for ApiKeyService {
    async fn create_api_key(&self, request: Request<pb::CreateApiKeyRequest>) -> Answer {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let new = NewKey::generate(&call.context.org, time.org.is_sandbox(), None);
        let new = new.map_err(refused)?;
        let (mut r, message, now) = (Reader::new(), &call.message, self.now());
        let create = CreateApiKey {
            key: new.id.clone(),
            name: message.name.clone(),
            roles: convert::roles(&mut r, &message.roles),
            partner: partner(&mut r, &message.partner_id),
            secret: new.hash,
            expires_at: convert::expiry(&mut r, message.expire_time, now),
            created_by: call.caller.actor(),
            now,
        };
        let command = KeyringCommand::Create(Box::new(create));
        self.change(&call, r, command, Some(new)).await
    }

    async fn rotate_api_key(&self, request: Request<pb::RotateApiKeyRequest>) -> Answer {
        let mut call = Call::new(request)?;
        let time = self.commands.time_of(&mut call).await?;
        let (mut r, message) = (Reader::new(), &call.message);
        let key = ApiKeyId::parse(message.key_id.as_str());
        let key = f::id(&mut r, "key_id", key);
        let sandbox = time.org.is_sandbox();
        let new = NewKey::generate(&call.context.org, sandbox, Some(key.clone()));
        let new = new.map_err(refused)?;
        let command = KeyringCommand::Rotate(RotateApiKey {
            key,
            secret: new.hash,
            grace: convert::grace(&mut r, message.grace),
            now: self.now(),
        });
        self.change(&call, r, command, Some(new)).await
    }

    async fn revoke_api_key(&self, request: Request<pb::RevokeApiKeyRequest>) -> Answer {
        let mut call = Call::new(request)?;
        self.commands.time_of(&mut call).await?;
        let mut r = Reader::new();
        let key = ApiKeyId::parse(call.message.key_id.as_str());
        let command = KeyringCommand::Revoke {
            key: f::id(&mut r, "key_id", key),
            reason: call.message.reason.clone(),
        };
        self.change(&call, r, command, None).await
    }

    async fn get_api_key(
        &self,
        request: Request<pb::GetApiKeyRequest>,
    ) -> Result<Response<pb::ApiKey>, Status> {
        let org = Caller::of(&request)?.org.clone();
        let id = ApiKeyId::parse(request.into_inner().key_id).map_err(refused)?;
        let ring = self.ring(&org).await?;
        let key = ring.key(id.as_str());
        let key = key.ok_or_else(|| refused(Rejection::not_found("api key", &id)))?;
        let used = self.uses(&org).await?;
        Ok(Response::new(convert::message(key, self.now(), &used)))
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Result<Response<pb::ListApiKeysResponse>, Status> {
        let org = Caller::of(&request)?.org.clone();
        let message = request.into_inner();
        let binding = ["ListApiKeys", org.as_str()];
        let page =
            Page::<(Timestamp, String)>::new(message.page_size, &message.page_token, &binding);
        let page = page.map_err(refused)?;
        let ring = self.ring(&org).await?;
        let place = |key: &ApiKey| (key.created.created_at, key.created.key.to_string());
        let mut keys: Vec<&ApiKey> = ring.keys().iter().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(place(key)));
        keys.retain(|key| page.after.as_ref().is_none_or(|after| place(key) < *after));
        keys.truncate(page.size as usize + 1);
        let next_page_token = page.finish(&mut keys, |key| place(key));
        let (used, now) = (self.uses(&org).await?, self.now());
        let keys = keys
            .into_iter()
            .map(|key| convert::message(key, now, &used));
        Ok(Response::new(pb::ListApiKeysResponse {
            api_keys: keys.collect(),
            next_page_token,
        }))
    }
}
