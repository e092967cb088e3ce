//! Disks that are full.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::geteuid;
use tierline_proto::query::v1::ListPartnersRequest;
use tierline_proto::query::v1::partner_query_service_client::PartnerQueryServiceClient;
use tokio::time::Instant;

use super::{Busy, End, Setting};
use crate::checker::Expect;
use crate::driver::Load;
use crate::report::Report;
use crate::sandbox::postgres::{Options, SmallDisk};
use crate::sandbox::{Blueprint, ORGS};
use crate::wait;

/// A folder for disks, and the reason where there can be none.
fn place() -> Result<tempfile::TempDir, String> {
    if !geteuid().is_root() {
        return Err("only root may mount a tmpfs".to_owned());
    }
    let made = tempfile::Builder::new().prefix("tierline-disk-").tempdir();
    let folder = made.map_err(|error| error.to_string())?;
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(folder.path(), open).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Row 20: nothing can be added to the tables; the write-ahead log is elsewhere.
pub async fn data(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let folder = match place() {
        Ok(folder) => folder,
        Err(reason) => return Ok(End::Skipped(reason)),
    };
    let disk = match SmallDisk::mount(folder.path().join("data"), 160) {
        Ok(disk) => disk,
        Err(error) => return Ok(End::Skipped(format!("{error:#}"))),
    };
    let mut blueprint = Blueprint::default().on(Options {
        wal: Some(folder.path().join("wal")),
        ..Options::default()
    });
    blueprint.data = Some(disk.path().join("postgres"));
    let mut busy = Busy::start(blueprint, Load::default(), setting).await?;
    let postmaster = busy.sandbox.postgres.pid()?;
    disk.fill()?;
    report.injected("the disk of the data is full");
    let refused = async || busy.driver.history().count("Unavailable (UNAVAILABLE)") > 0;
    let patience = Duration::from_secs(90);
    wait::until(patience, "a command fails on the full disk", refused).await?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(5) {
        let clients = busy.sandbox.clients(ORGS[0])?;
        PartnerQueryServiceClient::new(clients.query)
            .list_partners(ListPartnersRequest::default())
            .await
            .context("a query while the disk is full")?;
        wait::last(Duration::from_millis(500)).await;
    }
    let told = busy.driver.history().count("Unavailable (UNAVAILABLE)");
    report.checked(format!(
        "{told} commands were told UNAVAILABLE, and queries were answered all the time"
    ));
    let said = busy.sandbox.process("front")?.said();
    let said = said + &busy.sandbox.process("activity")?.said();
    ensure!(
        said.contains("No space left") || said.contains("could not extend"),
        "the logs of the services do not say why"
    );
    report.checked("the logs of the services say why");
    disk.release()?;
    busy.back("there is room again", report).await?;
    ensure!(
        busy.sandbox.postgres.pid()? == postmaster,
        "PostgreSQL was started again"
    );
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}

/// Megabytes that the disk of the write-ahead log has to keep: more than one file of it.
const RESERVE: u64 = 28;

/// Nobody is ready any more while PostgreSQL still has room to write.
async fn nearly_full(busy: &mut Busy, disk: &SmallDisk, report: &mut Report) -> anyhow::Result<()> {
    busy.sandbox.all_ready().await?;
    disk.fill_but((RESERVE - 4) << 20)?;
    report.injected(format!(
        "the disk of the write-ahead log has {} MB left",
        disk.free()? >> 20
    ));
    let names = busy.sandbox.names();
    for name in names {
        let process = busy.sandbox.process(&name)?;
        wait::until(Duration::from_secs(10), "readiness goes off", async || {
            let (ready, said) = process.readiness().await;
            !ready && said.contains("NOT disk") && said.contains("ok  database")
        })
        .await?;
    }
    let (_, said) = busy.sandbox.process("front")?.readiness().await;
    let line = said.lines().find(|line| line.starts_with("NOT disk"));
    let free = disk.free()? >> 20;
    ensure!(free > 0, "the disk is full already");
    busy.driver.answered(30, Duration::from_secs(20)).await?;
    report.checked(format!(
        "every process says so first ({}), with {free} MB left and commands carried out",
        line.unwrap_or_default()
    ));
    Ok(())
}

/// Row 21: the write-ahead log cannot grow. PostgreSQL panics and stays down until there is room.
pub async fn wal(setting: &Setting, report: &mut Report) -> anyhow::Result<End> {
    let folder = match place() {
        Ok(folder) => folder,
        Err(reason) => return Ok(End::Skipped(reason)),
    };
    let disk = match SmallDisk::mount(folder.path().join("wal"), 128) {
        Ok(disk) => disk,
        Err(error) => return Ok(End::Skipped(format!("{error:#}"))),
    };
    let postgres = Options {
        wal: Some(disk.path().join("pg_wal")),
        ..Options::default()
    };
    let postgres = postgres
        .set("min_wal_size", "32MB")
        .set("max_wal_size", "48MB");
    let mut blueprint = Blueprint::default().on(postgres);
    let watched = disk.path().display().to_string();
    for plan in &mut blueprint.plans {
        let told = [
            ("TIERLINE_DISK_FOLDERS", watched.clone()),
            ("TIERLINE_DISK_RESERVE_MEGABYTES", RESERVE.to_string()),
        ];
        plan.environment
            .extend(told.map(|(name, value)| (name.to_owned(), value)));
    }
    let mut busy = Busy::start(blueprint, Load::default(), setting).await?;
    nearly_full(&mut busy, &disk, report).await?;
    disk.fill()?;
    report.injected("the disk of the write-ahead log is full");
    let stopped = async || {
        // Fill what was recycled, too.
        let _ = busy.sandbox.postgres.run("SELECT pg_switch_wal()").await;
        busy.sandbox
            .postgres
            .log_text()
            .contains("No space left on device")
    };
    wait::until(Duration::from_secs(90), "the log cannot grow", stopped).await?;
    let down = busy
        .sandbox
        .postgres
        .wait_ended(Duration::from_secs(60))
        .await;
    down.context("PostgreSQL goes on without a log")?;
    let (ready, said) = busy.sandbox.process("front")?.readiness().await;
    ensure!(
        !ready,
        "a process without a database says that it is ready: {said}"
    );
    report.checked("PostgreSQL is down, and the processes say that they are not ready");
    disk.release()?;
    let took = busy.sandbox.postgres.start().await?;
    report.noted(format!("recovery took {:.1} s", took.as_secs_f64()));
    busy.back("there is room again", report).await?;
    busy.conclude(Expect::default(), report).await?;
    Ok(End::Passed)
}
