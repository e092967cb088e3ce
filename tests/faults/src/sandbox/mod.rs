//! A sandbox: a PostgreSQL of its own, processes of the real program by target, and what the
//! orgs in it need. Everything is on the loopback, everything ends with the value.

pub mod cluster;
pub mod ports;
pub mod postgres;
pub mod process;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tierline_proto::program::v1 as program;
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_rpc::Role;
use tierline_rpc::auth::{LocalIssuer, TokenRequest};
use tierline_testkit::Nats;
use tonic::Request;

use crate::driver::{Clients, connection};
use crate::proxy::Proxy;
use crate::wait;
use cluster::Cluster;
use postgres::{Options, Postgres};
use process::{Plan, Process};

/// Longest wait for a process to become ready. The program is a debug build on a busy machine.
pub const READY: Duration = Duration::from_secs(30);
/// Longest wait for the consumers to have everything.
pub const SETTLED: Duration = Duration::from_secs(60);
/// Orgs of a sandbox.
pub const ORGS: [&str; 3] = ["alpha", "beta", "gamma"];
/// Life of a token.
const LIFETIME: Duration = Duration::from_secs(23 * 3600);
/// Tiers that are gained by few deals, so that a load has decisions in it.
const PROGRAM: &str = include_str!("program.yaml");

/// What a sandbox is made of.
pub struct Blueprint {
    /// The server.
    pub postgres: Options,
    /// The processes.
    pub plans: Vec<Plan>,
    /// The processes reach the server through a proxy.
    pub through_proxy: bool,
    /// The program of a NATS server, where events shall travel over one.
    pub nats: Option<PathBuf>,
    /// The server is three of them that are one cluster.
    pub in_cluster: bool,
    /// Folder of the data of the server, where that is not in the folder of the sandbox.
    pub data: Option<PathBuf>,
}

impl Default for Blueprint {
    /// Each part in a process of its own, but for the three that stand for the front.
    fn default() -> Self {
        let plans = [
            ("front", "program,partner,enrollment"),
            ("activity", "activity"),
            ("relay", "relay"),
            ("evaluator", "tier-evaluator"),
            ("projector", "projector"),
            ("query", "query"),
        ];
        Self {
            postgres: Options::default(),
            plans: plans.map(|(name, targets)| Plan::new(name, targets)).into(),
            through_proxy: false,
            nats: None,
            in_cluster: false,
            data: None,
        }
    }
}

impl Blueprint {
    /// With a second process of each part that has leases or numbers.
    #[must_use]
    pub fn in_pairs(mut self) -> Self {
        for name in ["relay", "evaluator", "projector"] {
            self = self.and_second(name);
        }
        self
    }

    /// With a second process like the one of that name.
    #[must_use]
    pub fn and_second(mut self, name: &str) -> Self {
        let first = self.plans.iter().find(|plan| plan.name == name).cloned();
        self.plans.extend(first.map(|mut plan| {
            plan.name = format!("{name}-2");
            plan
        }));
        self
    }

    /// With another kind of server.
    #[must_use]
    pub fn on(mut self, postgres: Options) -> Self {
        self.postgres = postgres;
        self
    }

    /// With events on a NATS server of this program.
    #[must_use]
    pub fn with_nats(mut self, program: &Path) -> Self {
        self.nats = Some(program.to_owned());
        self
    }

    /// With events on a cluster of three NATS servers of this program.
    #[must_use]
    pub fn with_cluster(mut self, program: &Path) -> Self {
        self.in_cluster = true;
        self.with_nats(program)
    }

    /// With a proxy between the processes and the server.
    #[must_use]
    pub fn through_proxy(mut self) -> Self {
        self.through_proxy = true;
        self
    }
}

/// A running sandbox. Processes are dropped first, then the server, then the folder.
pub struct Sandbox {
    /// The processes.
    pub processes: Vec<Process>,
    /// Between the processes and the server.
    pub proxy: Option<Proxy>,
    /// The bus.
    pub nats: Option<Nats>,
    /// The bus, where it is a cluster.
    pub cluster: Option<Cluster>,
    /// The server.
    pub postgres: Postgres,
    /// The folder of everything that goes with the sandbox.
    pub folder: TempDir,
    /// The folder of the logs, which stay.
    pub logs: PathBuf,
    binary: PathBuf,
    issuer: LocalIssuer,
}

