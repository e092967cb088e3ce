//! What Tierline survives: rows of faults, each of them injected into processes of the real program
//! on a PostgreSQL of its own, under load, and the invariants that are checked afterwards.
//!
//! A row is skipped only with the reason printed. What a row does not do: look into the processes.
//! It sees what a caller, an operator and the tables see.

mod checker;
mod driver;
mod proxy;
mod report;
mod rows;
mod sandbox;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use rand::Rng as _;
use tokio::time::Instant;

use report::{Report, line};
use rows::{End, ROWS, Row, Setting};

/// Injects faults and checks what must hold afterwards.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Rows of the table to run, such as 1,7,43. Default: all.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<u32>,
    /// Only the rows of every CI run, in their short form.
    #[arg(long)]
    short: bool,
    /// Seed of everything random; printed by every run.
    #[arg(long)]
    seed: Option<u64>,
    /// Rounds of rows that repeat a fault.
    #[arg(long)]
    rounds: Option<u32>,
    /// Folder of the logs. Default: `faults` beside the program.
    #[arg(long)]
    logs: Option<PathBuf>,
    /// List the rows and do nothing.
    #[arg(long)]
    list: bool,
}

/// A row that takes longer is broken.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// And so is one round of those that were asked for.
const LONGEST_ROUND: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for row in ROWS {
            let when = if row.short {
                "every CI run"
            } else {
                "on demand"
            };
            line(&format!("{:>3}  {} ({when})", row.number, row.name));
        }
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime
        .context("the runtime cannot start")
        .and_then(|runtime| runtime.block_on(run(arguments)));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            line(&format!("faults: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let chosen = choose(&arguments)?;
    let folder = match &arguments.logs {
        Some(folder) => folder.clone(),
        None => tierline_testkit::program().with_file_name("faults"),
    };
    let seed = arguments.seed.unwrap_or_else(|| rand::rng().random());
    let (begin, mut failed, mut skipped) = (Instant::now(), Vec::new(), Vec::new());
    for row in &chosen {
        let logs = folder.join(format!("row-{:02}", row.number));
        // What an earlier run has left would be read as this one's.
        if logs.exists() {
            std::fs::remove_dir_all(&logs)?;
        }
        std::fs::create_dir_all(&logs)?;
        let setting = Setting {
            seed,
            rounds: arguments.rounds,
            short: arguments.short,
            logs,
        };
        match one(row, &setting).await {
            Ok(End::Passed) => {}
            Ok(End::Skipped(_)) => skipped.push(row.number.to_string()),
            Err(_) => failed.push(row.number.to_string()),
        }
    }
    line(&format!(
        "{} rows in {} s, seed {seed}: {}{}",
        chosen.len(),
        begin.elapsed().as_secs(),
        match failed.is_empty() {
            true => "all hold".to_owned(),
            false => format!("FAILED {}", failed.join(", ")),
        },
        match skipped.is_empty() {
            true => String::new(),
            false => format!("; skipped {}", skipped.join(", ")),
        }
    ));
    Ok(failed.is_empty())
}

fn choose(arguments: &Arguments) -> anyhow::Result<Vec<&'static Row>> {
    for number in &arguments.rows {
        let known = ROWS.iter().any(|row| row.number == *number);
        anyhow::ensure!(known, "there is no row {number}; --list shows all");
    }
    let wanted = |row: &&Row| {
        let named = arguments.rows.contains(&row.number);
        named || (arguments.rows.is_empty() && (row.short || !arguments.short))
    };
    Ok(ROWS.iter().filter(wanted).collect())
}

/// Runs one row and prints how it ended.
async fn one(row: &Row, setting: &Setting) -> anyhow::Result<End> {
    let headline = format!("row {}: {} (seed {})", row.number, row.name, setting.seed);
    let mut report = Report::begin(&headline);
    let longest = LONGEST.max(LONGEST_ROUND * setting.rounds.unwrap_or_default());
    let outcome = tokio::time::timeout(longest, (row.run)(setting, &mut report)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("the row does not end")));
    let seconds = report.elapsed().as_secs();
    match &outcome {
        Ok(End::Passed) => line(&format!("== row {}: ok, {seconds} s", row.number)),
        Ok(End::Skipped(reason)) => {
            line(&format!("== row {}: SKIPPED: {reason}", row.number));
        }
        Err(error) => {
            line(&format!("   {error:#}"));
            line(&format!(
                "== row {}: FAILED after {seconds} s; logs in {}; again: ./dev faults --rows {} \
                 --seed {}",
                row.number,
                setting.logs.display(),
                row.number,
                setting.seed
            ));
        }
    }
    outcome
}
