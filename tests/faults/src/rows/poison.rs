//! An event that no consumer can read.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sqlx::Row as _;
use tierline_eventstore::{event_id, leaf_hash, partition_of, routing_hash};
use tierline_proto::query::v1::operations_service_client::OperationsServiceClient;
use tierline_proto::query::v1::{RetryParkedRequest, SkipParkedRequest};
use tokio::time::Instant;

use super::crash::took_over;
use super::{Busy, End, Setting};
use crate::checker::Expect;
use crate::driver::{Entry, Load, Outcome, burst, create, register};
use crate::report::Report;
use crate::sandbox::{Blueprint, Sandbox};
use crate::wait;

/// The org of the partner.
const ORG: &str = "alpha";
/// The partner.
const PARTNER: &str = "poisoned";
/// Its deal whose stream gets the event.
const DEAL: &str = "senseless";
/// Longest time until everybody has set the event aside, or has gone on.
const SOON: Duration = Duration::from_secs(20);

/// An event that is set aside: consumer, partition, number, error.
type Parked = (String, i16, i64, String);

/// Row 33: it is set aside with everything later of the same partner; everybody else goes on.
pub async fn event(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let busy = Busy::start(Blueprint::default(), Load::default(), setting).await?;
    let clients = busy.sandbox.clients(ORG)?;
    for call in [create(PARTNER), register(DEAL, PARTNER)] {
        done(burst(vec![(clients.clone(), call)]).await)?;
    }
    poison(&busy.sandbox).await?;
    report.injected("an event without sense is written into the stream of a deal");
    let consumers: i64 = {
        let mut connection = busy.sandbox.postgres.connect().await?;
        let sql = "SELECT count(*) FROM bus.parked WHERE error <> ''";
        let (count, _) = wait::until_some(SOON, "it is set aside", async || {
            let found: i64 = sqlx::query_scalar(sql)
                .fetch_one(&mut connection)
                .await
                .unwrap_or_default();
            (found > 0).then_some(found)
        })
        .await?;
        count
    };
    let begin = Instant::now();
    busy.driver.answered(60, Duration::from_secs(20)).await?;
    let calls = ["late-1", "late-2", "late-3"].map(|deal| register(deal, PARTNER));
    for call in calls {
        done(burst(vec![(clients.clone(), call)]).await)?;
    }
    took_over(&busy.sandbox).await?;
    report.checked(format!(
        "{consumers} consumers set it aside, and the others flow ({:.1} s)",
        begin.elapsed().as_secs_f64()
    ));
    let waiting = parked(&busy.sandbox).await?;
    let behind = waiting
        .iter()
        .filter(|(.., error)| error.is_empty())
        .count();
    ensure!(behind > 0, "nothing waits behind it: {waiting:?}");
    report.checked(format!(
        "{behind} later events of the partner wait behind it, in order"
    ));
    retry(&busy.sandbox, &waiting, report).await?;
    skip(&busy.sandbox, report).await?;
    let expect = Expect {
        parked: true,
        refusals: false,
        ..Expect::default()
    };
    busy.conclude(expect, report).await?;
    Ok(End::Passed)
}

fn done(entries: Vec<Entry>) -> anyhow::Result<()> {
    for entry in entries {
        let fine = matches!(entry.outcome, Outcome::Done(_));
        ensure!(fine, "{}: {:?}", entry.call.name(), entry.outcome);
    }
    Ok(())
}

