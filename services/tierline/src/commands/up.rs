//! `tierline up`

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tierline_bus::jetstream::{JetStream, NatsSettings};
use tierline_rpc::auth::LocalIssuer;
use tierline_runtime::config::Config;
use tierline_runtime::data_dir::{DataDir, LockedDataDir};
use tierline_runtime::nats::{self, EmbeddedNats, NatsOptions};
use tierline_runtime::postgres::{EmbeddedPostgres, PostgresOptions};
use tierline_runtime::shutdown::{Ended, Shutdown};
use tierline_runtime::targets::Targets;

use crate::cli::Globals;
use crate::config_flags::ConfigFlags;
use crate::node::{Node, NodeOptions};
use crate::{demo, local_keys, output};

/// How often the tokens in the data folder are made anew; well within their life.
const TOKEN_REFRESH: Duration = Duration::from_secs(8 * 3600);

/// Starts everything in one process, with a PostgreSQL of its own.
#[derive(Debug, clap::Args)]
pub struct UpArgs {
    /// Do not load the demonstration org.
    #[arg(long)]
    no_demo: bool,
    #[command(flatten)]
    flags: ConfigFlags,
}

/// The servers that were started for this process.
#[derive(Clone, Copy)]
struct Servers<'a> {
    postgres: Option<&'a EmbeddedPostgres>,
    nats: Option<&'a EmbeddedNats>,
}

