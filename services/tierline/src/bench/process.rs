//! Processes of their own: `tierline serve` with some of the targets.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::process::{Child, Command};

use super::machine::mebibytes;
use super::node::{Access, Connection};

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the processes of a figure have in common.
pub struct Installation {
    /// The database.
    database_url: String,
    /// The NATS servers, if events travel over them.
    nats_url: Option<String>,
    /// Whose tokens are accepted.
    access: Access,
    keys: PathBuf,
}

impl Installation {
    /// One whose processes share a database and, with `nats_url`, NATS servers.
    ///
    /// # Errors
    /// When no key can be made or written.
    pub fn new(database_url: &str, nats_url: Option<String>) -> anyhow::Result<Self> {
        let access = Access::new()?;
        let keys = format!("tierline-bench-{}.jwks", std::process::id());
        let keys = std::env::temp_dir().join(keys);
        std::fs::write(&keys, access.jwks())
            .with_context(|| format!("{} cannot be written", keys.display()))?;
        Ok(Self {
            database_url: database_url.to_owned(),
            nats_url,
            access,
            keys,
        })
    }

    /// Starts a process and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(&self, targets: &str) -> anyhow::Result<Process> {
        let (address, admin) = (free_port()?, free_port()?);
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("serve")
            .args(["--listen", &address.to_string()])
            .args(["--admin-listen", &admin.to_string()])
            .args(["--log-level", "warn", "--target", targets])
            .arg("--jwks-file")
            .arg(&self.keys)
            // Not as arguments, where everybody on the machine can read them.
            .env("TIERLINE_DATABASE_URL", &self.database_url)
            .env("TIERLINE_DATA_DIR", std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        match &self.nats_url {
            Some(url) => command.env("TIERLINE_NATS_URL", url),
            None => command
                .env_remove("TIERLINE_NATS_URL")
                .env_remove("NATS_URL"),
        };
        let child = command.spawn().context("a process cannot be started")?;
        let mut process = Process {
            targets: targets.to_owned(),
            child,
            address,
            admin,
        };
        process.ready().await?;
        Ok(process)
    }

    /// A connection to the services of a process.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn connect(&self, process: &Process) -> anyhow::Result<Connection> {
        let address = format!("http://{}", process.address);
        self.access.connect(&address).await
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // A public key in the folder for temporary files harms nobody.
        std::fs::remove_file(&self.keys).ok();
    }
}

/// A process.
pub struct Process {
    /// What it runs.
    pub targets: String,
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Process {
    async fn ready(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            if is_ready(self.admin).await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the process {} ended by itself: {status}", self.targets);
            }
            let late = Instant::now() > until;
            anyhow::ensure!(!late, "the process {} does not become ready", self.targets);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn proc(&self, file: &str) -> anyhow::Result<PathBuf> {
        let pid = self.child.id().context("the process has ended")?;
        Ok(PathBuf::from(format!("/proc/{pid}/{file}")))
    }

    /// Memory that it holds at present, and held at its peak, in MiB.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn memory(&self) -> anyhow::Result<(u64, u64)> {
        let status = self.proc("status")?;
        let present = mebibytes(&status, "VmRSS").context("the memory is not known")?;
        let peak = mebibytes(&status, "VmHWM").context("the peak of the memory is not known")?;
        Ok((present, peak))
    }

    /// Time that it has spent on a core.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        // In nanoseconds, per thread: the sum of the whole process is in ticks of 10 ms only.
        let mut sum = 0;
        for thread in std::fs::read_dir(self.proc("task")?)? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let on_core = text.split(' ').next().context("schedstat is empty")?;
            sum += on_core.parse::<u64>().context("schedstat has no number")?;
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Kills it at once, as a failure of its machine would, and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the process does not end")
    }
}

async fn is_ready(admin: SocketAddr) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(admin).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}

/// A port that nobody has at this moment.
fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
