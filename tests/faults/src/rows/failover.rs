//! Other servers take the place of PostgreSQL: a standby that has everything, one that has not, a
//! restored backup.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use tokio::time::Instant;

use super::epoch::{self, Before};
use super::{Busy, End, Setting, bus};
use crate::checker::{self, Expect};
use crate::driver::{Entry, Load, Outcome, burst, create, rename};
use crate::report::Report;
use crate::sandbox::postgres::{Options, Postgres, own_folder, signal};
use crate::sandbox::{Blueprint, Sandbox};
use crate::wait;

/// Longest wait for a standby.
const FOLLOWS: Duration = Duration::from_secs(30);

/// Starts a standby of the server of a sandbox.
async fn standby(sandbox: &Sandbox, logs: &Path) -> anyhow::Result<Postgres> {
    let data = sandbox.folder.path().join("standby");
    sandbox.postgres.copy_to(&data, true).await?;
    let mut standby = Postgres::on(data, logs.join("standby.log"), Options::default())?;
    standby.start().await?;
    let mut connection = sandbox.postgres.connect().await?;
    wait::until(FOLLOWS, "the standby follows", async || {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
        let following: Result<i64, sqlx::Error> =
            sqlx::query_scalar(sql).fetch_one(&mut connection).await;
        following.is_ok_and(|following| following > 0)
    })
    .await?;
    Ok(standby)
}

/// Puts another server in the place of the one of the sandbox.
fn take_over(sandbox: &mut Sandbox, other: Postgres) {
    if let Some(proxy) = &sandbox.proxy {
        proxy.switch_to(other.port);
    }
    sandbox.postgres = other;
}

/// Row 10: the primary dies, a synchronous standby is promoted.
pub async fn nothing_lost(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let blueprint = Blueprint::default().through_proxy();
    let mut busy = Busy::start(blueprint, Load::default(), setting).await?;
    let other = standby(&busy.sandbox, &setting.logs).await?;
    let primary = &busy.sandbox.postgres;
    primary
        .reload_with("synchronous_standby_names", "*")
        .await?;
    let mut connection = primary.connect().await?;
    wait::until(FOLLOWS, "the standby is synchronous", async || {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let found: Result<i64, sqlx::Error> =
            sqlx::query_scalar(sql).fetch_one(&mut connection).await;
        found.is_ok_and(|found| found > 0)
    })
    .await?;
    busy.driver.answered(60, Duration::from_secs(20)).await?;
    busy.sandbox.postgres.crash().await?;
    report.injected("the primary is killed");
    promote(&mut busy, other).await?;
    report.injected("the synchronous standby is promoted and takes its place");
    busy.back("the standby is promoted", report).await?;
    busy.driver.answered(60, Duration::from_secs(20)).await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

async fn promote(busy: &mut Busy, other: Postgres) -> anyhow::Result<()> {
    other.promote().await?;
    // Its copy of the configuration waits for a standby that it does not have.
    other.reload_with("synchronous_standby_names", "").await?;
    take_over(&mut busy.sandbox, other);
    Ok(())
}

/// Row 11: the primary dies while the standby has not got the last of it; first with the log
/// alone, then with NATS, which has carried what is lost.
pub async fn lost_tail(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    for carrier in carriers(report) {
        let setting = &setting.within(folder_of(carrier.as_deref()))?;
        let blueprint = on_bus(Blueprint::default().through_proxy(), carrier.as_deref());
        let mut busy = Busy::start(blueprint, Load::default(), setting).await?;
        let other = standby(&busy.sandbox, &setting.logs).await?;
        rename_often(&busy, "before", 1).await?;
        if carrier.is_some() {
            epoch::hold_consumers(&mut busy).await?;
        }
        wait::until(FOLLOWS, "the standby has got that", async || {
            caught_up(&busy.sandbox.postgres).await.unwrap_or_default()
        })
        .await?;
        let receiver = other.pid_of("walreceiver")?;
        signal(receiver, Signal::STOP)?;
        let before = write_what_is_lost(&busy, carrier.is_some()).await?;
        busy.sandbox.postgres.crash().await?;
        signal(receiver, Signal::KILL)?;
        // The standby takes the death of its receiver for a crash and recovers first.
        wait::until(FOLLOWS, "the standby has recovered", async || {
            other
                .log_text()
                .matches("database system is ready to accept read-only")
                .count()
                > 1
        })
        .await?;
        report.injected("the primary is killed, and what its standby has not got is lost");
        promote(&mut busy, other).await?;
        report.injected("the standby is promoted and takes its place");
        goes_on(busy, before, report).await?;
    }
    Ok(End::Passed)
}

/// Without a bus, and with one where there is a program for it.
fn carriers(report: &mut Report) -> Vec<Option<PathBuf>> {
    let program = bus::programs().into_iter().next();
    if program.is_none() {
        report.noted(format!("with the log alone: {}", bus::ABSENT));
    }
    [None].into_iter().chain(program.map(Some)).collect()
}

fn folder_of(carrier: Option<&Path>) -> &'static str {
    if carrier.is_some() { "nats" } else { "log" }
}

