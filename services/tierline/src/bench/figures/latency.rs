//! From the answer to a won deal until a query shows the tier that it led to, with everything in
//! one process and deals coming at a fixed rate, whether earlier ones were answered or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use rust_decimal::Decimal;
use tierline_domain::activity::RecordDeal;
use tierline_domain::{Currency, Money};
use tierline_proto::activity::v1::WinDealRequest;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::query::v1::GetStandingRequest;
use tierline_proto::query::v1::get_standing_request::Subject;
use tierline_proto::query::v1::standing_query_service_client::StandingQueryServiceClient;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tonic::Request;

use super::projection::caught_up;
use crate::bench::node::{Connection, Running};
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Deals won in a second.
const RATE: u64 = 300;
/// Seconds.
const SECONDS: u64 = 20;
/// Seconds before that, which do not count.
const WARM_UP: u64 = 2;
/// Connections that the calls are spread over.
const CONNECTIONS: usize = 4;
/// Consumers of a whole process: the evaluator and the read models.
const CONSUMERS: usize = 1 + tierline_projector::NAMES.len();

/// What one deal took, in microseconds.
struct Took {
    command: u64,
    visible: u64,
    /// The tier that the query showed.
    tier: String,
}

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let seconds = if run.plan.quick { 1 } else { SECONDS };
    let deals = RATE * (WARM_UP + seconds);
    let world = World::open(run).await?;
    world.found().await?;
    world.partners(deals).await?;
    world.enrollments(deals).await?;
    world.record((0..deals).map(open_deal)).await?;
    let running = Running::start(&world.database, "all").await?;
    caught_up(&world, CONSUMERS).await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    run.server.checkpoint().await;
    let took = win_all(&running, deals).await?;
    report(run, &took[usize::try_from(RATE * WARM_UP)?..])?;
    running.stop().await;
    world.close(run).await
}

/// An open deal that lifts its partner into silver when it is won.
fn open_deal(number: u64) -> anyhow::Result<RecordDeal> {
    let mut record = world::registered(number)?;
    record.amount = Some(Money::new(Decimal::from(250_000), Currency::USD));
    Ok(RecordDeal {
        deal: world::deal_id(number)?,
        partner: world::partner_id(number)?,
        record,
    })
}

async fn win_all(running: &Running, deals: u64) -> anyhow::Result<Vec<Took>> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(running.connect().await?);
    }
    let closed: Arc<str> = world::counted_day()?.to_string().into();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(RATE)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    let mut took = Vec::new();
    for number in 0..deals {
        ticks.tick().await;
        let connection = connections[usize::try_from(number)? % CONNECTIONS].clone();
        let closed = Arc::clone(&closed);
        under_way.spawn(async move { Ok((number, win(connection, number, &closed).await?)) });
    }
    while let Some(ended) = under_way.join_next().await {
        let ended: anyhow::Result<(u64, Took)> = ended.context("a call panicked")?;
        took.push(ended?);
    }
    took.sort_by_key(|(number, _)| *number);
    Ok(took.into_iter().map(|(_, took)| took).collect())
}

async fn win(connection: Connection, number: u64, closed: &str) -> anyhow::Result<Took> {
    let mut deals = DealServiceClient::new(connection.clone());
    let mut standings = StandingQueryServiceClient::new(connection);
    let request = WinDealRequest {
        deal_id: world::deal_id(number)?.to_string(),
        closed_date: closed.to_owned(),
        ..WinDealRequest::default()
    };
    let begin = Instant::now();
    let answer = deals.win_deal(Request::new(request)).await?.into_inner();
    let answered = Instant::now();
    let request = GetStandingRequest {
        subject: Some(Subject::EnrollmentId(
            world::enrollment_id(number)?.to_string(),
        )),
        consistency_token: answer.consistency_token,
        ..GetStandingRequest::default()
    };
    let found = standings.get_standing(Request::new(request)).await?;
    let visible = answered.elapsed();
    let standing = found.into_inner().standings.into_iter().next();
    Ok(Took {
        command: u64::try_from((answered - begin).as_micros())?,
        visible: u64::try_from(visible.as_micros())?,
        tier: standing.context("no standing was found")?.tier_id,
    })
}

fn report(run: &Run<'_>, took: &[Took]) -> anyhow::Result<()> {
    ensure!(!took.is_empty(), "nothing was measured");
    let mut visible: Histogram<u64> = Histogram::new(3)?;
    let mut command: Histogram<u64> = Histogram::new(3)?;
    for one in took {
        visible.record(one.visible)?;
        command.record(one.command)?;
    }
    let wrong = took.iter().filter(|one| one.tier != "silver").count();
    let at = |histogram: &Histogram<u64>, quantile| {
        histogram.value_at_quantile(quantile) as f64 / 1000.0
    };
    let sample = |what: &str, value| {
        let what = format!("{what}, {RATE} deals/s");
        Sample::new(what, Unit::Milliseconds, value)
    };
    run.report(sample(
        "deal won to tier in a query: p50",
        at(&visible, 0.5),
    ));
    let p99 = sample("deal won to tier in a query: p99", at(&visible, 0.99));
    run.report(p99.reach(Target::AtMost(100.0)));
    run.report(sample(
        "deal won to tier in a query: max",
        at(&visible, 1.0),
    ));
    run.report(sample("WinDeal answered: p50", at(&command, 0.5)));
    run.report(sample("WinDeal answered: p99", at(&command, 0.99)));
    let what = "queries that showed an old tier in spite of the token";
    run.report(Sample::new(what, Unit::Count, wrong as f64).reach(Target::Zero));
    Ok(())
}
