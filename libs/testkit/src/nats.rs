//! NATS servers of one's own, of every version that is to be tested.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tierline_runtime::nats::{EmbeddedNats, NatsOptions, find};

/// Names the programs to test against, separated by colons; without it, the one on the PATH.
pub const NATS_SERVERS: &str = "TIERLINE_TEST_NATS_SERVERS";

const STOP: Duration = Duration::from_secs(10);

/// A throwaway NATS server with JetStream. It keeps its port and its store over a restart.
#[derive(Debug)]
pub struct Nats {
    options: NatsOptions,
    server: Option<EmbeddedNats>,
    url: String,
    folder: TempDir,
}

impl Nats {
    /// Every program to test against.
    ///
    /// # Panics
    /// When there is none; the text says what to do.
    pub fn programs() -> Vec<PathBuf> {
        let named = env::var_os(NATS_SERVERS).unwrap_or_default();
        let mut programs: Vec<PathBuf> = env::split_paths(&named)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        programs.extend(find().filter(|_| programs.is_empty()));
        assert!(
            !programs.is_empty(),
            "there is no nats-server on the PATH: this test needs one. `./dev test` installs it; \
             or name one with {NATS_SERVERS}"
        );
        programs
    }

    /// Starts a server of the first program.
    ///
    /// # Panics
    /// When there is none or it does not start.
    pub async fn start() -> Self {
        let programs = Self::programs();
        Self::start_program(&programs[0]).await
    }

    /// Starts a server of a given program.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_program(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut nats = Self {
            options: NatsOptions {
                program: Some(program.to_owned()),
                ..NatsOptions::default()
            },
            server: None,
            url: String::new(),
            folder,
        };
        nats.start_again().await;
        nats.options.port = Some(nats.server().port());
        nats
    }

    /// URL with user and password; the same over restarts.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The running server.
    ///
    /// # Panics
    /// While it is stopped.
    pub fn server(&self) -> &EmbeddedNats {
        self.server
            .as_ref()
            .expect("the server was stopped; call start_again first")
    }

    /// Kills the server. Its store stays.
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

    /// Stops the server in order. Its store stays.
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

    /// Removes everything that a stopped server has stored.
    ///
    /// # Panics
    /// While it runs, and when the system refuses.
    pub fn wipe(&self) {
        assert!(self.server.is_none(), "the server is running");
        let store = self.folder.path().join("store");
        std::fs::remove_dir_all(store).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Starts the server again, on the same port and store.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "the server is running");
        let started = EmbeddedNats::start(self.folder.path(), &self.options).await;
        let server = started.unwrap_or_else(|error| panic!("{error}"));
        self.url = server.url();
        self.server = Some(server);
    }
}
