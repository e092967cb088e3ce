//! Room on the disks of this machine. A PostgreSQL that cannot write its log goes down and stays
//! down, so a process that shares the machine says that it is not ready before that.
//!
//! Deliberately absent: disks of other machines. What this process cannot see, it does not guess.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tierline_telemetry::metrics;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::health::Check;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a look may take; a disk of the network may be away.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a megabyte.
const MEGABYTE: u64 = 1 << 20;

/// Folders whose disks must keep some room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disks {
    /// A folder on each of them.
    pub folders: Vec<PathBuf>,
    /// Bytes that have to be free.
    pub reserve: u64,
}

impl Disks {
    /// Looks now and then until `stop`, and keeps `check` by what it finds.
    pub async fn watch(self, check: Check, stop: CancellationToken) {
        metrics::disk_reserve(self.reserve);
        let mut was_well = true;
        while !stop.is_cancelled() {
            let disks = self.clone();
            let mut looking = spawn_blocking(move || disks.look());
            let found = match timeout(PATIENCE, &mut looking).await {
                Ok(found) => found.unwrap_or_else(|error| Err(error.to_string())),
                Err(_) => {
                    check.not_ready("a disk does not answer");
                    // One look at a time, however long it takes.
                    tokio::select! {
                        () = stop.cancelled() => return,
                        found = looking => found.unwrap_or_else(|error| Err(error.to_string())),
                    }
                }
            };
            match found {
                Ok(()) => {
                    check.ready();
                    was_well = true;
                }
                Err(reason) => {
                    // Said once, however long it lasts.
                    if std::mem::take(&mut was_well) {
                        tracing::error!(%reason, "not ready: {reason}");
                    }
                    check.not_ready(reason);
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// Whether there is room on all of them.
    ///
    /// # Errors
    /// The first folder without, in words.
    pub fn look(&self) -> Result<(), String> {
        for folder in &self.folders {
            let shown = folder.display();
            let free = free(folder).map_err(|error| format!("{shown}: {error}"))?;
            metrics::disk_free(&shown.to_string(), free);
            if free < self.reserve {
                return Err(format!(
                    "{shown} has {} MB free, less than disk_reserve_megabytes = {}",
                    free / MEGABYTE,
                    self.reserve / MEGABYTE
                ));
            }
        }
        Ok(())
    }
}

/// Bytes that an ordinary account may still write where the folder is.
fn free(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Readiness;

    fn disks(folder: &Path, reserve: u64) -> Disks {
        Disks {
            folders: vec![folder.to_owned()],
            reserve,
        }
    }

    #[test]
    fn a_disk_without_enough_room_and_one_that_is_not_there_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(disks(folder.path(), 0).look(), Ok(()));
        assert!(free(folder.path()).unwrap() > 0);
        let told = disks(folder.path(), u64::MAX).look().unwrap_err();
        assert!(
            told.contains(&folder.path().display().to_string())
                && told.contains("disk_reserve_megabytes"),
            "{told}"
        );
        let told = disks(&folder.path().join("absent"), 0).look().unwrap_err();
        assert!(told.contains("absent"), "{told}");
    }

    #[tokio::test]
    async fn readiness_goes_off_while_there_is_too_little_room() {
        let folder = tempfile::tempdir().unwrap();
        for (reserve, expected) in [(0, true), (u64::MAX, false)] {
            let (readiness, stop) = (Readiness::new(), CancellationToken::new());
            let watching = disks(folder.path(), reserve);
            let watching = tokio::spawn(watching.watch(readiness.check("disk"), stop.clone()));
            let settled = async {
                loop {
                    let (ready, answers) = readiness.report().await;
                    let starting = Err("starting".to_owned());
                    if answers.iter().all(|(_, answer)| *answer != starting) {
                        return ready;
                    }
                    sleep(Duration::from_millis(5)).await;
                }
            };
            let ready = timeout(Duration::from_secs(10), settled).await.unwrap();
            assert_eq!(ready, expected);
            stop.cancel();
            timeout(Duration::from_secs(10), watching)
                .await
                .unwrap()
                .unwrap();
        }
    }
}
