//! One process: the services of its targets, put together.
//!
//! What runs: the sequencer, the consumers of the log, the gRPC services and the admin listener,
//! each only when its target was asked for. What is deliberately absent: any business.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use sqlx::PgPool;
use tierline_bus::jetstream::{JetStream, JetStreamLog, NatsSettings, Publisher};
use tierline_bus::{
    Consumer, Membership, Options, Progress, RELAY, SharedLog, Source, TIER_EVALUATOR, Waiter,
};
use tierline_enrollment::{ENROLLMENT_EXPIRER, Expirer};
use tierline_eventstore::{
    Codec, EventStore, Heads, LogReader, Migrations, Runner, Sequencer, StoreOptions, maintenance,
};
use tierline_query::Query;
use tierline_rpc::AuthLayer;
use tierline_rpc::Commands;
use tierline_rpc::auth::{ApiKeys, AuthSettings, Verifier};
use tierline_rpc::limits::MAX_HEADER_BYTES;
use tierline_runtime::config::Config;
use tierline_runtime::connections::{Budget, Limits, Purpose};
use tierline_runtime::health::{self, Readiness};
use tierline_runtime::ports;
use tierline_runtime::shutdown::{Ended, Shutdown, Steps};
use tierline_runtime::targets::{Target, Targets};
use tierline_telemetry::MetricsHandle;
use tierline_telemetry::metrics::{self, Part};
use tierline_tier_evaluator::Evaluator;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::schema;

/// Age at which receipts are forgotten.
const RECEIPTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Pause between two rounds of upkeep of the log.
const UPKEEP: Duration = Duration::from_secs(600);
/// Calls on one connection at the same time; further ones wait.
const MAX_STREAMS: u32 = 256;
/// Pause before a consumer that failed is started again.
const CONSUMER_PAUSE: Duration = Duration::from_secs(2);
/// A consumer that was started again and runs for so long has come back.
const STEADY: Duration = Duration::from_secs(5);

/// Every set of migrations, in the order in which they build on each other.
pub const MIGRATIONS: [Migrations; 5] = [
    tierline_eventstore::MIGRATIONS,
    tierline_bus::MIGRATIONS,
    tierline_tier_evaluator::MIGRATIONS,
    tierline_projector::MIGRATIONS,
    tierline_access::MIGRATIONS,
];

/// Brings the schema up to date and names what was applied.
///
/// # Errors
/// When a migration fails; nothing of its set is applied then.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let mut applied = Vec::new();
    for set in MIGRATIONS {
        let names = set
            .run(pool)
            .await
            .context("the schema cannot be brought up to date")?;
        applied.extend(
            names
                .into_iter()
                .map(|name| format!("{}/{name}", set.owner)),
        );
    }
    if let Some(last) = applied.last() {
        tracing::info!(
            "the schema is up to date: {} files, last {last}",
            applied.len()
        );
    }
    Ok(applied)
}

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

/// The pools of a process, one per purpose.
struct Pools {
    url: String,
    budget: Budget,
    open: Vec<PgPool>,
}

