//! A PostgreSQL server of one's own, for tests that restart it, kill it or change its settings.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tierline_runtime::data_dir::{DataDir, LockedDataDir};
use tierline_runtime::postgres::{EmbeddedPostgres, PostgresOptions};

const STOP: Duration = Duration::from_secs(30);

/// What kind of server a test wants.
#[derive(Debug, Clone)]
pub struct ClusterBuilder {
    options: PostgresOptions,
}

impl ClusterBuilder {
    /// Adds or replaces a setting, such as `("max_connections", "12")`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.options
            .settings
            .push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits for the disk as a server in earnest does. Without it, `fsync` is off.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.options.throwaway = false;
        self
    }

    /// Makes and starts the server.
    ///
    /// # Panics
    /// When there is no PostgreSQL on the machine or it does not start.
    pub async fn start(self) -> Cluster {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // The account that runs the server for root has to pass through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))
            .expect("the mode of an own folder can be set");
        let data = DataDir::open(&folder.path().join("data"))
            .and_then(DataDir::lock)
            .unwrap_or_else(|error| panic!("{error}"));
        let mut cluster = Cluster {
            options: self.options,
            server: None,
            data,
            folder,
        };
        cluster.start_again().await;
        cluster
    }
}

/// A throwaway server. Dropping it stops the server and removes its folder.
#[derive(Debug)]
pub struct Cluster {
    server: Option<EmbeddedPostgres>,
    options: PostgresOptions,
    data: LockedDataDir,
    folder: TempDir,
}

impl Cluster {
    /// Starts a server with the ordinary settings, but without waiting for the disk.
    ///
    /// # Panics
    /// When there is no PostgreSQL on the machine or it does not start.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Starts with other settings.
    pub fn builder() -> ClusterBuilder {
        let options = PostgresOptions {
            binaries: std::env::var_os("TIERLINE_POSTGRES_BIN").map(PathBuf::from),
            throwaway: true,
            ..PostgresOptions::default()
        };
        ClusterBuilder { options }
    }

    /// URL of the database `tierline`, as its superuser.
    ///
    /// # Panics
    /// While the server is stopped.
    pub fn url(&self) -> String {
        self.server().url()
    }

    /// The running server.
    ///
    /// # Panics
    /// While the server is stopped.
    pub fn server(&self) -> &EmbeddedPostgres {
        self.server
            .as_ref()
            .expect("the cluster was stopped; call start_again first")
    }

    /// The folder with all that belongs to the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the server in order. Its data stays.
    ///
    /// # Panics
    /// When it does not stop.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server
                .stop(STOP)
                .await
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Kills the server as a power cut would. Its data stays.
    ///
    /// # Panics
    /// When the system refuses.
    pub async fn crash(&mut self) {
        if let Some(server) = self.server.take() {
            server
                .crash()
                .await
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Starts the server again on the same data, and with luck on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "the cluster is running");
        let started = EmbeddedPostgres::start(&self.data, &self.options).await;
        self.server = Some(started.unwrap_or_else(|error| panic!("{error}")));
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.options
            .settings
            .push((name.to_owned(), value.to_owned()));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.server.take());
        // The folder is removed next, and a server that still writes would put files back. Its
        // last act is to remove this file.
        let alive = self.data.postgres().join("postmaster.pid");
        let until = Instant::now() + STOP;
        while alive.exists() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
