//! Running the projections.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::PgPool;
use tierline_bus::{Consumer, ConsumerError, ConsumerId, Options, Progress, Source};
use tierline_eventstore::PARTITIONS;
use tokio_util::sync::CancellationToken;

use crate::handler::ModelHandler;
use crate::model::Model;
use crate::models::{
    Benefits, Forms, Partners, Programs, Segments, Standings, Submissions, TierHistory, with_model,
};
use crate::rebuild::{RebuildError, rebuild_model};
use crate::table::Table;

/// Pause before a table of a newer release is looked at again.
const NEWER_PAUSE: Duration = Duration::from_secs(10);

/// Why a projection ended.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The consumer cannot go on.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// A changed read model could not be built.
    #[error("the read model {0} could not be built")]
    Rebuild(&'static str, #[source] RebuildError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

type Run = Box<
    dyn FnOnce(CancellationToken) -> BoxFuture<'static, Result<(), ProjectionError>> + Send + Sync,
>;

/// A projection that has not started yet.
pub struct Projection {
    model: &'static str,
    id: ConsumerId,
    run: Run,
}

impl std::fmt::Debug for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Projection")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Projection {
    /// Name of its read model, one of [`crate::NAMES`].
    pub fn model(&self) -> &'static str {
        self.model
    }

    /// Which consumer it is.
    pub fn id(&self) -> ConsumerId {
        self.id
    }

    /// Runs until cancelled. Takes its partitions over again after it was fenced, and builds the
    /// table afresh first where an older release left one.
    ///
    /// # Errors
    /// See [`ProjectionError`]. Whoever runs it may start a new one.
    pub async fn run(self, cancel: CancellationToken) -> Result<(), ProjectionError> {
        (self.run)(cancel).await
    }
}

/// The projections, one per read model, ready to be spawned. `log` is where they
/// read, all of them from the same; `options` name the partitions and the batch size.
pub fn consumers(
    pool: &PgPool,
    log: &Source,
    progress: &Arc<Progress>,
    options: &Options,
) -> Vec<Projection> {
    let all = [
        projection::<Partners>(pool, log, progress, options),
        projection::<Standings>(pool, log, progress, options),
        projection::<TierHistory>(pool, log, progress, options),
        projection::<Programs>(pool, log, progress, options),
        projection::<Forms>(pool, log, progress, options),
        projection::<Submissions>(pool, log, progress, options),
        projection::<Segments>(pool, log, progress, options),
        projection::<Benefits>(pool, log, progress, options),
    ];
    all.into_iter().flatten().collect()
}

/// The projection of a model; `None` if the options leave it no partition.
fn projection<M: Model>(
    pool: &PgPool,
    log: &Source,
    progress: &Arc<Progress>,
    options: &Options,
) -> Option<Projection> {
    let mut options = options.clone();
    options
        .partitions
        .retain(|partition| M::partitions().contains(partition));
    if options.partitions.is_empty() {
        return None;
    }
    let (pool, log, progress) = (pool.clone(), log.clone(), Arc::clone(progress));
    let run: Run =
        Box::new(move |cancel| Box::pin(keep::<M>(pool, log, progress, options, cancel)));
    Some(Projection {
        model: M::NAME,
        id: M::CONSUMER,
        run,
    })
}

async fn keep<M: Model>(
    pool: PgPool,
    log: Source,
    progress: Arc<Progress>,
    mut options: Options,
    cancel: CancellationToken,
) -> Result<(), ProjectionError> {
    while !cancel.is_cancelled() {
        let built = built_version::<M>(&pool).await?;
        if built > M::CONSUMER.version {
            tracing::warn!(
                model = M::NAME,
                built,
                ours = M::CONSUMER.version,
                "read model {} was built by a newer release; this one leaves it alone",
                M::NAME
            );
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(NEWER_PAUSE) => continue,
            }
        }
        if built < M::CONSUMER.version {
            let done = rebuild_model::<M>(&pool, &|_| {}, &cancel).await;
            match done {
                Ok(()) => {}
                Err(RebuildError::Cancelled) => return Ok(()),
                // Another instance is building it; look again when it is done.
                Err(RebuildError::Running) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(error) => return Err(ProjectionError::Rebuild(M::NAME, error)),
            }
            continue;
        }
        let handler = ModelHandler::<M>::new(Table::live());
        let feed = if M::partitions().len() == usize::from(PARTITIONS) {
            log.feed(M::CONSUMER)
        } else {
            log.feed_alone(M::CONSUMER)
        };
        let consumer = Consumer::new(M::CONSUMER, pool.clone(), feed, handler, options.clone())
            .reporting_to(Arc::clone(&progress));
        match consumer.run(cancel.child_token()).await {
            // Somebody else holds the leases for a reason, such as swapping the table.
            Err(ConsumerError::Fenced(_)) => options.force = false,
            other => return Ok(other?),
        }
    }
    Ok(())
}

/// The version of the code that built the table.
pub(crate) async fn built_version<M: Model>(pool: &PgPool) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT version FROM read.models WHERE name = $1")
        .bind(M::NAME)
        .fetch_one(pool)
        .await
}

/// The read models that an older release built, with its version and ours.
///
/// # Errors
/// When the database does not answer.
pub async fn outdated(pool: &PgPool) -> Result<Vec<(&'static str, i32, i32)>, sqlx::Error> {
    let mut outdated = Vec::new();
    for name in crate::NAMES {
        let versions =
            with_model!(name, M => (built_version::<M>(pool).await?, M::CONSUMER.version));
        if let Some((built, ours)) = versions.filter(|(built, ours)| built < ours) {
            outdated.push((name, built, ours));
        }
    }
    Ok(outdated)
}
