//! Starting, watching and stopping the embedded server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::MAX_CONNECTIONS;
use super::account::Account;
use super::binaries::Binaries;
use super::cluster::{self, ROLE};
use super::error::PostgresError;
use crate::data_dir::{DataDir, LockedDataDir};

/// How long recovery after a crash may take before we give up on a start.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// How long a server of an earlier run may take to stop.
const ORPHAN_DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two questions whether the server is ready.
const POLL: Duration = Duration::from_millis(20);
/// Starts that are tried when a port is lost or memory of a dead server is still being released.
const ATTEMPTS: u32 = 10;

/// What the caller may say about the server.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Folder of `initdb` and `postgres`; found by itself when absent.
    pub binaries: Option<PathBuf>,
    /// Settings on top of ours, such as `("max_connections", "20")`.
    pub settings: Vec<(String, String)>,
    /// For data that nobody will miss: never waits for the disk.
    pub throwaway: bool,
}

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// In order; the next start needs no recovery.
    Clean,
    /// It did not end within the deadline and was cut off; the next start recovers.
    Forced,
}

/// A PostgreSQL that this process has started. Dropping it asks the server to stop and does not
/// wait; [`EmbeddedPostgres::stop`] waits.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    binaries: Binaries,
    port: u16,
    password: String,
    server_version: String,
    pid: Pid,
    exited: watch::Receiver<bool>,
}

