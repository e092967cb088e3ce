//! From the answer to a won deal until a query shows the tier that it led to, with everything in
//! one process, on the log itself and on JetStream.

use super::projection::caught_up;
use crate::bench::deals::{self, CONNECTIONS, Front};
use crate::bench::nats::Nats;
use crate::bench::node::Running;
use crate::bench::run::Run;
use crate::bench::world::World;

/// Deals won in a second.
const RATE: u64 = 300;
/// Seconds.
const SECONDS: u64 = 20;
/// Seconds before that, which do not count.
const WARM_UP: u64 = 2;
/// Milliseconds that 99 of 100 have to stay below.
const MOST: f64 = 100.0;
/// Consumers of a whole process: the evaluator and the read models.
const CONSUMERS: usize = 1 + tierline_projector::NAMES.len();

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    one_process(run, None, "one process").await?;
    let nats = Nats::start(run).await?;
    one_process(run, Some(&nats), "one process on JetStream").await?;
    nats.stop().await
}

async fn one_process(run: &Run<'_>, nats: Option<&Nats>, place: &str) -> anyhow::Result<()> {
    let seconds = if run.plan.quick { 1 } else { SECONDS };
    let deals = RATE * (WARM_UP + seconds);
    let world = World::open(run).await?;
    deals::prepare(&world, deals).await?;
    let running = Running::start(&world.database, "all", nats.map(Nats::settings)).await?;
    caught_up(&world, CONSUMERS + usize::from(nats.is_some())).await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    run.server.checkpoint().await;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(running.connect().await?);
    }
    let front = Front {
        deals: connections.clone(),
        standings: connections,
    };
    let took = deals::win_all(&front, 0..deals, RATE).await?;
    let counted = &took[usize::try_from(RATE * WARM_UP)?..];
    deals::report(run, counted, &format!("{RATE} deals/s, {place}"), MOST)?;
    running.stop().await;
    world.close(run).await
}
