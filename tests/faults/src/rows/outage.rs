//! PostgreSQL goes away and comes back.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;

use super::{BACK, Busy, End, Setting};
use crate::checker::Expect;
use crate::driver::Load;
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
        let before = busy.sandbox.proxy.as_ref().map_or(0, |proxy| proxy.accepted());
        let down = Duration::from_secs(3);
        wait::last(down).await;
        let after = busy.sandbox.proxy.as_ref().map_or(0, |proxy| proxy.accepted());
        let rate = (after - before) as f64 / down.as_secs_f64();
        ensure!(
            rate <= MOST_ATTEMPTS,
            "{rate:.0} connections a second were tried while nobody answered"
        );
        report.checked(format!(
            "{rate:.0} connections a second were tried meanwhile (allowed: {MOST_ATTEMPTS})"
        ));
        busy.sandbox.postgres.start().await?;
        back(&mut busy, report).await?;
        let silence = busy.driver.history().longest_silence(begin, |_| true);
        report.noted(format!("no answer for {:.1} s", silence.as_secs_f64()));
    }
    let said = busy.driver.history().count("Unavailable (UNAVAILABLE)");
    ensure!(said > 0, "no command was told that the store is not available");
    report.checked(format!("{said} commands were told UNAVAILABLE with a reason"));
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
        back(&mut busy, report).await?;
        busy.driver.answered(30, Duration::from_secs(20)).await?;
    }
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Waits until commands are carried out again.
pub async fn back(busy: &mut Busy, report: &mut Report) -> anyhow::Result<()> {
    // Not only a call that was under way, but one of each caller.
    let callers = busy.load.callers as usize;
    let took = busy.driver.answered(callers, BACK).await?;
    busy.sandbox.all_ready().await?;
    report.checked(format!(
        "commands are carried out again {:.1} s after the database is back (allowed: {} s)",
        took.as_secs_f64(),
        BACK.as_secs()
    ));
    Ok(())
}