impl EmbeddedPostgres {
    /// Starts the server on the data folder, which it initialises at the first time. Returns when
    /// the database accepts statements.
    ///
    /// # Errors
    /// No PostgreSQL on the machine, data of another version, an account that cannot reach the
    /// folder, a server that ends or does not answer.
    pub async fn start(
        data: &LockedDataDir,
        options: &PostgresOptions,
    ) -> Result<Self, PostgresError> {
        let folder = data.postgres();
        let existing = cluster::major(&folder)?;
        let binaries = Binaries::find(
            options.binaries.as_deref(),
            existing.map(|m| (m, folder.as_path())),
        )?;
        let account = Account::for_cluster(&folder)?;
        if let Some(account) = &account {
            account.check_reach(&binaries, data.path())?;
        }
        if existing.is_none() {
            info!(
                "making a new PostgreSQL {} in {}",
                binaries.version,
                folder.display()
            );
            cluster::create(data, &binaries, account.as_ref(), !options.throwaway).await?;
        } else {
            cluster::check_owner(&folder, account.as_ref())?;
            cluster::stop_orphan(&folder, ORPHAN_DEADLINE).await?;
        }
        let password = cluster::password(data)?;
        let until = Instant::now() + START_DEADLINE;
        for attempt in 1.. {
            let start = Start {
                data,
                binaries: &binaries,
                account: account.as_ref(),
                options,
            };
            match start.attempt(&password, until).await {
                Ok(server) => return Ok(server),
                Err(PostgresError::Ended { tail, .. })
                    if attempt < ATTEMPTS && passes(&tail) && Instant::now() < until =>
                {
                    sleep(Duration::from_millis(200)).await;
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the loop only ends by returning")
    }

    /// URL of the database `tierline` on this server, password included.
    pub fn url(&self) -> String {
        url(self.port, &self.password, ROLE)
    }

    /// URL of another database of this server.
    pub fn url_of(&self, database: &str) -> String {
        url(self.port, &self.password, database)
    }

    /// Where the programs were found, and their version.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The version that the server itself reports.
    pub fn server_version(&self) -> &str {
        &self.server_version
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Process id of the postmaster.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Completes when the server has ended, for whatever reason.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut exited = self.exited.clone();
        async move {
            // An error means that the watcher is gone, and with it the runtime.
            let _ = exited.wait_for(|exited| *exited).await;
        }
    }

    /// Stops the server: open sessions are ended, data is written, and it waits for that. When the
    /// deadline passes the server is cut off instead, which costs a recovery at the next start and
    /// loses nothing.
    ///
    /// # Errors
    /// When signals are refused by the system or even the last one has no effect.
    pub async fn stop(self, deadline: Duration) -> Result<Stopped, PostgresError> {
        let last = Duration::from_secs(5);
        let steps = [
            (Signal::INT, deadline),
            (Signal::QUIT, last),
            (Signal::KILL, last),
        ];
        for (index, (signal, wait)) in steps.into_iter().enumerate() {
            self.signal(signal)?;
            if timeout(wait, self.ended()).await.is_ok() {
                return Ok(if index == 0 {
                    Stopped::Clean
                } else {
                    Stopped::Forced
                });
            }
            warn!("PostgreSQL did not stop within {} s", wait.as_secs());
        }
        Err(PostgresError::Orphan(self.pid()))
    }

    /// Kills the postmaster at once, as a crash would. For tests of what survives it.
    ///
    /// # Errors
    /// When the signal is refused by the system.
    pub async fn crash(self) -> Result<(), PostgresError> {
        self.signal(Signal::KILL)?;
        self.ended().await;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), PostgresError> {
        if *self.exited.borrow() {
            return Ok(());
        }
        match kill_process(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(PostgresError::Process {
                action: format!("signal the PostgreSQL process {}", self.pid()),
                source: error.into(),
            }),
        }
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        if let Err(error) = self.signal(Signal::INT) {
            warn!("{error}");
        }
    }
}

fn url(port: u16, password: &str, database: &str) -> String {
    // No TLS on the loopback of one machine; saying so saves a round trip per connection.
    format!("postgres://{ROLE}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
}

/// URL of the database of the server that runs on this folder, or ran last; none where there never
/// was one. Says nothing about whether it runs now.
///
/// # Errors
/// When the port or the password cannot be read, for instance by somebody who may not.
pub fn last_url(data: &DataDir) -> Result<Option<String>, PostgresError> {
    let Some(port) = cluster::last_port(data)? else {
        return Ok(None);
    };
    Ok(Some(url(port, &cluster::password(data)?, ROLE)))
}

/// One attempt to start; the parts that all steps need.
struct Start<'a> {
    data: &'a LockedDataDir,
    binaries: &'a Binaries,
    account: Option<&'a Account>,
    options: &'a PostgresOptions,
}

impl Start<'_> {
    async fn attempt(
        &self,
        password: &str,
        until: Instant,
    ) -> Result<EmbeddedPostgres, PostgresError> {
        let port = cluster::choose_port(self.data)?;
        let log = self.data.postgres_log();
        let file = cluster::open_log(&log)?;
        let offset = fs::metadata(&log).map_or(0, |meta| meta.len());
        let child = self.spawn(port, file)?;
        let (pid, exited) = watch_child(child)?;
        // From here on, dropping the value asks the server to stop.
        let mut server = EmbeddedPostgres {
            binaries: self.binaries.clone(),
            port,
            password: password.to_owned(),
            server_version: String::new(),
            pid,
            exited,
        };
        let mut connection = self.wait_ready(&server, &log, offset, until).await?;
        server.server_version = prepare(&mut connection).await?;
        connection.close().await?;
        Ok(server)
    }

    fn spawn(&self, port: u16, log: fs::File) -> Result<Child, PostgresError> {
        let folder = self.data.postgres();
        let mut command = cluster::command(self.binaries, "postgres", self.account, &folder);
        command.arg("-D").arg(&folder);
        for (name, value) in settings(port, self.options) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        command.spawn().map_err(|source| PostgresError::Process {
            action: format!("start {}", self.binaries.program("postgres").display()),
            source,
        })
    }

    async fn wait_ready(
        &self,
        server: &EmbeddedPostgres,
        log: &Path,
        offset: u64,
        until: Instant,
    ) -> Result<PgConnection, PostgresError> {
        let begin = Instant::now();
        let mut next_word = begin + Duration::from_secs(5);
        loop {
            let answer = PgConnection::connect(&server.url_of("postgres"));
            let reason = match timeout(Duration::from_secs(2), answer).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) if code(&error).as_deref() == Some("28P01") => {
                    return Err(PostgresError::WrongPassword(self.data.postgres_password()));
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if *server.exited.borrow() {
                let tail = cluster::log_tail(log, offset);
                return Err(PostgresError::Ended {
                    log: log.to_owned(),
                    tail,
                });
            }
            let now = Instant::now();
            if now >= until {
                let seconds = START_DEADLINE.as_secs();
                return Err(PostgresError::NotReady {
                    seconds,
                    reason,
                    log: log.to_owned(),
                });
            }
            if now >= next_word {
                info!(
                    "waiting for PostgreSQL since {} s: {reason}",
                    begin.elapsed().as_secs()
                );
                next_word = now + Duration::from_secs(5);
            }
            sleep(POLL).await;
        }
    }
}

/// Waits for the child in the background, so that it never stays a zombie and its end is noticed.
fn watch_child(mut child: Child) -> Result<(Pid, watch::Receiver<bool>), PostgresError> {
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| PostgresError::Process {
        action: "watch PostgreSQL".into(),
        source: std::io::Error::other("it ended at once"),
    })?;
    let (sender, exited) = watch::channel(false);
    tokio::spawn(async move {
        if let Err(error) = child.wait().await {
            warn!("cannot wait for PostgreSQL: {error}");
        }
        sender.send_replace(true);
    });
    Ok((pid, exited))
}

/// Makes the database at the first start; gives the version of the server.
async fn prepare(connection: &mut PgConnection) -> Result<String, PostgresError> {
    let (version, exists): (String, bool) = sqlx::query_as(
        "SELECT current_setting('server_version'), \
         EXISTS (SELECT FROM pg_database WHERE datname = $1)",
    )
    .bind(ROLE)
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        sqlx::raw_sql(&format!("CREATE DATABASE {ROLE}"))
            .execute(connection)
            .await?;
    }
    Ok(version)
}

