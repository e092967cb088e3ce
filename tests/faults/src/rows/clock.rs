//! Wall clocks that jump.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sqlx::Row as _;
use tonic::Code;

use super::crash::took_over;
use super::{Busy, End, Setting};
use crate::checker::Expect;
use crate::driver::{Load, Outcome, burst, create};
use crate::report::Report;
use crate::sandbox::Blueprint;
use crate::sandbox::postgres::{Options, Postgres};
use crate::wait;

/// Where packages put the library.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// A clock that somebody else's processes believe in, moved by writing a file.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// None: the library is not on this machine.
    fn new(folder: &Path) -> anyhow::Result<Option<Self>> {
        let found = LIBRARIES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file());
        let Some(library) = found else {
            return Ok(None);
        };
        let clock = Self {
            library,
            file: folder.join("clock"),
        };
        clock.shift("+0")?;
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
        Ok(Some(clock))
    }

    /// How far the clock is off, such as `-1h` or `+1d`.
    fn shift(&self, by: &str) -> anyhow::Result<()> {
        // A reader never sees half of it.
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, format!("{by}\n"))?;
        std::fs::rename(&fresh, &self.file).context("the clock cannot be moved")
    }

    /// What a process needs to believe in it. Its monotonic clock stays real, or else it would
    /// stand still after a step back, which no machine does.
    fn environment(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

const ABSENT: &str = "libfaketime is not on this machine";
/// Jumps of a row.
const JUMPS: [&str; 3] = ["-1h", "+1d", "+0"];

/// Row 24: the clocks of the processes that follow the log jump; then that of a service with
/// callers.
pub async fn processes(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let folder = tempfile::Builder::new()
        .prefix("tierline-clock-")
        .tempdir()?;
    let Some(clock) = Clock::new(folder.path())? else {
        return Ok(End::Skipped(ABSENT.to_owned()));
    };
    let mut blueprint = Blueprint::default();
    for plan in &mut blueprint.plans {
        if ["relay", "evaluator", "projector"].contains(&plan.name.as_str()) {
            plan.environment.extend(clock.environment());
        }
    }
    let busy = Busy::start(blueprint, Load::default(), setting).await?;
    let before = owners(&busy.sandbox.postgres).await?;
    for by in JUMPS {
        clock.shift(by)?;
        report.injected(format!(
            "the clocks of relay, evaluator and projector: {by}"
        ));
        busy.driver.answered(60, Duration::from_secs(20)).await?;
        // Longer than a lease holds.
        wait::last(Duration::from_secs(8)).await;
        took_over(&busy.sandbox).await?;
        let now = owners(&busy.sandbox.postgres).await?;
        ensure!(
            now == before,
            "leases changed hands: {before:?}, then {now:?}"
        );
    }
    report.checked("no lease changed hands, and what came in was applied all the time");
    let sandbox = busy.conclude(Expect::default(), report).await?;
    let early: i64 = {
        let mut connection = sandbox.postgres.connect().await?;
        let sql = "SELECT count(*) FROM events WHERE aggregate_type = 'Standing'
                   AND payload::text LIKE '%' || (current_date + 1)::text || '%'";
        sqlx::query_scalar(sql).fetch_one(&mut connection).await?
    };
    ensure!(early == 0, "{early} decisions are dated tomorrow");
    report.checked("no decision is dated tomorrow");
    drop(sandbox);
    tokens(&clock, setting, report).await?;
    Ok(End::Passed)
}

/// A service whose clock is off accepts no token that is not good by it, and all of them again
/// when it is right.
async fn tokens(clock: &Clock, setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    let mut blueprint = Blueprint::default();
    for plan in &mut blueprint.plans {
        if plan.name == "front" {
            plan.environment.extend(clock.environment());
        }
    }
    let logs = setting.logs.join("tokens");
    std::fs::create_dir_all(&logs)?;
    let sandbox = crate::sandbox::Sandbox::start(blueprint, &logs).await?;
    for (number, by) in ["-1h", "+1d", "+0"].into_iter().enumerate() {
        clock.shift(by)?;
        let call = create(&format!("clock-{number}"));
        let entries = burst(vec![(sandbox.clients("alpha")?, call)]).await;
        let outcome = entries.first().map(|entry| &entry.outcome);
        let refused = matches!(
            outcome,
            Some(Outcome::Refused(status)) if status.code() == Code::Unauthenticated
        );
        let taken = matches!(outcome, Some(Outcome::Done(_)));
        let fine = if by == "+0" { taken } else { refused };
        ensure!(fine, "with a clock that is off by {by}: {outcome:?}");
    }
    report
        .checked("tokens are refused by a service whose clock is off, and taken when it is right");
    Ok(())
}

/// Who holds how many leases.
async fn owners(postgres: &Postgres) -> anyhow::Result<Vec<(String, String)>> {
    let mut connection = postgres.connect().await?;
    let rows = sqlx::query("SELECT DISTINCT consumer, owner::text FROM bus.leases ORDER BY 1, 2")
        .fetch_all(&mut connection)
        .await?;
    let pair = |row: &sqlx::postgres::PgRow| -> Result<(String, String), sqlx::Error> {
        Ok((row.try_get(0)?, row.try_get(1)?))
    };
    Ok(rows.iter().map(pair).collect::<Result<_, _>>()?)
}

/// Row 25: the clock of the database jumps, by which leases are timed.
pub async fn database(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let folder = tempfile::Builder::new()
        .prefix("tierline-clock-")
        .tempdir()?;
    let Some(clock) = Clock::new(folder.path())? else {
        return Ok(End::Skipped(ABSENT.to_owned()));
    };
    let postgres = Options {
        environment: clock.environment(),
        ..Options::default()
    };
    let blueprint = Blueprint::default().on(postgres).in_pairs();
    let busy = Busy::start(blueprint, Load::default(), setting).await?;
    for by in JUMPS {
        clock.shift(by)?;
        report.injected(format!("the clock of PostgreSQL: {by}"));
        busy.driver.answered(60, Duration::from_secs(20)).await?;
        wait::last(Duration::from_secs(8)).await;
        let took = took_over(&busy.sandbox).await?;
        report.checked(format!(
            "what came in is applied {:.1} s later",
            took.as_secs_f64()
        ));
    }
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}
