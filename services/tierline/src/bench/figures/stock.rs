//! The libraries as they come, on the same server: what a team would have without Tierline's store.

use std::sync::Arc;

use anyhow::Context;
use tierline_domain::activity::{Deal, DealChanges, DealCommand, DealEvent};
use tierline_eventstore::stock::Stock;
use tokio::sync::Mutex;

use crate::bench::load::closed_loop;
use crate::bench::raw::SINGLE_ROW;
use crate::bench::report::{Sample, Unit};
use crate::bench::run::Run;
use crate::bench::world;

/// Connections, and callers.
const CALLERS: u32 = 32;
/// Streams of the second measurement.
const STREAMS: u64 = 200;
/// Events in each of them at its beginning.
const EVENTS: u64 = 200;

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let limit = run.single_row().await?;
    run.stock_rate().await?;
    let rate = long_streams(run).await?;
    let what = format!("stock cqrs-es, {STREAMS} streams of {EVENTS} events, {CALLERS} callers");
    run.report(Sample::new(what, Unit::PerSecond, rate).of(SINGLE_ROW, limit));
    Ok(())
}

impl Run<'_> {
    /// Commands per second of stock cqrs-es and postgres-es on new aggregates.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn stock_rate(&self) -> anyhow::Result<f64> {
        let rate = self.stock.get_or_try_init(|| async {
            let limit = self.single_row().await?;
            let rate = new_aggregates(self).await?;
            let what = format!("stock cqrs-es, new aggregates, {CALLERS} callers");
            self.report(Sample::new(what, Unit::PerSecond, rate).of(SINGLE_ROW, limit));
            anyhow::Ok(rate)
        });
        rate.await.copied()
    }
}

async fn new_aggregates(run: &Run<'_>) -> anyhow::Result<f64> {
    let database = run.server.database().await?;
    let stock = Arc::new(Stock::<Deal>::connect(&database.url, CALLERS).await?);
    let shared = Arc::clone(&stock);
    let rate = closed_loop(CALLERS, run.plan.window(), move |number| {
        let stock = Arc::clone(&shared);
        async move {
            let command = world::register(number)?;
            let id = format!("{}/{}", world::ORG, command.deal);
            Ok(stock
                .execute(&id, DealCommand::Register(Box::new(command)))
                .await?)
        }
    })
    .await?;
    finish(stock).await?;
    run.server.drop(&database).await?;
    Ok(rate)
}

async fn long_streams(run: &Run<'_>) -> anyhow::Result<f64> {
    let database = run.server.database().await?;
    let stock = Arc::new(Stock::<Deal>::connect(&database.url, CALLERS).await?);
    let events = run.plan.many(EVENTS).max(2);
    for stream in 0..STREAMS {
        let id = format!("{}/{}", world::ORG, world::deal_id(stream)?);
        stock.begin(&id, &long(stream, events)?).await?;
    }
    run.server.checkpoint().await;
    let shared = Arc::clone(&stock);
    // Two commands on one stream at a time would fail one of them: stock cqrs-es does not retry.
    let turns: Arc<[Mutex<()>]> = (0..STREAMS).map(|_| Mutex::new(())).collect();
    let rate = closed_loop(CALLERS, run.plan.window(), move |number| {
        let (stock, turns) = (Arc::clone(&shared), Arc::clone(&turns));
        async move {
            let stream = number % STREAMS;
            let _turn = turns[usize::try_from(stream)?].lock().await;
            let id = format!("{}/{}", world::ORG, world::deal_id(stream)?);
            Ok(stock.execute(&id, amend(format!("Name {number}"))).await?)
        }
    })
    .await?;
    finish(stock).await?;
    run.server.drop(&database).await?;
    Ok(rate)
}

async fn finish(stock: Arc<Stock<Deal>>) -> anyhow::Result<()> {
    let stock = Arc::into_inner(stock).context("a caller is still there")?;
    stock.close().await;
    Ok(())
}

/// A command that always has something to write.
pub fn amend(name: String) -> DealCommand {
    DealCommand::Amend(Box::new(DealChanges {
        name: Some(name),
        ..DealChanges::default()
    }))
}

/// The events of a deal that was corrected again and again.
///
/// # Errors
/// Never for a number of less than ten digits.
pub fn long(number: u64, events: u64) -> anyhow::Result<Vec<DealEvent>> {
    let mut all = vec![DealEvent::DealRegistered {
        deal: world::deal_id(number)?,
        partner: world::partner_id(number % world::PARTNERS)?,
        record: Box::new(world::registered(number)?),
    }];
    all.extend((1..events).map(|turn| DealEvent::DealAmended {
        changes: Box::new(DealChanges {
            name: Some(format!("Turn {turn}")),
            ..DealChanges::default()
        }),
    }));
    Ok(all)
}
