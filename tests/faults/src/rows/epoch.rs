//! The end of the log is lost although NATS has carried it: who keeps something of it stops, an
//! operator declares a new epoch, and everything goes on.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use super::cluster::published;
use super::crash::took_over;
use super::{BACK, Busy};
use crate::report::Report;
use crate::sandbox::Sandbox;
use crate::wait;

/// Longest time until somebody who keeps something of the lost end has stopped.
const HALTED: Duration = Duration::from_secs(40);
/// Longest time until everybody goes on in the new epoch.
const GOES_ON: Duration = Duration::from_secs(30);
/// Longest time until the log is as long again as it was.
const GROWN: Duration = Duration::from_secs(60);
/// Consumers that stand still while the end is written that is lost, so that they meet it.
const BEHIND: [&str; 2] = ["projector", "evaluator"];

/// What was there before the end was lost.
pub struct Before {
    heads: Vec<i64>,
}

/// Before the end is written that will be lost: consumers stand still, one with all its memory.
///
/// # Errors
/// When they cannot be stopped.
pub async fn hold_consumers(busy: &mut Busy) -> anyhow::Result<()> {
    took_over(&busy.sandbox).await?;
    busy.sandbox.process(BEHIND[0])?.freeze()?;
    busy.sandbox.process(BEHIND[1])?.kill().await
}

/// The end that will be lost is on the streams.
///
/// # Errors
/// When the relay does not publish it.
pub async fn carried(busy: &Busy) -> anyhow::Result<Before> {
    let heads = heads(&busy.sandbox).await?;
    // What was in the log at that moment, and more.
    published(busy).await?;
    Ok(Before { heads })
}

/// Numbers that are on the streams and that the log of `sandbox` does not have any more.
///
/// # Errors
/// When there are none, or the database does not answer.
pub async fn lost(busy: &Busy, before: &Before, report: &mut Report) -> anyhow::Result<()> {
    let now = heads(&busy.sandbox).await?;
    let lost = before
        .heads
        .iter()
        .zip(&now)
        .map(|(then, now)| (then - now).max(0));
    let lost: Vec<i64> = lost.filter(|lost| *lost > 0).collect();
    ensure!(!lost.is_empty(), "nothing was lost");
    report.injected(format!(
        "{} numbers of {} partitions that NATS has carried are not in the log",
        lost.iter().sum::<i64>(),
        lost.len()
    ));
    Ok(())
}

async fn heads(sandbox: &Sandbox) -> anyhow::Result<Vec<i64>> {
    let mut connection = sandbox.postgres.connect().await?;
    let sql = "SELECT heads FROM sequencer";
    Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
}

/// The other database is in place: who keeps something of the lost end stops and shows both
/// histories; commands go on.
///
/// # Errors
/// When somebody goes on in silence.
pub async fn everybody_stops(
    busy: &mut Busy,
    before: &Before,
    report: &mut Report,
) -> anyhow::Result<()> {
    let callers = busy.load.callers as usize;
    let took = busy.driver.answered(callers, BACK).await?;
    report.checked(format!(
        "commands are carried out again after {:.1} s (allowed: {} s)",
        took.as_secs_f64(),
        BACK.as_secs()
    ));
    stops(&mut busy.sandbox, "relay", report).await?;
    let grown = async || {
        let now = heads(&busy.sandbox).await.unwrap_or_default();
        now.len() == before.heads.len()
            && now.iter().zip(&before.heads).all(|(now, then)| now >= then)
    };
    wait::until(GROWN, "the log is as long again as it was", grown).await?;
    report.noted("the log has other events now under the numbers that were lost");
    busy.sandbox.process(BEHIND[0])?.thaw()?;
    busy.sandbox.process(BEHIND[1])?.start()?;
    for name in BEHIND {
        stops(&mut busy.sandbox, name, report).await?;
    }
    // The relay looks again and again; by now the log has something else there.
    stops_with(&mut busy.sandbox, "relay", 2, report).await
}

async fn stops(sandbox: &mut Sandbox, name: &str, report: &mut Report) -> anyhow::Result<()> {
    let hashes = if BEHIND.contains(&name) { 2 } else { 1 };
    stops_with(sandbox, name, hashes, report).await
}

/// Waits until a process is not ready because of what it was told before, and says so in its log
/// and its numbers.
async fn stops_with(
    sandbox: &mut Sandbox,
    name: &str,
    hashes: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let process = sandbox.process(name)?;
    let what = format!("{name} stops and shows what it was told and what the log has");
    let (line, took) = wait::until_some(HALTED, &what, async || {
        let (ready, text) = process.readiness().await;
        let told = |line: &&str| {
            line.contains("was handed out as event") && line.matches("(leaf ").count() >= hashes
        };
        let line = text.lines().find(told).map(str::to_owned);
        line.filter(|_| !ready)
    })
    .await?;
    ensure!(
        process.said().contains("was handed out as event"),
        "the log of {name} does not say why it stopped"
    );
    let counted = process
        .numbers("tierline_log_epoch_mismatches_total")
        .await?;
    ensure!(!counted.is_empty(), "{name} does not count what it met");
    let line = line
        .split(": the end of the log")
        .next()
        .unwrap_or_default();
    report.checked(format!(
        "after {:.1} s {name} says {line}; it has counted {counted}",
        took.as_secs_f64()
    ));
    Ok(())
}

/// An operator declares a new epoch; the void numbers are named, and everybody goes on.
///
/// # Errors
/// When somebody does not.
pub async fn declare(busy: &mut Busy, report: &mut Report) -> anyhow::Result<()> {
    let arguments = [
        "log",
        "new-epoch",
        "--actor",
        "faults",
        "--reason",
        "a tail was lost",
    ];
    let output = busy.sandbox.command("alpha", &arguments).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "no new epoch: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let void: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("void: partition"))
        .collect();
    let first = void
        .first()
        .with_context(|| format!("no void number was named: {text}"))?;
    report.injected(format!(
        "an operator declares a new epoch, with void numbers in {} partitions, such as {}",
        void.len(),
        first.trim()
    ));
    let kept = busy.sandbox.command("alpha", &["log", "epochs"]).await?;
    let kept = String::from_utf8_lossy(&kept.stdout).into_owned();
    ensure!(
        kept.contains("a tail was lost") && void.iter().all(|line| kept.contains(line)),
        "the epoch is not kept as it was declared: {kept}"
    );
    let begin = Instant::now();
    for name in ["relay", BEHIND[0], BEHIND[1]] {
        busy.sandbox.process(name)?.ready(GOES_ON).await?;
    }
    published(busy).await?;
    report.checked(format!(
        "everybody is ready and the relay publishes again {:.1} s later",
        begin.elapsed().as_secs_f64()
    ));
    Ok(())
}
