//! An installation as in production: a PostgreSQL with an account for each target, and each
//! target a process of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tierline_rpc::Role;
use tierline_rpc::auth::{LocalIssuer, TokenRequest};
use tierline_runtime::targets::Target;
use tierline_testkit::{Cluster, program};
use tonic::Request;
use tonic::transport::Channel;

const PATIENCE: Duration = Duration::from_secs(60);

/// The server, its accounts, and the processes that were started.
pub struct Installation {
    pub cluster: Cluster,
    folder: tempfile::TempDir,
    issuer: LocalIssuer,
    processes: BTreeMap<Target, Process>,
}

struct Process {
    child: Child,
    grpc: Option<String>,
}

impl Drop for Installation {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            // Already ended is fine as well.
            process.child.kill().ok();
            process.child.wait().ok();
        }
    }
}

impl Installation {
    /// Makes the accounts, and no schema yet.
    pub async fn new() -> Self {
        let installation = Self {
            cluster: Cluster::start().await,
            folder: tempfile::tempdir().unwrap(),
            issuer: LocalIssuer::generate("test", "tierline-test", "tierline"),
            processes: BTreeMap::new(),
        };
        fs::write(
            installation.folder.path().join("jwks.json"),
            installation.issuer.jwks(),
        )
        .unwrap();
        installation.make_accounts();
        installation
    }

    /// `tierline database roles --apply`, as an administrator.
    pub fn make_accounts(&self) -> String {
        let secrets = self.folder.path().join("secrets");
        let (url, secrets) = (self.cluster.url(), secrets.display().to_string());
        let arguments = ["database", "roles", "--apply", "--secrets", &secrets];
        succeeded(self.command(&arguments).env("TIERLINE_DATABASE_URL", url))
    }

    /// `tierline migrate`, as the owner.
    pub fn migrate(&self) -> String {
        let url = self.secret("tl_migrate");
        succeeded(
            self.command(&["migrate"])
                .env("TIERLINE_DATABASE_URL_FILE", url),
        )
    }

    /// The file with the URL of an account.
    pub fn secret(&self, account: &str) -> PathBuf {
        self.folder
            .path()
            .join("secrets")
            .join(format!("{account}.url"))
    }

    /// The URL of the account of a target.
    pub fn url(&self, target: Target) -> String {
        let file = self.secret(&account(target));
        fs::read_to_string(file).unwrap().trim().to_owned()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TIERLINE_DATA_DIR", self.folder.path().join("data"))
            .stdin(Stdio::null());
        command
    }

    /// `tierline serve` for one target, under its account.
    pub fn serve(&self, target: Target) -> Command {
        let mut command = self.command(&["serve", "--target", target.name()]);
        command
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--log-format", "json", "--jwt-issuer", "tierline-test"])
            .env("TIERLINE_DATABASE_URL_FILE", self.secret(&account(target)))
            .env("TIERLINE_JWKS_FILE", self.folder.path().join("jwks.json"))
            .env("TIERLINE_MIGRATE_ON_START", "false");
        command
    }

    /// Starts the process of a target and waits until it serves.
    pub fn start(&mut self, target: Target) {
        let log = self.log_file(target);
        let out = fs::File::create(&log).unwrap();
        let child = self
            .serve(target)
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let mut process = Process { child, grpc: None };
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.logged(target, "serving") {
                let address = line["grpc"].as_str();
                process.grpc = address.map(|address| format!("http://{address}"));
                break;
            }
            let text = fs::read_to_string(&log).unwrap();
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none(), "{target} ended: {text}");
            assert!(Instant::now() < until, "{target} does not serve: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.processes.insert(target, process);
    }

    fn log_file(&self, target: Target) -> PathBuf {
        self.folder.path().join(format!("{target}.log"))
    }

    /// The first line of the log of a target with this message.
    pub fn logged(&self, target: Target, message: &str) -> Option<Value> {
        self.log(target)
            .into_iter()
            .find(|line| line["message"] == message)
    }

    /// The lines that a target logged.
    pub fn log(&self, target: Target) -> Vec<Value> {
        let text = fs::read_to_string(self.log_file(target)).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)))
            .collect()
    }

    /// A connection to the services of a target.
    pub async fn channel(&self, target: Target) -> Channel {
        let address = self.processes[&target].grpc.clone().unwrap();
        Channel::from_shared(address)
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    /// A request of somebody who may do everything in the org `acme`.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let roles = [
            Role::Admin,
            Role::Operator,
            Role::Integration,
            Role::Auditor,
        ];
        let wanted = TokenRequest::new("tester", "acme", roles);
        let token = self
            .issuer
            .token(&wanted, Duration::from_secs(600))
            .unwrap();
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }
}

/// The account of a target.
pub fn account(target: Target) -> String {
    format!("tl_{}", target.name().replace('-', "_"))
}

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Runs a command that has to succeed.
pub fn succeeded(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = both(&output);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// Runs a command that has to fail.
pub fn failed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = both(&output);
    assert!(!output.status.success(), "{command:?}: {text}");
    text
}

fn both(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}
