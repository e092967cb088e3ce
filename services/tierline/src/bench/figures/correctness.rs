//! Rows lost or doubled: writers that hold their commits back, roll back, and race with ordinary
//! commands and with two sequencers, while a reader follows the log. Then every row is counted.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection};
use tierline_domain::Routing;
use tierline_domain::activity::{Deal, DealCommand};
use tierline_eventstore::{AppendItem, LogReader, append_in};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::stock::long;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Writers: half hold a transaction open, half run commands.
const WRITERS: u64 = 32;
/// Transactions of each writer.
const TURNS: u64 = 100;
/// Longest time that a commit is held back, in milliseconds.
const HELD: u64 = 40;
/// Events of one transaction of a writer that holds its commit back.
const EVENTS: u64 = 3;
/// How long the last numbers may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let world = Arc::new(World::open(run).await?);
    let stop = CancellationToken::new();
    let mut helpers = JoinSet::new();
    for _ in 0..2 {
        let (sequencer, stop) = (world.sequencer().await?, stop.clone());
        helpers.spawn(async move { sequencer.run(stop).await });
    }
    let (reader, done) = (world.clone(), stop.clone());
    let following = tokio::spawn(async move { follow(&reader, &done).await });
    let committed = write(&world, run.plan.many(TURNS)).await?;
    world
        .until_zero(
            "SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT 1) o",
            PATIENCE,
        )
        .await?;
    stop.cancel();
    while helpers.join_next().await.is_some() {}
    let seen = following.await.context("the reader panicked")??;
    let wrong = count(&world, &committed, &seen).await?;
    let what = format!("rows lost or doubled, {WRITERS} writers with delayed commits");
    run.report(Sample::new(what, Unit::Count, wrong as f64).reach(Target::Zero));
    let rows: u64 = committed.values().sum();
    let what = "rows that were committed meanwhile";
    run.report(Sample::new(what, Unit::Count, rows as f64));
    let world = Arc::into_inner(world).context("somebody still holds the database")?;
    world.close(run).await
}

/// Runs all writers; gives the number of committed events of every stream.
async fn write(world: &Arc<World>, turns: u64) -> anyhow::Result<HashMap<String, u64>> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let world = Arc::clone(world);
        writers.spawn(async move {
            if writer % 2 == 0 {
                hold(&world, writer, turns).await
            } else {
                command(&world, writer, turns).await
            }
        });
    }
    let mut committed = HashMap::new();
    while let Some(ended) = writers.join_next().await {
        committed.extend(ended.context("a writer panicked")??);
    }
    Ok(committed)
}

/// Appends in transactions that stay open for a while; every seventh is rolled back.
async fn hold(world: &World, writer: u64, turns: u64) -> anyhow::Result<HashMap<String, u64>> {
    let mut connection = PgConnection::connect(&world.database.url).await?;
    let metadata = world.context().metadata();
    let mut committed = HashMap::new();
    for turn in 0..turns {
        let number = writer * turns + turn;
        let stream = world.stream(world::deal_id(number)?);
        let routing = Routing::Partner(world::partner_id(number % world::PARTNERS)?);
        let (org, events) = (world.org.clone(), long(number, EVENTS)?);
        let item = AppendItem::of::<Deal>(stream.clone(), org, &routing, 0, &events, &metadata)?;
        let mut transaction = connection.begin().await?;
        append_in(&mut transaction, &[item]).await?;
        tokio::time::sleep(Duration::from_millis(world::scattered(number) % HELD)).await;
        if turn % 7 == 6 {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
            world.runner.store().wake();
            committed.insert(stream.as_str().to_owned(), EVENTS);
        }
    }
    connection.close().await?;
    Ok(committed)
}

/// Runs ordinary commands.
async fn command(world: &World, writer: u64, turns: u64) -> anyhow::Result<HashMap<String, u64>> {
    let context = world.context();
    let mut committed = HashMap::new();
    for turn in 0..turns {
        let command = world::register(writer * turns + turn)?;
        let stream = world.stream(&command.deal);
        let command = DealCommand::Register(Box::new(command));
        world
            .runner
            .execute::<Deal, _>(&context, &stream, command, |_| Vec::new())
            .await?;
        committed.insert(stream.as_str().to_owned(), 1);
    }
    Ok(committed)
}

/// What a reader is given that follows the log from its beginning: streams and versions.
async fn follow(world: &World, stop: &CancellationToken) -> anyhow::Result<Vec<(String, i64)>> {
    let reader = LogReader::new(world.pool.clone());
    let (mut seen, mut position) = (Vec::new(), 0);
    loop {
        // Asked before the read: what is there at the end is read once more.
        let last = stop.is_cancelled();
        let events = reader.read_positions(position, 500).await?;
        for event in &events {
            position += 1;
            ensure!(
                event.position == position,
                "the log has a hole at {position}"
            );
            seen.push((event.aggregate_id.clone(), event.sequence));
        }
        if events.is_empty() {
            if last {
                return Ok(seen);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Differences between what was committed, what the log has and what the reader saw.
async fn count(
    world: &World,
    committed: &HashMap<String, u64>,
    seen: &[(String, i64)],
) -> anyhow::Result<u64> {
    let expected: BTreeSet<(String, i64)> = committed
        .iter()
        .flat_map(|(stream, events)| {
            let last = i64::try_from(*events).unwrap_or(i64::MAX);
            (1..=last).map(|sequence| (stream.clone(), sequence))
        })
        .collect();
    let unique: BTreeSet<(String, i64)> = seen.iter().cloned().collect();
    let doubled = seen.len() - unique.len();
    let lost_or_made_up = expected.symmetric_difference(&unique).count();
    // The order inside every stream, and the numbers inside every partition.
    let mut last: HashMap<&str, i64> = HashMap::new();
    let mut out_of_order = 0;
    for (stream, sequence) in seen {
        let before = last.insert(stream, *sequence).unwrap_or_default();
        out_of_order += u64::from(before + 1 != *sequence);
    }
    let holes: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(last - rows), 0)::bigint FROM (
             SELECT max(partition_number) AS last, count(*) AS rows FROM log GROUP BY partition) p",
    )
    .fetch_one(&world.pool)
    .await?;
    Ok(u64::try_from(doubled + lost_or_made_up)? + out_of_order + u64::try_from(holes)?)
}