fn on_bus(blueprint: Blueprint, program: Option<&Path>) -> Blueprint {
    match program {
        Some(program) => blueprint.with_nats(program),
        None => blueprint,
    }
}

/// Commands that were answered and will be lost; with a bus, it has carried them.
async fn write_what_is_lost(busy: &Busy, on_bus: bool) -> anyhow::Result<Option<Before>> {
    rename_often(busy, "lost", 3).await?;
    busy.driver.answered(60, Duration::from_secs(20)).await?;
    Ok(match on_bus {
        true => Some(epoch::carried(busy).await?),
        false => None,
    })
}

/// Another database has taken the place of the one whose end was lost.
async fn goes_on(
    mut busy: Busy,
    before: Option<Before>,
    report: &mut Report,
) -> anyhow::Result<()> {
    match &before {
        Some(before) => {
            epoch::lost(&busy, before, report).await?;
            epoch::everybody_stops(&mut busy, before, report).await?;
            epoch::declare(&mut busy, report).await?;
        }
        None => busy.back("the other database is in place", report).await?,
    }
    rename_often(&busy, "after", 2).await?;
    busy.driver.answered(90, Duration::from_secs(30)).await?;
    let expect = Expect {
        lost_tail: true,
        refusals: true,
        ..Expect::default()
    };
    let mut sandbox = busy.conclude(expect, report).await?;
    match before {
        Some(_) => bus::streams_are_the_end_of_the_log(&mut sandbox, report).await,
        None => Ok(()),
    }
}

/// Row 13: the database is restored to a point in time; first with the log alone, then with NATS.
pub async fn restore(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    for carrier in carriers(report) {
        let setting = &setting.within(folder_of(carrier.as_deref()))?;
        let archive = tempfile::Builder::new()
            .prefix("tierline-archive-")
            .tempdir()?;
        let wal = archive.path().join("wal");
        open(archive.path())?;
        own_folder(&wal)?;
        let command = format!("test ! -f {0}/%f && cp %p {0}/%f", wal.display());
        let postgres = Options::default()
            .set("archive_mode", "on")
            .set("archive_command", &command);
        let blueprint = on_bus(Blueprint::default().through_proxy(), carrier.as_deref());
        let mut busy = Busy::start(blueprint.on(postgres), Load::default(), setting).await?;
        let data = busy.sandbox.folder.path().join("restored");
        busy.sandbox.postgres.copy_to(&data, false).await?;
        busy.driver.answered(60, Duration::from_secs(20)).await?;
        rename_often(&busy, "before", 1).await?;
        if carrier.is_some() {
            epoch::hold_consumers(&mut busy).await?;
        }
        let mut connection = busy.sandbox.postgres.connect().await?;
        let point: String = sqlx::query_scalar("SELECT clock_timestamp()::text")
            .fetch_one(&mut connection)
            .await?;
        let before = write_what_is_lost(&busy, carrier.is_some()).await?;
        let last: String = sqlx::query_scalar("SELECT pg_walfile_name(pg_switch_wal())")
            .fetch_one(&mut connection)
            .await?;
        let archived = wal.join(&last);
        wait::until(FOLLOWS, "the log is archived", async || archived.exists()).await?;
        busy.sandbox.postgres.crash().await?;
        report.injected(format!("the database is lost and restored to {point}"));
        let mut restored = restored_to(&data, &wal, &point, &setting.logs)?;
        restored.start().await?;
        promoted(&restored).await?;
        take_over(&mut busy.sandbox, restored);
        goes_on(busy, before, report).await?;
    }
    Ok(End::Passed)
}

