//! Surveys: what lies beyond each partner of an org, written down where the partner's events are.
//!
//! Batches note the orgs in which something may have changed that others look at; a surveyor then
//! looks at the whole org and appends what differs from what was observed before. It decides
//! nothing: the evaluator takes an observation in like a fact. Whatever is missed is found by the
//! next survey, and whoever starts to evaluate an org has it surveyed.
//!
//! *Not here:* what is observed, and what of it matters; see `tierline_domain::surroundings`.

mod loading;
mod making;
mod unsurveyed;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tierline_eventstore::EventStore;
use tokio_util::sync::CancellationToken;

use crate::handler::KnownRates;
pub use unsurveyed::Unsurveyed;

/// A survey may take a tenth of the time: the next of an org waits for so many times what the last
/// one took.
const REST: u32 = 10;
/// Shortest pause between two surveys of an org.
const LEAST_REST: Duration = Duration::from_millis(50);
/// Longest pause.
const MOST_REST: Duration = Duration::from_secs(300);
/// Pause after a survey that failed, or that another process is making.
const AGAIN: Duration = Duration::from_secs(1);
/// After so long without a survey, what is kept of rates is let go.
const IDLE: Duration = Duration::from_secs(60);

/// What came of a survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surveyed {
    /// So much was observed that differs from before.
    Observed(usize),
    /// Another process is making one.
    Elsewhere,
}

/// Makes surveys, one at a time.
pub struct Surveyor {
    store: EventStore,
    pool: PgPool,
    unsurveyed: Unsurveyed,
    rates: HashMap<String, KnownRates>,
}

impl Surveyor {
    /// A surveyor of the orgs that batches note in `unsurveyed`. It holds one connection of the
    /// pool while it makes a survey.
    pub fn new(store: EventStore, pool: PgPool, unsurveyed: Unsurveyed) -> Self {
        Self {
            store,
            pool,
            unsurveyed,
            rates: HashMap::new(),
        }
    }

    /// Surveys until cancelled.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut resting: HashMap<String, Instant> = HashMap::new();
        while !cancel.is_cancelled() {
            let now = Instant::now();
            resting.retain(|_, until| *until > now);
            let Some(org) = self.unsurveyed.take(|org| !resting.contains_key(org)) else {
                let first = resting.values().min().map(|until| *until - now);
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = self.unsurveyed.noted() => {}
                    () = tokio::time::sleep(first.unwrap_or(IDLE)) => {
                        if first.is_none() {
                            self.rates = HashMap::new();
                        }
                    }
                }
                continue;
            };
            let rest = tokio::select! {
                () = cancel.cancelled() => break,
                rest = self.survey_and_rest(&org) => rest,
            };
            resting.insert(org, Instant::now() + rest);
        }
    }

    async fn survey_and_rest(&mut self, org: &str) -> Duration {
        let began = Instant::now();
        match self.survey(org).await {
            Ok(Surveyed::Observed(observed)) => {
                let took = began.elapsed();
                tracing::debug!(org, observed, ?took, "{org} was surveyed");
                (took * REST).clamp(LEAST_REST, MOST_REST)
            }
            Ok(Surveyed::Elsewhere) => {
                self.unsurveyed.note(org);
                AGAIN
            }
            Err(error) => {
                tracing::warn!(org, %error, "{org} was not surveyed, and will be again: {error}");
                self.unsurveyed.note(org);
                AGAIN
            }
        }
    }

    /// Surveys an org now.
    ///
    /// # Errors
    /// When the database fails, or something in it cannot be read. Nothing is half written.
    pub async fn survey(&mut self, org: &str) -> Result<Surveyed, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        if !loading::lock(&mut transaction, org).await? {
            return Ok(Surveyed::Elsewhere);
        }
        let known = self.rates.entry(org.to_owned()).or_default();
        let observed = making::survey(&mut transaction, known, org).await?;
        transaction.commit().await?;
        if observed > 0 {
            self.store.wake();
        }
        Ok(Surveyed::Observed(observed))
    }
}
