//! The program as an installation: one process with everything, or one for each target.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tierline_rpc::Role;
use tierline_rpc::auth::{LocalIssuer, TokenRequest};
use tierline_runtime::targets::Target;
use tierline_testkit::{Nats, TestDatabase, eventually_some, program};
use tokio::process::{Child, Command};
use tonic::transport::Channel;

use crate::client::Client;
use crate::front::Front;

/// How long a start, an end or a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the parts are divided among processes.
pub struct Layout {
    /// Names and targets of the processes.
    processes: Vec<(String, String)>,
    /// Events travel over NATS JetStream.
    nats: bool,
}

impl Layout {
    /// Everything in one process.
    pub fn one_process() -> Self {
        Self {
            processes: vec![("all".to_owned(), "all".to_owned())],
            nats: true,
        }
    }

    /// A process for each target, and two evaluators and two projectors that share the work.
    pub fn one_process_per_target() -> Self {
        let twice = |target: &Target| matches!(target, Target::TierEvaluator | Target::Projector);
        let second = Target::ALL.into_iter().filter(twice);
        let processes = Target::ALL
            .iter()
            .map(|target| (target.to_string(), target.to_string()));
        let second = second.map(|target| (format!("{target}-2"), target.to_string()));
        Self {
            processes: processes.chain(second).collect(),
            nats: true,
        }
    }

    /// Consumers read the log itself.
    pub fn without_nats(self) -> Self {
        Self {
            nats: false,
            ..self
        }
    }
}

/// A running installation.
pub struct Topology {
    processes: Mutex<BTreeMap<String, Process>>,
    address: String,
    channel: Channel,
    issuer: LocalIssuer,
    database: TestDatabase,
    folder: tempfile::TempDir,
    // Both end with this value.
    _front: Option<Front>,
    nats: Option<Nats>,
}

/// A process; it is killed with this value.
struct Process {
    child: Child,
    targets: String,
    log: PathBuf,
}

