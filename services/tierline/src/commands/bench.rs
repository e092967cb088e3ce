//! `tierline bench`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::{Context, bail};
use tierline_runtime::shutdown::Shutdown;

use crate::bench::{FIGURES, Figure, Machine, Plan, Report, Run, Sample, Server, progress};
use crate::cli::Globals;
use crate::output;

/// Measures this machine: what Tierline does, beside what its PostgreSQL does without it.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// What to measure; nothing: everything. `tierline bench --list` names them.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Name what can be measured, and end.
    #[arg(long)]
    list: bool,
    /// How often everything is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// A trial with a fraction of the work, to see that everything runs.
    #[arg(long)]
    quick: bool,
    /// Server to measure, on which databases may be made: postgres://user:password@host/name.
    /// Without it: a PostgreSQL of its own in a temporary folder.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Where the temporary folder is made. Default: the folder for temporary files of the system,
    /// which should be on the disk that is to be measured.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// End with a failure when a target is missed.
    #[arg(long)]
    strict: bool,
}

pub async fn run(args: BenchArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    if args.list {
        let row = |figure: &Figure| [figure.name.to_owned(), figure.about.to_owned()];
        output::table(&["name", "what"], FIGURES.iter().map(row));
        return Ok(ExitCode::SUCCESS);
    }
    let figures = chosen(&args.names)?;
    let shutdown = Shutdown::on_signals().context("signals cannot be listened for")?;
    let folder = args.folder.clone().unwrap_or_else(std::env::temp_dir);
    let server = Server::start(args.database_url.as_deref(), &folder).await?;
    let outcome = measure(&args, &figures, &server, &shutdown).await;
    // Whatever happened, nothing is left behind.
    let stopped = server.stop().await;
    let report = outcome?;
    if globals.output.json() {
        output::json(&report)?;
    } else {
        report.print();
    }
    stopped?;
    let failed = (args.strict && !report.reached()) || shutdown.token().is_cancelled();
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Figure>> {
    for name in names {
        if FIGURES.iter().all(|figure| figure.name != name) {
            let known: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
            bail!(
                "there is no figure `{name}`; there are {}",
                known.join(", ")
            );
        }
    }
    let wanted = |figure: &&Figure| names.is_empty() || names.iter().any(|n| n == figure.name);
    Ok(FIGURES.iter().filter(wanted).collect())
}

async fn measure(
    args: &BenchArgs,
    figures: &[&Figure],
    server: &Server,
    shutdown: &Shutdown,
) -> anyhow::Result<Report> {
    let machine = Machine::look(server.admin()).await?;
    let plan = Plan { quick: args.quick };
    let samples = Mutex::new(Vec::new());
    let mut finished = 0;
    for round in 1..=args.rounds {
        progress(format!("round {round} of {}", args.rounds));
        tokio::select! {
            done = one_round(figures, server, plan, &samples) => done?,
            () = shutdown.token().cancelled() => {
                progress("interrupted; what was measured so far:");
                break;
            }
        }
        finished = round;
    }
    let samples: Vec<Sample> = samples
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let full = !args.quick && finished == args.rounds && !cfg!(debug_assertions);
    Ok(Report::new(machine, finished, full, &samples))
}

async fn one_round(
    figures: &[&Figure],
    server: &Server,
    plan: Plan,
    samples: &Mutex<Vec<Sample>>,
) -> anyhow::Result<()> {
    let run = Run::new(server, plan, samples);
    for figure in figures {
        progress(format!(" {}", figure.name));
        (figure.measure)(&run)
            .await
            .with_context(|| format!("the figure {} failed", figure.name))?;
    }
    Ok(())
}
