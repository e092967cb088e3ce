//! What a process of its own holds in memory after an import, and how much it asks the database
//! while nothing happens.

use std::time::{Duration, Instant};

use super::import;
use super::projection::caught_up;
use crate::bench::process::Installation;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Deals that are imported first.
const DEALS: u64 = 60_000;
/// Consumers of a whole process.
const CONSUMERS: usize = 1 + tierline_projector::NAMES.len();

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let deals = run.plan.many(DEALS);
    let world = World::open(run).await?;
    world.found().await?;
    world.partners(world::PARTNERS).await?;
    world.enrollments(world::PARTNERS).await?;
    let installation = Installation::new(&world.database.url, None)?;
    let process = installation.start("all").await?;
    let connection = installation.connect(&process).await?;
    import::send(connection, import::batches(deals, true)?, deals).await?;
    caught_up(&world, CONSUMERS).await?;
    let (present, peak) = process.memory()?;
    let what = format!("memory of the process after an import of {deals} deals");
    let sample = Sample::new(what.clone(), Unit::Mebibytes, present as f64);
    run.report(sample.reach(Target::AtMost(250.0)));
    let sample = Sample::new(format!("{what}, at its peak"), Unit::Mebibytes, peak as f64);
    run.report(sample.reach(Target::AtMost(250.0)));
    let rate = statements(run, &world).await?;
    let sample = Sample::new("statements when idle", Unit::PerSecond, rate);
    run.report(sample.reach(Target::Below(5.0)));
    process.kill().await?;
    world.close(run).await
}

/// Transactions per second in the database, seen from another one. An idle process opens none of
/// more than one statement.
async fn statements(run: &Run<'_>, world: &World) -> anyhow::Result<f64> {
    let (settle, window) = if run.plan.quick { (1, 2) } else { (15, 40) };
    // Backends hand in their counts late; nothing of the import may be counted here.
    tokio::time::sleep(Duration::from_secs(settle)).await;
    let (before, begin) = (transactions(run, world).await?, Instant::now());
    tokio::time::sleep(Duration::from_secs(window)).await;
    let counted = transactions(run, world).await? - before;
    Ok(counted as f64 / begin.elapsed().as_secs_f64())
}

async fn transactions(run: &Run<'_>, world: &World) -> anyhow::Result<i64> {
    let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
    let count = sqlx::query_scalar(sql).bind(&world.database.name);
    Ok(count.fetch_one(run.server.admin()).await?)
}
