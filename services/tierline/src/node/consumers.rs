//! What follows from events: the sequencer that numbers them, the consumers of the log, and what
//! keeps both going.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use sqlx::PgPool;
use tierline_bus::jetstream::{JetStream, JetStreamLog, Publisher};
use tierline_bus::{Consumer, Options, Progress, RELAY, SharedLog, Source, TIER_EVALUATOR};
use tierline_enrollment::{ENROLLMENT_EXPIRER, Expirer};
use tierline_eventstore::{EventStore, Heads, LogReader, Runner, Sequencer, bell, maintenance};
use tierline_rpc::Commands;
use tierline_runtime::connections::Purpose;
use tierline_runtime::targets::{Target, Targets};
use tierline_telemetry::metrics::{self, Part};
use tierline_tier_evaluator::{Evaluator, Surveyor, Unsurveyed};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Node;
use super::pools::Pools;

/// Age at which receipts are forgotten.
const RECEIPTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Pause between two rounds of upkeep of the log.
const UPKEEP: Duration = Duration::from_secs(600);
/// Pause before a consumer that failed is started again.
const CONSUMER_PAUSE: Duration = Duration::from_secs(2);
/// A consumer that was started again and runs for so long has come back.
const STEADY: Duration = Duration::from_secs(5);

impl Node {
    /// Numbers the log, and looks after it; or tells the process that does of what is appended in
    /// this one.
    pub(super) async fn sequence(
        &mut self,
        targets: &Targets,
        store: &EventStore,
        pools: &mut Pools,
    ) -> anyhow::Result<Option<watch::Receiver<Heads>>> {
        if !targets.has(Target::Relay) {
            if targets.any(Target::appends) {
                let pool = pools.of(Purpose::Housekeeping).await?;
                let ring = bell::ring(pool, store.waker(), self.sequencing.clone());
                self.sequencers.spawn(ring);
            }
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
        let listen = bell::listen(pool.clone(), store.waker(), self.sequencing.clone());
        self.sequencers.spawn(listen);
        let stop = self.sequencing.clone();
        self.sequencers
            .spawn(crate::watch::log(pool.clone(), stop.clone()));
        self.sequencers
            .spawn(async move { look_after(&pool, &stop).await });
        Ok(Some(heads))
    }

    /// Starts the consumers that the targets ask for.
    pub(super) async fn consume(
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
            self.keep_relay(pools.of(Purpose::Relay).await?, bus, &shared, options);
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
            let unsurveyed = Unsurveyed::default();
            let surveys = pools.of(Purpose::Surveys).await?;
            let surveyor = Surveyor::new(store.clone(), surveys, unsurveyed.clone());
            self.consumers.spawn(surveyor.run(self.consuming.clone()));
            self.keep_evaluator(pool, store, &unsurveyed, &log, progress, options);
        }
        if targets.has(Target::Enrollment) {
            // Its commands run on the pool of commands; it holds a connection of its own meanwhile.
            self.keep_expirer(pools.of(Purpose::Reactions).await?, store, &log, options);
        }
        if targets.has(Target::Projector) {
            let pool = pools.of(Purpose::Projector).await?;
            self.keep_projections(&pool, &log, progress, options);
        }
        Ok(())
    }

    fn keep_relay(&mut self, pool: PgPool, bus: JetStream, log: &SharedLog, options: &Options) {
        let (log, options) = (log.clone(), Publisher::options(options.clone()));
        self.keep(RELAY.name, move |stop| {
            let publisher = Publisher::new(bus.clone());
            Consumer::new(RELAY, pool.clone(), log.feed(), publisher, options.clone()).run(stop)
        });
    }

    fn keep_evaluator(
        &mut self,
        pool: PgPool,
        store: &EventStore,
        unsurveyed: &Unsurveyed,
        log: &Source,
        progress: &Arc<Progress>,
        options: &Options,
    ) {
        let (store, log, unsurveyed) = (store.clone(), log.clone(), unsurveyed.clone());
        let (progress, options) = (Arc::clone(progress), options.clone());
        self.keep(TIER_EVALUATOR.name, move |stop| {
            let evaluator = Evaluator::new(store.clone(), Arc::new(Timestamp::now))
                .by_the_database()
                .noting(unsurveyed.clone());
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

    fn keep_expirer(&mut self, pool: PgPool, store: &EventStore, log: &Source, options: &Options) {
        let (store, log, options) = (store.clone(), log.clone(), options.clone());
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

    fn keep_projections(
        &mut self,
        pool: &PgPool,
        log: &Source,
        progress: &Arc<Progress>,
        options: &Options,
    ) {
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
}

fn tell(consumer: &str, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(consumer, error, "{consumer} stopped: {error}");
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
