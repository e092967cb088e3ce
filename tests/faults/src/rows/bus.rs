//! The bus: what happens to NATS must not happen to the business.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_nats::jetstream;
use tierline_testkit::Nats;
use tokio::time::Instant;

use super::crash::took_over;
use super::{Busy, End, Setting};
use crate::checker::Expect;
use crate::driver::Load;
use crate::proxy::{Proxy, Toxics, Way};
use crate::report::Report;
use crate::sandbox::{Blueprint, Sandbox};
use crate::wait;

pub(super) const ABSENT: &str = "there is no nats-server on the PATH and none is named by \
                      TIERLINE_TEST_NATS_SERVERS";
/// Streams of the log.
pub(super) const STREAMS: u8 = 16;

/// The programs to test with.
pub(super) fn programs() -> Vec<PathBuf> {
    let named = std::env::var_os(tierline_testkit::NATS_SERVERS).unwrap_or_default();
    let named = std::env::split_paths(&named).filter(|path| path.is_file());
    let mut programs: Vec<PathBuf> = named.collect();
    programs.extend(tierline_runtime::nats::find().filter(|_| programs.is_empty()));
    programs
}

/// What a program says of its version, such as `2.9.10`.
pub(super) fn version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.trim().rsplit('v').next().unwrap_or_default();
    Ok(version.to_owned())
}

async fn busy(setting: &Setting, program: &Path, report: &mut Report) -> anyhow::Result<Busy> {
    let blueprint = Blueprint::default().with_nats(program);
    let busy = Busy::start(blueprint, Load::default(), setting).await?;
    report.noted(format!("nats-server {}", version(program)?));
    Ok(busy)
}

fn nats(sandbox: &mut Sandbox) -> anyhow::Result<&mut Nats> {
    sandbox.nats.as_mut().context("the sandbox has no NATS")
}

/// A client that may do everything.
async fn client(sandbox: &mut Sandbox) -> anyhow::Result<jetstream::Context> {
    if let Some(cluster) = &sandbox.cluster {
        return cluster.client(0).await;
    }
    let url = nats(sandbox)?.url().to_owned();
    let parts = url.strip_prefix("nats://").and_then(|rest| {
        let (who, address) = rest.split_once('@')?;
        Some((who.split_once(':')?, address))
    });
    let ((user, password), address) = parts.context("a URL without user and password")?;
    let options =
        async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    Ok(jetstream::new(options.connect(address).await?))
}

/// Every event of the log is in the stream of its partition exactly once, in order, and with the
/// hash that the log has: nothing is missing, doubled or of another history.
///
/// # Errors
/// The first that is not so.
pub(super) async fn streams_are_whole(
    sandbox: &mut Sandbox,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (carried, logged) = compared(sandbox).await?;
    ensure!(
        carried == logged,
        "the log has {logged} events and the streams {carried} messages"
    );
    report.checked(format!(
        "{carried} messages in the streams, one for each number, each as the log has it"
    ));
    Ok(())
}

/// As [`streams_are_whole`], where the streams may begin later than the log.
///
/// # Errors
/// The first that is not so.
pub(super) async fn streams_are_the_end_of_the_log(
    sandbox: &mut Sandbox,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (carried, logged) = compared(sandbox).await?;
    ensure!(carried > 0, "the streams are empty");
    report.checked(format!(
        "{carried} messages in the streams, the last of {logged} events of the log, each as the \
         log has it"
    ));
    Ok(())
}

/// Holds every message of every stream against the end of the log. Returns how many messages and
/// how many events there are.
async fn compared(sandbox: &mut Sandbox) -> anyhow::Result<(usize, usize)> {
    let mut connection = sandbox.postgres.connect().await?;
    let context = client(sandbox).await?;
    let (mut messages, mut events) = (0, 0);
    for partition in 0..STREAMS {
        let logged: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT partition_number, event_id::text, encode(leaf_hash, 'hex') FROM log
             WHERE partition = $1 ORDER BY partition_number",
        )
        .bind(i16::from(partition))
        .fetch_all(&mut connection)
        .await?;
        let carried = carried(&context, partition).await?;
        if !logged.ends_with(&carried) {
            let end = logged
                .iter()
                .skip(logged.len().saturating_sub(carried.len()));
            let differs = carried.iter().zip(end).find(|(left, right)| left != right);
            bail!(
                "{} has {} messages and the log {} events; the first that differs: {differs:?}",
                name(partition),
                carried.len(),
                logged.len()
            );
        }
        messages += carried.len();
        events += logged.len();
    }
    Ok((messages, events))
}

