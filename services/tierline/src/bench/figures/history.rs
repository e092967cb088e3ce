//! One more fact for a partner with a long history, against one with a short one.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;
use sqlx::{Connection, PgConnection};
use tierline_bus::Handler;
use tierline_eventstore::{LogEvent, LogReader};
use tierline_tier_evaluator::Evaluator;

use super::evaluator::evaluate;
use crate::bench::report::{Sample, Spread, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Facts of the partner with the long history.
const MANY: u64 = 100_000;
/// Facts of the other one.
const FEW: u64 = 100;
/// Facts added to each, one at a time.
const MORE: u64 = 60;

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let many = run.plan.many(MANY).max(FEW * 2);
    let world = World::open(run).await?;
    let sequencer = world.sequencer().await?;
    world.found().await?;
    world.partners(2).await?;
    world.enrollments(2).await?;
    let history = (0..many).map(|n| world::won(n, 0));
    let history = history.chain((many..many + FEW).map(|n| world::won(n, 1)));
    world.record(history).await?;
    sequencer.drain().await?;
    evaluate(&world, &sequencer).await?;
    let begin = LogReader::new(world.pool.clone()).heads().await?.position;
    // In turns, so that both see the same state of the machine.
    let first = many + FEW;
    world
        .record((0..MORE * 2).map(|n| world::won(first + n, n % 2)))
        .await?;
    sequencer.drain().await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    let reader = LogReader::new(world.pool.clone());
    let events = reader
        .read_positions(begin, u32::try_from(MORE * 2)?)
        .await?;
    let [long, short] = one_by_one(&world, &events).await?;
    report(run, many, &long, &short)?;
    world.close(run).await
}

/// Milliseconds of each event of the two partners.
async fn one_by_one(world: &World, events: &[LogEvent]) -> anyhow::Result<[Vec<f64>; 2]> {
    let mut connection = PgConnection::connect(&world.database.url).await?;
    let mut evaluator = Evaluator::new(world.runner.store().clone(), Arc::new(Timestamp::now));
    let all: Vec<u8> = (0..tierline_eventstore::PARTITIONS).collect();
    evaluator.start(&mut connection, &all).await?;
    let long = format!("{}/{}", world.org, world::partner_id(0)?);
    let mut took = [Vec::new(), Vec::new()];
    for event in events {
        let mut transaction = connection.begin().await?;
        let begin = Instant::now();
        evaluator
            .apply(&mut transaction, std::slice::from_ref(event))
            .await?;
        let milliseconds = begin.elapsed().as_secs_f64() * 1000.0;
        transaction.commit().await?;
        evaluator.committed();
        let partner = usize::from(event.routing_key != long);
        took[partner].push(milliseconds);
    }
    connection.close().await?;
    Ok(took)
}

/// The first event of each partner finds nothing in memory, as after a restart; the others do.
fn report(run: &Run<'_>, many: u64, long: &[f64], short: &[f64]) -> anyhow::Result<()> {
    let (cold_long, warm_long) = long.split_first().context("no events")?;
    let (cold_short, warm_short) = short.split_first().context("no events")?;
    let middle = |values| Spread::of(values).map(|spread| spread.median);
    let warm_long = middle(warm_long).context("too few events")?;
    let warm_short = middle(warm_short).context("too few events")?;
    let sample = |what: &str, facts: u64, value: f64| {
        let what = format!("{what} for a partner with {facts}");
        Sample::new(what, Unit::Milliseconds, value)
    };
    run.report(sample("one more fact", FEW, warm_short));
    run.report(sample("one more fact", many, warm_long));
    let what = format!("one more fact, {many} against {FEW}");
    let times = Sample::new(what, Unit::Times, warm_long / warm_short);
    run.report(times.reach(Target::AtMost(1.5)));
    run.report(sample("the first fact after a restart", FEW, *cold_short));
    run.report(sample("the first fact after a restart", many, *cold_long));
    Ok(())
}
