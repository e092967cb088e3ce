//! What a process of its own holds in memory after an import, and how much it asks the database
//! while nothing happens.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::process::{Child, Command};

use super::import;
use super::projection::caught_up;
use crate::bench::machine::mebibytes;
use crate::bench::node::{Access, Connection};
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Deals that are imported first.
const DEALS: u64 = 60_000;
/// Consumers of a whole process.
const CONSUMERS: usize = 1 + tierline_projector::NAMES.len();
/// How long the process may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let deals = run.plan.many(DEALS);
    let world = World::open(run).await?;
    world.found().await?;
    world.partners(world::PARTNERS).await?;
    world.enrollments(world::PARTNERS).await?;
    let access = Access::new()?;
    let mut process = Process::start(&world.database.url, &access).await?;
    let connection = process.connect(&access).await?;
    import::send(connection, import::batches(deals, true)?, deals).await?;
    caught_up(&world, CONSUMERS).await?;
    let status = process.status()?;
    let peak = mebibytes(&status, "VmHWM").context("the peak of the memory is not known")?;
    let present = mebibytes(&status, "VmRSS").context("the memory is not known")?;
    let what = format!("memory of the process after an import of {deals} deals");
    let sample = Sample::new(what.clone(), Unit::Mebibytes, present as f64);
    run.report(sample.reach(Target::AtMost(250.0)));
    let sample = Sample::new(format!("{what}, at its peak"), Unit::Mebibytes, peak as f64);
    run.report(sample.reach(Target::AtMost(250.0)));
    let rate = statements(run, &world).await?;
    let sample = Sample::new("statements when idle", Unit::PerSecond, rate);
    run.report(sample.reach(Target::Below(5.0)));
    process.stop().await?;
    world.close(run).await
}

/// Transactions per second in the database, seen from another one. An idle process opens none of
/// more than one statement.
async fn statements(run: &Run<'_>, world: &World) -> anyhow::Result<f64> {
    let (settle, window) = if run.plan.quick { (1, 2) } else { (15, 40) };
    // Backends hand in their counts late; nothing of the import may be counted here.
    tokio::time::sleep(Duration::from_secs(settle)).await;
    let (before, begin) = (transactions(run, world).await?, Instant::now());
    tokio::time::sleep(Duration::from_secs(window)).await;
    let counted = transactions(run, world).await? - before;
    Ok(counted as f64 / begin.elapsed().as_secs_f64())
}

async fn transactions(run: &Run<'_>, world: &World) -> anyhow::Result<i64> {
    let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
    let count = sqlx::query_scalar(sql).bind(&world.database.name);
    Ok(count.fetch_one(run.server.admin()).await?)
}

/// `tierline serve` on its own.
struct Process {
    child: Child,
    address: SocketAddr,
    keys: PathBuf,
}

impl Process {
    async fn start(database_url: &str, access: &Access) -> anyhow::Result<Self> {
        let (address, admin) = (free_port()?, free_port()?);
        let keys = format!("tierline-bench-{}.jwks", std::process::id());
        let keys = std::env::temp_dir().join(keys);
        tokio::fs::write(&keys, access.jwks())
            .await
            .with_context(|| format!("{} cannot be written", keys.display()))?;
        let child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args(["--listen", &address.to_string()])
            .args(["--admin-listen", &admin.to_string()])
            .args(["--log-level", "warn", "--target", "all"])
            .arg("--jwks-file")
            .arg(&keys)
            // Not as an argument, where everybody on the machine can read it.
            .env("TIERLINE_DATABASE_URL", database_url)
            .env("TIERLINE_DATA_DIR", std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("a process cannot be started")?;
        Ok(Self {
            child,
            address,
            keys,
        })
    }

    async fn connect(&mut self, access: &Access) -> anyhow::Result<Connection> {
        let until = Instant::now() + PATIENCE;
        loop {
            match access.connect(&format!("http://{}", self.address)).await {
                Ok(connection) => return Ok(connection),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => {}
            }
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the process ended by itself: {status}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn status(&self) -> anyhow::Result<PathBuf> {
        let pid = self.child.id().context("the process has ended")?;
        Ok(PathBuf::from(format!("/proc/{pid}/status")))
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .await
            .context("the process does not end")?;
        std::fs::remove_file(&self.keys)
            .with_context(|| format!("{} cannot be removed", self.keys.display()))
    }
}

/// A port that nobody has at this moment.
fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