/// Number, event and hash of every message of a stream, in the order of the stream.
async fn carried(
    context: &jetstream::Context,
    partition: u8,
) -> anyhow::Result<Vec<(i64, String, String)>> {
    let stream = context.get_stream(name(partition)).await?;
    let state = stream.cached_info().state.clone();
    let mut found = Vec::new();
    if state.messages == 0 {
        return Ok(found);
    }
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await;
        let message = message.with_context(|| format!("{} of {}", sequence, name(partition)))?;
        let header = |name: &str| {
            let value = message.headers.get(name);
            value.map(ToString::to_string).unwrap_or_default()
        };
        let number = header("ce-sequence").parse().context("no number")?;
        found.push((number, header("ce-id"), header("ce-leafhash")));
    }
    Ok(found)
}

pub(super) fn name(partition: u8) -> String {
    format!("tl-events-{partition:02}")
}

/// Row 5: two relays, then acks that never arrive.
pub async fn two_relays(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let Some(program) = programs().into_iter().next() else {
        return Ok(End::Skipped(ABSENT.to_owned()));
    };
    let mut busy = busy(setting, &program, report).await?;
    // Both relays reach NATS through a proxy.
    let direct = nats(&mut busy.sandbox)?.url().to_owned();
    let port = nats(&mut busy.sandbox)?.server().port();
    let proxy = Proxy::to_port(port).await?;
    let through = direct.replace(&format!(":{port}"), &format!(":{}", proxy.port()));
    busy.sandbox.process("relay")?.kill().await?;
    for relay in ["relay-2", "relay-3"] {
        let mut plan = busy.sandbox.process("relay")?.plan.clone();
        plan.name = relay.to_owned();
        plan.environment
            .retain(|(name, _)| name != "TIERLINE_NATS_URL");
        plan.environment
            .push(("TIERLINE_NATS_URL".to_owned(), through.clone()));
        // The sandbox would add the direct one once more.
        let nats = busy.sandbox.nats.take();
        let started = busy.sandbox.add(plan).and_then(|process| process.start());
        busy.sandbox.nats = nats;
        started?;
    }
    busy.sandbox.all_ready().await?;
    report.injected("two relays at once");
    busy.driver.answered(60, Duration::from_secs(20)).await?;
    for round in 1..=setting.rounds(2, 5) {
        let down = Way {
            swallow: true,
            ..Way::default()
        };
        proxy.set(Toxics {
            down,
            ..Toxics::default()
        });
        busy.driver.answered(30, Duration::from_secs(20)).await?;
        proxy.heal();
        proxy.reset();
        report.injected(format!(
            "round {round}: acks of NATS are lost, then the connections are reset"
        ));
        busy.driver.answered(60, Duration::from_secs(20)).await?;
    }
    let mut sandbox = busy.conclude(Expect::default(), report).await?;
    streams_are_whole(&mut sandbox, report).await?;
    Ok(End::Passed)
}

/// Row 27: NATS is away for a while.
pub async fn away(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let Some(program) = programs().into_iter().next() else {
        return Ok(End::Skipped(ABSENT.to_owned()));
    };
    let mut busy = busy(setting, &program, report).await?;
    gone_and_back(&mut busy, setting, report).await?;
    let mut sandbox = busy.conclude(Expect::default(), report).await?;
    streams_are_whole(&mut sandbox, report).await?;
    Ok(End::Passed)
}

async fn gone_and_back(
    busy: &mut Busy,
    setting: &Setting,
    report: &mut Report,
) -> anyhow::Result<()> {
    let down = Duration::from_secs(if setting.short { 10 } else { 60 });
    nats(&mut busy.sandbox)?.crash().await;
    report.injected(format!("NATS is killed, for {} s", down.as_secs()));
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    while begin.elapsed() < down {
        busy.driver.answered(30, Duration::from_secs(20)).await?;
        slowest = slowest.max(took_over(&busy.sandbox).await?);
    }
    report.checked(format!(
        "commands go on, and consumers read the log: at most {:.1} s behind",
        slowest.as_secs_f64()
    ));
    nats(&mut busy.sandbox)?.start_again().await;
    busy.driver.answered(30, Duration::from_secs(20)).await?;
    Ok(())
}

