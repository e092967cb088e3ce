//! Two evaluators share the partitions, deals are won, one evaluator is killed: how long until the
//! other one has decided what the dead one left, and whether anything was lost or decided twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tierline_bus::TIER_EVALUATOR;
use tokio::task::JoinSet;

use super::projection::caught_up;
use crate::bench::deals::{self, CONNECTIONS};
use crate::bench::nats::Nats;
use crate::bench::node::Connection;
use crate::bench::process::Installation;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Deals won in a second.
const RATE: u64 = 200;
/// Seconds.
const SECONDS: u64 = 20;
/// Seconds after which one evaluator is killed.
const KILLED_AFTER: u64 = 5;
/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The rest, in one process.
const OTHERS: &str = "program,partner,enrollment,activity,application,relay,projector,query";
/// Consumers: the relay, the evaluator, the expirer of enrollments and the read models.
const CONSUMERS: usize = 3 + tierline_projector::NAMES.len();

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let (seconds, after) = if run.plan.quick {
        (2, 1)
    } else {
        (SECONDS, KILLED_AFTER)
    };
    let deals = RATE * seconds;
    let nats = Nats::start(run).await?;
    let world = World::open(run).await?;
    deals::prepare(&world, deals).await?;
    let installation = Installation::new(&world.database.url, Some(nats.settings().url))?;
    let others = installation.start(OTHERS).await?;
    let stays = installation.start("tier-evaluator").await?;
    let dies = installation.start("tier-evaluator").await?;
    until_shared(&world).await?;
    caught_up(&world, CONSUMERS).await?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(installation.connect(&others).await?);
    }
    let winning = tokio::spawn(win_all(connections, deals));
    tokio::time::sleep(Duration::from_secs(after)).await;
    dies.kill().await?;
    let killed = Instant::now();
    // What was numbered before or just after the kill: of every partition something.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let heads = world.heads().await?;
    world
        .until_reached(TIER_EVALUATOR, &heads, PATIENCE)
        .await?;
    let took = killed.elapsed().as_secs_f64() * 1000.0;
    winning.await.context("a call panicked")??;
    caught_up(&world, CONSUMERS).await?;
    let what = format!("takeover after kill -9 of one of two evaluators, {RATE} deals/s");
    let sample = Sample::new(what, Unit::Milliseconds, took);
    run.report(sample.reach(Target::AtMost(10_000.0)));
    let (decisions, enrollments) = decisions(&world).await?;
    let lost = i64::try_from(deals)? - enrollments;
    let doubled = decisions - enrollments;
    let what = "tier changes lost at the takeover";
    run.report(Sample::new(what, Unit::Count, lost as f64).reach(Target::Zero));
    let what = "tier changes decided twice at the takeover";
    run.report(Sample::new(what, Unit::Count, doubled as f64).reach(Target::Zero));
    for process in [others, stays] {
        process.kill().await?;
    }
    world.close(run).await?;
    nats.stop().await
}

/// Waits until two owners hold the partitions of the evaluator.
async fn until_shared(world: &World) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let owners: i64 = sqlx::query_scalar(
            "SELECT count(DISTINCT owner) FROM bus.leases
             WHERE consumer = $1 AND version = $2 AND expires_at > clock_timestamp()",
        )
        .bind(TIER_EVALUATOR.name)
        .bind(TIER_EVALUATOR.version)
        .fetch_one(&world.pool)
        .await?;
        if owners == 2 {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "{owners} evaluators hold partitions"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Wins deals 0 to `deals` - 1, so many in a second.
async fn win_all(connections: Vec<Connection>, deals: u64) -> anyhow::Result<()> {
    let closed: Arc<str> = world::counted_day()?.to_string().into();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(RATE)?);
    let mut under_way = JoinSet::new();
    for number in 0..deals {
        ticks.tick().await;
        let connection = connections[usize::try_from(number)? % connections.len()].clone();
        let closed = Arc::clone(&closed);
        under_way.spawn(async move { deals::win(connection, number, &closed).await });
    }
    while let Some(ended) = under_way.join_next().await {
        ended.context("a call panicked")??;
    }
    Ok(())
}

/// How many changes of a tier were decided, and for how many enrollments.
async fn decisions(world: &World) -> anyhow::Result<(i64, i64)> {
    let sql = "SELECT count(*), count(DISTINCT aggregate_id) FROM events
               WHERE aggregate_type = 'Standing' AND event_type LIKE '%.TierChanged'";
    Ok(sqlx::query_as(sql).fetch_one(&world.pool).await?)
}
