//! Commands over gRPC, client and server on the same processors.

use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::activity::v1::{Customer, DealSource, RegisterDealRequest};
use tierline_proto::common::v1::Money;
use tonic::Request;
use uuid::Uuid;

use crate::bench::load::closed_loop;
use crate::bench::node::{Connection, Running};
use crate::bench::raw::SINGLE_ROW;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Connections that the calls are spread over.
const CONNECTIONS: usize = 4;
/// The parts of a process that takes commands.
const COMMANDS: &str = "program,partner,enrollment,activity";

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let limit = run.single_row().await?;
    let stock = run.stock_rate().await?;
    for (calls, part) in [(32, 0.35), (128, 0.6)] {
        let rate = rate(run, calls, COMMANDS, false).await?;
        let what = format!("RegisterDeal over gRPC, {calls} in flight");
        let sample = Sample::new(what, Unit::PerSecond, rate).of(SINGLE_ROW, limit);
        run.report(sample.reach(Target::RatioAtLeast(part)));
        let what = format!("RegisterDeal over gRPC, {calls} in flight, against stock");
        let sample = Sample::new(what, Unit::PerSecond, rate).of("stock cqrs-es", stock);
        run.report(sample.reach(Target::RatioAtLeast(1.5)));
    }
    let rate_with_ids = rate(run, 128, COMMANDS, true).await?;
    let what = "RegisterDeal over gRPC, 128 in flight, each with a request id";
    run.report(Sample::new(what, Unit::PerSecond, rate_with_ids).of(SINGLE_ROW, limit));
    let rate_of_all = rate(run, 128, "all", false).await?;
    let what = "RegisterDeal over gRPC, 128 in flight, everything in one process";
    run.report(Sample::new(what, Unit::PerSecond, rate_of_all).of(SINGLE_ROW, limit));
    Ok(())
}

async fn rate(run: &Run<'_>, calls: u32, targets: &str, ids: bool) -> anyhow::Result<f64> {
    let world = World::open(run).await?;
    world.found().await?;
    world.partners(world::PARTNERS).await?;
    let running = Running::start(&world.database, targets, None).await?;
    let mut clients: Vec<DealServiceClient<Connection>> = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(DealServiceClient::new(running.connect().await?));
    }
    let rate = closed_loop(calls, run.plan.window(), move |number| {
        let client = usize::try_from(number).unwrap_or_default() % clients.len();
        let mut client = clients[client].clone();
        async move {
            let mut request = register(number)?;
            if ids {
                request.request_id = Uuid::new_v4().to_string();
            }
            client.register_deal(Request::new(request)).await?;
            Ok(())
        }
    })
    .await?;
    running.stop().await;
    world.close(run).await?;
    Ok(rate)
}

/// The same deal as the runner registers in process.
pub fn register(number: u64) -> anyhow::Result<RegisterDealRequest> {
    let deal = world::register(number)?;
    Ok(RegisterDealRequest {
        deal_id: deal.deal.to_string(),
        partner_id: deal.partner.to_string(),
        name: deal.name,
        customer: deal.customer.map(|customer| Customer {
            name: customer.name,
            domain: customer.domain.unwrap_or_default(),
        }),
        amount: deal.amount.map(|amount| Money {
            amount: amount.amount.to_string(),
            currency_code: amount.currency.to_string(),
        }),
        product_lines: deal.product_lines,
        region: deal.region.unwrap_or_default(),
        source: DealSource::PartnerSourced.into(),
        registered_date: deal.registered_date.to_string(),
        ..RegisterDealRequest::default()
    })
}
