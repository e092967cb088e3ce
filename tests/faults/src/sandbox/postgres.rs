//! A PostgreSQL server of a sandbox: on a port that stays, with a disk, a library or a past of
//! one's choice, and all the ways in which it can end.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command as Blocking, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection};
use tierline_runtime::postgres::Binaries;
use tokio::process::{Child, Command};

use super::ports;
use crate::wait;

/// Longest wait for a start; recovery is in it.
const START: Duration = Duration::from_secs(60);
/// Role and database of all servers.
const ROLE: &str = "tierline";
/// No secret: the server listens on the loopback and lives for a minute.
const PASSWORD: &str = "faults";

/// What a server is made with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Settings on top of ours.
    pub settings: Vec<(String, String)>,
    /// Variables of the environment of the server, such as a library to load first.
    pub environment: Vec<(String, String)>,
    /// Folder of the write-ahead log, where it is not inside the data folder.
    pub wal: Option<PathBuf>,
    /// Waits for the disk. Off, a kill loses nothing all the same: the page cache outlives it.
    pub durable: bool,
}

impl Options {
    /// Adds a setting.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A server and its data folder. Dropping it kills the server.
pub struct Postgres {
    /// Its port, the same for life.
    pub port: u16,
    /// Its data folder.
    pub data: PathBuf,
    options: Options,
    binaries: Binaries,
    log: PathBuf,
    child: Option<Child>,
}

/// The account that runs servers: root may not.
fn account() -> anyhow::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let text = fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
    for name in ["postgres", "nobody"] {
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if fields.first() == Some(&name) && fields.len() > 3 {
                return Ok(Some((fields[2].parse()?, fields[3].parse()?)));
            }
        }
    }
    bail!("there is neither an account `postgres` nor `nobody` to run PostgreSQL as")
}