fn code(error: &sqlx::Error) -> Option<String> {
    error
        .as_database_error()
        .and_then(|e| e.code())
        .map(|code| code.into_owned())
}

/// Failures of a start that go away by themselves: a port that was lost between the look and the
/// start, and memory of a crashed server whose last backends are still leaving.
fn passes(tail: &str) -> bool {
    [
        "could not bind",
        "Address already in use",
        "shared memory block",
    ]
    .iter()
    .any(|part| tail.contains(part))
}

/// The settings of the server. They are given as arguments, so the code is their only source.
fn settings(port: u16, options: &PostgresOptions) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("shared_buffers", "128MB"),
        // The log is the truth: a commit that was answered survives the power cut.
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("autovacuum", "on"),
        // Outbox and checkpoints are rewritten all the time; look after them often.
        ("autovacuum_naptime", "15s"),
        // Few, spread checkpoints, and costs of a disk that does not turn.
        ("wal_buffers", "16MB"),
        ("min_wal_size", "256MB"),
        ("max_wal_size", "2GB"),
        ("checkpoint_timeout", "15min"),
        ("checkpoint_completion_target", "0.9"),
        ("random_page_cost", "1.1"),
        ("jit", "off"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        // A lost race or a taken name is an ordinary answer here, not a line in a log.
        ("log_min_messages", "log"),
        ("log_checkpoints", "off"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    settings.push(("port".into(), port.to_string()));
    settings.push(("max_connections".into(), MAX_CONNECTIONS.to_string()));
    if cfg!(target_os = "linux") {
        settings.push(("effective_io_concurrency".into(), "200".into()));
    }
    if options.throwaway {
        settings.push(("fsync".into(), "off".into()));
        settings.push(("full_page_writes".into(), "off".into()));
    }
    settings.extend(options.settings.iter().cloned());
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last<'a>(settings: &'a [(String, String)], name: &str) -> &'a str {
        &settings.iter().rev().find(|(n, _)| n == name).unwrap().1
    }

    #[test]
    fn data_is_safe_unless_it_is_declared_throwaway() {
        let safe = settings(1, &PostgresOptions::default());
        assert_eq!(last(&safe, "fsync"), "on");
        let options = PostgresOptions {
            throwaway: true,
            ..PostgresOptions::default()
        };
        assert_eq!(last(&settings(1, &options), "fsync"), "off");
    }

    #[test]
    fn the_url_of_the_last_server_is_known_to_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        assert_eq!(last_url(&data).unwrap(), None);
        fs::write(data.postgres_port(), "5999\n").unwrap();
        let error = last_url(&data).unwrap_err();
        assert!(matches!(error, PostgresError::NoPassword(_)), "{error}");
        fs::write(data.postgres_password(), "geheim\n").unwrap();
        let known = last_url(&data).unwrap().unwrap();
        assert_eq!(
            known,
            "postgres://tierline:geheim@127.0.0.1:5999/tierline?sslmode=disable"
        );
    }

    #[test]
    fn settings_of_the_caller_come_last_and_win() {
        let wish = ("max_connections".to_owned(), "12".to_owned());
        let options = PostgresOptions {
            settings: vec![wish],
            ..PostgresOptions::default()
        };
        assert_eq!(last(&settings(1, &options), "max_connections"), "12");
    }
}