/// Appends an event as the store would, but for its content.
async fn poison(sandbox: &Sandbox) -> anyhow::Result<()> {
    let stream = format!("{ORG}/{DEAL}");
    let key = format!("{ORG}/{PARTNER}");
    let (kind, version, payload) = (
        "tierline.activity.v1.DealApproved",
        "1.0",
        "{\"no\":\"sense\"}",
    );
    let mut connection = sandbox.postgres.connect().await?;
    let next: i64 = sqlx::query_scalar(
        "SELECT max(sequence) + 1 FROM events
         WHERE aggregate_type = 'Deal' AND aggregate_id = $1",
    )
    .bind(&stream)
    .fetch_one(&mut connection)
    .await
    .context("the deal is not there")?;
    let id = event_id("Deal", &stream, next);
    let hash = leaf_hash(id, kind, version, payload, "{}");
    sqlx::query(
        "WITH e AS (INSERT INTO events (aggregate_type, aggregate_id, sequence, org_id, event_id,
                 event_type, event_version, payload, metadata, routing_key)
             VALUES ('Deal', $1, $2, $3, $4, $5, $6, $7::json, '{}', $8))
         INSERT INTO outbox (aggregate_type, aggregate_id, sequence, org_id, event_id,
             routing_hash, partition, leaf_hash)
         VALUES ('Deal', $1, $2, $3, $4, $9, $10, $11)",
    )
    .bind(&stream)
    .bind(next)
    .bind(ORG)
    .bind(id)
    .bind(kind)
    .bind(version)
    .bind(payload)
    .bind(&key)
    .bind(routing_hash(&key))
    .bind(i16::from(partition_of(&key)))
    .bind(&hash[..])
    .execute(&mut connection)
    .await?;
    Ok(())
}

async fn parked(sandbox: &Sandbox) -> anyhow::Result<Vec<Parked>> {
    let mut connection = sandbox.postgres.connect().await?;
    let rows = sqlx::query(
        "SELECT consumer || '-v' || version, partition, partition_number, error
         FROM bus.parked
         WHERE routing_key = $1 ORDER BY 1, 2, 3",
    )
    .bind(format!("{ORG}/{PARTNER}"))
    .fetch_all(&mut connection)
    .await?;
    let one = |row: &sqlx::postgres::PgRow| -> Result<Parked, sqlx::Error> {
        Ok((
            row.try_get(0)?,
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get(3)?,
        ))
    };
    Ok(rows.iter().map(one).collect::<Result<_, _>>()?)
}

/// Trying again without having mended anything sets the same aside again.
async fn retry(sandbox: &Sandbox, before: &[Parked], report: &mut Report) -> anyhow::Result<()> {
    let mut operations = OperationsServiceClient::new(sandbox.clients(ORG)?.query);
    let (consumer, ..) = before.first().context("nothing is set aside")?;
    let request = RetryParkedRequest {
        consumer: consumer.clone(),
        routing_key: format!("{ORG}/{PARTNER}"),
    };
    let asked = operations.retry_parked(request).await?.into_inner();
    ensure!(asked.released_events > 0, "nothing was released");
    let mut connection = sandbox.postgres.connect().await?;
    wait::until(SOON, "the attempt is over", async || {
        let sql = "SELECT count(*) FROM bus.parked WHERE retry";
        let open: Result<i64, sqlx::Error> =
            sqlx::query_scalar(sql).fetch_one(&mut connection).await;
        open.is_ok_and(|open| open == 0)
    })
    .await?;
    let after = parked(sandbox).await?;
    let places = |list: &[Parked]| -> Vec<(String, i16, i64)> {
        list.iter()
            .map(|(c, p, n, _)| (c.clone(), *p, *n))
            .collect()
    };
    ensure!(
        places(&after) == places(before),
        "an attempt that fails changed what waits: {before:?}, then {after:?}"
    );
    report.checked(format!(
        "{consumer} tried it again, failed, and everything waits as before"
    ));
    Ok(())
}

/// Giving the event up lets the later ones through.
async fn skip(sandbox: &Sandbox, report: &mut Report) -> anyhow::Result<()> {
    let mut operations = OperationsServiceClient::new(sandbox.clients(ORG)?.query);
    let mut given_up = 0;
    for (consumer, partition, number, error) in parked(sandbox).await? {
        if error.is_empty() {
            continue;
        }
        let request = SkipParkedRequest {
            consumer,
            partition: u32::try_from(partition)?,
            number: u64::try_from(number)?,
            reason: "it makes no sense".to_owned(),
        };
        operations.skip_parked(request).await?;
        given_up += 1;
    }
    wait::until(SOON, "what waited behind it is applied", async || {
        parked(sandbox).await.is_ok_and(|left| left.is_empty())
    })
    .await?;
    report.checked(format!(
        "{given_up} consumers gave it up, and what waited was applied"
    ));
    Ok(())
}
