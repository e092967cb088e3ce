//! Callers that are gone without a word, callers that do not read, and a process that leaves.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sqlx::Connection as _;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::activity::v1::{DealRecord, DealRow, DealState, RecordDealsRequest};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use super::{Busy, End, Setting};
use crate::checker::{self, Expect};
use crate::driver::{Load, burst, connection, create, tag};
use crate::proxy::{Proxy, Toxics, Way};
use crate::report::Report;
use crate::sandbox::{Blueprint, READY};
use crate::wait;

/// Callers that stop reading.
const SILENT: usize = 12;
/// Longest time until the server has given up a connection on which nobody answers.
const GIVEN_UP: Duration = Duration::from_secs(75);
/// Memory that they may cost.
const MEMORY: u64 = 96 * 1024 * 1024;
/// Longest time of an orderly end, which has several steps.
const ORDERLY: Duration = Duration::from_secs(20);

/// Row 39: callers in the middle of a stream are cut off, and the server finds out.
pub async fn half_open(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let mut busy = Busy::start(Blueprint::default(), Load::default(), setting).await?;
    let port = busy.sandbox.process("activity")?.grpc;
    let clients = busy.sandbox.clients("alpha")?;
    burst(vec![(clients, create("stream"))]).await;
    let token = busy.sandbox.token("alpha")?;
    let proxy = Proxy::to_port(port).await?;
    let before = (
        connections_to(port)?,
        busy.sandbox.process("activity")?.memory()?,
    );
    let mut streams = JoinSet::new();
    for number in 0..SILENT {
        let client = DealServiceClient::new(connection(proxy.port(), &token)?);
        streams.spawn(talk_without_listening(client, number));
    }
    let all = before.0 + SILENT;
    wait::until(READY, "every caller is connected", async || {
        connections_to(port).is_ok_and(|now| now >= all)
    })
    .await?;
    // Let them fill what there is to fill.
    wait::last(Duration::from_secs(3)).await;
    let cut = Way {
        cut: true,
        ..Way::default()
    };
    proxy.set(Toxics::both(cut));
    report.injected(format!(
        "{SILENT} callers that send and never read are cut off"
    ));
    let took = wait::until(GIVEN_UP, "the server has closed what is dead", async || {
        connections_to(port).is_ok_and(|now| now <= before.0)
    })
    .await?;
    report.checked(format!(
        "the server gave them up after {:.0} s (allowed: {} s)",
        took.as_secs_f64(),
        GIVEN_UP.as_secs()
    ));
    let after = busy.sandbox.process("activity")?.memory()?;
    let grown = after.saturating_sub(before.1) / 1024 / 1024;
    ensure!(
        after.saturating_sub(before.1) < MEMORY,
        "memory grew by {grown} MB"
    );
    report.checked(format!("memory grew by {grown} MB"));
    streams.shutdown().await;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Sends rows for as long as they are taken and reads no answer.
async fn talk_without_listening(
    mut client: DealServiceClient<crate::driver::Connection>,
    number: usize,
) {
    let (sender, receiver) = mpsc::channel(4);
    let answers = client.record_deals(ReceiverStream::new(receiver));
    let send = async {
        for batch in 0_u64.. {
            let rows = (0..200)
                .map(|row| deal(number, batch * 200 + row))
                .collect();
            let request = RecordDealsRequest {
                rows,
                ..Default::default()
            };
            if sender.send(request).await.is_err() {
                return;
            }
        }
    };
    let (answers, ()) = tokio::join!(answers, send);
    drop(answers);
}

fn deal(caller: usize, row: u64) -> DealRow {
    DealRow {
        row: row + 1,
        deal_id: format!("stream-{caller}-{row}"),
        partner_id: "stream".to_owned(),
        record: Some(DealRecord {
            name: format!("Deal {row}"),
            state: DealState::Registered.into(),
            registered_date: "2025-01-15".to_owned(),
            ..Default::default()
        }),
    }
}

/// Established connections to a port of this machine, as the kernel counts them.
fn connections_to(port: u16) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string("/proc/net/tcp").context("/proc/net/tcp")?;
    let end = format!(":{port:04X}");
    let established = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.len() > 3 && fields[1].ends_with(&end) && fields[3] == "01"
    };
    Ok(text.lines().filter(established).count())
}

