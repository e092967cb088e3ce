//! A cluster of three NATS servers whose leaders change, or that do not reach each other.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sqlx::PgConnection;
use tokio::time::Instant;

use super::bus::{ABSENT, STREAMS, name, programs, streams_are_whole, version};
use super::crash::took_over;
use super::{Busy, End, Setting};
use crate::checker::Expect;
use crate::driver::Load;
use crate::report::Report;
use crate::sandbox::Blueprint;
use crate::sandbox::cluster::{Cluster, NODES};
use crate::wait;

/// Longest time until the relay publishes again after a leader is gone: it takes the cluster up to
/// ten seconds to elect one, and a client as long to notice that its own server stands still.
const PUBLISHED: Duration = Duration::from_secs(60);
/// Longest time until every copy of every stream is up to date again.
const COPIED: Duration = Duration::from_secs(90);

/// Row 29: the server that leads a stream is killed, stands still, or gives up its office.
pub async fn leader_change(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    on_each_server(setting, report, async |busy, random, report| {
        for change in [Change::Killed, Change::Frozen, Change::SteppedDown] {
            let stream = name(random.random_range(0..STREAMS));
            change.happens(busy, &stream, report).await?;
        }
        Ok(())
    })
    .await
}

/// Row 30: one server is alone, then all of them are.
pub async fn partition(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    on_each_server(setting, report, async |busy, random, report| {
        let stream = name(random.random_range(0..STREAMS));
        minority(busy, &stream, report).await?;
        no_majority(busy, report).await
    })
    .await
}

/// A round, or two, on a cluster of each kind of server, and at the end the invariants.
async fn on_each_server(
    setting: &Setting,
    report: &mut Report,
    round: impl AsyncFn(&mut Busy, &mut ChaCha8Rng, &mut Report) -> anyhow::Result<()>,
) -> anyhow::Result<End> {
    let programs = programs();
    if programs.is_empty() {
        return Ok(End::Skipped(ABSENT.to_owned()));
    }
    for program in programs {
        let mut busy = busy(setting, &program, report).await?;
        let mut random = ChaCha8Rng::seed_from_u64(setting.seed);
        for _ in 0..setting.rounds(1, 2) {
            round(&mut busy, &mut random, report).await?;
        }
        whole(busy, report).await?;
    }
    Ok(End::Passed)
}

async fn busy(setting: &Setting, program: &Path, report: &mut Report) -> anyhow::Result<Busy> {
    let blueprint = Blueprint::default().with_cluster(program);
    let setting = setting.within(&version(program)?)?;
    let busy = Busy::start(blueprint, Load::default(), &setting).await?;
    copied(&busy).await?;
    report.noted(format!(
        "a cluster of {NODES} nats-servers {}, {STREAMS} streams with {NODES} copies each",
        version(program)?
    ));
    Ok(busy)
}

fn cluster(busy: &mut Busy) -> anyhow::Result<&mut Cluster> {
    busy.sandbox.cluster.as_mut().context("there is no cluster")
}

/// The invariants, and the streams message by message.
async fn whole(busy: Busy, report: &mut Report) -> anyhow::Result<()> {
    let mut sandbox = busy.conclude(Expect::default(), report).await?;
    let told = sandbox
        .process("relay")?
        .numbers("tierline_relay_failures_total")
        .await?;
    report.noted(format!("attempts of the relay that failed: {told}"));
    streams_are_whole(&mut sandbox, report).await
}

/// Waits until all streams have all their copies, up to date.
async fn copied(busy: &Busy) -> anyhow::Result<Duration> {
    let cluster = busy.sandbox.cluster.as_ref();
    let cluster = cluster.context("there is no cluster")?;
    wait::until(COPIED, "every stream has all copies", async || {
        for partition in 0..STREAMS {
            let has = cluster.has_all_copies(&name(partition)).await;
            if !has.unwrap_or(false) {
                return false;
            }
        }
        true
    })
    .await
}

/// Waits until the relay has published what is in the log now, and tells how long that took.
///
/// # Errors
/// When it does not within a minute.
pub(super) async fn published(busy: &Busy) -> anyhow::Result<Duration> {
    let mut connection = busy.sandbox.postgres.connect().await?;
    let heads: Vec<i64> = sqlx::query_scalar("SELECT heads FROM sequencer")
        .fetch_one(&mut connection)
        .await?;
    wait::until(PUBLISHED, "the relay publishes again", async || {
        let behind: Result<i64, sqlx::Error> = sqlx::query_scalar(
            "SELECT count(*) FROM bus.checkpoints
             WHERE number < ($1::bigint[])[partition + 1] AND consumer = 'relay'",
        )
        .bind(&heads)
        .fetch_one(&mut connection)
        .await;
        behind.is_ok_and(|behind| behind == 0)
    })
    .await
}

/// How far the relay has published, over all partitions.
async fn relayed(connection: &mut PgConnection) -> anyhow::Result<i64> {
    let sql = "SELECT sum(number)::bigint FROM bus.checkpoints WHERE consumer = 'relay'";
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}