impl Pools {
    async fn of(&mut self, purpose: Purpose) -> anyhow::Result<PgPool> {
        // The first that is opened, and shared by all who need it now and then.
        if let (Purpose::Housekeeping, Some(pool)) = (purpose, self.open.first()) {
            return Ok(pool.clone());
        }
        let most = self.budget.of(purpose).max(1);
        let pool = match purpose {
            // A heartbeat, a read model or a note of the relay that a crash takes back is made
            // again.
            Purpose::Projector | Purpose::Heartbeat => {
                tierline_eventstore::connect_relaxed(&self.url, most).await
            }
            _ => tierline_eventstore::connect(&self.url, most).await,
        };
        let pool = pool.context("the database does not answer")?;
        crate::watch::pool(purpose.name(), most, &pool);
        self.open.push(pool.clone());
        Ok(pool)
    }
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
        let mut pools = Pools {
            url: options.database_url,
            budget,
            open: Vec::new(),
        };
        let housekeeping = pools.of(Purpose::Housekeeping).await?;
        check_budget(&housekeeping, &pools.budget).await?;
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
        if let Some(settings) = &options.nats {
            let name = format!("tierline {targets}");
            node.bus = Some(JetStream::connect(settings, &name).await?);
        }
        let store = node.store(&targets, config, &mut pools).await?;
        let heads = node.sequence(&targets, &store, &mut pools).await?;
        let progress = Arc::new(Progress::default());
        let membership = if targets.any(Target::follows_the_log) {
            Some(Membership::new(pools.of(Purpose::Heartbeat).await?))
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
        node.pools = pools.open;
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

    async fn sequence(
        &mut self,
        targets: &Targets,
        store: &EventStore,
        pools: &mut Pools,
    ) -> anyhow::Result<Option<watch::Receiver<Heads>>> {
        if !targets.has(Target::Relay) {
            return Ok(None);
        }
        let pool = pools.of(Purpose::Log).await?;
        let sequencer = Sequencer::new(pool.clone(), store.waker());
        // The heads must be known before anybody waits for them.
        sequencer
            .drain()
            .await
            .context("the log cannot be numbered")?;
        let heads = sequencer.subscribe();
        let stop = self.sequencing.clone();
        self.sequencers
            .spawn(async move { tierline_relay::run(&sequencer, stop).await });
        let stop = self.sequencing.clone();
        self.sequencers
            .spawn(crate::watch::log(pool.clone(), stop.clone()));
        self.sequencers
            .spawn(async move { look_after(&pool, &stop).await });
        Ok(Some(heads))
    }

    async fn consume(
        &mut self,
        targets: &Targets,
        store: &EventStore,
        heads: Option<watch::Receiver<Heads>>,
        progress: &Arc<Progress>,
        options: &Options,
        pools: &mut Pools,
    ) -> anyhow::Result<()> {
        if !targets.any(Target::follows_the_log) {
            return Ok(());
        }
        let reader = LogReader::new(pools.of(Purpose::Feeds).await?);
        let shared = SharedLog::new(reader, heads);
        if let Some(bus) = self.bus.clone().filter(|_| targets.has(Target::Relay)) {
            let pool = pools.of(Purpose::Relay).await?;
            let (log, options) = (shared.clone(), options.clone());
            self.keep(RELAY.name, move |stop| {
                let publisher = Publisher::new(bus.clone());
                Consumer::new(RELAY, pool.clone(), log.feed(), publisher, options.clone()).run(stop)
            });
        }
        let log = match &self.bus {
            Some(bus) => {
                let streams = JetStreamLog::new(bus.clone(), shared, targets.followers());
                Source::JetStream(Box::new(streams))
            }
            None => Source::Log(shared),
        };
        if targets.has(Target::TierEvaluator) {
            let pool = pools.of(Purpose::Evaluator).await?;
            let (store, log) = (store.clone(), log.clone());
            let (progress, options) = (Arc::clone(progress), options.clone());
            self.keep("tier-evaluator", move |stop| {
                let evaluator =
                    Evaluator::new(store.clone(), Arc::new(Timestamp::now)).by_the_database();
                Consumer::new(
                    TIER_EVALUATOR,
                    pool.clone(),
                    log.feed(TIER_EVALUATOR),
                    evaluator,
                    options.clone(),
                )
                .reporting_to(Arc::clone(&progress))
                .run(stop)
            });
        }
        if targets.has(Target::Enrollment) {
            // Its commands run on the pool of commands; it holds a connection of its own meanwhile.
            let pool = pools.of(Purpose::Reactions).await?;
            let (store, log) = (store.clone(), log.clone());
            let options = options.clone();
            self.keep(ENROLLMENT_EXPIRER.name, move |stop| {
                let expirer = Expirer::new(Commands::new(Runner::new(store.clone())));
                Consumer::new(
                    ENROLLMENT_EXPIRER,
                    pool.clone(),
                    log.feed(ENROLLMENT_EXPIRER),
                    expirer,
                    options.clone(),
                )
                .run(stop)
            });
        }
        if targets.has(Target::Projector) {
            let pool = pools.of(Purpose::Projector).await?;
            for name in tierline_projector::NAMES {
                let (pool, log) = (pool.clone(), log.clone());
                let (progress, options) = (Arc::clone(progress), options.clone());
                self.keep(name, move |stop| {
                    let found = tierline_projector::consumers(&pool, &log, &progress, &options)
                        .into_iter()
                        .find(|projection| projection.model() == name);
                    async move {
                        match found {
                            Some(projection) => projection.run(stop).await,
                            None => Ok(()),
                        }
                    }
                });
            }
        }
        Ok(())
    }

    /// Runs a consumer, and again after it failed: what it lost is in the database. The process is
    /// not ready while one of its consumers stands still.
    fn keep<F, E>(
        &mut self,
        name: &'static str,
        run: impl Fn(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + 'static,
    {
        let stop = self.consuming.clone();
        let check = self.readiness.check(name);
        check.ready();
        let part = if name == RELAY.name {
            Part::Relay
        } else {
            Part::Consumer
        };
        self.consumers.spawn(async move {
            while !stop.is_cancelled() {
                let running = run(stop.clone());
                tokio::pin!(running);
                let ended = match tokio::time::timeout(STEADY, &mut running).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        check.ready();
                        metrics::halted(part, false);
                        running.await
                    }
                };
                let Err(error) = ended else { return };
                check.not_ready(error.to_string());
                metrics::halted(part, true);
                tell(name, &error);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(CONSUMER_PAUSE) => {}
                }
            }
        });
    }