/// Row 43: every process is asked to end while it has work.
pub async fn shutdown(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    // Nothing is sent again, so that what was accepted and not answered shows.
    let load = Load {
        abandoned_percent: 100,
        ..Load::default()
    };
    let mut busy = Busy::start(Blueprint::default(), load, setting).await?;
    let names = busy.sandbox.names();
    let rounds = setting.rounds(1, 3);
    for name in names.iter().cycle().take(names.len() * rounds as usize) {
        let process = busy.sandbox.process(name)?;
        process.terminate()?;
        let begin = Instant::now();
        wait::until(
            Duration::from_secs(2),
            "it is no longer ready",
            async || !process.readiness().await.0,
        )
        .await?;
        let status = process.ended(ORDERLY).await?;
        ensure!(
            status.success(),
            "{name} ended with {status}: {}",
            process.said()
        );
        report.injected(format!(
            "{name} is asked to end and ends with 0 after {:.1} s (allowed: {} s)",
            begin.elapsed().as_secs_f64(),
            ORDERLY.as_secs()
        ));
        process.start()?;
        process.ready(READY).await?;
        busy.driver.answered(10, Duration::from_secs(20)).await?;
    }
    at_once(&mut busy, report).await?;
    let history = busy.driver.history().clone();
    let sandbox = busy.conclude(Expect::default(), report).await?;
    let silent = checker::carried_out_in_silence(&sandbox, &history.entries()).await?;
    ensure!(
        silent.is_empty(),
        "{} commands were carried out and not answered: {}",
        silent.len(),
        silent.join(", ")
    );
    report.checked("every command that was carried out was answered");
    Ok(End::Passed)
}

/// A second signal does not wait for what cannot end.
async fn at_once(busy: &mut Busy, report: &mut Report) -> anyhow::Result<()> {
    // A process of its own, so that the load does not meet it.
    let mut plan = busy.sandbox.process("front")?.plan.clone();
    plan.name = "stuck".to_owned();
    busy.sandbox.add(plan)?.start()?;
    let stuck = busy.sandbox.process("stuck")?;
    stuck.ready(READY).await?;
    let port = stuck.grpc;
    let mut clients = busy.sandbox.clients("alpha")?;
    clients.front = connection(port, &busy.sandbox.token("alpha")?)?;
    burst(vec![(clients.clone(), create("stuck"))]).await;
    let mut other = busy.sandbox.postgres.connect().await?;
    let mut transaction = other.begin().await?;
    sqlx::query(
        "INSERT INTO receipts (org_id, request_id, request_hash, response)
         VALUES ('alpha', 'stuck', '', '')",
    )
    .execute(&mut *transaction)
    .await?;
    let mut call = tag("stuck", "x");
    call.set_request_id("stuck");
    let waiting = tokio::spawn(async move { clients.send(&call, READY).await });
    wait::until(READY, "a command waits for a lock", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        let found: Result<i64, sqlx::Error> =
            sqlx::query_scalar(sql).fetch_one(&mut *transaction).await;
        found.is_ok_and(|found| found > 0)
    })
    .await?;
    let stuck = busy.sandbox.process("stuck")?;
    stuck.terminate()?;
    wait::until(
        Duration::from_secs(2),
        "it is no longer ready",
        async || !stuck.readiness().await.0,
    )
    .await?;
    let begin = Instant::now();
    stuck.terminate()?;
    let status = stuck.ended(Duration::from_secs(3)).await?;
    report.checked(format!(
        "a second signal ends one that waits after {:.1} s (allowed: 3 s), with {status}",
        begin.elapsed().as_secs_f64()
    ));
    ensure!(
        !status.success(),
        "an end that was cut off is told as a good one"
    );
    transaction.rollback().await?;
    waiting.abort();
    Ok(())
}