pub async fn run(args: UpArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = args.flags.load()?;
    tierline_telemetry::init_log(&config.log_level, config.log_format)?;
    let tracing = crate::watch::start_tracing(&config)?;
    let shutdown = Shutdown::on_signals().context("signals cannot be listened for")?;
    let data = DataDir::open(&config.data_dir)?.lock()?;
    let postgres = start_postgres(&config, &data).await?;
    let nats = start_nats(&config, &data).await;
    let servers = Servers {
        postgres: postgres.as_ref(),
        nats: nats.as_ref(),
    };
    let outcome = run_node(&args, &config, &data, servers, &shutdown, globals).await;
    if let Some(nats) = nats
        && let Err(error) = nats.stop(config.shutdown_step).await
    {
        tracing::warn!(%error, "nats-server did not stop: {error}");
    }
    if let Some(postgres) = postgres {
        postgres
            .stop(config.shutdown_step)
            .await
            .context("PostgreSQL did not stop")?;
    }
    tracing.stop(config.shutdown_step).await;
    let ended = outcome?;
    output::line(format!(
        "Stopped. The data is kept in {}.",
        data.path().display()
    ));
    output::line("Start again on it with the same command.");
    Ok(if ended == Ended::Orderly {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn start_postgres(
    config: &Config,
    data: &LockedDataDir,
) -> anyhow::Result<Option<EmbeddedPostgres>> {
    if config.database_url.is_some() {
        return Ok(None);
    }
    let options = PostgresOptions {
        binaries: config.postgres_bin.clone(),
        ..PostgresOptions::default()
    };
    let postgres = EmbeddedPostgres::start(data, &options)
        .await
        .context("the embedded PostgreSQL did not start")?;
    Ok(Some(postgres))
}

/// A nats-server of our own, unless one is configured or there is no such program. Without it
/// everything works too, so that a server that does not start is no reason to stop.
async fn start_nats(config: &Config, data: &LockedDataDir) -> Option<EmbeddedNats> {
    if config.nats_url.is_some() || nats::find().is_none() {
        return None;
    }
    let folder = data.path().join("nats");
    match EmbeddedNats::start(&folder, &NatsOptions::default()).await {
        Ok(server) => Some(server),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "events come from the log itself: {error}");
            None
        }
    }
}

async fn run_node(
    args: &UpArgs,
    config: &Config,
    data: &LockedDataDir,
    servers: Servers<'_>,
    shutdown: &Shutdown,
    globals: &Globals,
) -> anyhow::Result<Ended> {
    let Servers { postgres, nats } = servers;
    let database_url = match (&config.database_url, postgres) {
        (Some(url), _) => url.expose().to_owned(),
        (None, Some(postgres)) => postgres.url(),
        (None, None) => anyhow::bail!("there is no database"),
    };
    // The disk of a PostgreSQL of one's own is that of the data folder.
    let own = postgres.is_some().then(|| config.data_dir.clone());
    let issuer = local_keys::issuer(data, &config.jwt_issuer, &config.jwt_audience)?;
    local_keys::write_tokens(data, &issuer)?;
    let options = NodeOptions {
        database_url,
        targets: Targets::all(),
        disks: super::serve::disks(config, own),
        auth: issuer.settings(),
        nats: match nats {
            Some(server) => Some(NatsSettings {
                url: server.url(),
                credentials: None,
                replicas: 1,
            }),
            None => super::serve::nats(config),
        },
        alone: postgres.is_some(),
    };
    let node = Node::start(config, options).await?;
    let grpc = node.grpc.context("the gRPC services did not start")?;
    local_keys::write_client_file(data, grpc)?;
    banner(config, data.path(), servers, &node);
    if !args.no_demo {
        let mut client = globals.client.clone();
        client.address = Some(format!("http://{grpc}"));
        client.token_file = Some(data.tokens().join("demo-admin"));
        let loaded = tokio::select! {
            loaded = demo::ensure(&client) => loaded.map(drop),
            () = shutdown.token().cancelled() => Ok(()),
        };
        if let Err(error) = loaded {
            node.stop(shutdown).await;
            return Err(error.context(
                "the demonstration org was not loaded; start again to go on, or with --no-demo",
            ));
        }
    }
    if !shutdown.token().is_cancelled() {
        next_steps(args.no_demo);
    }
    wait(data, &issuer, postgres, shutdown).await;
    Ok(node.stop(shutdown).await)
}

/// Until somebody stops the process or the database ends by itself.
async fn wait(
    data: &LockedDataDir,
    issuer: &LocalIssuer,
    postgres: Option<&EmbeddedPostgres>,
    shutdown: &Shutdown,
) {
    let ended = async {
        match postgres {
            Some(postgres) => postgres.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(ended);
    loop {
        tokio::select! {
            () = shutdown.token().cancelled() => return,
            () = &mut ended => {
                tracing::error!("PostgreSQL has ended by itself; stopping");
                shutdown.request();
                return;
            }
            () = tokio::time::sleep(TOKEN_REFRESH) => {
                if let Err(error) = local_keys::write_tokens(data, issuer) {
                    tracing::warn!("the local tokens were not made anew: {error:#}");
                }
            }
        }
    }
}

fn events(config: &Config, nats: Option<&EmbeddedNats>, node: &Node) -> String {
    let version = node.bus.as_ref().map(JetStream::server_version);
    match (nats, version) {
        (Some(server), Some(version)) => format!(
            "JetStream of nats-server {version} from {}, port {}, pid {}",
            server.program().display(),
            server.port(),
            server.pid()
        ),
        (None, Some(version)) if !version.is_empty() => {
            format!("JetStream of the servers of nats_url (nats-server {version})")
        }
        (None, Some(_)) => "the log itself, until the servers of nats_url answer".to_owned(),
        (_, None) if config.nats_url.is_none() => {
            "the log itself; there is no nats-server on the PATH".to_owned()
        }
        (_, None) => "the log itself".to_owned(),
    }
}

fn banner(config: &Config, data: &Path, Servers { postgres, nats }: Servers<'_>, node: &Node) {
    let database = match postgres {
        Some(postgres) => format!(
            "PostgreSQL {} from {}, port {}, pid {}",
            postgres.server_version(),
            postgres.binaries().folder.display(),
            postgres.port(),
            postgres.pid()
        ),
        None => "the database of --database-url".to_owned(),
    };
    let grpc = node
        .grpc
        .map_or_else(|| "none".to_owned(), |address| address.to_string());
    output::line("");
    output::line(format!(
        "Tierline {} ({})",
        env!("CARGO_PKG_VERSION"),
        crate::version::COMMIT
    ));
    output::line(format!(
        "  data        {} (kept when this stops)",
        data.display()
    ));
    output::line(format!("  database    {database}"));
    output::line(format!(
        "  events      {}; {} database connections",
        events(config, nats, node),
        node.connections
    ));
    output::line(format!("  gRPC        {grpc} (reflection on)"));
    output::line(format!(
        "  admin       http://{}/readyz /livez /metrics",
        node.admin
    ));
    output::line(format!(
        "  tokens      {}",
        config.data_dir.join("tokens").display()
    ));
    output::line(match &config.otlp_endpoint {
        Some(receiver) => format!("  telemetry   traces to {receiver}, nothing to anybody else"),
        None => "  telemetry   none leaves this process".to_owned(),
    });
    output::line("");
}

fn next_steps(no_demo: bool) {
    if no_demo {
        output::line("Next: tierline org create myorg --currency USD --time-zone UTC");
    } else {
        output::line("Try, in another terminal:");
        output::line("  tierline partners list --group-by tier");
        output::line("  tierline partners list --filter 'tier = gold' --order-by name");
        output::line("  tierline standing show aurora-systems");
        output::line("  tierline audit history aurora-systems");
        output::line("  tierline audit replay --org");
    }
    output::line("Ctrl-C stops it.");
}
