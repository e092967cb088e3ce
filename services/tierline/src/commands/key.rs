//! `tierline key`

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use tierline_proto::access::v1 as pb;
use tierline_proto::access::v1::api_key_service_client::ApiKeyServiceClient;
use uuid::Uuid;

use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::commands::show::{json, words};
use crate::output;

/// Creates API keys for other systems, gives them new texts, revokes them.
///
/// A key is sent like a token: `authorization: Bearer tlk_...`. Its text is shown once.
#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Create a key and print its text, once.
    Create(CreateArgs),
    /// List the keys of the org.
    List,
    /// Give a key a new text and print it, once. The text before is good for a while longer.
    Rotate(RotateArgs),
    /// End a key for ever; every process refuses it within ten seconds.
    Revoke(RevokeArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// What it is for.
    name: String,
    /// What it allows: admin, partner_manager, auditor, viewer, integration, partner_contact;
    /// several with commas.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', required = true)]
    role: Vec<String>,
    /// The partner of a partner_contact.
    #[arg(long, value_name = "PARTNER", default_value = "")]
    partner: String,
    /// How long it is good, in days; at most 731.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    days: u32,
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// The key.
    key: String,
    /// How long the text before is good, such as 30m or 24h; at most seven days.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    grace: SignedDuration,
}

#[derive(Debug, clap::Args)]
struct RevokeArgs {
    /// The key.
    key: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub async fn run(args: KeyArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let client = ApiKeyServiceClient::new(globals.client.connect().await?);
    match args.what {
        What::Create(args) => create(client, args, globals).await,
        What::List => list(client, globals).await,
        What::Rotate(args) => rotate(client, args, globals).await,
        What::Revoke(args) => revoke(client, args, globals).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

type Client = ApiKeyServiceClient<Authorized>;

fn request_id() -> String {
    Uuid::now_v7().to_string()
}

async fn create(mut client: Client, args: CreateArgs, globals: &Globals) -> anyhow::Result<()> {
    let life = SignedDuration::from_hours(i64::from(args.days) * 24);
    let expires = Timestamp::now().checked_add(life);
    let expires = expires.with_context(|| format!("--days {} is too far ahead", args.days))?;
    let request = pb::CreateApiKeyRequest {
        name: args.name,
        roles: args.role,
        partner_id: args.partner,
        expire_time: Some(prost_types::Timestamp {
            seconds: expires.as_second(),
            nanos: 0,
        }),
        request_id: request_id(),
        validate_only: false,
    };
    let answer = client.create_api_key(request).await.map_err(refused)?;
    shown_once(answer.into_inner(), globals)
}

async fn rotate(mut client: Client, args: RotateArgs, globals: &Globals) -> anyhow::Result<()> {
    let request = pb::RotateApiKeyRequest {
        key_id: args.key,
        grace: Some(prost_types::Duration {
            seconds: args.grace.as_secs(),
            nanos: args.grace.subsec_nanos(),
        }),
        request_id: request_id(),
        validate_only: false,
    };
    let answer = client.rotate_api_key(request).await.map_err(refused)?;
    shown_once(answer.into_inner(), globals)
}

fn shown_once(answer: pb::ApiKeyResponse, globals: &Globals) -> anyhow::Result<()> {
    if globals.output.json() {
        return output::json(&json::of("access.v1.ApiKeyResponse", &answer)?);
    }
    output::line(&answer.secret);
    let key = answer.api_key.unwrap_or_default();
    output::note(&format!(
        "key {} ({}), good until {}; its text is not shown again",
        key.key_id,
        key.name,
        words::instant(key.expire_time.as_ref())
    ));
    Ok(())
}

async fn revoke(mut client: Client, args: RevokeArgs, globals: &Globals) -> anyhow::Result<()> {
    let request = pb::RevokeApiKeyRequest {
        key_id: args.key,
        reason: args.reason,
        request_id: request_id(),
        validate_only: false,
    };
    let answer = client.revoke_api_key(request).await.map_err(refused)?;
    let answer = answer.into_inner();
    if globals.output.json() {
        return output::json(&json::of("access.v1.ApiKeyResponse", &answer)?);
    }
    let key = answer.api_key.unwrap_or_default();
    output::line(format!("key {} ({}) is revoked", key.key_id, key.name));
    Ok(())
}

async fn list(mut client: Client, globals: &Globals) -> anyhow::Result<()> {
    let mut request = pb::ListApiKeysRequest {
        page_size: 1_000,
        page_token: String::new(),
    };
    let mut keys = Vec::new();
    loop {
        let page = client.list_api_keys(request.clone()).await;
        let page = page.map_err(refused)?.into_inner();
        keys.extend(page.api_keys);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if globals.output.json() {
        return output::json(&json::all("access.v1.ApiKey", &keys)?);
    }
    let headings = ["key", "name", "roles", "state", "expires", "last used"];
    output::table(&headings, keys.iter().map(row));
    Ok(())
}

fn row(key: &pb::ApiKey) -> [String; 6] {
    let used = match &key.last_use_time {
        Some(at) => words::instant(Some(at)),
        None => "never".to_owned(),
    };
    [
        key.key_id.clone(),
        key.name.clone(),
        key.roles.join(", "),
        words::word(key.state().as_str_name(), "API_KEY_STATE_"),
        words::instant(key.expire_time.as_ref()),
        used,
    ]
}
