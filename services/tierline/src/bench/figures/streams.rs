//! Commands on long streams, in process: a command must not pay for the length of the past.

use tierline_domain::activity::Deal;
use tierline_domain::{Routing, StreamId};
use tierline_eventstore::AppendItem;

use super::stock::{amend, long};
use crate::bench::load::fixed_work;
use crate::bench::raw::SINGLE_ROW;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Callers.
const CALLERS: u32 = 32;
/// Streams that are used at the same time.
const STREAMS: u64 = 200;
/// Events of a short stream, and of a long one.
const LENGTHS: [u64; 2] = [50, 1_000];
/// Events of all streams, the same for both lengths, so that the tables are equally large.
const EVENTS: u64 = 200_000;
/// Commands of one measurement; short streams take turns, so that they stay short.
const COMMANDS: u64 = 60_000;
/// Events that are appended with one statement while a measurement is prepared.
const PIECE: u64 = 4_000;

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let limit = run.single_row().await?;
    let mut rates = Vec::new();
    for length in LENGTHS {
        let rate = rate(run, length).await?;
        let what = format!("{STREAMS} streams of {length} events in process, {CALLERS} callers");
        let sample = Sample::new(what, Unit::PerSecond, rate).of(SINGLE_ROW, limit);
        run.report(sample.reach(Target::RatioAtLeast(0.5)));
        rates.push(rate);
    }
    let what = format!("streams of {} events against {}", LENGTHS[1], LENGTHS[0]);
    let kept = rates[1] / rates[0];
    run.report(Sample::new(what, Unit::Times, kept).reach(Target::AtLeast(0.9)));
    Ok(())
}

async fn rate(run: &Run<'_>, length: u64) -> anyhow::Result<f64> {
    let world = World::open(run).await?;
    let groups = (run.plan.many(EVENTS) / STREAMS / length).max(1);
    begin(&world, groups * STREAMS, length).await?;
    sqlx::raw_sql("ANALYZE events").execute(&world.pool).await?;
    run.server.checkpoint().await;
    let commands = run.plan.many(COMMANDS) / groups;
    let mut seconds = 0.0;
    for group in 0..groups {
        // Once each, not counted: what is in use is in memory.
        turn(&world, group, STREAMS).await?;
        seconds += turn(&world, group, commands).await?;
    }
    world.close(run).await?;
    Ok((groups * commands) as f64 / seconds)
}

/// Seconds for a number of commands on the streams of a group, each in its turn.
async fn turn(world: &World, group: u64, commands: u64) -> anyhow::Result<f64> {
    let (runner, context) = (world.runner.clone(), world.context());
    let org = world.org.clone();
    fixed_work(CALLERS, commands, move |number| {
        let (runner, context, org) = (runner.clone(), context.clone(), org.clone());
        async move {
            let deal = world::deal_id(group * STREAMS + number % STREAMS)?;
            let stream = StreamId::new(&org, &deal);
            let command = amend(format!("Name {commands} {number}"));
            runner
                .execute::<Deal, _>(&context, &stream, command, |_| Vec::new())
                .await?;
            Ok(())
        }
    })
    .await
}

/// Writes the streams as they were after a long life.
async fn begin(world: &World, streams: u64, length: u64) -> anyhow::Result<()> {
    let metadata = world.context().metadata();
    let mut items = Vec::new();
    for number in 0..streams {
        let events = long(number, length)?;
        let partner = world::partner_id(number % world::PARTNERS)?;
        let stream = world.stream(world::deal_id(number)?);
        let (org, routing) = (world.org.clone(), Routing::Partner(partner));
        items.push(AppendItem::of::<Deal>(
            stream, org, &routing, 0, &events, &metadata,
        )?);
        if items.len() as u64 * length >= PIECE || number + 1 == streams {
            for outcome in world.runner.store().append_many(&items).await {
                outcome?;
            }
            items.clear();
        }
    }
    // What happened long ago was numbered long ago.
    world.sequencer().await?.drain().await?;
    Ok(())
}
