//! Three NATS servers that are one cluster, with a network between them that can be cut: every
//! server reaches every other through a proxy of its own, and so do clients.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_nats::jetstream;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::ports;
use super::postgres::signal;
use crate::proxy::{Proxy, Toxics, Way};
use crate::wait;

/// Servers of the cluster.
pub const NODES: usize = 3;
/// Longest wait for a server or for a leader.
const START: Duration = Duration::from_secs(30);
/// Account of everybody. No secret: the servers listen on the loopback and live for a minute.
const ACCOUNT: (&str, &str) = ("tierline", "faults");
/// What a server tells others of its own routes leads nowhere: they have ways of their own.
const NOWHERE: &str = "127.0.0.1:1";

struct Node {
    name: String,
    port: u16,
    routes: u16,
    /// In front of the port of clients.
    front: Proxy,
    /// To the routes of the others, each with whom it leads to.
    ways: Vec<(usize, Proxy)>,
    folder: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

/// The cluster. Dropping it kills the servers.
pub struct Cluster {
    nodes: Vec<Node>,
    program: PathBuf,
    _folder: TempDir,
}

impl Cluster {
    /// Starts three servers of a program and waits until they have a leader.
    ///
    /// # Errors
    /// When a server does not start, or they do not find each other.
    pub async fn start(program: &Path, logs: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tierline-cluster-")
            .tempdir()?;
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let (port, routes) = (ports::free()?, ports::free()?);
            let name = format!("node-{number}");
            nodes.push(Node {
                front: Proxy::to_port(port).await?,
                folder: folder.path().join(&name),
                log: logs.join(format!("nats-{name}.log")),
                ways: Vec::new(),
                child: None,
                name,
                port,
                routes,
            });
        }
        let routes: Vec<u16> = nodes.iter().map(|node| node.routes).collect();
        for (number, node) in nodes.iter_mut().enumerate() {
            for (other, port) in routes.iter().enumerate().filter(|(to, _)| *to != number) {
                node.ways.push((other, Proxy::to_port(*port).await?));
            }
        }
        let mut cluster = Self {
            nodes,
            program: program.to_owned(),
            _folder: folder,
        };
        for number in 0..NODES {
            cluster.launch(number)?;
        }
        cluster.usable().await?;
        Ok(cluster)
    }