    async fn serve_grpc(
        &mut self,
        config: &Config,
        targets: &Targets,
        store: &EventStore,
        progress: Option<Arc<Progress>>,
        auth: AuthSettings,
        pools: &mut Pools,
    ) -> anyhow::Result<()> {
        let commands = Commands::new(Runner::new(store.clone()));
        let (reporter, health) = tonic_health::server::health_reporter();
        let describe = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tierline_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let reflection = describe()
            .build_v1()
            .context("the reflection service cannot start")?;
        // Clients of several languages still ask under the older name.
        let older = describe()
            .build_v1alpha()
            .context("the reflection service cannot start")?;
        let mut routes = Routes::builder();
        routes
            .add_service(health)
            .add_service(reflection)
            .add_service(older);
        let mut any = false;
        let api_keys = ApiKeys::new(store.clone());
        if targets.has(Target::Program) {
            let keys = tierline_access::api_key_server(
                commands.clone(),
                api_keys.clone(),
                store.pool().clone(),
            );
            routes
                .add_service(keys)
                .add_service(tierline_program::org_server(commands.clone()))
                .add_service(tierline_program::program_server(commands.clone()))
                .add_service(tierline_program::rate_server(commands.clone()));
            any = true;
        }
        if targets.has(Target::Partner) {
            routes.add_service(tierline_partner::partner_server(commands.clone()));
            any = true;
        }
        if targets.has(Target::Enrollment) {
            routes.add_service(tierline_enrollment::enrollment_server(commands.clone()));
            any = true;
        }
        if targets.has(Target::Activity) {
            routes
                .add_service(tierline_activity::deal_server(commands.clone()))
                .add_service(tierline_activity::certification_server(commands.clone()))
                .add_service(tierline_activity::record_server(commands.clone()));
            any = true;
        }
        if targets.has(Target::Application) {
            routes
                .add_service(tierline_application::form_server(commands.clone()))
                .add_service(tierline_application::submission_server(commands.clone()));
            any = true;
        }
        if targets.has(Target::Query) {
            let pool = pools.of(Purpose::Queries).await?;
            let waiter = Waiter::new(pool.clone(), progress);
            let query = Query::new(pool, Codec::default(), waiter);
            routes
                .add_service(query.partner_service())
                .add_service(query.program_service())
                .add_service(query.application_service())
                .add_service(query.standing_service())
                .add_service(query.audit_service())
                .add_service(query.operations_service());
            any = true;
        }
        if !any {
            return Ok(());
        }
        let verifier = Verifier::new(&auth).context("the key set cannot be used")?;
        let noted = tierline_access::note_uses(
            api_keys.clone(),
            store.pool().clone(),
            self.serving.clone(),
        );
        self.servers.spawn(noted);
        let listener = ports::bind("listen", config.listen).await?;
        self.grpc = Some(listener.local_addr()?);
        reporter
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
        let server = tonic::transport::Server::builder()
            .timeout(config.request_timeout)
            .concurrency_limit_per_connection(MAX_STREAMS as usize)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .max_concurrent_streams(MAX_STREAMS)
            .max_frame_size(Some(1024 * 1024))
            .initial_stream_window_size(Some(4 * 1024 * 1024))
            .initial_connection_window_size(Some(8 * 1024 * 1024))
            .layer(AuthLayer::new(Arc::new(verifier)).with_api_keys(api_keys))
            .add_routes(routes.routes());
        let stop = self.serving.clone();
        self.servers.spawn(async move {
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            if let Err(error) = server
                .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
                .await
            {
                tracing::error!(%error, "the gRPC listener failed");
            }
        });
        Ok(())
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

fn tell(consumer: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(consumer, error, "{consumer} stopped: {error}");
}

async fn ping(pool: &PgPool) -> Result<(), String> {
    sqlx::query("SELECT 1")
        .execute(pool)
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

async fn check_budget(pool: &PgPool, budget: &Budget) -> anyhow::Result<()> {
    let mut connection = pool
        .acquire()
        .await
        .context("the database does not answer")?;
    let limits = Limits::read(&mut connection)
        .await
        .context("the database does not answer")?;
    budget.check(limits)?;
    Ok(())
}

/// Upkeep of the log: forgotten receipts, fresh statistics.
async fn look_after(pool: &PgPool, stop: &CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(UPKEEP) => {}
        }
        if let Err(error) = maintenance::expire_receipts(pool, RECEIPTS_KEPT, 5_000).await {
            tracing::warn!(%error, "old receipts were not removed: {error}");
        }
        if let Err(error) = maintenance::analyze(pool).await {
            tracing::warn!(%error, "the statistics were not refreshed: {error}");
        }
    }
}
