//! One process: the services of its targets, put together.
//!
//! What runs: the sequencer, the consumers of the log, the gRPC services and the admin listener,
//! each only when its target was asked for. What is deliberately absent: any business.

mod consumers;
mod grpc;
mod pools;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tierline_bus::jetstream::{JetStream, NatsSettings};
use tierline_bus::{Membership, Options, Progress};
use tierline_eventstore::{EventStore, StoreOptions};
use tierline_rpc::auth::AuthSettings;
use tierline_runtime::config::Config;
use tierline_runtime::connections::{Budget, Purpose};
use tierline_runtime::disk::Disks;
use tierline_runtime::health::{self, Readiness};
use tierline_runtime::ports;
use tierline_runtime::shutdown::{Ended, Shutdown, Steps};
use tierline_runtime::targets::{Target, Targets};
use tierline_telemetry::MetricsHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::schema;
use pools::Pools;

/// What a node is started with, beside its configuration.
pub struct NodeOptions {
    /// The database.
    pub database_url: String,
    /// Which parts to run.
    pub targets: Targets,
    /// Whose tokens are accepted.
    pub auth: AuthSettings,
    /// The NATS servers that carry the log; without, consumers read the log itself.
    pub nats: Option<NatsSettings>,
    /// Disks that must keep some room for the process to be ready.
    pub disks: Option<Disks>,
    /// This process is the only one on its database, and may take over at once what an earlier
    /// one left.
    pub alone: bool,
}

/// A running process.
pub struct Node {
    /// Where the gRPC services listen, if any run.
    pub grpc: Option<SocketAddr>,
    /// Where health and metrics are.
    pub admin: SocketAddr,
    /// Database connections that it may open at most.
    pub connections: u32,
    /// The connection to NATS, if it has one.
    pub bus: Option<JetStream>,
    readiness: Readiness,
    serving: CancellationToken,
    consuming: CancellationToken,
    sequencing: CancellationToken,
    admin_stop: CancellationToken,
    servers: JoinSet<()>,
    consumers: JoinSet<()>,
    sequencers: JoinSet<()>,
    pools: Vec<PgPool>,
    step: Duration,
}

impl Node {
    /// Starts everything that the targets name.
    ///
    /// # Errors
    /// The database, a port or the configuration; the text says what to change.
    pub async fn start(config: &Config, options: NodeOptions) -> anyhow::Result<Self> {
        let metrics = tierline_telemetry::install_metrics();
        crate::watch::build();
        let targets = options.targets;
        let budget = Budget::new(&targets, config.pools);
        let connections = budget.total();
        let mut pools = Pools::new(options.database_url, budget);
        let housekeeping = pools.of(Purpose::Housekeeping).await?;
        pools.check_budget().await?;
        schema::prepare(&housekeeping, config.migrate_on_start).await?;
        let readiness = Readiness::new();
        let probe = housekeeping.clone();
        readiness.probe("database", move || {
            let pool = probe.clone();
            async move { ping(&pool).await }
        });
        let started = readiness.check("start");

        let mut node = Self {
            grpc: None,
            admin: config.admin_listen,
            connections,
            bus: None,
            readiness: readiness.clone(),
            serving: CancellationToken::new(),
            consuming: CancellationToken::new(),
            sequencing: CancellationToken::new(),
            admin_stop: CancellationToken::new(),
            servers: JoinSet::new(),
            consumers: JoinSet::new(),
            sequencers: JoinSet::new(),
            pools: Vec::new(),
            step: config.shutdown_step,
        };
        node.listen_admin(config, metrics).await?;
        node.servers
            .spawn(crate::memory::hand_back(node.admin_stop.clone()));
        if let Some(disks) = options.disks {
            let (check, stop) = (node.readiness.check("disk"), node.admin_stop.clone());
            node.servers.spawn(disks.watch(check, stop));
        }
        if let Some(settings) = &options.nats {
            let name = format!("tierline {targets}");
            node.bus = Some(JetStream::connect(settings, &name).await?);
        }
        let store = node.store(&targets, config, &mut pools).await?;
        let heads = node.sequence(&targets, &store, &mut pools).await?;
        let progress = Arc::new(Progress::default());
        let membership = if targets.any(Target::follows_the_log) {
            Some(Membership::of_this_process(
                pools.of(Purpose::Heartbeat).await?,
            ))
        } else {
            None
        };
        let consuming = Options {
            membership,
            force: options.alone,
            patience: Duration::from_secs(if heads.is_some() { 10 } else { 1 }),
            ..Options::default()
        };
        node.consume(&targets, &store, heads, &progress, &consuming, &mut pools)
            .await?;
        let local = targets.has(Target::Projector) && targets.has(Target::TierEvaluator);
        let progress = local.then_some(progress);
        node.serve_grpc(config, &targets, &store, progress, options.auth, &mut pools)
            .await?;
        node.pools = pools.into_open();
        started.ready();
        Ok(node)
    }

    /// Says so in the log when the account of the database may do anything.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn warn_of_superuser(&self) -> Result<(), sqlx::Error> {
        match self.pools.first() {
            Some(pool) => schema::warn_of_superuser(pool).await,
            None => Ok(()),
        }
    }

    async fn listen_admin(
        &mut self,
        config: &Config,
        metrics: MetricsHandle,
    ) -> anyhow::Result<()> {
        let listener = ports::bind("admin_listen", config.admin_listen).await?;
        self.admin = listener.local_addr()?;
        let (readiness, stop) = (self.readiness.clone(), self.admin_stop.clone());
        self.servers.spawn(async move {
            if let Err(error) = health::serve(listener, readiness, metrics, stop).await {
                tracing::error!(%error, "the admin listener failed");
            }
        });
        Ok(())
    }

    /// The store of commands, or a small one for the evaluator alone.
    async fn store(
        &mut self,
        targets: &Targets,
        config: &Config,
        pools: &mut Pools,
    ) -> anyhow::Result<EventStore> {
        let purpose = if targets.any(Target::takes_commands) {
            Purpose::Commands
        } else {
            Purpose::Housekeeping
        };
        let pool = pools.of(purpose).await?;
        let options = StoreOptions {
            commit_timeout: config.request_timeout.min(Duration::from_secs(10)),
            ..StoreOptions::default()
        };
        Ok(EventStore::new(pool, options, tierline_domain::upcasters()))
    }

    /// Ends everything in order: callers first, then consumers, then the sequencer.
    pub async fn stop(mut self, shutdown: &Shutdown) -> Ended {
        self.readiness.drain();
        let step = self.step;
        let (serving, consuming) = (self.serving.clone(), self.consuming.clone());
        let (sequencing, admin) = (self.sequencing.clone(), self.admin_stop.clone());
        let pools = std::mem::take(&mut self.pools);
        let (mut servers, mut consumers) = (self.servers, self.consumers);
        let mut sequencers = self.sequencers;
        Steps::new()
            .then("callers are served", step, async move {
                serving.cancel();
                admin.cancel();
                while servers.join_next().await.is_some() {}
                Ok(())
            })
            .then("consumers finish their batches", step, async move {
                consuming.cancel();
                while consumers.join_next().await.is_some() {}
                Ok(())
            })
            .then("the log is numbered", step, async move {
                sequencing.cancel();
                while sequencers.join_next().await.is_some() {}
                Ok(())
            })
            .then("connections close", step, async move {
                for pool in pools {
                    pool.close().await;
                }
                Ok(())
            })
            .run(shutdown.at_once())
            .await
    }
}

async fn ping(pool: &PgPool) -> Result<(), String> {
    sqlx::query("SELECT 1")
        .execute(pool)
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}
