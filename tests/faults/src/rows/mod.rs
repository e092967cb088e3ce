//! The rows of the table of faults.

mod crash;
mod outage;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use tokio::time::Instant;

use crate::checker::{self, Expect};
use crate::driver::{Driver, Load};
use crate::report::Report;
use crate::sandbox::{Blueprint, Sandbox};

/// Longest time until somebody else has taken over what a dead process held.
pub const TAKEOVER: Duration = Duration::from_secs(10);
/// Longest time until commands are carried out again after the database is back.
pub const BACK: Duration = Duration::from_secs(10);

/// How a row is run.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Seed of everything random.
    pub seed: u64,
    /// Rounds, where somebody said how many.
    pub rounds: Option<u32>,
    /// The short form.
    pub short: bool,
    /// Folder of the logs.
    pub logs: PathBuf,
}

impl Setting {
    /// Rounds of a row that repeats a fault: as asked for, or few in the short form.
    pub fn rounds(&self, short: u32, long: u32) -> u32 {
        self.rounds
            .unwrap_or(if self.short { short } else { long })
    }
}

/// How a row ended, when nothing was wrong.
pub enum End {
    /// Everything was checked and holds.
    Passed,
    /// It cannot be run here.
    Skipped(String),
}

type Run = for<'a> fn(&'a Setting, &'a mut Report) -> LocalBoxFuture<'a, anyhow::Result<End>>;

/// One row.
pub struct Row {
    /// Number in the table.
    pub number: u32,
    /// The fault.
    pub name: &'static str,
    /// Part of every CI run.
    pub short: bool,
    /// Does it.
    pub run: Run,
}

macro_rules! row {
    ($number:expr, $short:expr, $name:expr, $run:path) => {
        Row {
            number: $number,
            name: $name,
            short: $short,
            run: |setting, report| Box::pin($run(setting, report)),
        }
    };
}

/// All rows that there are.
pub const ROWS: &[Row] = &[
    row!(1, true, "kill -9 of any process under load", crash::kill),
    row!(6, true, "PostgreSQL restarts", outage::restart),
    row!(7, true, "PostgreSQL crashes", outage::crash),
];

/// A sandbox with a load on it.
pub struct Busy {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The load on it.
    pub driver: Driver,
    /// What kind of load.
    pub load: Load,
    /// When it began.
    pub begin: Instant,
}

impl Busy {
    /// Starts a sandbox and a load, and waits until the load is under way.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(
        blueprint: Blueprint,
        load: Load,
        setting: &Setting,
    ) -> anyhow::Result<Self> {
        let sandbox = Sandbox::start(blueprint, &setting.logs).await?;
        let driver = Driver::start(load, sandbox.all_clients()?, setting.seed);
        driver.answered(30, Duration::from_secs(20)).await?;
        Ok(Self {
            sandbox,
            driver,
            load,
            begin: Instant::now(),
        })
    }

    /// Ends the load and checks the invariants.
    ///
    /// # Errors
    /// What does not hold.
    pub async fn conclude(self, expect: Expect, report: &mut Report) -> anyhow::Result<Sandbox> {
        let mut sandbox = self.sandbox;
        let history = self.driver.finish(&self.load).await?;
        report.noted(history.summary());
        checker::invariants(&mut sandbox, &history.entries(), expect, report).await?;
        Ok(sandbox)
    }
}
