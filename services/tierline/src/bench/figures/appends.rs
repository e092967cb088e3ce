//! Commands on new aggregates, in process: what group commit makes of concurrent callers.

use tierline_domain::activity::{Deal, DealCommand};
use tierline_eventstore::Runner;
use tokio_util::sync::CancellationToken;

use crate::bench::load::closed_loop;
use crate::bench::raw::SINGLE_ROW;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let limit = run.single_row().await?;
    for (callers, part) in [(32, 1.0), (128, 1.5)] {
        let rate = rate(run, callers, false).await?;
        let what = format!("appends in process, {callers} callers");
        let sample = Sample::new(what, Unit::PerSecond, rate).of(SINGLE_ROW, limit);
        run.report(sample.reach(Target::RatioAtLeast(part)));
    }
    let rate = rate(run, 128, true).await?;
    let what = "appends in process, 128 callers, numbered as they come";
    run.report(Sample::new(what, Unit::PerSecond, rate).of(SINGLE_ROW, limit));
    Ok(())
}

async fn rate(run: &Run<'_>, callers: u32, numbered: bool) -> anyhow::Result<f64> {
    let world = World::open(run).await?;
    let stop = CancellationToken::new();
    let sequencer = world.sequencer().await?;
    let sequencing = numbered.then(|| {
        let stop = stop.clone();
        tokio::spawn(async move { sequencer.run(stop).await })
    });
    let (runner, context) = (world.runner.clone(), world.context());
    let org = world.org.clone();
    let rate = closed_loop(callers, run.plan.window(), move |number| {
        let (runner, context, org) = (runner.clone(), context.clone(), org.clone());
        async move {
            let command = world::register(number)?;
            let stream = tierline_domain::StreamId::new(&org, &command.deal);
            execute(&runner, &context, &stream, command).await
        }
    })
    .await?;
    stop.cancel();
    if let Some(sequencing) = sequencing {
        sequencing.await?;
    }
    world.close(run).await?;
    Ok(rate)
}

async fn execute(
    runner: &Runner,
    context: &tierline_eventstore::CommandContext,
    stream: &tierline_domain::StreamId,
    command: tierline_domain::activity::RegisterDeal,
) -> anyhow::Result<()> {
    let command = DealCommand::Register(Box::new(command));
    let done = runner.execute::<Deal, _>(context, stream, command, |_| Vec::new());
    done.await?;
    Ok(())
}
