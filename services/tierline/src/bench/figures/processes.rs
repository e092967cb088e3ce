//! Seven processes on JetStream: what each needs while nothing happens, and how long a won deal
//! takes through all of them.

use std::time::{Duration, Instant};

use super::projection::caught_up;
use crate::bench::deals::{self, CONNECTIONS, Front};
use crate::bench::nats::Nats;
use crate::bench::process::{Installation, Process};
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::World;

/// Every target, in seven processes.
const PROCESSES: [&str; 7] = [
    "relay",
    "tier-evaluator",
    "projector",
    "activity",
    "query",
    "program,partner",
    "enrollment,application",
];
/// Deals won in a second.
const RATE: u64 = 300;
/// Seconds.
const SECONDS: u64 = 20;
/// Seconds before that, which do not count.
const WARM_UP: u64 = 2;
/// Milliseconds that 99 of 100 deals have to stay below.
const MOST: f64 = 150.0;
/// Consumers: the relay, the evaluator, the expirer of enrollments and the read models.
const CONSUMERS: usize = 3 + tierline_projector::NAMES.len();

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let seconds = if run.plan.quick { 1 } else { SECONDS };
    let deals = RATE * (WARM_UP + seconds);
    let nats = Nats::start(run).await?;
    let world = World::open(run).await?;
    deals::prepare(&world, deals).await?;
    let installation = Installation::new(&world.database.url, Some(nats.settings().url))?;
    let mut processes = Vec::new();
    for targets in PROCESSES {
        processes.push(installation.start(targets).await?);
    }
    caught_up(&world, CONSUMERS).await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    run.server.checkpoint().await;
    idle(run, &processes).await?;
    let front = Front {
        deals: connections(&installation, &processes, "activity").await?,
        standings: connections(&installation, &processes, "query").await?,
    };
    let took = deals::win_all(&front, 0..deals, RATE).await?;
    let counted = &took[usize::try_from(RATE * WARM_UP)?..];
    let place = format!("{RATE} deals/s, seven processes on JetStream");
    deals::report(run, counted, &place, MOST)?;
    for process in processes {
        process.kill().await?;
    }
    world.close(run).await?;
    nats.stop().await
}

async fn connections(
    installation: &Installation,
    processes: &[Process],
    targets: &str,
) -> anyhow::Result<Vec<crate::bench::node::Connection>> {
    let mut connections = Vec::new();
    for process in processes.iter().filter(|one| one.targets == targets) {
        for _ in 0..CONNECTIONS {
            connections.push(installation.connect(process).await?);
        }
    }
    Ok(connections)
}

async fn idle(run: &Run<'_>, processes: &[Process]) -> anyhow::Result<()> {
    let (settle, window) = if run.plan.quick { (1, 2) } else { (10, 40) };
    tokio::time::sleep(Duration::from_secs(settle)).await;
    let begin = Instant::now();
    let mut before = Vec::new();
    for process in processes {
        before.push(process.cpu()?);
    }
    tokio::time::sleep(Duration::from_secs(window)).await;
    for (process, before) in processes.iter().zip(before) {
        let spent = process.cpu()?.saturating_sub(before);
        let percent = 100.0 * spent.as_secs_f64() / begin.elapsed().as_secs_f64();
        let what = format!("of a core when idle, process {}", process.targets);
        let sample = Sample::new(what, Unit::Percent, percent);
        run.report(sample.reach(Target::Below(1.0)));
        let what = format!("memory when idle, process {}", process.targets);
        let (memory, _) = process.memory()?;
        let sample = Sample::new(what, Unit::Mebibytes, memory as f64);
        run.report(sample.reach(Target::Below(60.0)));
    }
    Ok(())
}
