//! `tierline log`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tierline_bus::jetstream::{JetStream, void_ranges};
use tierline_eventstore::{Epoch, VoidRange};
use tokio::time::{Instant, sleep};

use super::direct::DatabaseFlags;
use crate::cli::Globals;
use crate::output;

/// Longest wait for the servers of NATS.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lives of the log.
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LogCommand {
    /// List the epochs of the log, the present one last.
    Epochs(DatabaseFlags),
    /// Declare that the log goes on from its present end, after a restore or a failover that lost
    /// what came later. Whatever was handed out beyond is void: the streams of NATS are made anew.
    NewEpoch(NewEpochArgs),
}

#[derive(Debug, clap::Args)]
struct NewEpochArgs {
    /// Why; kept with the epoch.
    #[arg(long)]
    reason: String,
    /// Who declares it; kept with the epoch.
    #[arg(long, default_value = "operator")]
    actor: String,
    /// Do not ask the servers of NATS what they hold beyond the log.
    #[arg(long)]
    without_nats: bool,
    #[command(flatten)]
    database: DatabaseFlags,
}

pub async fn run(args: LogArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.command {
        LogCommand::Epochs(database) => epochs(&database, globals).await,
        LogCommand::NewEpoch(args) => new_epoch(&args, globals).await,
    }
}

async fn epochs(database: &DatabaseFlags, globals: &Globals) -> anyhow::Result<ExitCode> {
    let pool = database.connect(1).await?;
    let mut connection = pool.acquire().await?;
    for epoch in Epoch::all(&mut connection).await? {
        if globals.output.json() {
            output::json(&json!({
                "epoch": epoch.id, "ordinal": epoch.ordinal, "begins_after": epoch.begins_after,
                "start_time": epoch.started_at.to_string(), "actor": epoch.actor,
                "reason": epoch.reason, "void": epoch.void,
            }))?;
            continue;
        }
        output::line(format!(
            "{}  {}  from position {} on, {}, by {}: {}",
            epoch.ordinal,
            epoch.id,
            epoch.begins_after + 1,
            epoch.started_at,
            epoch.actor,
            epoch.reason
        ));
        epoch.void.iter().for_each(say_void);
    }
    Ok(ExitCode::SUCCESS)
}

fn say_void(range: &VoidRange) {
    output::line(format!(
        "   void: partition {}, numbers {} to {}",
        range.partition, range.from, range.to
    ));
}

async fn new_epoch(args: &NewEpochArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !args.reason.trim().is_empty(),
        "--reason must not be empty: it is kept with the epoch"
    );
    let config = args.database.load()?;
    let pool = args.database.connect(2).await?;
    let nats = super::serve::nats(&config).filter(|_| !args.without_nats);
    let void = match &nats {
        Some(settings) => {
            let bus = JetStream::connect(settings, "tierline log").await?;
            connected(&bus).await?;
            void_ranges(&bus, &pool)
                .await
                .context("the streams could not be held against the log; or use --without-nats")?
        }
        None => Vec::new(),
    };
    let mut connection = pool.acquire().await?;
    let id = Epoch::begin(&mut connection, &args.actor, &args.reason, &void)
        .await
        .context("no new epoch was declared; it takes the account that owns the schema")?;
    if globals.output.json() {
        output::json(&json!({"epoch": id, "void": void}))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!("The log goes on in epoch {id}."));
    void.iter().for_each(say_void);
    if nats.is_none() {
        output::line("NATS was not asked what it holds beyond the log.");
    } else if void.is_empty() {
        output::line("The streams of NATS hold nothing that the log does not have.");
    }
    output::line("The relay makes the streams anew within seconds, and consumers go on.");
    output::line("Then: tierline verify projections; tierline audit replay --org");
    Ok(ExitCode::SUCCESS)
}

async fn connected(bus: &JetStream) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    while !bus.is_connected() {
        anyhow::ensure!(
            Instant::now() < until,
            "the servers of nats_url do not answer; start them, or use --without-nats"
        );
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
