//! Deal facts into standings: every enrollment that a batch touches is assessed, and what changed
//! is appended, in the transaction that moves the checkpoint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tierline_bus::{Consumer, LogFeed, Options, TIER_EVALUATOR};
use tierline_eventstore::{LogReader, Sequencer};
use tierline_tier_evaluator::Evaluator;
use tokio_util::sync::CancellationToken;

use crate::bench::raw::UPSERT;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Deals.
const DEALS: u64 = 100_000;
/// Partners, each enrolled once.
const PARTNERS: u64 = 5_000;
/// Connections of the evaluator, as in an ordinary process.
const CONNECTIONS: u32 = 4;
/// How long the evaluator may take.
const PATIENCE: Duration = Duration::from_secs(600);

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let limit = run.upsert().await?;
    let (deals, partners) = (run.plan.many(DEALS), run.plan.many(PARTNERS));
    let world = World::open(run).await?;
    let sequencer = world.sequencer().await?;
    world.found().await?;
    world.partners(partners).await?;
    world.enrollments(partners).await?;
    sequencer.drain().await?;
    evaluate(&world, &sequencer).await?;
    world
        .record((0..deals).map(|n| world::won(n, world::scattered(n) % partners)))
        .await?;
    sequencer.drain().await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    run.server.checkpoint().await;
    let before = standing_events(&world).await?;
    let seconds = evaluate(&world, &sequencer).await?;
    let appended = standing_events(&world).await? - before;
    let what = format!("evaluator: {deals} deal facts over {partners} enrollments");
    let sample = Sample::new(what, Unit::PerSecond, deals as f64 / seconds);
    let sample = sample.of(UPSERT, limit);
    run.report(sample.reach(Target::AtLeast(15_000.0)));
    let what = "evaluator: Standing events appended meanwhile";
    run.report(Sample::new(
        what,
        Unit::PerSecond,
        appended as f64 / seconds,
    ));
    world.close(run).await
}

async fn standing_events(world: &World) -> anyhow::Result<i64> {
    let sql = "SELECT count(*) FROM events WHERE aggregate_type = 'Standing'";
    Ok(sqlx::query_scalar(sql).fetch_one(&world.pool).await?)
}

/// Seconds until the evaluator has taken in everything that is in the log at this moment, and what
/// it wrote is numbered.
pub async fn evaluate(world: &World, sequencer: &Sequencer) -> anyhow::Result<f64> {
    let pool = tierline_eventstore::connect(&world.database.url, CONNECTIONS).await?;
    let stop = CancellationToken::new();
    let evaluator = Evaluator::new(world.runner.store().clone(), Arc::new(Timestamp::now));
    let feed = LogFeed::new(LogReader::new(pool.clone()), Some(sequencer.subscribe()));
    let options = Options {
        force: true,
        ..Options::default()
    };
    let heads = world.heads().await?;
    let consumer = Consumer::new(TIER_EVALUATOR, pool.clone(), feed, evaluator, options);
    let begin = Instant::now();
    let mut consuming = tokio::spawn(consumer.run(stop.clone()));
    let reached = world.until_reached(TIER_EVALUATOR, &heads, PATIENCE);
    tokio::select! {
        reached = reached => reached?,
        () = sequencer.run(stop.clone()) => {}
        ended = &mut consuming => {
            ended??;
            anyhow::bail!("the evaluator ended by itself");
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    stop.cancel();
    consuming.await??;
    sequencer.drain().await?;
    pool.close().await;
    Ok(seconds)
}
