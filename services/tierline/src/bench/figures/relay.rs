//! The log into the streams of JetStream, beside the same messages sent by a client that does
//! nothing else.

use async_nats::jetstream;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream;
use futures::future::try_join_all;
use tierline_bus::cloudevent;
use tierline_eventstore::{LogEvent, LogReader, PARTITIONS};
use uuid::Uuid;

use super::projection;
use crate::bench::nats::Nats;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::World;

/// Partners of the log; see [`projection::EVENTS_EACH`] for the events of each.
const PARTNERS: u64 = 5_000;
/// Messages on the way to one stream at most. More than the relay itself has of a batch of 2,000
/// over 16 partitions.
const ON_THE_WAY: usize = 500;
/// The limit, as the report shows it.
const LIMIT: &str = "pipelined publish";

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let partners = run.plan.many(PARTNERS);
    let world = World::open(run).await?;
    projection::prepare(&world, partners).await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    run.server.checkpoint().await;
    let nats = Nats::start(run).await?;
    let (count, seconds) = publish_raw(&world, &nats).await?;
    let limit = count as f64 / seconds;
    let version = nats.bus.server_version();
    let what = format!("raw: {LIMIT} of equal messages, nats-server {version}");
    run.report(Sample::new(what, Unit::PerSecond, limit));
    let seconds = nats.relay(&world).await?;
    let what = format!("relay: {count} events from the log, nats-server {version}");
    let sample = Sample::new(what, Unit::PerSecond, count as f64 / seconds);
    run.report(sample.of(LIMIT, limit).reach(Target::RatioAtLeast(0.6)));
    nats.stop().await?;
    world.close(run).await
}

/// The same subjects but for their first part, the same headers and bodies, into as many streams of
/// the same kind, all at once, each message acknowledged and nobody waiting for it before sending
/// the next. Returns messages and seconds. Reading and encoding happen before.
async fn publish_raw(world: &World, nats: &Nats) -> anyhow::Result<(usize, f64)> {
    let context = jetstream::context::ContextBuilder::new()
        .max_ack_inflight(ON_THE_WAY * usize::from(PARTITIONS))
        .build(nats.bus.client().clone());
    let mut streams = Vec::new();
    let mut count = 0;
    for partition in 0..PARTITIONS {
        let config = stream::Config {
            name: format!("bench-{partition:02}"),
            subjects: vec![format!("bench.events.{partition:02}.>")],
            storage: stream::StorageType::File,
            ..stream::Config::default()
        };
        context.create_stream(config).await?;
        let messages = messages(world, partition).await?;
        count += messages.len();
        streams.push(messages);
    }
    let begin = std::time::Instant::now();
    try_join_all(
        streams
            .into_iter()
            .map(|messages| publish(&context, messages)),
    )
    .await?;
    let seconds = begin.elapsed().as_secs_f64();
    for partition in 0..PARTITIONS {
        context
            .delete_stream(format!("bench-{partition:02}"))
            .await?;
    }
    Ok((count, seconds))
}

type Message = (String, PublishMessage);

/// Everything of a partition, as the relay sends it.
async fn messages(world: &World, partition: u8) -> anyhow::Result<Vec<Message>> {
    let reader = LogReader::new(world.pool.clone());
    let (mut messages, mut at) = (Vec::new(), 0);
    loop {
        let events = reader.read(&[(partition, at)], 2_000, 2_000).await?;
        let Some(last) = events.last() else {
            return Ok(messages);
        };
        at = last.partition_number;
        messages.extend(events.iter().map(message));
    }
}

fn message(event: &LogEvent) -> Message {
    let (headers, body) = cloudevent::encode(event, Uuid::nil());
    let subject = cloudevent::subject(event).replacen("tl.", "bench.", 1);
    let message = PublishMessage::build().headers(headers).payload(body);
    (subject, message)
}

async fn publish(context: &jetstream::Context, messages: Vec<Message>) -> anyhow::Result<()> {
    let mut on_the_way = std::collections::VecDeque::with_capacity(ON_THE_WAY);
    for (subject, message) in messages {
        if on_the_way.len() >= ON_THE_WAY
            && let Some(first) = on_the_way.pop_front()
        {
            let ack: jetstream::context::PublishAckFuture = first;
            ack.await?;
        }
        on_the_way.push_back(context.send_publish(subject, message).await?);
    }
    for ack in on_the_way {
        ack.await?;
    }
    Ok(())
}
