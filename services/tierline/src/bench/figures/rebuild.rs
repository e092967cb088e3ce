//! A million events into a new partners table, while the old one serves and goes on: how fast, and
//! how far queries lag behind commands meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use tierline_proto::partner::v1::TagPartnerRequest;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_proto::query::v1::ListPartnersRequest;
use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::projection::{self, EVENTS_EACH, caught_up};
use crate::bench::deals::CONNECTIONS;
use crate::bench::nats::Nats;
use crate::bench::node::Connection;
use crate::bench::process::Installation;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Events.
const EVENTS: u64 = 1_000_000;
/// Partners that are changed in a second meanwhile.
const RATE: u64 = 50;
/// Pause between two looks for a change.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long a change may take to show before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections of a rebuild, as of the command that does it.
const REBUILD_CONNECTIONS: u32 = 4;
/// What serves meanwhile: everything but the evaluator, whose decisions are in the log already.
const TARGETS: &str = "partner,relay,projector,query";
/// Its consumers: the relay and the read models.
const CONSUMERS: usize = 1 + tierline_projector::NAMES.len();

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let partners = run.plan.many(EVENTS) / EVENTS_EACH;
    let nats = Nats::start(run).await?;
    let world = World::open(run).await?;
    projection::prepare(&world, partners).await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    let installation = Installation::new(&world.database.url, Some(nats.settings().url))?;
    let serving = installation.start(TARGETS).await?;
    caught_up(&world, CONSUMERS).await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    run.server.checkpoint().await;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(installation.connect(&serving).await?);
    }
    let done = Arc::new(AtomicBool::new(false));
    let changing = tokio::spawn(change_all(connections, partners, Arc::clone(&done)));
    let rebuilt = rebuild(&world).await;
    done.store(true, Ordering::Relaxed);
    let (events, seconds) = rebuilt?;
    let lags = changing.await.context("a call panicked")??;
    let what = format!(
        "rebuild of the partners table from {} events",
        partners * EVENTS_EACH
    );
    let sample = Sample::new(what, Unit::PerSecond, events as f64 / seconds);
    run.report(sample.reach(Target::AtLeast(25_000.0)));
    report(run, &lags)?;
    serving.kill().await?;
    world.close(run).await?;
    nats.stop().await
}

/// As `tierline rebuild partners` does it. Returns the events of the log and the seconds.
async fn rebuild(world: &World) -> anyhow::Result<(i64, f64)> {
    let url = &world.database.url;
    let pool = tierline_eventstore::connect(url, REBUILD_CONNECTIONS).await?;
    let events: i64 = sqlx::query_scalar("SELECT position FROM sequencer")
        .fetch_one(&pool)
        .await?;
    let begin = Instant::now();
    let never = CancellationToken::new();
    tierline_projector::rebuild(&pool, "partners", &|_| {}, &never).await?;
    let seconds = begin.elapsed().as_secs_f64();
    pool.close().await;
    Ok((events, seconds))
}

/// Changes one partner after the other until `done`, so many in a second. Returns how long each
/// change took until a query showed it, in microseconds.
async fn change_all(
    connections: Vec<Connection>,
    partners: u64,
    done: Arc<AtomicBool>,
) -> anyhow::Result<Vec<u64>> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(RATE)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        ticks.tick().await;
        let connection = connections[usize::try_from(number)? % connections.len()].clone();
        let partner = world::partner_id(world::scattered(number) % partners)?.to_string();
        under_way.spawn(change(connection, partner, format!("round-{number}")));
        number += 1;
    }
    let mut lags = Vec::new();
    while let Some(ended) = under_way.join_next().await {
        lags.push(ended.context("a call panicked")??);
    }
    Ok(lags)
}

async fn change(connection: Connection, partner: String, tag: String) -> anyhow::Result<u64> {
    let request = TagPartnerRequest {
        partner_id: partner.clone(),
        tags: vec![tag.clone()],
        ..TagPartnerRequest::default()
    };
    PartnerServiceClient::new(connection.clone())
        .tag_partner(request)
        .await?;
    let begin = Instant::now();
    // Without a token, which would also wait for the evaluator.
    let request = ListPartnersRequest {
        filter: format!("partner_id = \"{partner}\""),
        page_size: 1,
        ..ListPartnersRequest::default()
    };
    let mut client = PartnerQueryServiceClient::new(connection);
    loop {
        let page = client.list_partners(request.clone()).await?.into_inner();
        let shown = page.partners.first().context("the partner is not shown")?;
        if shown.tags.contains(&tag) {
            return Ok(u64::try_from(begin.elapsed().as_micros())?);
        }
        ensure!(begin.elapsed() < PATIENCE, "the table shows an old state");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn report(run: &Run<'_>, lags: &[u64]) -> anyhow::Result<()> {
    let mut histogram: Histogram<u64> = Histogram::new(3)?;
    for lag in lags {
        histogram.record(*lag)?;
    }
    let sample = |what: &str, quantile| {
        let value = histogram.value_at_quantile(quantile) as f64 / 1000.0;
        let what = format!("partner changed to shown in a query during the rebuild: {what}");
        Sample::new(what, Unit::Milliseconds, value)
    };
    run.report(sample("p50", 0.5));
    run.report(sample("p99", 0.99).reach(Target::AtMost(500.0)));
    run.report(sample("max", 1.0));
    Ok(())
}
