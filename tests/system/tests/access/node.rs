//! `tierline serve` with every target, on a database of its own.

use std::fs::{File, read_to_string};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tierline_rpc::Role;
use tierline_rpc::auth::{LocalIssuer, TokenRequest};
use tierline_testkit::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::Channel;

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running process; it ends with this value.
pub struct Node {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
    issuer: LocalIssuer,
    database: Arc<TestDatabase>,
}

impl Node {
    /// Starts the program and waits until it serves.
    pub async fn start() -> Self {
        let database = Arc::new(TestDatabase::create().await);
        let issuer = LocalIssuer::generate("k", "tierline-local", "tierline");
        Self::run("all", database, issuer).await
    }

    /// Starts another process on the same database, with some of the targets.
    pub async fn beside(&self, targets: &str) -> Self {
        let issuer = LocalIssuer::generate("k", "tierline-local", "tierline");
        Self::run(targets, Arc::clone(&self.database), issuer).await
    }

    async fn run(targets: &str, database: Arc<TestDatabase>, issuer: LocalIssuer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, issuer.jwks()).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new(tierline_testkit::program())
            .args(["serve", "--target", targets, "--listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0", "--log-format", "json"])
            .env_clear()
            .env("TIERLINE_DATABASE_URL", database.url())
            .env("TIERLINE_JWKS_FILE", keys)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut node = Self {
            child,
            folder,
            address: String::new(),
            issuer,
            database,
        };
        node.address = node.wait_until_it_serves().await;
        node
    }

    async fn wait_until_it_serves(&mut self) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let lines = self.log();
            let serving = lines.iter().find_map(|line| line["grpc"].as_str());
            if let Some(address) = serving {
                return address.to_owned();
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the program ended: {lines:?}");
            assert!(Instant::now() < until, "it does not serve: {lines:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The lines of the log so far.
    pub fn log(&self) -> Vec<Value> {
        let text = read_to_string(self.folder.path().join("log")).unwrap();
        let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let lines = complete
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)));
        lines.collect()
    }

    /// What the process printed, as it stands there.
    pub fn printed(&self) -> String {
        read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The database, for what a test looks up by itself.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// The numbers that the process counts.
    pub async fn metrics(&self) -> String {
        let lines = self.log();
        let admin = lines.iter().find_map(|line| line["admin"].as_str());
        let mut stream = TcpStream::connect(admin.unwrap()).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Memory that the process holds, and the most that it has held, in MiB.
    pub fn memory(&self) -> (u64, u64) {
        let text = read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let size = |name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let size = line.unwrap().trim().trim_end_matches(" kB");
            size.parse::<u64>().unwrap() / 1024
        };
        (size("VmRSS:"), size("VmHWM:"))
    }

    /// Where its services are.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A new connection.
    pub async fn connect(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// A token for somebody of an org with one role; a partner contact also has a partner.
    pub fn token(&self, org: &str, role: Role, partner: Option<&str>) -> String {
        self.token_for(org, &[role], partner)
    }

    /// The same with several roles.
    pub fn token_for(&self, org: &str, roles: &[Role], partner: Option<&str>) -> String {
        let mut request = TokenRequest::new("ada", org, roles.iter().copied());
        request.partner = partner.map(str::to_owned);
        self.issuer
            .token(&request, Duration::from_secs(3600))
            .unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        if asked.is_err() || !self.ended_in_time() {
            self.child.kill().ok();
        }
        self.child.wait().ok();
    }
}

impl Node {
    fn ended_in_time(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}
