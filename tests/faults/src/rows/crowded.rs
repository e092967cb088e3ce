//! Too many of something: connections, locks, writers, and a transaction that never ends.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sqlx::{Connection as _, PgConnection};
use tierline_proto::query::v1::ListPartnersRequest;
use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tokio::time::Instant;
use tonic_types::StatusExt as _;

use super::frozen::status;
use super::{Busy, End, Setting};
use crate::checker::{self, Expect};
use crate::driver::{Load, Outcome, burst, create, rename};
use crate::report::Report;
use crate::sandbox::postgres::Options;
use crate::sandbox::{Blueprint, Sandbox};
use crate::wait;

/// Row 15: strangers take every connection of the server; later our own pools are far too small.
pub async fn connections(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let mut blueprint = Blueprint::default().on(Options::default().set("max_connections", "70"));
    for plan in &mut blueprint.plans {
        let small = [
            ("TIERLINE_COMMAND_CONNECTIONS", "2"),
            ("TIERLINE_QUERY_CONNECTIONS", "2"),
            ("TIERLINE_CONSUMER_CONNECTIONS", "2"),
        ];
        plan.environment
            .extend(small.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let load = Load {
        callers: 40,
        rate: 60,
        ..Load::default()
    };
    let mut busy = Busy::start(blueprint, load, setting).await?;
    let took = busy.driver.answered(200, Duration::from_secs(20)).await?;
    report.checked(format!(
        "40 callers share pools of 2 and get 200 answers in {:.1} s",
        took.as_secs_f64()
    ));
    used_up(&busy, report).await?;
    busy.back("the pools are free again", report).await?;
    let before = busy.driver.history().count(UNAVAILABLE);
    let mut strangers = fill(&busy.sandbox).await?;
    // Ours are ended, so that everybody needs a new one at a moment when there is none.
    let ended: Option<i64> = match strangers.first_mut() {
        Some(first) => sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE application_name LIKE 'tierline %'",
        )
        .fetch_one(first)
        .await
        .ok(),
        None => None,
    };
    strangers.extend(fill(&busy.sandbox).await?);
    report.injected(format!(
        "{} strangers hold every connection; {} of ours were ended",
        strangers.len(),
        ended.unwrap_or_default()
    ));
    wait::last(Duration::from_secs(if setting.short { 5 } else { 20 })).await;
    let unavailable = busy.driver.history().count(UNAVAILABLE) - before;
    ensure!(
        unavailable > 0,
        "no command was told that the server takes no connections"
    );
    report.checked(format!(
        "the limit is the server's: {unavailable} commands were told UNAVAILABLE"
    ));
    for stranger in strangers {
        stranger.close().await?;
    }
    busy.back("the strangers have left", report).await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// What a caller is told where the limit is the server's.
const UNAVAILABLE: &str = "Unavailable (UNAVAILABLE)";

/// Questions that wait for a lock have both connections of their pool, and more come. The server
/// has room for more connections all the time.
async fn used_up(busy: &Busy, report: &mut Report) -> anyhow::Result<()> {
    const ASKED: usize = 8;
    let mut connection = busy.sandbox.postgres.connect().await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql("LOCK TABLE read.partners IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await?;
    report.injected(format!(
        "{ASKED} questions share a pool of 2, whose connections wait for a lock"
    ));
    let begin = Instant::now();
    let asked = (0..ASKED).map(|_| async {
        let mut client = PartnerQueryServiceClient::new(busy.sandbox.clients("alpha")?.query);
        let mut request = tonic::Request::new(ListPartnersRequest::default());
        request.set_timeout(Duration::from_secs(13));
        anyhow::Ok(client.list_partners(request).await)
    });
    let (mut exhausted, mut other) = (0, 0);
    for answer in futures::future::try_join_all(asked).await? {
        match answer {
            Err(status) if status.code() == tonic::Code::ResourceExhausted => {
                let reason = tierline_rpc::status::reason_of(&status);
                let delay = status.get_details_retry_info();
                ensure!(
                    reason.as_deref() == Some("OVERLOADED") && delay.is_some(),
                    "not said why or when to try again: {status:?}"
                );
                exhausted += 1;
            }
            _ => other += 1,
        }
    }
    let took = begin.elapsed().as_secs_f64();
    // Nothing here has waited for the server.
    busy.sandbox.postgres.connect().await?;
    transaction.rollback().await?;
    ensure!(exhausted > 0, "nobody was told: {other} other answers");
    report.checked(format!(
        "the limit is ours: within {took:.1} s {exhausted} were told RESOURCE_EXHAUSTED and when to \
         try again, {other} waited for the lock"
    ));
    Ok(())
}

/// Opens connections until the server refuses.
async fn fill(sandbox: &Sandbox) -> anyhow::Result<Vec<PgConnection>> {
    let mut strangers = Vec::new();
    while let Ok(connection) = sandbox.postgres.connect().await {
        strangers.push(connection);
        ensure!(strangers.len() < 200, "the server never refuses");
    }
    Ok(strangers)
}

/// Row 16: nobody can read or write events for a while, and a migration cannot begin.
pub async fn locked_table(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let mut busy = Busy::start(Blueprint::default(), Load::default(), setting).await?;
    let mut connection = busy.sandbox.postgres.connect().await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await?;
    let hold = Duration::from_secs(15);
    report.injected(format!(
        "the table of events is locked for {} s",
        hold.as_secs()
    ));
    wait::last(hold).await;
    let history = busy.driver.history();
    let told =
        history.count("Unavailable (UNAVAILABLE)") + history.count("Unknown (UNKNOWN_OUTCOME)");
    ensure!(told > 0, "no command gave up waiting");
    report.checked(format!("{told} commands gave up at their deadline"));
    transaction.rollback().await?;
    busy.back("the lock is gone", report).await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await?;
    report.injected("the table of migrations is locked");
    let begin = Instant::now();
    let migrated = busy.sandbox.command("alpha", &["migrate"]);
    let output = tokio::time::timeout(Duration::from_secs(60), migrated)
        .await
        .context("a migration waits for a lock without end")??;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "it migrated in spite of the lock");
    ensure!(text.contains("lock"), "the lock is not named: {text}");
    report.checked(format!(
        "a migration gave up after {:.1} s and said why",
        begin.elapsed().as_secs_f64()
    ));
    transaction.rollback().await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Row 17: two hundred writers on one partner, through two processes.
pub async fn hot_partner(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    const WRITERS: usize = 200;
    let blueprint = Blueprint::default().and_second("front");
    let mut sandbox = Sandbox::start(blueprint, &setting.logs).await?;
    let first = sandbox.clients("alpha")?;
    let mut second = first.clone();
    let port = sandbox.process("front-2")?.grpc;
    second.front = crate::driver::connection(port, &sandbox.token("alpha")?)?;
    let mut entries = burst(vec![(first.clone(), create("hot"))]).await;
    let calls = (0..WRITERS).map(|number| {
        let clients = if number % 2 == 0 { &first } else { &second };
        (clients.clone(), rename("hot", &format!("Hot {number}")))
    });
    let begin = Instant::now();
    let renamed = burst(calls.collect()).await;
    let took = begin.elapsed().as_secs_f64();
    let done = renamed
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Done(_)));
    let done = done.count();
    let (mut aborted, mut other) = (0, Vec::new());
    for entry in &renamed {
        match &entry.outcome {
            Outcome::Refused(status) if status.code() == tonic::Code::Aborted => aborted += 1,
            Outcome::Done(_) => {}
            outcome => other.push(format!("{outcome:?}")),
        }
    }
    report.injected(format!(
        "{WRITERS} writers rename one partner through two processes"
    ));
    ensure!(other.is_empty(), "other answers: {other:?}");
    ensure!(done > 0, "nobody got through");
    report.checked(format!(
        "{done} were carried out and {aborted} ABORTED in {took:.1} s: {:.0} a second",
        done as f64 / took
    ));
    entries.extend(renamed);
    // The other invariants look at decisions too.
    let enrolled = crate::driver::story("calm", 2)
        .into_iter()
        .map(|call| (first.clone(), call));
    for one in enrolled {
        entries.extend(burst(vec![one]).await);
    }
    let expect = Expect {
        refusals: true,
        ..Expect::default()
    };
    checker::invariants(&mut sandbox, &entries, expect, report).await?;
    Ok(End::Passed)
}

/// Row 19: somebody leaves a transaction open.
pub async fn long_transaction(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let hold = Duration::from_secs(if setting.short { 10 } else { 120 });
    let busy = Busy::start(Blueprint::default(), Load::default(), setting).await?;
    let mut connection = busy.sandbox.postgres.connect().await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql("CREATE TABLE elsewhere (n int); INSERT INTO elsewhere VALUES (1)")
        .execute(&mut *transaction)
        .await?;
    report.injected(format!(
        "a transaction that has written stays open for {} s",
        hold.as_secs()
    ));
    let (begin, mut oldest) = (Instant::now(), 0);
    while begin.elapsed() < hold {
        wait::last(Duration::from_secs(1)).await;
        oldest = oldest.max(status(&busy.sandbox).await?.oldest_unsequenced_age_ms);
    }
    // A relay in a process of its own looks every two seconds when nothing happens.
    ensure!(oldest < 5_000, "an event waited {oldest} ms for its number");
    report.checked(format!(
        "no event waited longer than {oldest} ms for its number"
    ));
    let told = status(&busy.sandbox).await?.oldest_transaction_age_ms;
    ensure!(
        u128::from(told) + 1_000 > hold.as_millis(),
        "operators are not told of the open transaction: {told} ms"
    );
    report.checked(format!(
        "operators are told that the oldest transaction is {told} ms old"
    ));
    transaction.rollback().await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}
