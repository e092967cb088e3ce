//! Deals that are won at a fixed rate, whether earlier ones were answered or not, and how long
//! each takes until a query shows the tier that it led to.

use std::ops::Range;
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

use super::node::Connection;
use super::report::{Sample, Target, Unit};
use super::run::Run;
use super::world::{self, World};

/// Connections that the calls are spread over.
pub const CONNECTIONS: usize = 4;

/// Whom to call: connections to the service of deals, and to that of standings.
pub struct Front {
    /// Where deals are won.
    pub deals: Vec<Connection>,
    /// Where standings are asked for.
    pub standings: Vec<Connection>,
}

/// What one deal took, in microseconds.
pub struct Took {
    command: u64,
    visible: u64,
    /// The tier that the query showed.
    tier: String,
}

/// Partners 0 to `deals` - 1 in their lowest tier, each with an open deal of the same number that
/// lifts it into silver when it is won.
///
/// # Errors
/// When a command fails.
pub async fn prepare(world: &World, deals: u64) -> anyhow::Result<()> {
    world.found().await?;
    world.partners(deals).await?;
    world.enrollments(deals).await?;
    world.record((0..deals).map(open_deal)).await
}

fn open_deal(number: u64) -> anyhow::Result<RecordDeal> {
    let mut record = world::registered(number)?;
    record.amount = Some(Money::new(Decimal::from(250_000), Currency::USD));
    Ok(RecordDeal {
        deal: world::deal_id(number)?,
        partner: world::partner_id(number)?,
        record,
    })
}

/// Wins these deals, `rate` in a second, and asks for the standing that each led to.
///
/// # Errors
/// The first call that fails.
pub async fn win_all(front: &Front, deals: Range<u64>, rate: u64) -> anyhow::Result<Vec<Took>> {
    let one_after_the_other = |number: u64, connection: &Front| -> anyhow::Result<_> {
        let at = usize::try_from(number)?;
        let deals = connection.deals[at % connection.deals.len()].clone();
        let standings = connection.standings[at % connection.standings.len()].clone();
        Ok((deals, standings))
    };
    let closed: Arc<str> = world::counted_day()?.to_string().into();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    let mut took = Vec::new();
    for number in deals {
        ticks.tick().await;
        let (deals, standings) = one_after_the_other(number, front)?;
        let closed = Arc::clone(&closed);
        under_way.spawn(async move {
            let (token, command) = win(deals, number, &closed).await?;
            let (tier, visible) = standing(standings, number, token).await?;
            Ok((
                number,
                Took {
                    command,
                    visible,
                    tier,
                },
            ))
        });
    }
    while let Some(ended) = under_way.join_next().await {
        let ended: anyhow::Result<(u64, Took)> = ended.context("a call panicked")?;
        took.push(ended?);
    }
    took.sort_by_key(|(number, _)| *number);
    Ok(took.into_iter().map(|(_, took)| took).collect())
}

/// Wins a deal. Returns the consistency token and how long it took, in microseconds.
///
/// # Errors
/// When the call fails.
pub async fn win(
    connection: Connection,
    number: u64,
    closed: &str,
) -> anyhow::Result<(String, u64)> {
    let request = WinDealRequest {
        deal_id: world::deal_id(number)?.to_string(),
        closed_date: closed.to_owned(),
        ..WinDealRequest::default()
    };
    let begin = Instant::now();
    let answer = DealServiceClient::new(connection)
        .win_deal(Request::new(request))
        .await?;
    let took = u64::try_from(begin.elapsed().as_micros())?;
    Ok((answer.into_inner().consistency_token, took))
}

async fn standing(
    connection: Connection,
    number: u64,
    consistency_token: String,
) -> anyhow::Result<(String, u64)> {
    let request = GetStandingRequest {
        subject: Some(Subject::EnrollmentId(
            world::enrollment_id(number)?.to_string(),
        )),
        consistency_token,
        ..GetStandingRequest::default()
    };
    let begin = Instant::now();
    let found = StandingQueryServiceClient::new(connection)
        .get_standing(Request::new(request))
        .await?;
    let took = u64::try_from(begin.elapsed().as_micros())?;
    let standing = found.into_inner().standings.into_iter().next();
    Ok((standing.context("no standing was found")?.tier_id, took))
}

/// Tells how long they took; `place` says where, and `most` what 99 of 100 have to stay below, in
/// milliseconds.
///
/// # Errors
/// When nothing was measured.
pub fn report(run: &Run<'_>, took: &[Took], place: &str, most: f64) -> anyhow::Result<()> {
    ensure!(!took.is_empty(), "nothing was measured");
    let mut visible: Histogram<u64> = Histogram::new(3)?;
    let mut command: Histogram<u64> = Histogram::new(3)?;
    for one in took {
        visible.record(one.visible)?;
        command.record(one.command)?;
    }
    let wrong = took.iter().filter(|one| one.tier != "silver").count();
    let sample = |what: &str, histogram: &Histogram<u64>, quantile| {
        let value = histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Sample::new(format!("{what}, {place}"), Unit::Milliseconds, value)
    };
    let shown = "deal won to tier in a query";
    run.report(sample(&format!("{shown}: p50"), &visible, 0.5));
    let p99 = sample(&format!("{shown}: p99"), &visible, 0.99);
    run.report(p99.reach(Target::AtMost(most)));
    run.report(sample(&format!("{shown}: max"), &visible, 1.0));
    run.report(sample("WinDeal answered: p50", &command, 0.5));
    run.report(sample("WinDeal answered: p99", &command, 0.99));
    let what = format!("queries that showed an old tier in spite of the token, {place}");
    run.report(Sample::new(what, Unit::Count, wrong as f64).reach(Target::Zero));
    Ok(())
}