/// How a stream loses its leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Killed,
    Frozen,
    SteppedDown,
}

impl Change {
    async fn happens(
        self,
        busy: &mut Busy,
        stream: &str,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let servers = cluster(busy)?;
        let leader = servers.leader(stream, None).await?;
        let who = format!("{}, which leads {stream},", servers.name(leader));
        match self {
            Self::Killed => {
                servers.kill(leader).await?;
                report.injected(format!("{who} is killed"));
            }
            Self::Frozen => {
                servers.freeze(leader)?;
                report.injected(format!("{who} stands still"));
            }
            Self::SteppedDown => {
                for partition in 0..STREAMS {
                    servers.step_down(&name(partition)).await?;
                }
                report.injected(format!("{who} and the leaders of all others step down"));
            }
        }
        // Some of what was under way needs the new leader.
        let begin = Instant::now();
        busy.driver.answered(30, Duration::from_secs(20)).await?;
        let took = took_over(&busy.sandbox).await?;
        report.checked(format!(
            "commands go on, and consumers have everything {:.1} s later",
            took.as_secs_f64()
        ));
        published(busy).await?;
        report.checked(format!(
            "the relay has published what came until then {:.1} s after it (allowed: {} s)",
            begin.elapsed().as_secs_f64(),
            PUBLISHED.as_secs()
        ));
        let servers = cluster(busy)?;
        let next = servers.leader(stream, Some(leader)).await?;
        match self {
            Self::Killed => servers.launch(leader)?,
            Self::Frozen => servers.thaw(leader)?,
            Self::SteppedDown => {}
        }
        ensure!(
            next != leader || self == Self::SteppedDown,
            "nobody else leads {stream}"
        );
        let took = copied(busy).await?;
        report.checked(format!(
            "{} leads now; every stream has {NODES} copies again after {:.1} s",
            cluster(busy)?.name(next),
            took.as_secs_f64()
        ));
        busy.driver.answered(30, Duration::from_secs(20)).await?;
        Ok(())
    }
}

/// One of three is cut off, with its clients: the other two go on.
async fn minority(busy: &mut Busy, stream: &str, report: &mut Report) -> anyhow::Result<()> {
    let servers = cluster(busy)?;
    let alone = servers.leader(stream, None).await?;
    servers.part(alone);
    servers.part_from_clients(alone);
    report.injected(format!(
        "{}, which leads {stream}, is cut off from the others and from its clients",
        servers.name(alone)
    ));
    let begin = Instant::now();
    busy.driver.answered(60, Duration::from_secs(20)).await?;
    let took = took_over(&busy.sandbox).await?;
    published(busy).await?;
    report.checked(format!(
        "commands go on, consumers were {:.1} s behind, and the relay publishes to the other two \
         again {:.1} s after the cut",
        took.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    ));
    let servers = cluster(busy)?;
    let next = servers.leader(stream, Some(alone)).await?;
    ensure!(next != alone, "a server without a majority leads {stream}");
    healed(busy, report).await
}

/// Every server is alone, and clients reach only one of them.
async fn no_majority(busy: &mut Busy, report: &mut Report) -> anyhow::Result<()> {
    let servers = cluster(busy)?;
    for number in 0..NODES {
        servers.part(number);
        if number > 0 {
            servers.part_from_clients(number);
        }
    }
    report.injected("no server reaches another, and clients reach only one");
    let mut connection = busy.sandbox.postgres.connect().await?;
    let (begin, mut slowest) = (Instant::now(), Duration::ZERO);
    let before = relayed(&mut connection).await?;
    while begin.elapsed() < Duration::from_secs(30) {
        busy.driver.answered(30, Duration::from_secs(20)).await?;
        slowest = slowest.max(took_over(&busy.sandbox).await?);
    }
    busy.sandbox.all_ready().await?;
    let head: i64 =
        sqlx::query_scalar("SELECT (SELECT sum(h) FROM unnest(heads) h)::bigint FROM sequencer")
            .fetch_one(&mut connection)
            .await?;
    let after = relayed(&mut connection).await?;
    ensure!(
        after < head,
        "the relay has published everything without a majority: {after}"
    );
    report.checked(format!(
        "commands go on for {:.0} s and consumers read the log, at most {:.1} s behind; the relay \
         waits ({} of {} new numbers)",
        begin.elapsed().as_secs_f64(),
        slowest.as_secs_f64(),
        after - before,
        head - before
    ));
    healed(busy, report).await
}

/// The network is whole again, and what was under way arrives late.
async fn healed(busy: &mut Busy, report: &mut Report) -> anyhow::Result<()> {
    cluster(busy)?.heal();
    report.injected("the network is whole again");
    let begin = Instant::now();
    published(busy).await?;
    let relayed = begin.elapsed();
    copied(busy).await?;
    report.checked(format!(
        "the relay has caught up after {:.1} s, and every stream has {NODES} copies after {:.1} s",
        relayed.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    ));
    busy.driver.answered(30, Duration::from_secs(20)).await?;
    Ok(())
}