/// Row 28: everything that NATS has stored is gone.
pub async fn wiped(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let Some(program) = programs().into_iter().next() else {
        return Ok(End::Skipped(ABSENT.to_owned()));
    };
    let mut busy = busy(setting, &program, report).await?;
    for round in 1..=setting.rounds(1, 3) {
        let bus = nats(&mut busy.sandbox)?;
        bus.crash().await;
        bus.wipe();
        bus.start_again().await;
        report.injected(format!("round {round}: the store of NATS is wiped"));
        busy.driver.answered(90, Duration::from_secs(30)).await?;
        let took = took_over(&busy.sandbox).await?;
        report.checked(format!(
            "consumers have everything {:.1} s later",
            took.as_secs_f64()
        ));
    }
    let mut sandbox = busy.conclude(Expect::default(), report).await?;
    // The new streams begin where the log was; what they have is the end of it.
    let context = client(&mut sandbox).await?;
    for partition in 0..STREAMS {
        context
            .get_stream(name(partition))
            .await
            .with_context(|| format!("{} was not made again", name(partition)))?;
    }
    report.checked("all streams are there again");
    Ok(End::Passed)
}

/// Row 31: messages are missing, come again, and say something else than the log.
pub async fn tampered(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let Some(program) = programs().into_iter().next() else {
        return Ok(End::Skipped(ABSENT.to_owned()));
    };
    let mut busy = busy(setting, &program, report).await?;
    // Consumers stand still meanwhile, so that they meet what was done.
    for name in ["evaluator", "projector"] {
        busy.sandbox.process(name)?.kill().await?;
    }
    busy.driver.answered(90, Duration::from_secs(20)).await?;
    wait::last(Duration::from_secs(3)).await;
    busy.sandbox.process("relay")?.freeze()?;
    let context = client(&mut busy.sandbox).await?;
    let (mut lost, mut repeated, mut forged) = (0, 0, 0);
    for partition in 0..STREAMS {
        let stream = context.get_stream(name(partition)).await?;
        let last = stream.cached_info().state.last_sequence;
        if last < 12 {
            continue;
        }
        let old = stream.get_raw_message(last - 8).await?;
        let changed = stream.get_raw_message(last - 1).await?;
        stream.delete_message(last - 4).await?;
        lost += 1;
        for (message, body) in [(old.clone(), old.payload), (changed, "{\"no\":1}".into())] {
            let mut headers = async_nats::HeaderMap::new();
            for (name, values) in message.headers.iter() {
                // What ties a message to its place; the rest says what it is.
                let name_text = name.to_string();
                if name_text.starts_with("Nats-") {
                    continue;
                }
                for value in values {
                    headers.append(name_text.as_str(), value.as_str());
                }
            }
            let subject = message.subject.clone();
            context
                .publish_with_headers(subject, headers, body)
                .await?
                .await?;
        }
        repeated += 1;
        forged += 1;
    }
    ensure!(lost > 0, "no stream had enough messages");
    report.injected(format!(
        "{lost} messages were deleted, {repeated} old ones repeated, {forged} forged ones added"
    ));
    busy.sandbox.process("relay")?.thaw()?;
    for name in ["evaluator", "projector"] {
        busy.sandbox.process(name)?.start()?;
    }
    busy.sandbox.all_ready().await?;
    busy.driver.answered(60, Duration::from_secs(20)).await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Row 32: a server without atomic batches.
pub async fn old_server(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let old = |program: &PathBuf| {
        let version = version(program).unwrap_or_default();
        let mut parts = version
            .split('.')
            .map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next(), parts.next()) < (Some(2), Some(12))
    };
    let Some(program) = programs().into_iter().find(old) else {
        return Ok(End::Skipped(
            "no nats-server before 2.12 is on the PATH or named".to_owned(),
        ));
    };
    let mut busy = busy(setting, &program, report).await?;
    gone_and_back(&mut busy, setting, report).await?;
    let mut sandbox = busy.conclude(Expect::default(), report).await?;
    streams_are_whole(&mut sandbox, report).await?;
    Ok(End::Passed)
}
