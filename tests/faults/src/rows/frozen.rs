//! Processes that stand still and wake up again, with all that they believed to hold.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use sqlx::Connection as _;
use tierline_proto::query::v1::operations_service_client::OperationsServiceClient;
use tierline_proto::query::v1::{GetStatusRequest, GetStatusResponse};
use tokio::time::Instant;

use super::crash::took_over;
use super::{Busy, End, Setting, TAKEOVER};
use crate::checker::Expect;
use crate::driver::Load;
use crate::report::Report;
use crate::sandbox::postgres::{Postgres, signal};
use crate::sandbox::{Blueprint, ORGS, Sandbox};
use crate::wait;

/// Owners of the leases of consumers whose name begins so, as far as the leases hold.
async fn owners(postgres: &Postgres, consumer: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut connection = postgres.connect().await?;
    let owners: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT owner::text FROM bus.leases
         WHERE starts_with(consumer, $1) AND expires_at > clock_timestamp()",
    )
    .bind(consumer)
    .fetch_all(&mut connection)
    .await?;
    Ok(owners.into_iter().collect())
}

/// Row 2: a consumer stands still past its lease and wakes up after somebody else has taken over.
pub async fn consumer(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let mut blueprint = Blueprint::default();
    blueprint.plans.retain(|plan| plan.name != "projector");
    let mut busy = Busy::start(blueprint.and_second("evaluator"), Load::default(), setting).await?;
    let projector = crate::sandbox::process::Plan::new("projector", "projector");
    busy.sandbox.add(projector.clone())?.start()?;
    busy.sandbox.all_ready().await?;
    one_of_two(&mut busy, "projector", "projector", report).await?;
    one_of_two(&mut busy, "evaluator", "tier-evaluator", report).await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Freezes the first of two instances, and wakes it after the second has everything.
async fn one_of_two(
    busy: &mut Busy,
    name: &str,
    consumer: &str,
    report: &mut Report,
) -> anyhow::Result<()> {
    let second = format!("{name}-2");
    // With the first alone, the owner of the leases is known to be the first.
    if let Ok(process) = busy.sandbox.process(&second) {
        process.kill().await?;
    } else {
        let mut plan = busy.sandbox.process(name)?.plan.clone();
        plan.name.clone_from(&second);
        busy.sandbox.add(plan)?;
    }
    let alone = async || {
        let owners = owners(&busy.sandbox.postgres, consumer).await;
        owners.is_ok_and(|owners| owners.len() == 1)
    };
    wait::until(TAKEOVER * 2, "one instance has everything", alone).await?;
    let first = owners(&busy.sandbox.postgres, consumer).await?;
    busy.sandbox.process(&second)?.start()?;
    let shared = async || {
        let owners = owners(&busy.sandbox.postgres, consumer).await;
        owners.is_ok_and(|owners| owners.len() == 2)
    };
    let took = wait::until(TAKEOVER * 2, "two instances share", shared).await?;
    report.checked(format!(
        "a second {name} has its share {:.1} s after its start",
        took.as_secs_f64()
    ));
    busy.sandbox.process(name)?.freeze()?;
    report.injected(format!("the first {name} stands still"));
    let begin = Instant::now();
    let others = async || {
        let owners = owners(&busy.sandbox.postgres, consumer).await;
        owners.is_ok_and(|owners| owners.len() == 1 && owners.is_disjoint(&first))
    };
    wait::until(TAKEOVER, "the second has everything", others).await?;
    let took = begin.elapsed();
    let applied = took_over(&busy.sandbox).await?;
    report.checked(format!(
        "the second {name} holds every lease after {:.1} s (allowed: {} s) and has caught up {:.1} s \
         later",
        took.as_secs_f64(),
        TAKEOVER.as_secs(),
        applied.as_secs_f64()
    ));
    busy.sandbox.process(name)?.thaw()?;
    report.injected(format!(
        "the first {name} wakes up and goes on where it stood"
    ));
    let back = async || {
        let owners = owners(&busy.sandbox.postgres, consumer).await;
        owners.is_ok_and(|owners| owners.len() == 2)
    };
    let took = wait::until(TAKEOVER * 2, "both share again", back).await?;
    report.checked(format!(
        "both share again after {:.1} s",
        took.as_secs_f64()
    ));
    Ok(())
}

/// Row 3: nothing is numbered while the only sequencer stands still; a second one goes on.
pub async fn sequencer(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let mut busy = Busy::start(Blueprint::default(), Load::default(), setting).await?;
    let mut second = busy.sandbox.process("relay")?.plan.clone();
    second.name = "relay-2".to_owned();
    busy.sandbox.add(second)?;
    busy.sandbox.process("relay")?.freeze()?;
    report.injected("the only relay stands still");
    // What it had sent may still be carried out.
    wait::last(Duration::from_millis(500)).await;
    let before = position(&busy.sandbox).await?;
    let took = busy.driver.answered(100, Duration::from_secs(20)).await?;
    ensure!(
        position(&busy.sandbox).await? == before,
        "positions move although nobody numbers"
    );
    report.checked(format!(
        "100 commands were carried out in {:.1} s while positions stood still",
        took.as_secs_f64()
    ));
    let status = status(&busy.sandbox).await?;
    ensure!(
        status.unsequenced_events > 0 && status.oldest_unsequenced_age_ms > 1_000,
        "the backlog is not told: {status:?}"
    );
    report.checked(format!(
        "operators are told: {} events without a number, the oldest {} ms old",
        status.unsequenced_events, status.oldest_unsequenced_age_ms
    ));
    busy.sandbox.process("relay-2")?.start()?;
    let moved = async || position(&busy.sandbox).await.is_ok_and(|now| now > before);
    let took = wait::until(TAKEOVER, "a second sequencer takes over", moved).await?;
    report.checked(format!(
        "a second one numbers {:.1} s after its start (allowed: {} s)",
        took.as_secs_f64(),
        TAKEOVER.as_secs()
    ));
    busy.sandbox.process("relay")?.thaw()?;
    report.injected("the first one wakes up");
    busy.driver.answered(60, Duration::from_secs(20)).await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Row 4: one of two sequencers stops between taking its lock and its commit, then both are killed
/// there.
pub async fn two_sequencers(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let rounds = setting.rounds(2, 6);
    let blueprint = Blueprint::default().and_second("relay");
    let mut busy = Busy::start(blueprint, Load::default(), setting).await?;
    // Numbering takes longer, in the middle of its transaction.
    busy.sandbox
        .postgres
        .run(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN PERFORM pg_sleep(0.15); RETURN NULL; END';
             CREATE TRIGGER slow AFTER INSERT ON log FOR EACH STATEMENT EXECUTE FUNCTION slow()",
        )
        .await?;
    for round in 1..=rounds {
        let backend = numbering(&busy.sandbox.postgres).await?;
        signal(backend, Signal::STOP)?;
        report.injected(format!(
            "round {round}: a sequencer stops between lock and commit for 3 s"
        ));
        let before = position(&busy.sandbox).await?;
        let answered = busy.driver.answered(40, Duration::from_secs(20)).await;
        wait::last(Duration::from_secs(1)).await;
        let after = position(&busy.sandbox).await;
        signal(backend, Signal::CONT)?;
        answered?;
        ensure!(after? == before, "somebody numbered in spite of the lock");
        let moved = async || position(&busy.sandbox).await.is_ok_and(|now| now > before);
        wait::until(TAKEOVER, "numbering goes on", moved).await?;
        for name in ["relay", "relay-2"] {
            numbering(&busy.sandbox.postgres).await?;
            busy.sandbox.process(name)?.kill().await?;
            busy.sandbox.process(name)?.start()?;
        }
        report.injected(format!("round {round}: both are killed while one numbers"));
        busy.driver.answered(40, Duration::from_secs(20)).await?;
    }
    // The log refuses changes of its rows, not of its triggers.
    busy.sandbox
        .postgres
        .run("DROP TRIGGER slow ON log; DROP FUNCTION slow")
        .await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Waits for a session that numbers events and holds the lock; gives its process.
async fn numbering(postgres: &Postgres) -> anyhow::Result<u32> {
    let mut connection = postgres.connect().await?;
    let found = wait::until_some(TAKEOVER, "a sequencer is at work", async || {
        let pid: Result<Option<i32>, sqlx::Error> = sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity
             WHERE query LIKE '%sequence_outbox%' AND wait_event = 'PgSleep' LIMIT 1",
        )
        .fetch_optional(&mut connection)
        .await;
        pid.ok().flatten()
    });
    let (pid, _) = found.await?;
    connection.close().await?;
    u32::try_from(pid).context("no process id")
}

/// The last position of the log.
async fn position(sandbox: &Sandbox) -> anyhow::Result<i64> {
    let mut connection = sandbox.postgres.connect().await?;
    let sql = "SELECT position FROM sequencer";
    Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
}

/// What operators are told.
///
/// # Errors
/// When the query service does not answer.
pub async fn status(sandbox: &Sandbox) -> anyhow::Result<GetStatusResponse> {
    let clients = sandbox.clients(ORGS[0])?;
    let answer = OperationsServiceClient::new(clients.query)
        .get_status(GetStatusRequest {})
        .await?;
    Ok(answer.into_inner())
}
