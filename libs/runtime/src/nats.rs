//! A NATS server of one's own: found on the PATH, kept in the data folder, stopped by its pid.
//!
//! It carries events and remembers nothing that counts, so its folder may be removed at any time
//! while it is stopped. It listens on the loopback only and asks for a password.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long a start may take: a large store is read back first.
const START: Duration = Duration::from_secs(30);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(20);
/// Ports that are tried.
const ATTEMPTS: u32 = 5;
/// The name of the program.
const PROGRAM: &str = "nats-server";
/// The account of Tierline on it.
const USER: &str = "tierline";

/// What kind of server is wanted.
#[derive(Debug, Clone, Default)]
pub struct NatsOptions {
    /// The program; looked for on the PATH when absent.
    pub program: Option<PathBuf>,
    /// A fixed port, so that clients find it again after a restart.
    pub port: Option<u16>,
    /// More lines for its configuration.
    pub settings: String,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum NatsStartError {
    /// There is no such program.
    #[error("there is no nats-server on the PATH")]
    Absent,
    /// The folder or the process could not be made.
    #[error("nats-server cannot be started in {folder}")]
    Process {
        /// Its folder.
        folder: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// It ended by itself or did not answer.
    #[error("nats-server did not start; its log ends with:\n{0}")]
    Failed(String),
}

/// A NATS server that this process has started. Dropping it kills the server.
#[derive(Debug)]
pub struct EmbeddedNats {
    port: u16,
    password: String,
    pid: Pid,
    program: PathBuf,
    exited: watch::Receiver<bool>,
}

/// Looks for the program in the folders of the PATH, and in the one where Debian puts it.
pub fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(PROGRAM))
        .find(|file| {
            fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}

impl EmbeddedNats {
    /// Starts a server that keeps everything in `folder`, and waits until it takes connections.
    ///
    /// # Errors
    /// See [`NatsStartError`].
    pub async fn start(folder: &Path, options: &NatsOptions) -> Result<Self, NatsStartError> {
        let program = options.program.clone().or_else(find);
        let program = program.ok_or(NatsStartError::Absent)?;
        let wrong = |source| NatsStartError::Process {
            folder: folder.display().to_string(),
            source,
        };
        fs::create_dir_all(folder).map_err(wrong)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(wrong)?;
        stop_orphan(folder).await.map_err(wrong)?;
        let password = password(folder).map_err(wrong)?;
        for attempt in 1.. {
            let port = match options.port {
                Some(port) => port,
                None => free_port().map_err(wrong)?,
            };
            let settings = configuration(folder, port, &password, &options.settings);
            private(&folder.join("nats.conf"), &settings).map_err(wrong)?;
            match launch(&program, folder, port, &password).await {
                Ok(server) => return Ok(server),
                // Somebody else may have taken the port meanwhile, or holds it a moment longer.
                Err(NatsStartError::Failed(tail))
                    if attempt < ATTEMPTS && tail.contains("address already in use") =>
                {
                    sleep(Duration::from_millis(200)).await;
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the loop only ends by returning")
    }

    /// URL with user and password.
    pub fn url(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The program that runs.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Asks the server to end and waits; kills it when the deadline passes.
    ///
    /// # Errors
    /// When the system refuses signals.
    pub async fn stop(self, deadline: Duration) -> io::Result<()> {
        self.end(Signal::TERM, deadline).await
    }

    /// Kills the server, as a power cut would.
    ///
    /// # Errors
    /// When the system refuses signals.
    pub async fn crash(self) -> io::Result<()> {
        self.end(Signal::KILL, Duration::from_secs(5)).await
    }

    async fn end(self, signal: Signal, deadline: Duration) -> io::Result<()> {
        let mut exited = self.exited.clone();
        for signal in [signal, Signal::KILL] {
            if *exited.borrow() {
                return Ok(());
            }
            send(self.pid, signal)?;
            if timeout(deadline, exited.wait_for(|exited| *exited))
                .await
                .is_ok()
            {
                return Ok(());
            }
        }
        Err(io::Error::other("nats-server does not end"))
    }
}

impl Drop for EmbeddedNats {
    fn drop(&mut self) {
        if !*self.exited.borrow() {
            // It has nothing that would be missed.
            send(self.pid, Signal::KILL).ok();
        }
    }
}

fn send(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn launch(
    program: &Path,
    folder: &Path,
    port: u16,
    password: &str,
) -> Result<EmbeddedNats, NatsStartError> {
    let wrong = |source| NatsStartError::Process {
        folder: folder.display().to_string(),
        source,
    };
    let log = fs::File::create(folder.join("nats.log")).map_err(wrong)?;
    let again = log.try_clone().map_err(wrong)?;
    let mut child = Command::new(program)
        .arg("-c")
        .arg(folder.join("nats.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(again))
        // Ctrl-C in the terminal is for us; we end the server when its clients are done.
        .process_group(0)
        .spawn()
        .map_err(wrong)?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let pid = pid.ok_or_else(|| NatsStartError::Failed("it ended at once".to_owned()))?;
    let number = pid.as_raw_nonzero().get();
    private(&folder.join("nats.pid"), &number.to_string()).map_err(wrong)?;
    let (tell, exited) = watch::channel(false);
    tokio::spawn(async move {
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "nats-server cannot be waited for: {error}");
        }
        tell.send_replace(true);
    });
    let server = EmbeddedNats {
        port,
        password: password.to_owned(),
        pid,
        program: program.to_owned(),
        exited,
    };
    let until = Instant::now() + START;
    while Instant::now() < until && !*server.exited.borrow() {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_ok()
            && ready(folder)
        {
            return Ok(server);
        }
        sleep(POLL).await;
    }
    Err(NatsStartError::Failed(tail(folder)))
}

/// Whether the log says that clients are served; an open port may still be somebody else's.
fn ready(folder: &Path) -> bool {
    fs::read_to_string(folder.join("nats.log")).is_ok_and(|log| log.contains("Server is ready"))
}

fn tail(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("nats.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

fn configuration(folder: &Path, port: u16, password: &str, more: &str) -> String {
    format!(
        "# Written at every start.\n\
         listen: \"127.0.0.1:{port}\"\n\
         server_name: \"tierline-{port}\"\n\
         max_payload: 8MB\n\
         jetstream {{ store_dir: {:?} }}\n\
         authorization {{ user: {USER}, password: \"{password}\" }}\n{more}\n",
        folder.join("store")
    )
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// The password of the folder, made at the first start.
fn password(folder: &Path) -> io::Result<String> {
    let path = folder.join("password");
    match fs::read_to_string(&path) {
        Ok(password) if !password.trim().is_empty() => Ok(password.trim().to_owned()),
        _ => {
            let bytes: [u8; 16] = rand::random();
            let password = hex::encode(bytes);
            private(&path, &password)?;
            Ok(password)
        }
    }
}

fn private(path: &Path, content: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_bytes())
}

/// Ends the server that an earlier process left, if it is still there and still that server.
async fn stop_orphan(folder: &Path) -> io::Result<()> {
    let Ok(text) = fs::read_to_string(folder.join("nats.pid")) else {
        return Ok(());
    };
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    let ours = String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy());
    if !ours {
        return Ok(());
    }
    tracing::warn!("a nats-server of an earlier run is still there and is ended");
    send(pid, Signal::TERM)?;
    let until = Instant::now() + Duration::from_secs(10);
    while test_kill_process(pid).is_ok() {
        if Instant::now() > until {
            send(pid, Signal::KILL)?;
        }
        sleep(POLL).await;
    }
    Ok(())
}
