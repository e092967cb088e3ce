//! The folder of the embedded server: made once, found again later.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use tracing::info;

use super::account::Account;
use super::binaries::Binaries;
use super::error::PostgresError;
use crate::data_dir::{DataDir, DataDirError, io_error, write_public, write_secret};

/// Role that owns the server and the database; also the name of the database.
pub(super) const ROLE: &str = "tierline";

/// Above this the log of the server is moved aside at the next start.
const LOG_LIMIT: u64 = 4 * 1024 * 1024;
/// How much of the log an error shows.
const TAIL_LINES: usize = 12;

/// Major version of the data in a cluster folder; none where there is no cluster yet.
pub(super) fn major(folder: &Path) -> Result<Option<u32>, PostgresError> {
    let path = folder.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            let source = io::Error::new(io::ErrorKind::InvalidData, "not a version number");
            io_error("read", &path)(source).into()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", &path)(error).into()),
    }
}

/// A command of the installation, run by the right account from a folder it may be in.
pub(super) fn command(
    binaries: &Binaries,
    program: &str,
    account: Option<&Account>,
    cwd: &Path,
) -> Command {
    let mut command = Command::new(binaries.program(program));
    command
        .current_dir(cwd)
        .env("LC_ALL", "C")
        .env_remove("PGDATA");
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// Makes the cluster: into a folder beside, renamed when complete, so that a killed attempt is
/// never mistaken for data.
pub(super) async fn create(
    data: &DataDir,
    binaries: &Binaries,
    account: Option<&Account>,
    durable: bool,
) -> Result<(), PostgresError> {
    let new = data.path().join("postgres.new");
    let password_copy = data.path().join("postgres-password.init");
    remove_folder(&new)?;
    DirBuilder::new()
        .mode(0o700)
        .create(&new)
        .map_err(io_error("make", &new))?;
    let password = hex::encode(rand::random::<[u8; 24]>());
    write_secret(&data.postgres_password(), password.as_bytes())?;
    // The account must read the password once; it gets a copy, not the original.
    write_secret(&password_copy, password.as_bytes())?;
    if let Some(account) = account {
        account.own(&new)?;
        account.own(&password_copy)?;
    }
    let mut initdb = command(binaries, "initdb", account, &new);
    initdb
        .arg(format!("--pgdata={}", new.display()))
        .arg(format!("--username={ROLE}"))
        .arg(format!("--pwfile={}", password_copy.display()))
        .args([
            "--encoding=UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
            "--no-instructions",
        ]);
    if !durable {
        initdb.arg("--no-sync");
    }
    let result = initdb.output().await;
    fs::remove_file(&password_copy).map_err(io_error("remove", &password_copy))?;
    let output = result.map_err(|source| PostgresError::Process {
        action: format!("run {}", binaries.program("initdb").display()),
        source,
    })?;
    if !output.status.success() {
        return Err(PostgresError::Program {
            program: binaries.program("initdb").display().to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    fs::rename(&new, data.postgres()).map_err(io_error("rename", &new))?;
    Ok(())
}

fn remove_folder(path: &Path) -> Result<(), DataDirError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Refuses a cluster that the caller could not run; gives one that root has copied to the account.
pub(super) fn check_owner(folder: &Path, account: Option<&Account>) -> Result<(), PostgresError> {
    let owner = fs::metadata(folder)
        .map_err(io_error("open", folder))?
        .uid();
    match account {
        Some(account) if owner != account.uid => account.own(folder),
        Some(_) => Ok(()),
        None => {
            let caller = rustix::process::geteuid().as_raw();
            if owner == caller {
                return Ok(());
            }
            let path = folder.to_owned();
            Err(DataDirError::OtherOwner {
                path,
                owner,
                caller,
            }
            .into())
        }
    }
}

/// The password that was generated with the cluster.
pub(super) fn password(data: &DataDir) -> Result<String, PostgresError> {
    let path = data.postgres_password();
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) => Err(PostgresError::NoPassword(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(PostgresError::NoPassword(path))
        }
        Err(error) => Err(io_error("read", &path)(error).into()),
    }
}

/// The port of last time, if there was one.
pub(super) fn last_port(data: &DataDir) -> Result<Option<u16>, PostgresError> {
    let path = data.postgres_port();
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", &path)(error).into()),
    }
}

/// The port of last time where it is free, else a free one, which is then remembered.
pub(super) fn choose_port(data: &DataDir) -> Result<u16, PostgresError> {
    let remembered = last_port(data).ok().flatten();
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = remembered.filter(|port| free(*port).is_ok()) {
        return Ok(port);
    }
    let port = free(0)
        .and_then(|listener| listener.local_addr())
        .map_err(|source| PostgresError::Process {
            action: "find a free port".into(),
            source,
        })?
        .port();
    write_public(&data.postgres_port(), format!("{port}\n").as_bytes())?;
    Ok(port)
}

/// The log file of the server, opened to write on; a big one is moved aside first.
pub(super) fn open_log(path: &Path) -> Result<File, PostgresError> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
        let old = path.with_extension("log.old");
        fs::rename(path, &old).map_err(io_error("rename", path))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| io_error("open", path)(error).into())
}

/// The last lines of the log from `offset` on.
pub(super) fn log_tail(path: &Path, offset: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(
            offset.max(length.saturating_sub(16 * 1024)),
        ))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(the log cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Ends a server that a killed process of ours has left behind on this folder.
pub(super) async fn stop_orphan(folder: &Path, deadline: Duration) -> Result<(), PostgresError> {
    let pid_file = folder.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&pid_file) else {
        return Ok(());
    };
    let Some(pid) = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse::<i32>().ok())
    else {
        return Ok(());
    };
    let Some(process) = Pid::from_raw(pid) else {
        return Ok(());
    };
    if test_kill_process(process).is_err() {
        return Ok(()); // The server removes a file whose process is gone by itself.
    }
    if !serves(pid, folder) {
        // The number was given to somebody else since, for instance by a restart of the machine;
        // PostgreSQL would refuse to start as long as that process lives.
        info!("removing a left-over postmaster.pid of process {pid}");
        fs::remove_file(&pid_file).map_err(io_error("remove", &pid_file))?;
        return Ok(());
    }
    info!("stopping the PostgreSQL that an earlier run has left behind (process {pid})");
    for (signal, wait) in [
        (Signal::INT, deadline),
        (Signal::QUIT, deadline / 2),
        (Signal::KILL, deadline / 2),
    ] {
        if let Err(error) = kill_process(process, signal)
            && error != rustix::io::Errno::SRCH
        {
            return Err(PostgresError::Process {
                action: format!("signal the left-over process {pid}"),
                source: error.into(),
            });
        }
        let until = Instant::now() + wait;
        while serves(pid, folder) {
            if Instant::now() >= until {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        if !serves(pid, folder) {
            return Ok(());
        }
    }
    Err(PostgresError::Orphan(pid))
}

/// Whether this process is a postmaster on this folder: it works inside its data folder.
fn serves(pid: i32, folder: &Path) -> bool {
    if cfg!(target_os = "linux") {
        return fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
    }
    let output = std::process::Command::new("ps")
        .args(["-o", "command=", "-p", &pid.to_string()])
        .output();
    output.is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        line.contains("postgres") && line.contains(&PathBuf::from(folder).display().to_string())
    })
}
