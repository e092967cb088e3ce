//! One `tierline serve` of a sandbox, and what can be done to it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::ports;
use super::postgres::signal;
use crate::wait;

/// How a process is started.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name in logs and reports.
    pub name: String,
    /// Its `--target`.
    pub targets: String,
    /// Flags on top.
    pub flags: Vec<String>,
    /// Variables of the environment.
    pub environment: Vec<(String, String)>,
}

impl Plan {
    /// A process with the name of its only purpose.
    pub fn new(name: &str, targets: &str) -> Self {
        Self {
            name: name.to_owned(),
            targets: targets.to_owned(),
            flags: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// A process, running or not. Dropping it kills it.
pub struct Process {
    /// How it is started.
    pub plan: Plan,
    /// Port of its gRPC services.
    pub grpc: u16,
    admin: u16,
    binary: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// A process that has not started yet; its log goes into `folder`.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new(plan: Plan, binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            grpc: ports::free()?,
            admin: ports::free()?,
            binary: binary.to_owned(),
            log: folder.join(format!("{}.log", plan.name)),
            child: None,
            plan,
        })
    }

    /// Starts it; it is not ready yet.
    ///
    /// # Errors
    /// When it runs already or the system refuses.
    pub fn start(&mut self) -> anyhow::Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.plan.name);
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.binary);
        command
            .arg("serve")
            .arg(format!("--target={}", self.plan.targets))
            .arg(format!("--listen=127.0.0.1:{}", self.grpc))
            .arg(format!("--admin-listen=127.0.0.1:{}", self.admin))
            .args(&self.plan.flags)
            .env_remove("TIERLINE_CONFIG")
            .envs(self.plan.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        self.child = Some(command.spawn().context("tierline cannot be started")?);
        Ok(())
    }

    /// Whether it was started and not ended by us.
    pub fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Errors
    /// When it ends or does not become ready; with the end of its log.
    pub async fn ready(&mut self, deadline: Duration) -> anyhow::Result<Duration> {
        let what = format!("{} is ready", self.plan.name);
        let answered = wait::until_some(deadline, &what, async || {
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
            {
                return Some(Err(status));
            }
            let (ready, _) = readyz(self.admin).await;
            ready.then_some(Ok(()))
        });
        match answered.await {
            Ok((Ok(()), took)) => Ok(took),
            Ok((Err(status), _)) => bail!("{} ended ({status}): {}", self.plan.name, self.tail()),
            Err(error) => Err(error.context(self.tail())),
        }
    }

    /// Whether it is ready at this moment, and what it says.
    pub async fn readiness(&self) -> (bool, String) {
        readyz(self.admin).await
    }

    /// The lines of a metric, such as `tierline_relay_failures_total`, without those that are zero.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn numbers(&self, metric: &str) -> anyhow::Result<String> {
        let text = get(self.admin, "/metrics").await.context("no answer")?;
        let lines = text.lines().filter_map(|line| line.strip_prefix(metric));
        let counted: Vec<&str> = lines.filter(|line| !line.ends_with(" 0")).collect();
        Ok(counted.join(", "))
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self) -> anyhow::Result<u32> {
        let id = self.child.as_ref().and_then(Child::id);
        id.with_context(|| format!("{} does not run", self.plan.name))
    }

    /// Memory that it holds, in bytes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes.context("no VmRSS")?.trim().parse()?;
        Ok(kilobytes * 1024)
    }

    /// kill -9, and waits for the end.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        signal(self.pid()?, Signal::KILL)?;
        self.ended(Duration::from_secs(10)).await?;
        Ok(())
    }

    /// SIGSTOP: it stands still with everything it holds.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        signal(self.pid()?, Signal::STOP)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        signal(self.pid()?, Signal::CONT)
    }

    /// SIGTERM, without waiting.
    ///
    /// # Errors
    /// When it does not run.
    pub fn terminate(&self) -> anyhow::Result<()> {
        signal(self.pid()?, Signal::TERM)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it does not end within `deadline`.
    pub async fn ended(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let name = &self.plan.name;
        let child = self.child.as_mut().context("it does not run")?;
        let status = tokio::time::timeout(deadline, child.wait())
            .await
            .with_context(|| format!("{name} does not end within {} s", deadline.as_secs()))??;
        self.child = None;
        Ok(status)
    }

    /// Everything it has printed.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn tail(&self) -> String {
        let text = self.said();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that was stopped dies of SIGKILL all the same.
        if let Ok(pid) = self.pid() {
            let _ = signal(pid, Signal::KILL);
        }
    }
}

async fn readyz(admin: u16) -> (bool, String) {
    match get(admin, "/readyz").await {
        Some(text) => (text.starts_with("HTTP/1.1 200"), text),
        None => (false, "no answer".to_owned()),
    }
}

/// One request, within three seconds.
async fn get(port: u16, path: &str) -> Option<String> {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        Some(text)
    };
    tokio::time::timeout(Duration::from_secs(3), ask)
        .await
        .ok()?
}

/// Processes that `parent` started and that still are.
///
/// # Errors
/// When /proc cannot be read.
pub fn children_of(parent: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc cannot be read")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if stat(pid).is_some_and(|(_, above)| above == parent) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Whether a process is, and is no zombie.
pub fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

/// State and parent of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may have spaces and parentheses of its own.
    let rest = text.rsplit_once(") ")?.1;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}
