//! The process itself: what runs, what it uses, and its database connections.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics::{counter, gauge};

use super::names::{self, label};
use super::to_f64;

/// What runs: the version of the release and the commit it was built from. The age of the process
/// counts from here.
pub fn build(version: &'static str, commit: &'static str) {
    age();
    gauge!(names::BUILD, label::VERSION => version, label::COMMIT => commit).set(1.0);
}

/// How a pool of database connections is used at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// What the pool is for.
    pub name: &'static str,
    /// Connections that it may open.
    pub max: u32,
    /// Connections that are open.
    pub open: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
    /// How long a caller has to wait for one at this moment; zero while one is free.
    pub wait: Duration,
}

/// The present use of one pool.
pub fn pool_use(now: PoolUse) {
    let used = now.open.saturating_sub(now.idle);
    for (state, connections) in [("idle", now.idle), ("used", used)] {
        gauge!(names::POOL_CONNECTIONS, label::POOL => now.name, label::STATE => state)
            .set(f64::from(connections));
    }
    gauge!(names::POOL_MAX, label::POOL => now.name).set(f64::from(now.max));
    gauge!(names::POOL_WAIT, label::POOL => now.name).set(now.wait.as_secs_f64());
}

/// Room on the disk below a folder of the configuration.
pub fn disk_free(folder: &str, bytes: u64) {
    gauge!(names::DISK_FREE, label::FOLDER => folder.to_owned()).set(to_f64(bytes));
}

/// Room below which the process is not ready.
pub fn disk_reserve(bytes: u64) {
    gauge!(names::DISK_RESERVE).set(to_f64(bytes));
}

/// Time since this was called first.
fn age() -> Duration {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed()
}

/// Looks at what the process uses. On systems without `/proc` only its age is known.
pub fn sample_process() {
    gauge!(names::UPTIME).set(age().as_secs_f64());
    #[cfg(target_os = "linux")]
    if let Some(usage) = linux::Usage::read() {
        counter!(names::CPU).absolute(usage.cpu_seconds);
        gauge!(names::MEMORY).set(to_f64(usage.memory_bytes));
        gauge!(names::FILES).set(to_f64(usage.files));
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use rustix::param::{clock_ticks_per_second, page_size};

    /// What the kernel says about this process.
    pub(super) struct Usage {
        /// In user and in kernel mode, whole seconds.
        pub(super) cpu_seconds: u64,
        pub(super) memory_bytes: u64,
        pub(super) files: u64,
    }

    impl Usage {
        pub(super) fn read() -> Option<Self> {
            let stat = fs::read_to_string("/proc/self/stat").ok()?;
            let statm = fs::read_to_string("/proc/self/statm").ok()?;
            let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
            let files = fs::read_dir("/proc/self/fd").ok()?.count();
            Some(Self {
                cpu_seconds: ticks(&stat)? / clock_ticks_per_second(),
                memory_bytes: pages * page_size() as u64,
                // The one that reads the folder is not counted.
                files: (files as u64).saturating_sub(1),
            })
        }
    }

    /// `utime` and `stime`, fields 14 and 15; the name before them may hold blanks and brackets.
    fn ticks(stat: &str) -> Option<u64> {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let kernel: u64 = fields.next()?.parse().ok()?;
        Some(user + kernel)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_with_brackets_does_not_shift_the_fields() {
            let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 250 150 0 0 20 0";
            assert_eq!(ticks(stat), Some(400));
            assert_eq!(ticks("nonsense"), None);
        }

        #[test]
        fn this_process_uses_memory_and_has_files_open() {
            let usage = Usage::read().unwrap();
            assert!(usage.memory_bytes > 100_000, "{}", usage.memory_bytes);
            assert!((1..100_000).contains(&usage.files), "{}", usage.files);
        }
    }
}