/// Makes a folder that the account of the servers owns.
///
/// # Errors
/// When the system refuses.
pub fn own_folder(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).with_context(|| format!("{} cannot be made", path.display()))?;
    give(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// Gives a file or folder to the account of the servers.
///
/// # Errors
/// When the system refuses.
pub fn give(path: &Path) -> anyhow::Result<()> {
    if let Some((uid, gid)) = account()? {
        chown(path, Some(uid), Some(gid))
            .with_context(|| format!("{} cannot be given away", path.display()))?;
    }
    Ok(())
}

impl Postgres {
    /// Makes a new, empty server in `data` and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is missing or does not start.
    pub async fn create(data: PathBuf, log: PathBuf, options: Options) -> anyhow::Result<Self> {
        let mut server = Self::on(data, log, options)?;
        own_folder(&server.data)?;
        let word = server.data.with_extension("word");
        fs::write(&word, PASSWORD)?;
        give(&word)?;
        let mut arguments: Vec<String> = vec![
            format!("--pgdata={}", server.data.display()),
            format!("--username={ROLE}"),
            format!("--pwfile={}", word.display()),
        ];
        if let Some(wal) = &server.options.wal {
            own_folder(wal)?;
            arguments.push(format!("--waldir={}", wal.display()));
        }
        arguments.extend(
            [
                "--encoding=UTF8",
                "--locale=C",
                "--auth=password",
                "--no-sync",
            ]
            .map(str::to_owned),
        );
        server.program("initdb", &arguments).await?;
        // Copies for standbys and backups come over the replication protocol.
        server.start().await?;
        let mut connection = server.connect_to("postgres").await?;
        sqlx::raw_sql(&format!("CREATE DATABASE {ROLE}"))
            .execute(&mut connection)
            .await?;
        Ok(server)
    }

    /// A server on a folder that holds data already, or will. Not started.
    ///
    /// # Errors
    /// When PostgreSQL is missing.
    pub fn on(data: PathBuf, log: PathBuf, options: Options) -> anyhow::Result<Self> {
        let named = std::env::var_os("TIERLINE_POSTGRES_BIN").map(PathBuf::from);
        Ok(Self {
            port: ports::free()?,
            data,
            options,
            binaries: Binaries::find(named.as_deref(), None)?,
            log,
            child: None,
        })
    }

    /// Runs a program of the installation as the account of the servers.
    ///
    /// # Errors
    /// When it fails; with what it printed.
    pub async fn program(&self, name: &str, arguments: &[String]) -> anyhow::Result<()> {
        let output = self
            .command(name)?
            .args(arguments)
            .env("PGPASSWORD", PASSWORD)
            .output()
            .await
            .with_context(|| format!("{name} cannot be run"))?;
        ensure!(
            output.status.success(),
            "{name} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }

    fn command(&self, name: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(self.binaries.program(name));
        command
            .current_dir("/")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let Some((uid, gid)) = account()? {
            command.uid(uid).gid(gid);
        }
        Ok(command)
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// When it ends or does not answer in time; with the end of its log.
    pub async fn start(&mut self) -> anyhow::Result<Duration> {
        self.spawn()?;
        self.ready(START).await
    }

    /// Starts the server without waiting for it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        ensure!(self.child.is_none(), "the server runs already");
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = self.command("postgres")?;
        command.arg("-D").arg(&self.data);
        for (name, value) in self.settings() {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, value) in &self.options.environment {
            command.env(name, value);
        }
        command
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        self.child = Some(command.spawn().context("postgres cannot be started")?);
        Ok(())
    }

    fn settings(&self) -> Vec<(String, String)> {
        let sync = if self.options.durable { "on" } else { "off" };
        let port = self.port.to_string();
        let mut settings: Vec<(String, String)> = [
            ("port", port.as_str()),
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("fsync", sync),
            ("full_page_writes", "on"),
            ("synchronous_commit", "on"),
            ("shared_buffers", "64MB"),
            ("max_connections", "160"),
            ("max_wal_size", "512MB"),
            ("wal_level", "replica"),
            ("max_wal_senders", "8"),
            ("jit", "off"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("log_min_messages", "log"),
            ("log_checkpoints", "off"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        settings.extend(self.options.settings.iter().cloned());
        settings
    }

    /// Waits until the server answers.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn ready(&mut self, deadline: Duration) -> anyhow::Result<Duration> {
        let answered = wait::until_some(deadline, "PostgreSQL answers", async || {
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
            {
                return Some(Err(status));
            }
            let url = self.url_of("postgres");
            let answer = tokio::time::timeout(Duration::from_secs(2), async move {
                PgConnection::connect(&url).await
            });
            answer.await.ok()?.ok().map(|_| Ok(()))
        });
        match answered.await {
            Ok((Ok(()), took)) => Ok(took),
            Ok((Err(status), _)) => bail!("PostgreSQL ended ({status}): {}", self.tail()),
            Err(error) => Err(error.context(self.tail())),
        }
    }

    /// The end of the log.
    pub fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// The whole log.
    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// URL of the database.
    pub fn url(&self) -> String {
        self.url_of(ROLE)
    }

    /// URL of the database through another port, such as that of a proxy.
    pub fn url_through(&self, port: u16) -> String {
        format!("postgres://{ROLE}:{PASSWORD}@127.0.0.1:{port}/{ROLE}?sslmode=disable")
    }

    fn url_of(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{ROLE}:{PASSWORD}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        self.connect_to(ROLE).await
    }

    async fn connect_to(&self, database: &str) -> anyhow::Result<PgConnection> {
        let url = self.url_of(database);
        tokio::time::timeout(Duration::from_secs(10), PgConnection::connect(&url))
            .await
            .context("PostgreSQL does not answer")?
            .context("PostgreSQL refuses a connection")
    }

    /// Runs statements on a connection of their own.
    ///
    /// # Errors
    /// When they fail.
    pub async fn run(&self, sql: &str) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql(sql).execute(&mut connection).await?;
        Ok(())
    }

    /// Changes a setting for good and makes the server read it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn reload_with(&self, name: &str, value: &str) -> anyhow::Result<()> {
        self.run(&format!("ALTER SYSTEM SET {name} = '{value}'"))
            .await?;
        self.run("SELECT pg_reload_conf()").await
    }

    /// Process id of the postmaster.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child
            .as_ref()
            .and_then(Child::id)
            .context("the server does not run")
    }

    /// Process ids of the postmaster and everything it started.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pids(&self) -> anyhow::Result<Vec<u32>> {
        let postmaster = self.pid()?;
        let mut pids = vec![postmaster];
        pids.extend(super::process::children_of(postmaster)?);
        Ok(pids)
    }

    /// The process whose title has these words, such as `walwriter`.
    ///
    /// # Errors
    /// When there is none.
    pub fn pid_of(&self, words: &str) -> anyhow::Result<u32> {
        for pid in self.pids()? {
            let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&title).contains(words) {
                return Ok(pid);
            }
        }
        bail!("PostgreSQL has no process `{words}`")
    }

    /// Ends every session and stops, as `pg_ctl stop -m fast` does.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop_fast(&mut self) -> anyhow::Result<()> {
        signal(self.pid()?, Signal::INT)?;
        self.wait_ended(Duration::from_secs(30)).await
    }

    /// Kills postmaster and children, as a power cut of the container would.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn crash(&mut self) -> anyhow::Result<()> {
        let pids = self.pids()?;
        for pid in &pids {
            signal(*pid, Signal::KILL)?;
        }
        self.wait_ended(Duration::from_secs(10)).await?;
        // Memory is released when the last of them is gone; a start before that is refused.
        wait::until(
            Duration::from_secs(10),
            "all of PostgreSQL is gone",
            async || pids.iter().all(|pid| !super::process::alive(*pid)),
        )
        .await?;
        Ok(())
    }

    /// Waits until the server has ended by itself.
    ///
    /// # Errors
    /// When it does not.
    pub async fn wait_ended(&mut self, deadline: Duration) -> anyhow::Result<()> {
        let child = self.child.as_mut().context("the server does not run")?;
        tokio::time::timeout(deadline, child.wait())
            .await
            .context("PostgreSQL does not end")??;
        self.child = None;
        Ok(())
    }

    /// Copies the running server into a folder, with what is needed to start as its standby.
    ///
    /// # Errors
    /// When the copy fails.
    pub async fn copy_to(&self, folder: &Path, standby: bool) -> anyhow::Result<()> {
        let mut arguments = vec![
            format!("--pgdata={}", folder.display()),
            format!(
                "--dbname=host=127.0.0.1 port={} user={ROLE} password={PASSWORD}",
                self.port
            ),
            "--checkpoint=fast".to_owned(),
            "--wal-method=stream".to_owned(),
        ];
        if standby {
            arguments.push("--write-recovery-conf".to_owned());
        }
        own_folder(folder)?;
        self.program("pg_basebackup", &arguments).await
    }

    /// Makes a standby a primary and waits until it is one.
    ///
    /// # Errors
    /// When it does not become one.
    pub async fn promote(&self) -> anyhow::Result<()> {
        let mut connection = self.connect_to("postgres").await?;
        let promoted: bool = sqlx::query_scalar("SELECT pg_promote(true, 30)")
            .fetch_one(&mut connection)
            .await?;
        ensure!(promoted, "the standby was not promoted: {}", self.tail());
        Ok(())
    }
}