impl Sandbox {
    /// Starts everything, with the orgs in it.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(blueprint: Blueprint, logs: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tierline-faults-")
            .tempdir()?;
        open_to_others(folder.path())?;
        let data = blueprint
            .data
            .unwrap_or_else(|| folder.path().join("postgres"));
        let log = logs.join("postgres.log");
        let postgres = Postgres::create(data, log, blueprint.postgres).await?;
        let proxy = match blueprint.through_proxy {
            true => Some(Proxy::to_port(postgres.port).await?),
            false => None,
        };
        let mut sandbox = Self::with(postgres, proxy, folder, logs)?;
        match &blueprint.nats {
            Some(program) if blueprint.in_cluster => {
                sandbox.cluster = Some(Cluster::start(program, logs).await?);
            }
            Some(program) => sandbox.nats = Some(Nats::start_program(program).await),
            None => {}
        }
        sandbox.start_all(blueprint.plans).await?;
        for org in ORGS {
            sandbox.found(org).await?;
        }
        sandbox.settled().await?;
        Ok(sandbox)
    }

    /// Starts one process per part over a server that has the orgs already.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn over(mut postgres: Postgres, logs: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tierline-faults-")
            .tempdir()?;
        postgres.start().await?;
        let mut sandbox = Self::with(postgres, None, folder, logs)?;
        sandbox.start_all(Blueprint::default().plans).await?;
        Ok(sandbox)
    }

    fn with(
        postgres: Postgres,
        proxy: Option<Proxy>,
        folder: TempDir,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let sandbox = Self {
            processes: Vec::new(),
            proxy,
            nats: None,
            cluster: None,
            postgres,
            folder,
            logs: logs.to_owned(),
            binary: tierline_testkit::program(),
            issuer: LocalIssuer::generate("faults", "tierline-local", "tierline"),
        };
        std::fs::write(sandbox.jwks(), sandbox.issuer.jwks())?;
        Ok(sandbox)
    }

    async fn start_all(&mut self, plans: Vec<Plan>) -> anyhow::Result<()> {
        for plan in plans {
            self.add(plan)?.start()?;
        }
        self.all_ready().await?;
        Ok(())
    }

    fn jwks(&self) -> PathBuf {
        self.folder.path().join("jwks.json")
    }

    /// Adds a process and does not start it.
    ///
    /// # Errors
    /// When no port is free.
    pub fn add(&mut self, mut plan: Plan) -> anyhow::Result<&mut Process> {
        let url = match &self.proxy {
            Some(proxy) => self.postgres.url_through(proxy.port()),
            None => self.postgres.url(),
        };
        plan.environment.extend(self.bus());
        let variables = [
            ("TIERLINE_DATABASE_URL", url),
            ("TIERLINE_JWKS_FILE", self.jwks().display().to_string()),
            ("TIERLINE_LOG_LEVEL", "info".to_owned()),
            ("TIERLINE_COMMAND_CONNECTIONS", "4".to_owned()),
            ("TIERLINE_QUERY_CONNECTIONS", "3".to_owned()),
            ("TIERLINE_CONSUMER_CONNECTIONS", "3".to_owned()),
        ];
        for (name, value) in variables {
            if plan.environment.iter().all(|(known, _)| known != name) {
                plan.environment.push((name.to_owned(), value));
            }
        }
        self.processes
            .push(Process::new(plan, &self.binary, &self.logs)?);
        self.processes.last_mut().context("it was just added")
    }

    /// How processes find the bus.
    fn bus(&self) -> Vec<(String, String)> {
        let (url, replicas) = match (&self.nats, &self.cluster) {
            (Some(nats), _) => (nats.url().to_owned(), 1),
            (None, Some(cluster)) => (cluster.url(), cluster::NODES),
            (None, None) => return Vec::new(),
        };
        vec![
            ("TIERLINE_NATS_URL".to_owned(), url),
            ("TIERLINE_NATS_REPLICAS".to_owned(), replicas.to_string()),
        ]
    }

    /// The names of all processes.
    pub fn names(&self) -> Vec<String> {
        let names = self.processes.iter().map(|one| one.plan.name.clone());
        names.collect()
    }

    /// The process of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn process(&mut self, name: &str) -> anyhow::Result<&mut Process> {
        self.processes
            .iter_mut()
            .find(|process| process.plan.name == name)
            .with_context(|| format!("the sandbox has no process {name}"))
    }

    /// Waits until every process that was started is ready; tells how long the last one took.
    ///
    /// # Errors
    /// When one is not.
    pub async fn all_ready(&mut self) -> anyhow::Result<Duration> {
        let begin = tokio::time::Instant::now();
        for process in self.processes.iter_mut().filter(|one| one.is_started()) {
            process.ready(READY).await?;
        }
        Ok(begin.elapsed())
    }

    fn port(&self, name: &str) -> u16 {
        let found = self.processes.iter().find(|one| one.plan.name == name);
        found.map_or(0, |process| process.grpc)
    }

    /// A token that may do everything in an org.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn token(&self, org: &str) -> anyhow::Result<String> {
        let roles = [
            Role::Admin,
            Role::Operator,
            Role::Integration,
            Role::Auditor,
        ];
        let request = TokenRequest::new("faults", org, roles);
        Ok(self.issuer.token(&request, LIFETIME)?)
    }

    /// Clients of an org.
    ///
    /// # Errors
    /// When there is no token.
    pub fn clients(&self, org: &str) -> anyhow::Result<Clients> {
        let token = self.token(org)?;
        Ok(Clients {
            org: org.to_owned(),
            front: connection(self.port("front"), &token)?,
            activity: connection(self.port("activity"), &token)?,
            query: connection(self.port("query"), &token)?,
        })
    }

    /// Clients of all orgs.
    ///
    /// # Errors
    /// As [`Self::clients`].
    pub fn all_clients(&self) -> anyhow::Result<Vec<Clients>> {
        ORGS.iter().map(|org| self.clients(org)).collect()
    }

    /// Creates an org and publishes its program.
    async fn found(&self, org: &str) -> anyhow::Result<()> {
        let front = self.clients(org)?.front;
        let create = program::CreateOrgRequest {
            name: format!("Org {org}"),
            time_zone: "UTC".to_owned(),
            fiscal_year_start: 1,
            base_currency_code: "EUR".to_owned(),
            ..Default::default()
        };
        let timed = |message| {
            let mut request = Request::new(message);
            request.set_timeout(READY);
            request
        };
        OrgServiceClient::new(front.clone())
            .create_org(timed(create))
            .await
            .with_context(|| format!("the org {org} cannot be created"))?;
        let apply = program::ApplyProgramRequest {
            content: Some(program::apply_program_request::Content::Yaml(
                PROGRAM.to_owned(),
            )),
            effective_date: "2020-01-01".to_owned(),
            ..Default::default()
        };
        ProgramServiceClient::new(front)
            .apply_program(apply)
            .await
            .with_context(|| format!("the program of {org} cannot be published"))?;
        Ok(())
    }

    /// Waits until every committed event is numbered and every consumer has applied all of them.
    ///
    /// # Errors
    /// When they have not within a minute; with what is left.
    pub async fn settled(&self) -> anyhow::Result<Duration> {
        self.settled_within(SETTLED).await
    }

    /// As [`Self::settled`], with another limit.
    ///
    /// # Errors
    /// As [`Self::settled`].
    pub async fn settled_within(&self, limit: Duration) -> anyhow::Result<Duration> {
        let mut left = String::from("the database does not answer");
        let waited = wait::until(limit, "the log is applied", async || {
            match backlog(&self.postgres).await {
                Ok(rest) if rest.is_empty() => true,
                Ok(rest) => {
                    left = rest;
                    false
                }
                Err(error) => {
                    left = format!("{error:#}");
                    false
                }
            }
        });
        waited.await.map_err(|error| error.context(left))
    }

    /// Runs a command of the program under test against this sandbox.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn command(
        &self,
        org: &str,
        arguments: &[&str],
    ) -> anyhow::Result<std::process::Output> {
        let output = tokio::process::Command::new(&self.binary)
            .args(arguments)
            .env("TIERLINE_DATABASE_URL", self.postgres.url())
            .env("TIERLINE_DATA_DIR", self.folder.path().join("client"))
            .env(
                "TIERLINE_ADDRESS",
                format!("http://127.0.0.1:{}", self.port("query")),
            )
            .env("TIERLINE_TOKEN", self.token(org)?)
            .envs(self.bus())
            .env_remove("TIERLINE_ORG")
            .env_remove("TIERLINE_CONFIG")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        tokio::time::timeout(Duration::from_secs(120), output)
            .await
            .with_context(|| format!("tierline {} does not end", arguments.join(" ")))?
            .context("tierline cannot be run")
    }
}

/// What is not numbered or not applied yet, in words; empty: nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn backlog(postgres: &Postgres) -> anyhow::Result<String> {
    let mut connection = postgres.connect().await?;
    let rest: Option<String> = sqlx::query_scalar(
        "SELECT string_agg(what, ', ') FROM (
             SELECT count(*) || ' events without a number' AS what FROM outbox HAVING count(*) > 0
             UNION ALL
             SELECT c.consumer || ' is ' || sum(s.heads[c.partition + 1] - c.number) || ' behind'
             FROM bus.checkpoints c CROSS JOIN sequencer s
             GROUP BY c.consumer, c.version
             HAVING sum(s.heads[c.partition + 1] - c.number) > 0
             UNION ALL
             SELECT 'no consumer has a checkpoint' FROM bus.checkpoints HAVING count(*) = 0
         ) AS rest",
    )
    .fetch_one(&mut connection)
    .await?;
    Ok(rest.unwrap_or_default())
}

/// Servers run as another account where the caller is root, and have to pass through.
fn open_to_others(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    ensure!(folder.is_dir(), "{} is no folder", folder.display());
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))?;
    Ok(())
}