    /// Starts a server that does not run.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn launch(&mut self, number: usize) -> anyhow::Result<()> {
        let node = &mut self.nodes[number];
        ensure!(node.child.is_none(), "{} runs already", node.name);
        fs::create_dir_all(&node.folder)?;
        let file = node.folder.join("nats.conf");
        fs::write(&file, node.configuration())?;
        let log = File::options().create(true).append(true).open(&node.log)?;
        let mut command = Command::new(&self.program);
        command
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        node.child = Some(command.spawn().context("nats-server cannot be started")?);
        Ok(())
    }

    /// Waits until JetStream answers, which takes a majority and its leader.
    async fn usable(&self) -> anyhow::Result<()> {
        let mut why = String::new();
        let answers = wait::until(START, "the cluster has a leader", async || {
            for number in 0..NODES {
                if let Err(error) = self.answers(number).await {
                    why = format!("{error:#}");
                    return false;
                }
            }
            true
        });
        let answered = answers.await;
        answered.map_err(|error| error.context(format!("{why}\n{}", self.tails())))?;
        Ok(())
    }

    async fn answers(&self, number: usize) -> anyhow::Result<()> {
        let context = self.client(number).await?;
        let told: serde_json::Value = context.request("INFO", &serde_json::json!({})).await?;
        ensure!(told["error"].is_null(), "{told}");
        Ok(())
    }

    /// What the servers said last.
    fn tails(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            let said = fs::read_to_string(&node.log).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            text.push_str(&lines[lines.len().saturating_sub(5)..].join("\n"));
            text.push('\n');
        }
        text
    }

    /// URL of all servers, as clients on the other side of the network see them.
    pub fn url(&self) -> String {
        let (user, password) = ACCOUNT;
        let urls = self.nodes.iter().map(|node| {
            let port = node.front.port();
            format!("nats://{user}:{password}@127.0.0.1:{port}")
        });
        urls.collect::<Vec<_>>().join(",")
    }

    /// A client of one server, past the proxies.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn client(&self, number: usize) -> anyhow::Result<jetstream::Context> {
        let (user, password) = (ACCOUNT.0.to_owned(), ACCOUNT.1.to_owned());
        let client = async_nats::ConnectOptions::with_user_and_password(user, password)
            .connection_timeout(Duration::from_secs(3))
            .connect(format!("127.0.0.1:{}", self.nodes[number].port))
            .await?;
        let mut context = jetstream::new(client);
        context.set_timeout(Duration::from_secs(3));
        Ok(context)
    }

    /// Which server leads a stream, as a server other than `but` says.
    ///
    /// # Errors
    /// When nobody leads it, or it is not known.
    pub async fn leader(&self, stream: &str, but: Option<usize>) -> anyhow::Result<usize> {
        let asked = (0..NODES).find(|number| Some(*number) != but && self.runs(*number));
        let context = self.client(asked.context("no server runs")?).await?;
        let stream = context.get_stream(stream).await?;
        let cluster = stream.cached_info().cluster.as_ref();
        let name = cluster.and_then(|cluster| cluster.leader.clone());
        let name = name.context("the stream has no leader")?;
        let found = self.nodes.iter().position(|node| node.name == name);
        found.with_context(|| format!("no server is called {name}"))
    }

    /// Whether every copy of a stream has everything that its leader has.
    ///
    /// # Errors
    /// When it is not known.
    pub async fn has_all_copies(&self, stream: &str) -> anyhow::Result<bool> {
        let stream = self.client(0).await?.get_stream(stream).await?;
        let cluster = stream.cached_info().cluster.as_ref();
        let Some(cluster) = cluster.filter(|cluster| cluster.leader.is_some()) else {
            return Ok(false);
        };
        let current = |peer: &jetstream::stream::PeerInfo| peer.current && !peer.offline;
        Ok(cluster.replicas.len() == NODES - 1 && cluster.replicas.iter().all(current))
    }

    /// Makes the leader of a stream give up its office.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn step_down(&self, stream: &str) -> anyhow::Result<()> {
        let context = self.client(0).await?;
        let subject = format!("STREAM.LEADER.STEPDOWN.{stream}");
        // A request without a content; `null` would be refused.
        let answer: serde_json::Value = context.request(subject, &serde_json::json!({})).await?;
        ensure!(answer["success"] == true, "{stream}: {answer}");
        Ok(())
    }

    fn runs(&self, number: usize) -> bool {
        self.nodes[number].child.is_some()
    }

    fn pid(&self, number: usize) -> anyhow::Result<u32> {
        let id = self.nodes[number].child.as_ref().and_then(Child::id);
        id.with_context(|| format!("{} does not run", self.nodes[number].name))
    }

    /// Name of a server.
    pub fn name(&self, number: usize) -> &str {
        &self.nodes[number].name
    }

    /// kill -9, and waits for the end.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        signal(self.pid(number)?, Signal::KILL)?;
        if let Some(mut child) = self.nodes[number].child.take() {
            child.wait().await?;
        }
        Ok(())
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, number: usize) -> anyhow::Result<()> {
        signal(self.pid(number)?, Signal::STOP)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self, number: usize) -> anyhow::Result<()> {
        signal(self.pid(number)?, Signal::CONT)
    }

    /// Cuts every connection of a server to the others. What is sent meanwhile arrives when the
    /// network is whole again.
    pub fn part(&self, number: usize) {
        for (from, node) in self.nodes.iter().enumerate() {
            for (to, way) in &node.ways {
                if from == number || *to == number {
                    way.set(cut());
                }
            }
        }
    }

    /// Cuts every connection of clients to a server.
    pub fn part_from_clients(&self, number: usize) {
        self.nodes[number].front.set(cut());
    }

    /// A good network everywhere.
    pub fn heal(&self) {
        for node in &self.nodes {
            node.front.heal();
            node.ways.iter().for_each(|(_, way)| way.heal());
        }
    }
}

fn cut() -> Toxics {
    Toxics::both(Way {
        cut: true,
        ..Way::default()
    })
}

impl Node {
    fn configuration(&self) -> String {
        let (user, password) = ACCOUNT;
        let routes: Vec<String> = self
            .ways
            .iter()
            .map(|(_, way)| format!("\"nats-route://127.0.0.1:{}\"", way.port()))
            .collect();
        format!(
            "listen: \"127.0.0.1:{}\"\n\
             server_name: \"{}\"\n\
             max_payload: 8MB\n\
             jetstream {{ store_dir: {:?} }}\n\
             authorization {{ user: {user}, password: \"{password}\" }}\n\
             cluster {{\n  name: \"tierline\"\n  listen: \"127.0.0.1:{}\"\n  \
             advertise: \"{NOWHERE}\"\n  no_advertise: true\n  routes: [{}]\n}}\n",
            self.port,
            self.name,
            self.folder.join("store"),
            self.routes,
            routes.join(", ")
        )
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for number in 0..NODES {
            // One that was stopped dies of SIGKILL all the same.
            if let Ok(pid) = self.pid(number) {
                let _ = signal(pid, Signal::KILL);
            }
        }
    }
}