/// Sends a signal.
///
/// # Errors
/// When the system refuses; a process that is gone is fine.
pub fn signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = process.context("no process id")?;
    match kill_process(process, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("process {pid} cannot be signalled")),
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The children notice that the postmaster is gone; those that were stopped do not.
        if let Ok(pids) = self.pids() {
            for pid in pids {
                let _ = signal(pid, Signal::KILL);
            }
        }
    }
}

/// Mounts a small file system of its own; taken away with the value.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts so many megabytes at `path`.
    ///
    /// # Errors
    /// When this user may not mount.
    pub fn mount(path: PathBuf, megabytes: u32) -> anyhow::Result<Self> {
        fs::create_dir_all(&path)?;
        let size = format!("size={megabytes}m,mode=0755");
        let output = Blocking::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&path)
            .output()
            .context("mount cannot be run")?;
        ensure!(
            output.status.success(),
            "a tmpfs cannot be mounted: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes up all the space that is left.
    ///
    /// # Errors
    /// For any reason but a full disk.
    pub fn fill(&self) -> anyhow::Result<()> {
        self.fill_but(0)
    }

    /// Takes up the space that is left but for some bytes.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn fill_but(&self, rest: u64) -> anyhow::Result<()> {
        use std::io::Write as _;
        let free = self.free()?.saturating_sub(rest);
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())?;
        let block = vec![0_u8; 4096];
        for _ in 0..free / 4096 {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Gives back what [`Self::fill`] took.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn release(&self) -> anyhow::Result<()> {
        fs::remove_file(self.ballast()).context("the ballast cannot be removed")
    }

    /// Bytes that are free.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn free(&self) -> anyhow::Result<u64> {
        let known = rustix::fs::statvfs(&self.path)?;
        Ok(known.f_bavail * known.f_frsize)
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Blocking::new("umount").arg("-l").arg(&self.path).status();
    }
}
