//! PostgreSQL goes away and comes back.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tierline_proto::partner::v1::GetPartnerRequest;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_proto::query::v1::ListPartnersRequest;
use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tokio::process::Command;
use tokio::time::Instant;

use super::{Busy, End, Setting};
use crate::checker::Expect;
use crate::driver::{Call, Load, Outcome};
use crate::report::Report;
use crate::sandbox::Blueprint;
use crate::sandbox::postgres::Options;
use crate::wait;

/// Connections that all processes together may try to make in a second while nobody answers.
const MOST_ATTEMPTS: f64 = 100.0;

/// Row 6: an orderly restart that ends every session.
pub async fn restart(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let rounds = setting.rounds(1, 3);
    let blueprint = Blueprint::default().through_proxy();
    let mut busy = Busy::start(blueprint, Load::default(), setting).await?;
    for round in 1..=rounds {
        let begin = Instant::now();
        busy.sandbox.postgres.stop_fast().await?;
        report.injected(format!("round {round}: PostgreSQL is stopped fast for 3 s"));
        let before = busy
            .sandbox
            .proxy
            .as_ref()
            .map_or(0, |proxy| proxy.accepted());
        let down = Duration::from_secs(3);
        wait::last(down).await;
        let after = busy
            .sandbox
            .proxy
            .as_ref()
            .map_or(0, |proxy| proxy.accepted());
        let rate = (after - before) as f64 / down.as_secs_f64();
        ensure!(
            rate <= MOST_ATTEMPTS,
            "{rate:.0} connections a second were tried while nobody answered"
        );
        report.checked(format!(
            "{rate:.0} connections a second were tried meanwhile (allowed: {MOST_ATTEMPTS})"
        ));
        busy.sandbox.postgres.start().await?;
        busy.back("the database is back", report).await?;
        let silence = busy.driver.history().longest_silence(begin, |_| true);
        report.noted(format!("no answer for {:.1} s", silence.as_secs_f64()));
    }
    let said = busy.driver.history().count("Unavailable (UNAVAILABLE)");
    ensure!(
        said > 0,
        "no command was told that the store is not available"
    );
    report.checked(format!(
        "{said} commands were told UNAVAILABLE with a reason"
    ));
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Row 7: postmaster and backends are killed in the middle of their work.
pub async fn crash(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let rounds = setting.rounds(2, 5);
    let postgres = Options {
        durable: true,
        ..Options::default()
    };
    let mut busy = Busy::start(Blueprint::default().on(postgres), Load::default(), setting).await?;
    for round in 1..=rounds {
        busy.sandbox.postgres.crash().await?;
        report.injected(format!("round {round}: postmaster and backends are killed"));
        let took = busy.sandbox.postgres.start().await?;
        report.noted(format!("recovery took {:.1} s", took.as_secs_f64()));
        busy.back("the database is back", report).await?;
        busy.driver.answered(30, Duration::from_secs(20)).await?;
    }
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Row 8: the disk refuses to flush. PostgreSQL panics, since it cannot know what is on disk, and
/// recovers; a commit that was answered with an error may have happened.
pub async fn fsync(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let found = Command::new("strace").arg("--version").output().await;
    if !found.is_ok_and(|output| output.status.success()) {
        return Ok(End::Skipped("strace is not on the PATH".to_owned()));
    }
    let rounds = setting.rounds(1, 3);
    let postgres = Options {
        durable: true,
        ..Options::default()
    };
    let mut busy = Busy::start(Blueprint::default().on(postgres), Load::default(), setting).await?;
    for round in 1..=rounds {
        let pids = busy.sandbox.postgres.pids()?;
        let postmaster = busy.sandbox.postgres.pid()?;
        let log = setting.logs.join("strace.log");
        let mut strace = Command::new("strace");
        strace
            .args(["-e", "trace=fdatasync,fsync"])
            .args(["-e", "inject=fdatasync:error=EIO"])
            .arg("-o")
            .arg(&log)
            .kill_on_drop(true);
        // Not the postmaster: what it starts for the recovery shall find a good disk.
        for pid in pids.iter().filter(|pid| **pid != postmaster) {
            strace.arg("-p").arg(pid.to_string());
        }
        let errors = std::fs::File::create(setting.logs.join("strace.err"))?;
        let mut strace = strace.stderr(errors).spawn().context("strace")?;
        let panicked = wait::until(Duration::from_secs(20), "PostgreSQL panics", async || {
            let text = busy.sandbox.postgres.log_text();
            text.matches("PANIC:  could not fdatasync").count() >= round as usize
        });
        if let Err(error) = panicked.await {
            let told = std::fs::read_to_string(setting.logs.join("strace.err"))?;
            if told.contains("Operation not permitted") {
                return Ok(End::Skipped(
                    "strace may not attach to PostgreSQL here".to_owned(),
                ));
            }
            return Err(error.context(told));
        }
        report.injected(format!(
            "round {round}: fdatasync fails; PostgreSQL has panicked"
        ));
        strace.kill().await?;
        let took = busy.sandbox.postgres.ready(Duration::from_secs(60)).await?;
        report.noted(format!("recovery took {:.1} s", took.as_secs_f64()));
        busy.back("the database is back", report).await?;
    }
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Row 9: commits hang because a synchronous standby is named that is not there.
pub async fn hanging_commit(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let hang = Duration::from_secs(if setting.short { 15 } else { 30 });
    let mut busy = Busy::start(Blueprint::default(), Load::default(), setting).await?;
    let partner = a_partner(&busy)?;
    let name = "synchronous_standby_names";
    busy.sandbox.postgres.reload_with(name, "ghost").await?;
    report.injected(format!("every commit hangs for {} s", hang.as_secs()));
    let (begin, mut reads, mut most) = (Instant::now(), 0, 0);
    while begin.elapsed() < hang {
        wait::last(Duration::from_secs(1)).await;
        let clients = busy.sandbox.clients(&partner.0)?;
        PartnerQueryServiceClient::new(clients.query)
            .list_partners(ListPartnersRequest::default())
            .await
            .context("a query while commits hang")?;
        let request = GetPartnerRequest {
            partner_id: partner.1.clone(),
        };
        PartnerServiceClient::new(clients.front)
            .get_partner(request)
            .await
            .context("a look at a stream while commits hang")?;
        reads += 2;
        most = most.max(connections(&busy).await?);
    }
    busy.sandbox.all_ready().await?;
    report.checked(format!(
        "{reads} reads were answered and every process stayed ready meanwhile; at most {most} \
         connections"
    ));
    let unknown = busy.driver.history().count("Unknown (UNKNOWN_OUTCOME)");
    ensure!(
        unknown > 0,
        "no command was told that its outcome is unknown"
    );
    report.checked(format!(
        "{unknown} commands were told UNKNOWN_OUTCOME at our own deadline"
    ));
    ensure!(most < MOST_CONNECTIONS, "{most} connections pile up");
    busy.sandbox.postgres.reload_with(name, "").await?;
    busy.back("commits are let go", report).await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Connections that the processes may have in all, those that they have given up included.
const MOST_CONNECTIONS: i64 = 110;

/// Sessions of ours, as the server counts them.
async fn connections(busy: &Busy) -> anyhow::Result<i64> {
    let mut connection = busy.sandbox.postgres.connect().await?;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tierline %'";
    Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
}

/// Org and id of a partner that the load has created.
fn a_partner(busy: &Busy) -> anyhow::Result<(String, String)> {
    let entries = busy.driver.history().entries();
    let found = entries
        .iter()
        .find_map(|entry| match (&entry.call, &entry.outcome) {
            (Call::Create(request), Outcome::Done(_)) => {
                Some((entry.org.clone(), request.partner_id.clone()))
            }
            _ => None,
        });
    found.context("the load has created no partner yet")
}
