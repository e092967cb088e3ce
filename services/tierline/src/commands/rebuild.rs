//! `tierline rebuild PROJECTION`

use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::direct::DatabaseFlags;
use super::show::{progress, words};
use crate::cli::Globals;
use crate::output;

/// Connections of a rebuild: one that writes, one that reads the log, heartbeats.
const CONNECTIONS: u32 = 4;

/// Builds a read model afresh from the log, beside the one that serves, and swaps the two.
///
/// Works with a running server and without one. After an interruption the next run goes on where
/// this one was.
///
/// Exit code: 0 when the new table serves, 1 when not; the old one serves on then.
#[derive(Debug, clap::Args)]
pub struct RebuildArgs {
    /// The read model, all of them, or those that an older release built.
    #[arg(value_name = "PROJECTION", value_parser = PossibleValuesParser::new(rebuildable()))]
    projection: String,
    #[command(flatten)]
    database: DatabaseFlags,
}

/// Those whose version is not that of this release.
const OUTDATED: &str = "outdated";

/// The names of the read models and `all`.
pub fn names() -> Vec<&'static str> {
    let mut names = tierline_projector::NAMES.to_vec();
    names.push("all");
    names
}

fn rebuildable() -> Vec<&'static str> {
    let mut names = names();
    names.push(OUTDATED);
    names
}

/// The read models of a name out of [`names`].
pub fn named(name: &str) -> Vec<&'static str> {
    let all = tierline_projector::NAMES.into_iter();
    all.filter(|one| name == "all" || name == *one).collect()
}

pub async fn run(args: RebuildArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let pool = args.database.connect(CONNECTIONS).await?;
    let cancel = CancellationToken::new();
    let on_signal = cancel.clone();
    let signals = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_signal.cancel();
        }
    });
    let mut done = Vec::new();
    let wanted = match args.projection.as_str() {
        OUTDATED => {
            let outdated = tierline_projector::outdated(&pool).await?;
            outdated.into_iter().map(|(name, _, _)| name).collect()
        }
        name => named(name),
    };
    if wanted.is_empty() && !globals.output.json() {
        output::line("every read model is of this release");
    }
    for name in wanted {
        let start = Instant::now();
        let bar = progress::counting("events");
        bar.set_message(name);
        let tell = |now: tierline_projector::RebuildProgress| {
            bar.set_length(now.total.unsigned_abs());
            bar.set_position(now.applied.unsigned_abs());
        };
        let outcome = tierline_projector::rebuild(&pool, name, &tell, &cancel).await;
        let events = bar.position();
        bar.finish_and_clear();
        outcome.with_context(|| {
            format!("the read model {name} was not rebuilt; the old one serves on")
        })?;
        let seconds = start.elapsed().as_secs_f64();
        if !globals.output.json() {
            let events = words::counted(events, "event");
            output::line(format!("rebuilt {name} from {events} in {seconds:.1} s"));
        }
        done.push(json!({"projection": name, "events": events, "seconds": seconds}));
    }
    signals.abort();
    pool.close().await;
    if globals.output.json() {
        output::json(&json!({"rebuilt": done}))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_means_every_read_model_and_a_name_means_one() {
        assert_eq!(named("all"), tierline_projector::NAMES);
        for name in tierline_projector::NAMES {
            assert_eq!(named(name), [name]);
        }
        assert!(names().contains(&"all"));
    }
}