impl Topology {
    /// Starts everything and waits until it serves.
    pub async fn start(layout: &Layout) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuer = LocalIssuer::generate("k", "tierline-local", "tierline");
        fs::write(folder.path().join("jwks.json"), issuer.jwks()).unwrap();
        let nats = match layout.nats {
            true => Some(Nats::start().await),
            false => None,
        };
        let mut topology = Self {
            processes: Mutex::default(),
            address: String::new(),
            channel: Channel::from_static("http://127.0.0.1:1").connect_lazy(),
            issuer,
            database: TestDatabase::create().await,
            folder,
            _front: None,
            nats,
        };
        // As where it is installed: the schema first, then whoever works on it.
        topology.command("nobody", &["migrate"]).await;
        for (name, targets) in &layout.processes {
            topology.launch(name, targets);
        }
        let mut addresses = BTreeMap::new();
        for (name, targets) in &layout.processes {
            if let Some(address) = topology.serving(name).await {
                addresses.insert(targets.clone(), format!("http://{address}"));
            }
        }
        if let Some(address) = addresses.get("all") {
            topology.address.clone_from(address);
        } else {
            let front = Front::start(&addresses).await;
            topology.address.clone_from(&front.address);
            topology._front = Some(front);
        }
        let endpoint = Channel::from_shared(topology.address.clone()).unwrap();
        topology.channel = endpoint.connect().await.unwrap();
        topology
    }

    /// Starts a process and does not wait for it.
    fn launch(&self, name: &str, targets: &str) {
        let log = self.folder.path().join(format!("{name}.log"));
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut command = Command::new(program());
        command
            .args(["serve", "--target", targets, "--listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0", "--log-format", "json"])
            .env_clear()
            .env("TIERLINE_DATABASE_URL", self.database.url())
            .env("TIERLINE_JWKS_FILE", self.folder.path().join("jwks.json"))
            .env("TIERLINE_MIGRATE_ON_START", "false")
            // Few, because all of them share the server of the test run.
            .env("TIERLINE_COMMAND_CONNECTIONS", "3")
            .env("TIERLINE_QUERY_CONNECTIONS", "3")
            .env("TIERLINE_CONSUMER_CONNECTIONS", "2")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .kill_on_drop(true);
        if let Some(nats) = &self.nats {
            command.env("TIERLINE_NATS_URL", nats.url());
        }
        let process = Process {
            child: command.spawn().unwrap(),
            targets: targets.to_owned(),
            log,
        };
        self.processes().insert(name.to_owned(), process);
    }

    fn processes(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Process>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a process serves; where its services are, if it has any.
    async fn serving(&self, name: &str) -> Option<String> {
        let what = format!("{name} serves");
        let line = eventually_some(PATIENCE, &what, async || {
            let ended = self.processes().get_mut(name).unwrap().child.try_wait();
            let ended = ended.unwrap();
            assert!(ended.is_none(), "{name} ended: {:?}", self.log(name));
            let lines = self.log(name).into_iter();
            lines.rev().find(|line| line["message"] == "serving")
        })
        .await;
        line["grpc"].as_str().map(str::to_owned)
    }

    /// Whether there is a process of that name.
    pub fn has(&self, name: &str) -> bool {
        self.processes().contains_key(name)
    }

    /// The lines that a process logged.
    pub fn log(&self, name: &str) -> Vec<Value> {
        let log = self.processes()[name].log.clone();
        let text = fs::read_to_string(log).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let read = |line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line));
        whole.lines().map(read).collect()
    }

    /// kill -9.
    pub async fn kill(&self, name: &str) {
        let mut process = self.processes().remove(name).unwrap();
        process.child.kill().await.unwrap();
    }

    /// Starts a process like one that was killed, and waits until it works.
    pub async fn start_again(&self, name: &str, targets: &str) {
        self.launch(name, targets);
        self.serving(name).await;
    }

    /// Asks every process to end, and tells how each did and what it logged as an error.
    pub async fn drain(&self) -> Vec<(String, ExitStatus, Duration)> {
        let mut processes = std::mem::take(&mut *self.processes());
        let begin = Instant::now();
        for process in processes.values() {
            let pid = process.child.id().unwrap().to_string();
            let asked = Command::new("kill").args(["-TERM", &pid]).status().await;
            assert!(asked.unwrap().success());
        }
        let mut ended = Vec::new();
        for (name, process) in &mut processes {
            let end = tokio::time::timeout(PATIENCE, process.child.wait()).await;
            let end = end.unwrap_or_else(|_| panic!("{name} does not end"));
            ended.push((name.clone(), end.unwrap(), begin.elapsed()));
        }
        *self.processes() = processes;
        ended
    }

    /// Names and targets of the processes.
    pub fn names(&self) -> Vec<(String, String)> {
        let processes = self.processes();
        let named = |(name, process): (&String, &Process)| (name.clone(), process.targets.clone());
        processes.iter().map(named).collect()
    }

    /// A folder for files of a flow.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database, for what only an accident puts there.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// Somebody of an org who may do everything.
    pub fn client(&self, org: &str) -> Client {
        Client::new(self.channel.clone(), org, self.token(org))
    }

    /// A token of somebody who may do everything.
    fn token(&self, org: &str) -> String {
        let roles = [
            Role::Admin,
            Role::Operator,
            Role::Integration,
            Role::Auditor,
        ];
        self.token_of(org, &roles)
    }

    /// A token with roles.
    pub fn token_of(&self, org: &str, roles: &[Role]) -> String {
        let wanted = TokenRequest::new("ada", org, roles.iter().copied());
        let token = self.issuer.token(&wanted, Duration::from_secs(3600));
        token.unwrap()
    }

    /// Runs a command of the program as somebody of an org.
    pub async fn output(&self, org: &str, arguments: &[&str]) -> Output {
        let output = Command::new(program())
            .args(arguments)
            .env_clear()
            .env("TIERLINE_ADDRESS", &self.address)
            .env("TIERLINE_TOKEN", self.token(org))
            .env("TIERLINE_DATABASE_URL", self.database.url())
            .env("TIERLINE_DATA_DIR", self.folder.path().join("client"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, output).await;
        output
            .unwrap_or_else(|_| panic!("tierline {arguments:?} does not end"))
            .unwrap()
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub async fn command(&self, org: &str, arguments: &[&str]) -> String {
        let output = self.output(org, arguments).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}{errors}");
        text
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub async fn json(&self, org: &str, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--output", "json"]].concat();
        let text = self.command(org, &arguments).await;
        let read = serde_json::from_str(&text);
        read.unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    }
}
