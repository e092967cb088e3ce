//! `tierline serve`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use tierline_bus::jetstream::NatsSettings;
use tierline_rpc::auth::{AuthSettings, DEFAULT_MAX_LIFETIME};
use tierline_runtime::config::Config;
use tierline_runtime::disk::Disks;
use tierline_runtime::shutdown::{Ended, Shutdown};

use crate::config_flags::ConfigFlags;
use crate::node::{Node, NodeOptions};

/// Runs some or all parts against a given PostgreSQL.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    flags: ConfigFlags,
}

pub async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.flags.load()?;
    tierline_telemetry::init_log(&config.log_level, config.log_format)?;
    let tracing = crate::watch::start_tracing(&config)?;
    let database_url = config
        .database_url
        .as_ref()
        .context("serve needs a database: --database-url or TIERLINE_DATABASE_URL")?
        .expose()
        .to_owned();
    let auth = auth(&config)?;
    let shutdown = Shutdown::on_signals().context("signals cannot be listened for")?;
    let options = NodeOptions {
        database_url,
        targets: config.target.clone(),
        auth,
        nats: nats(&config),
        disks: disks(&config, None),
        alone: false,
    };
    let node = Node::start(&config, options).await?;
    node.warn_of_superuser().await?;
    tracing::info!(
        targets = %config.target, connections = node.connections, admin = %node.admin,
        grpc = node.grpc.map(|address| address.to_string()), nats = node.bus.is_some(), "serving"
    );
    shutdown.token().cancelled().await;
    let ended = node.stop(&shutdown).await;
    tracing.stop(config.shutdown_step).await;
    Ok(if ended == Ended::Orderly {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Disks that must keep some room: as configured, else that of `own`.
pub fn disks(config: &Config, own: Option<PathBuf>) -> Option<Disks> {
    let folders = config.disk_folders.clone();
    let folders = folders.or_else(|| own.map(|own| vec![own]))?;
    Some(Disks {
        folders,
        reserve: config.disk_reserve,
    })
}

/// The NATS servers of the configuration.
pub(crate) fn nats(config: &Config) -> Option<NatsSettings> {
    Some(NatsSettings {
        url: config.nats_url.as_ref()?.expose().to_owned(),
        credentials: config.nats_credentials.clone(),
        replicas: config.nats_replicas,
    })
}

fn auth(config: &Config) -> anyhow::Result<AuthSettings> {
    let path = config
        .jwks_file
        .as_ref()
        .context("serve needs the keys of token issuers: --jwks-file or TIERLINE_JWKS_FILE")?;
    let jwks = std::fs::read_to_string(path)
        .with_context(|| format!("the key set {} cannot be read", path.display()))?;
    Ok(AuthSettings {
        issuer: config.jwt_issuer.clone(),
        audience: config.jwt_audience.clone(),
        jwks,
        max_lifetime: DEFAULT_MAX_LIFETIME,
    })
}
