//! The rows of the table of faults.

mod bus;
mod client;
mod clock;
mod cluster;
mod crash;
mod crowded;
mod disk;
mod epoch;
mod failover;
mod frozen;
mod outage;
mod poison;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::LocalBoxFuture;

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
        self.rounds.unwrap_or(if self.short { short } else { long })
    }

    /// The same with a folder of its own for the logs, for a row that starts several sandboxes.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn within(&self, name: &str) -> anyhow::Result<Self> {
        let logs = self.logs.join(name);
        std::fs::create_dir_all(&logs)?;
        Ok(Self {
            logs,
            ..self.clone()
        })
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
    row!(
        2,
        true,
        "a consumer stands still past its lease",
        frozen::consumer
    ),
    row!(3, true, "the sequencer stands still", frozen::sequencer),
    row!(4, true, "two sequencers at once", frozen::two_sequencers),
    row!(
        5,
        true,
        "two relays, and acks that are lost",
        bus::two_relays
    ),
    row!(6, true, "PostgreSQL restarts", outage::restart),
    row!(7, true, "PostgreSQL crashes", outage::crash),
    row!(8, true, "the disk refuses to flush", outage::fsync),
    row!(9, true, "commits hang", outage::hanging_commit),
    row!(10, false, "failover without loss", failover::nothing_lost),
    row!(
        11,
        false,
        "failover that loses the tail",
        failover::lost_tail
    ),
    row!(13, false, "restore to an earlier point", failover::restore),
    row!(
        14,
        false,
        "backup under load, restored elsewhere",
        failover::backup
    ),
    row!(15, true, "connections are exhausted", crowded::connections),
    row!(16, false, "a table is locked", crowded::locked_table),
    row!(
        17,
        false,
        "many writers on one partner",
        crowded::hot_partner
    ),
    row!(
        19,
        true,
        "a transaction stays open",
        crowded::long_transaction
    ),
    row!(20, false, "the disk of the data is full", disk::data),
    row!(
        21,
        false,
        "the disk of the write-ahead log is full",
        disk::wal
    ),
    row!(
        24,
        false,
        "the clock of the processes jumps",
        clock::processes
    ),
    row!(
        25,
        false,
        "the clock of the database jumps",
        clock::database
    ),
    row!(27, true, "NATS is away", bus::away),
    row!(28, true, "the store of NATS is wiped", bus::wiped),
    row!(
        29,
        false,
        "leaders of the streams change",
        cluster::leader_change
    ),
    row!(
        30,
        false,
        "NATS servers do not reach each other",
        cluster::partition
    ),
    row!(
        31,
        true,
        "messages are lost, repeated, corrupted",
        bus::tampered
    ),
    row!(32, false, "an old NATS server", bus::old_server),
    row!(33, true, "an event that cannot be applied", poison::event),
    row!(
        39,
        false,
        "clients that are gone or do not read",
        client::half_open
    ),
    row!(43, true, "shutdown under load", client::shutdown),
];

/// A sandbox with a load on it.
pub struct Busy {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The load on it.
    pub driver: Driver,
    /// What kind of load.
    pub load: Load,
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
        })
    }

    /// Waits until commands are carried out again after something was mended.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn back(&mut self, what: &str, report: &mut Report) -> anyhow::Result<()> {
        // Not only a call that was under way, but one of each caller.
        let callers = self.load.callers as usize;
        let took = self.driver.answered(callers, BACK).await?;
        self.sandbox.all_ready().await?;
        report.checked(format!(
            "commands are carried out again {:.1} s after {what} (allowed: {} s)",
            took.as_secs_f64(),
            BACK.as_secs()
        ));
        Ok(())
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
