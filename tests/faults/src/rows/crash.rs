//! Processes that die, stand still, or are there twice.

use std::time::Duration;

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Busy, End, Setting, TAKEOVER};
use crate::checker::Expect;
use crate::driver::Load;
use crate::report::Report;
use crate::sandbox::{Blueprint, READY, Sandbox};
use crate::wait;

/// Row 1: any process is killed at any moment; the others go on, and it comes back.
pub async fn kill(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let rounds = setting.rounds(5, 50);
    let mut random = ChaCha8Rng::seed_from_u64(setting.seed);
    let load = Load::default();
    let mut busy = Busy::start(Blueprint::default().in_pairs(), load, setting).await?;
    let names = busy.sandbox.names();
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds {
        let pause = Duration::from_millis(random.random_range(200..1_500));
        let down = Duration::from_millis(random.random_range(0..1_500));
        let Some(name) = names.choose(&mut random) else {
            break;
        };
        wait::last(pause).await;
        busy.sandbox.process(name)?.kill().await?;
        report.injected(format!(
            "round {round}: {name} is killed, and started {} ms later",
            down.as_millis()
        ));
        wait::last(down).await;
        if follows_the_log(name) && random.random_bool(0.5) {
            let took = took_over(&busy.sandbox).await?;
            report.checked(format!(
                "its share was taken over after {:.1} s (allowed: {} s)",
                took.as_secs_f64(),
                TAKEOVER.as_secs()
            ));
        }
        for process in busy.sandbox.processes.iter_mut() {
            if process.is_started() {
                process.ready(READY).await?;
            }
        }
        let process = busy.sandbox.process(name)?;
        process.start()?;
        slowest = slowest.max(process.ready(READY).await?);
        busy.driver.answered(10, Duration::from_secs(20)).await?;
    }
    report.checked(format!(
        "the others stayed ready, and each was ready again within {:.1} s (allowed: {} s)",
        slowest.as_secs_f64(),
        READY.as_secs()
    ));
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

fn follows_the_log(name: &str) -> bool {
    name.starts_with("evaluator") || name.starts_with("projector")
}

/// Waits until everything that is appended now is applied by every consumer, and tells how long
/// that took.
///
/// # Errors
/// When it takes longer than a takeover may.
pub async fn took_over(sandbox: &Sandbox) -> anyhow::Result<Duration> {
    let mut connection = sandbox.postgres.connect().await?;
    // What is answered has a row there until the sequencer has given it its number.
    let unnumbered: Vec<Uuid> = sqlx::query_scalar("SELECT event_id FROM outbox")
        .fetch_all(&mut connection)
        .await?;
    let mut heads = None;
    let what = "everybody has applied what was appended when a process died";
    wait::until(TAKEOVER, what, async || {
        if heads.is_none() {
            heads = heads_with(&mut connection, &unnumbered).await;
        }
        let Some(heads) = &heads else { return false };
        let behind: Result<i64, sqlx::Error> = sqlx::query_scalar(
            "SELECT count(*) FROM bus.checkpoints
             WHERE number < ($1::bigint[])[partition + 1] AND consumer <> 'relay'",
        )
        .bind(heads)
        .fetch_one(&mut connection)
        .await;
        behind.is_ok_and(|behind| behind == 0)
    })
    .await
}

/// The heads of the partitions, once all these events are numbered.
async fn heads_with(connection: &mut PgConnection, events: &[Uuid]) -> Option<Vec<i64>> {
    let sql = "SELECT heads FROM sequencer
               WHERE NOT EXISTS (SELECT FROM outbox WHERE event_id = ANY ($1))";
    let found = sqlx::query_scalar(sql).bind(events);
    found.fetch_optional(connection).await.ok().flatten()
}
