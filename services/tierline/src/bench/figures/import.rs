//! Bulk import over the real stream, from its first row to the last event that has its number.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::activity::v1::{self as pb, RecordDealsRequest};
use tierline_proto::common::v1::{Money, RowOutcome};
use tonic::Request;

use crate::bench::node::{Connection, Running};
use crate::bench::raw::MANY_ROWS;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Rows of the import.
pub const ROWS: u64 = 100_000;
/// Rows of one message.
const BATCH: u64 = 1_000;
/// How long the last events may take to be numbered.
const PATIENCE: Duration = Duration::from_secs(120);

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let limit = run.many_rows().await?;
    let rows = run.plan.many(ROWS);
    let what = format!("bulk import of {rows} deals over gRPC, until numbered");
    let rate = import_once(run, rows, true, "program,partner,enrollment,activity,relay").await?;
    let sample = Sample::new(what.clone(), Unit::PerSecond, rate).of(MANY_ROWS, limit);
    run.report(sample.reach(Target::RatioAtLeast(0.35)));
    let rate = import_once(
        run,
        rows,
        false,
        "program,partner,enrollment,activity,relay",
    )
    .await?;
    let sample = Sample::new(format!("{what}, no external ids"), Unit::PerSecond, rate);
    run.report(sample.of(MANY_ROWS, limit));
    let rate = import_once(run, rows, true, "all").await?;
    let sample = Sample::new(
        format!("{what}, everything in one process"),
        Unit::PerSecond,
        rate,
    );
    run.report(sample.of(MANY_ROWS, limit));
    Ok(())
}

async fn import_once(
    run: &Run<'_>,
    rows: u64,
    external_ids: bool,
    targets: &str,
) -> anyhow::Result<f64> {
    let world = World::open(run).await?;
    world.found().await?;
    world.partners(world::PARTNERS).await?;
    let running = Running::start(&world.database, targets, None).await?;
    let connection = running.connect().await?;
    // What a file holds was read before; reading files is not what is measured.
    let batches = batches(rows, external_ids)?;
    run.server.checkpoint().await;
    let begin = Instant::now();
    send(connection, batches, rows).await?;
    world
        .until_zero(
            "SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT 1) o",
            PATIENCE,
        )
        .await?;
    let seconds = begin.elapsed().as_secs_f64();
    let deals = "SELECT count(*) FROM log WHERE aggregate_type = 'Deal'";
    let numbered: i64 = sqlx::query_scalar(deals).fetch_one(&world.pool).await?;
    ensure!(
        u64::try_from(numbered)? == rows,
        "{numbered} of {rows} deals are numbered"
    );
    running.stop().await;
    world.close(run).await?;
    Ok(rows as f64 / seconds)
}

/// Sends all batches on one stream and reads all answers.
pub async fn send(
    connection: Connection,
    batches: Vec<RecordDealsRequest>,
    rows: u64,
) -> anyhow::Result<()> {
    let mut client = DealServiceClient::new(connection);
    let requests = tokio_stream::iter(batches);
    let mut answers = client
        .record_deals(Request::new(requests))
        .await?
        .into_inner();
    let mut created = 0;
    while let Some(answer) = answers.message().await? {
        for result in answer.results {
            ensure!(
                result.outcome() == RowOutcome::Created,
                "row {} was not created: {:?}",
                result.row,
                result.error
            );
            created += 1;
        }
    }
    ensure!(created == rows, "{created} of {rows} rows were answered");
    Ok(())
}

/// All rows of an import, as the messages that carry them.
pub fn batches(rows: u64, external_ids: bool) -> anyhow::Result<Vec<RecordDealsRequest>> {
    let mut batches = Vec::new();
    for first in (0..rows).step_by(usize::try_from(BATCH)?) {
        let numbers = first..(first + BATCH).min(rows);
        batches.push(RecordDealsRequest {
            rows: numbers
                .map(|n| row(n, external_ids))
                .collect::<Result<_, _>>()?,
            ..RecordDealsRequest::default()
        });
    }
    Ok(batches)
}

fn row(number: u64, external_id: bool) -> anyhow::Result<pb::DealRow> {
    let deal = world::won(number, number % world::PARTNERS)?;
    let closed = deal.record.closed_date.context("a won deal has a date")?;
    let amount = deal.record.amount.context("the deal has an amount")?;
    Ok(pb::DealRow {
        row: number,
        deal_id: deal.deal.to_string(),
        partner_id: deal.partner.to_string(),
        record: Some(pb::DealRecord {
            external_id: if external_id {
                format!("SO{number:07}")
            } else {
                String::new()
            },
            name: deal.record.name,
            state: pb::DealState::Won.into(),
            amount: Some(Money {
                amount: amount.amount.to_string(),
                currency_code: amount.currency.to_string(),
            }),
            product_lines: deal.record.product_lines,
            source: pb::DealSource::PartnerSourced.into(),
            closed_date: closed.to_string(),
            ..pb::DealRecord::default()
        }),
    })
}
