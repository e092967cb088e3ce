//! The machine and the server that a measurement was made on: without them no number says anything.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use sqlx::PgPool;

use crate::output;

/// Where it was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Kernel.
    pub kernel: String,
    /// Load of the machine over the last minute, when the run began.
    pub load_before: String,
    /// Version of PostgreSQL.
    pub postgres: String,
    /// Whether a commit waits for the disk.
    pub fsync: String,
    /// The settings that matter most.
    pub settings: String,
    /// Milliseconds from a commit to its answer, on one idle connection.
    pub commit_ms: f64,
    /// Version of Tierline.
    pub tierline: String,
    /// `release` or `debug`.
    pub build: &'static str,
}

impl Machine {
    /// Looks around.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look(pool: &PgPool) -> anyhow::Result<Self> {
        let setting = async |name: &str| -> anyhow::Result<String> {
            sqlx::query_scalar("SELECT current_setting($1)")
                .bind(name)
                .fetch_one(pool)
                .await
                .with_context(|| format!("the setting {name} cannot be read"))
        };
        let mut settings = Vec::new();
        for name in ["synchronous_commit", "shared_buffers", "max_wal_size"] {
            settings.push(format!("{name}={}", setting(name).await?));
        }
        Ok(Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: mebibytes("/proc/meminfo", "MemTotal").unwrap_or_default(),
            kernel: read("/proc/sys/kernel/osrelease"),
            load_before: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            postgres: setting("server_version").await?,
            fsync: setting("fsync").await?,
            settings: settings.join(", "),
            commit_ms: commit(pool).await.context("a commit cannot be timed")?,
            tierline: format!("{} ({})", env!("CARGO_PKG_VERSION"), crate::version::COMMIT),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        })
    }

    /// Prints it for people.
    pub fn print(&self) {
        output::line(format!(
            "tierline    {}, {} build",
            self.tierline, self.build
        ));
        output::line(format!(
            "machine     {} x {}, {} MiB, Linux {}, load before {}",
            self.cores, self.cpu, self.memory_mib, self.kernel, self.load_before
        ));
        output::line(format!(
            "database    PostgreSQL {}, fsync {}, {}; a commit alone takes {:.2} ms",
            self.postgres, self.fsync, self.settings, self.commit_ms
        ));
    }
}

/// The median of some commits one after the other.
async fn commit(pool: &PgPool) -> Result<f64, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let begin = std::time::Instant::now();
        // A transactional message is the smallest thing whose commit has to reach the disk.
        sqlx::query("SELECT pg_logical_emit_message(true, 'bench', 'x')")
            .execute(&mut *connection)
            .await?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// The value of a line `name : value`.
fn field(path: impl AsRef<Path>, name: &str) -> String {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or_else(
        || "unknown".to_owned(),
        |(_, value)| value.trim().to_owned(),
    )
}

/// A value that the kernel gives in kB.
pub fn mebibytes(path: impl AsRef<Path>, name: &str) -> Option<u64> {
    let value = field(path, name);
    let kibibytes: u64 = value.split(' ').next()?.parse().ok()?;
    Some(kibibytes / 1024)
}
