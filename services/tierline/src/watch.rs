//! What a process does to be seen from outside: traces, and the numbers that somebody has to go
//! and look for. What happens anyway is counted where it happens.

use std::time::Duration;

use sqlx::PgPool;
use tierline_bus::{ConsumerId, Distance, RELAY, TIER_EVALUATOR};
use tierline_enrollment::ENROLLMENT_EXPIRER;
use tierline_eventstore::Vitals;
use tierline_projector::{Forms, Model, Partners, Programs, Standings, Submissions, TierHistory};
use tierline_runtime::config::Config;
use tierline_telemetry::LogFormat;
use tierline_telemetry::metrics::{self, PoolUse};
use tierline_telemetry::trace::{self, TraceSettings, Tracing};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::version::COMMIT;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(10);
/// Longest time to wait for a connection of a pool that is used up; longer is shown as this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every consumer of this release.
const CONSUMERS: [ConsumerId; 9] = [
    RELAY,
    TIER_EVALUATOR,
    ENROLLMENT_EXPIRER,
    Partners::CONSUMER,
    Standings::CONSUMER,
    TierHistory::CONSUMER,
    Programs::CONSUMER,
    Forms::CONSUMER,
    Submissions::CONSUMER,
];

/// Starts the traces of a server, if its configuration wants them. Log lines as JSON carry ids of
/// traces in any case.
///
/// # Errors
/// When the receiver's address cannot be used.
pub fn start_tracing(config: &Config) -> Result<Tracing, trace::TraceError> {
    trace::start(&TraceSettings {
        endpoint: config.otlp_endpoint.clone(),
        ratio: config.trace_sample_ratio,
        ids: config.log_format == LogFormat::Json,
        version: env!("CARGO_PKG_VERSION"),
        parts: config.target.to_string(),
    })
}

/// Tells what runs.
pub fn build() {
    metrics::build(env!("CARGO_PKG_VERSION"), COMMIT);
}

/// Looks at a pool now and then, as long as it is open.
pub fn pool(name: &'static str, max: u32, pool: &PgPool) {
    let pool = pool.clone();
    tokio::spawn(tierline_eventstore::crowd::watch(pool.clone()));
    tokio::spawn(async move {
        loop {
            let (open, idle) = (pool.size(), pool.num_idle());
            let free = idle > 0 || open < max;
            let wait = if free {
                Duration::ZERO
            } else {
                wait_for(&pool).await
            };
            metrics::pool_use(PoolUse {
                name,
                max,
                open,
                idle: u32::try_from(idle).unwrap_or(u32::MAX),
                wait,
            });
            tokio::select! {
                () = pool.close_event() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    });
}

/// How long somebody who asks now has to wait; who asks first is served first.
async fn wait_for(pool: &PgPool) -> Duration {
    let begin = Instant::now();
    // Only the time counts, whatever the outcome.
    let _ = tokio::time::timeout(PATIENCE, pool.acquire()).await;
    begin.elapsed()
}

/// Looks at the log and at everybody who follows it, wherever they run, until `stop`.
pub async fn log(pool: PgPool, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        match Vitals::read(&pool).await {
            Ok(now) => {
                metrics::sequencer_lag(now.waiting);
                metrics::sequencer_lag_seconds(now.oldest_waiting);
                metrics::oldest_transaction(now.oldest_transaction);
            }
            Err(error) => tracing::warn!(%error, "the backlog cannot be read: {error}"),
        }
        match tokio::time::timeout(PATIENCE, Distance::read(&pool, &CONSUMERS)).await {
            Ok(Ok(all)) => all.iter().for_each(tell),
            Ok(Err(error)) => tracing::warn!(%error, "checkpoints cannot be read: {error}"),
            Err(_) => tracing::warn!("checkpoints cannot be read in time"),
        }
    }
}

fn tell(distance: &Distance) {
    let name = distance.consumer.name;
    if distance.consumer == RELAY {
        let waiting = distance.events.iter().map(|(_, events)| *events).sum();
        metrics::relay_lag(waiting, distance.oldest);
        return;
    }
    for (partition, events) in &distance.events {
        metrics::projection_lag(name, u16::from(*partition), *events);
    }
    metrics::projection_lag_seconds(name, distance.oldest);
    metrics::parked_events(name, distance.parked);
}