/// Changes one partner a few times, so that the process that does it knows its state. Where that
/// state is lost with the tail, what the process remembers must not be taken for the truth.
async fn rename_often(busy: &Busy, when: &str, times: u32) -> anyhow::Result<()> {
    let clients = busy.sandbox.clients("alpha")?;
    let mut calls = vec![create("remembered")];
    if when != "before" {
        calls.clear();
    }
    calls.extend((0..times).map(|time| rename("remembered", &format!("{when} {time}"))));
    for call in calls {
        for entry in burst(vec![(clients.clone(), call)]).await {
            let fine = matches!(entry.outcome, Outcome::Done(_));
            ensure!(fine, "{} {when}: {:?}", entry.call.name(), entry.outcome);
        }
    }
    Ok(())
}

/// Whether the standby has everything that the primary has written.
async fn caught_up(primary: &Postgres) -> anyhow::Result<bool> {
    let mut connection = primary.connect().await?;
    let sql = "SELECT coalesce(bool_and(replay_lsn >= pg_current_wal_lsn()), false)
               FROM pg_stat_replication";
    Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
}

/// A server on a base backup that plays the archived log up to a point.
fn restored_to(data: &Path, wal: &Path, point: &str, logs: &Path) -> anyhow::Result<Postgres> {
    let mark = data.join("recovery.signal");
    std::fs::write(&mark, "")?;
    crate::sandbox::postgres::give(&mark)?;
    let options = Options::default()
        .set("restore_command", &format!("cp {}/%f %p", wal.display()))
        .set("recovery_target_time", point)
        .set("recovery_target_action", "promote");
    Postgres::on(data.to_owned(), logs.join("restored.log"), options)
}

/// Waits until a server takes writes.
async fn promoted(postgres: &Postgres) -> anyhow::Result<()> {
    let mut connection = postgres.connect().await?;
    wait::until(FOLLOWS, "the restored server takes writes", async || {
        let recovering: Result<bool, sqlx::Error> =
            sqlx::query_scalar("SELECT pg_is_in_recovery()")
                .fetch_one(&mut connection)
                .await;
        recovering.is_ok_and(|recovering| !recovering)
    })
    .await?;
    Ok(())
}

/// Row 14: a backup that was taken under load is started elsewhere and is whole.
pub async fn backup(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let busy = Busy::start(Blueprint::default(), Load::default(), setting).await?;
    let data = PathBuf::from(busy.sandbox.folder.path()).join("copy");
    let numbered: i64 = sqlx::query_scalar("SELECT position FROM sequencer")
        .fetch_one(&mut busy.sandbox.postgres.connect().await?)
        .await?;
    let begin = Instant::now();
    busy.sandbox.postgres.copy_to(&data, false).await?;
    report.injected(format!(
        "a base backup is taken under load, in {:.1} s",
        begin.elapsed().as_secs_f64()
    ));
    busy.driver.answered(30, Duration::from_secs(20)).await?;
    let history = busy.driver.finish(&busy.load).await?;
    report.noted(history.summary());
    let logs = setting.logs.join("copy");
    std::fs::create_dir_all(&logs)?;
    let postgres = Postgres::on(data, logs.join("postgres.log"), Options::default())?;
    let mut copy = Sandbox::over(postgres, &logs).await?;
    let known: Vec<Entry> = history
        .entries()
        .into_iter()
        .map(|mut entry| {
            // What was answered before the backup began is in it; later ones may be.
            if entry.closed.is_none_or(|closed| closed >= begin) {
                entry.outcome = Outcome::Unknown;
            }
            entry
        })
        .collect();
    let before = known
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Done(_)));
    ensure!(before.count() > 20, "the load had hardly begun");
    report.noted("the copy:");
    checker::invariants(&mut copy, &known, Expect::default(), report)
        .await
        .context("on the copy")?;
    let (original, copied) = (
        leaves(&busy.sandbox.postgres, numbered).await?,
        leaves(&copy.postgres, numbered).await?,
    );
    ensure!(
        numbered > 0 && original == copied,
        "the copy has {copied:?} and the original {original:?}"
    );
    report.checked(format!(
        "positions 1 to {numbered}, which were there before the backup, have the leaf hashes of the \
         original"
    ));
    Ok(End::Passed)
}

/// How many positions there are up to one, and a digest of what they say: event and leaf hash.
async fn leaves(postgres: &Postgres, until: i64) -> anyhow::Result<(i64, Option<String>)> {
    let found = sqlx::query_as(
        "SELECT count(*), md5(string_agg(position || event_id::text || encode(leaf_hash, 'hex'),
                                         ',' ORDER BY position))
         FROM log WHERE position <= $1",
    )
    .bind(until)
    .fetch_one(&mut postgres.connect().await?)
    .await?;
    Ok(found)
}

fn open(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))?;
    Ok(())
}
