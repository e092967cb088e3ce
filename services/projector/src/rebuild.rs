//! Building a read model afresh beside the one that serves, and swapping the two.
//!
//! The new table is filled by a consumer of its own, so an interrupted build goes on where it was.
//! At the end the leases of the live consumer are taken, which fences it; the last events are
//! applied; and one transaction puts the new table into the place of the old one together with the
//! positions and the set-aside events that belong to it. The live consumer then takes its leases
//! back and goes on from there. If the build dies while it holds them, they expire and the old
//! table serves on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Acquire, PgConnection, PgPool, Row};
use tierline_bus::{
    Consumer, ConsumerError, ConsumerId, Events, Feed, Leases, LogFeed, Options, Positions,
};
use tierline_eventstore::{Heads, LogReader, ReadError};
use tokio_util::sync::CancellationToken;

use crate::handler::ModelHandler;
use crate::model::{Keeps, Model};
use crate::models::with_model;
use crate::table::{Table, build_name, live_name, script};

/// How close to the head of the log a build has to be before the live consumer is stopped.
const CLOSE: i64 = 2_000;
/// Most rounds of catching up before the swap is tried anyhow.
const MAX_ROUNDS: u32 = 50;
/// How often the swap is tried when queries keep the old table busy.
const SWAP_ATTEMPTS: u32 = 5;

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuildProgress {
    /// Events applied.
    pub applied: i64,
    /// Events in the log when it was last looked at.
    pub total: i64,
}

/// Why a read model was not rebuilt. The old one serves on.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no read model of this name.
    #[error("there is no read model \"{0}\"; there are {names}", names = crate::NAMES.join(", "))]
    NoSuchModel(String),
    /// Another build of the same model is at work.
    #[error("the read model is being rebuilt already")]
    Running,
    /// It was asked to stop; the next build goes on where this one was.
    #[error("the rebuild was cancelled")]
    Cancelled,
    /// Another instance took the live consumer over in the middle of the swap.
    #[error("the live consumer was taken over during the swap; try again")]
    TakenOver,
    /// The account may not make tables.
    #[error(
        "this account may not make tables; run `tierline rebuild outdated` under the account that \
         owns the schema"
    )]
    NotOwner,
    /// The consumer that fills the new table failed.
    #[error("the new table could not be filled")]
    Consumer(#[from] ConsumerError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] ReadError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Rebuilds the read model of the given name; see [`crate::NAMES`]. May run beside the live
/// projections, of this process or others, and without them.
///
/// # Errors
/// See [`RebuildError`].
pub async fn rebuild(
    pool: &PgPool,
    name: &str,
    on_progress: &(dyn Fn(RebuildProgress) + Send + Sync),
    cancel: &CancellationToken,
) -> Result<(), RebuildError> {
    let done = with_model!(name, M => rebuild_model::<M>(pool, on_progress, cancel).await);
    done.unwrap_or_else(|| Err(RebuildError::NoSuchModel(name.to_owned())))
}

pub(crate) async fn rebuild_model<M: Model>(
    pool: &PgPool,
    on_progress: &(dyn Fn(RebuildProgress) + Send + Sync),
    cancel: &CancellationToken,
) -> Result<(), RebuildError> {
    let build = Build::<M> {
        pool,
        reader: LogReader::new(pool.clone()),
        on_progress,
        cancel,
        model: std::marker::PhantomData,
    };
    build.must_be_owner().await?;
    build.must_be_alone().await?;
    build.prepare().await?;
    build.approach().await?;
    build.add_indexes().await?;
    build.finish().await
}

struct Build<'a, M> {
    pool: &'a PgPool,
    reader: LogReader,
    on_progress: &'a (dyn Fn(RebuildProgress) + Send + Sync),
    cancel: &'a CancellationToken,
    model: std::marker::PhantomData<fn() -> M>,
}

impl<M: Model> Build<'_, M> {
    /// Refuses early: an account that may only fill tables would fail half-way.
    async fn must_be_owner(&self) -> Result<(), RebuildError> {
        let may: bool = sqlx::query_scalar(
            "SELECT has_schema_privilege('read', 'CREATE')
                AND has_schema_privilege('read_build', 'CREATE')",
        )
        .fetch_one(self.pool)
        .await?;
        if may {
            Ok(())
        } else {
            Err(RebuildError::NotOwner)
        }
    }

    /// Refuses to work beside another build. Two that slip through are still fenced from each
    /// other by their leases.
    async fn must_be_alone(&self) -> Result<(), RebuildError> {
        let probe = Leases::new(M::BUILDER);
        let free = {
            let mut connection = self.pool.acquire().await?;
            probe
                .acquire(&mut connection, &M::partitions(), false)
                .await?
                .len()
        };
        probe.release(self.pool).await?;
        if free == M::partitions().len() {
            Ok(())
        } else {
            Err(RebuildError::Running)
        }
    }

    /// Makes the new table, or keeps the one of an interrupted build.
    async fn prepare(&self) -> Result<(), RebuildError> {
        let (live, build) = (live_name::<M>(), build_name::<M>());
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let resumable: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(&build)
            .fetch_one(&mut *transaction)
            .await?;
        if !resumable {
            let key = match M::KEEPS {
                Keeps::Latest => "org_id, key",
                Keeps::Every => "org_id, key, sequence",
            };
            forget(&mut transaction, M::BUILDER).await?;
            // LIKE takes everything over but the storage parameters.
            let storage: Option<String> = sqlx::query_scalar(
                "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = $1::regclass",
            )
            .bind(&live)
            .fetch_one(&mut *transaction)
            .await?;
            let storage = storage.map_or_else(String::new, |storage| format!(" WITH ({storage})"));
            script(
                &mut transaction,
                &format!(
                    "CREATE TABLE {build} (LIKE {live} INCLUDING ALL EXCLUDING INDEXES){storage};
                 ALTER TABLE {build} ADD CONSTRAINT {}_pkey PRIMARY KEY ({key});",
                    M::NAME
                ),
            )
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Catches up until the rest is small.
    async fn approach(&self) -> Result<(), RebuildError> {
        for _ in 0..MAX_ROUNDS {
            let target = self.reader.heads().await?;
            self.catch_up(target).await?;
            let head = self.reader.heads().await?;
            if total::<M>(&head) - total::<M>(&target) <= CLOSE {
                break;
            }
        }
        Ok(())
    }

    /// Fills the new table up to the given heads.
    async fn catch_up(&self, target: Heads) -> Result<(), RebuildError> {
        let there = self.cancel.child_token();
        let (report, mut reports) = tokio::sync::watch::channel(0);
        let feed = UntilFeed {
            feed: LogFeed::new(self.reader.clone(), None),
            target,
            there: there.clone(),
            applied: Arc::new(report),
        };
        let options = Options {
            partitions: M::partitions(),
            ..Options::default()
        };
        let handler = ModelHandler::<M>::new(Table::under_construction());
        let consumer = Consumer::new(M::BUILDER, self.pool.clone(), feed, handler, options);
        let run = consumer.run(there);
        tokio::pin!(run);
        let tell = |applied| {
            (self.on_progress)(RebuildProgress {
                applied,
                total: total::<M>(&target),
            });
        };
        loop {
            tokio::select! {
                done = &mut run => break done?,
                Ok(()) = reports.changed() => tell(*reports.borrow_and_update()),
            }
        }
        tell(*reports.borrow());
        if self.cancel.is_cancelled() {
            Err(RebuildError::Cancelled)
        } else {
            Ok(())
        }
    }

    /// The indexes of the old table, under their names; faster than keeping them while filling.
    async fn add_indexes(&self) -> Result<(), RebuildError> {
        let mut connection = self.pool.acquire().await?;
        let wanted: Vec<(String, String)> = sqlx::query_as(
            "SELECT i.indexname, i.indexdef FROM pg_indexes i
             WHERE i.schemaname = 'read' AND i.tablename = $1 AND i.indexname <> $1 || '_pkey'
               AND NOT EXISTS (SELECT 1 FROM pg_indexes b
                               WHERE b.schemaname = 'read_build' AND b.indexname = i.indexname)",
        )
        .bind(M::NAME)
        .fetch_all(&mut *connection)
        .await?;
        let (live, build) = (format!(" ON {} ", live_name::<M>()), build_name::<M>());
        for (_, definition) in wanted {
            let definition = definition.replacen(&live, &format!(" ON {build} "), 1);
            script(&mut connection, &definition).await?;
        }
        script(&mut connection, &format!("ANALYZE {build}")).await?;
        Ok(())
    }

    /// Fences the live consumer, applies the rest and swaps.
    async fn finish(&self) -> Result<(), RebuildError> {
        let leases = Leases::new(M::CONSUMER);
        let held = {
            let mut connection = self.pool.acquire().await?;
            leases
                .acquire(&mut connection, &M::partitions(), true)
                .await?
        };
        let outcome = tokio::select! {
            outcome = self.swap_held(&held) => outcome,
            () = leases.keep(self.pool) => Err(RebuildError::TakenOver),
        };
        // Also after a failure: the live consumer shall go on, on whichever table serves.
        leases.release(self.pool).await?;
        outcome
    }

    async fn swap_held(&self, held: &[(u8, i64)]) -> Result<(), RebuildError> {
        let mut attempts = 0;
        loop {
            let target = self.reader.heads().await?;
            self.catch_up(target).await?;
            attempts += 1;
            match self.swap(held).await {
                // 55P03: the old table is in use; its readers get to finish first.
                Err(RebuildError::Database(sqlx::Error::Database(error)))
                    if error.code().as_deref() == Some("55P03") && attempts < SWAP_ATTEMPTS =>
                {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                other => return other,
            }
        }
    }

    async fn swap(&self, held: &[(u8, i64)]) -> Result<(), RebuildError> {
        let (live, build) = (live_name::<M>(), build_name::<M>());
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        // First the table, then the checkpoints: the order in which a consumer takes them.
        script(
            &mut transaction,
            &format!("SET LOCAL lock_timeout = '2s'; LOCK TABLE {live} IN ACCESS EXCLUSIVE MODE;"),
        )
        .await?;
        still_held(&mut transaction, M::CONSUMER, held).await?;
        script(
            &mut transaction,
            &format!(
                "DROP TABLE {live};
             ALTER TABLE {build} RENAME TO {name};
             ALTER TABLE read_build.{name} SET SCHEMA read;",
                name = M::NAME
            ),
        )
        .await?;
        hand_over::<M>(&mut transaction).await?;
        transaction.commit().await?;
        tracing::info!(model = M::NAME, "read model {} was rebuilt", M::NAME);
        Ok(())
    }
}

/// Events of the model's partitions up to the given heads.
fn total<M: Model>(heads: &Heads) -> i64 {
    M::partitions()
        .iter()
        .map(|partition| heads.partitions[usize::from(*partition)])
        .sum()
}

/// Makes sure that nobody has taken the live consumer over, and keeps it so.
async fn still_held(
    connection: &mut PgConnection,
    consumer: ConsumerId,
    held: &[(u8, i64)],
) -> Result<(), RebuildError> {
    let rows = sqlx::query(
        "SELECT partition, epoch FROM bus.checkpoints WHERE consumer = $1 AND version = $2
         ORDER BY partition FOR UPDATE",
    )
    .bind(consumer.name)
    .bind(consumer.version)
    .fetch_all(connection)
    .await?;
    for (partition, epoch) in held {
        let mut ours = false;
        for row in &rows {
            ours |= row.try_get::<i16, _>(0)? == i16::from(*partition)
                && row.try_get::<i64, _>(1)? == *epoch;
        }
        if !ours {
            return Err(RebuildError::TakenOver);
        }
    }
    Ok(())
}

/// Gives the live consumer the positions and the set-aside events that belong to the new table,
/// and forgets the consumer that built it and those of earlier versions.
async fn hand_over<M: Model>(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (live, builder) = (M::CONSUMER, M::BUILDER);
    sqlx::query(
        "UPDATE bus.checkpoints c SET number = b.number
         FROM bus.checkpoints b
         WHERE c.consumer = $1 AND c.version = $2 AND b.consumer = $3 AND b.version = $2
           AND b.partition = c.partition",
    )
    .bind(live.name)
    .bind(live.version)
    .bind(builder.name)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM bus.parked WHERE consumer = $1 AND version <= $2")
        .bind(live.name)
        .bind(live.version)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE bus.parked SET consumer = $1 WHERE consumer = $3 AND version = $2")
        .bind(live.name)
        .bind(live.version)
        .bind(builder.name)
        .execute(&mut *connection)
        .await?;
    forget(connection, builder).await?;
    for table in ["checkpoints", "leases"] {
        let sql = format!("DELETE FROM bus.{table} WHERE consumer = $1 AND version < $2");
        sqlx::query(&sql)
            .bind(live.name)
            .bind(live.version)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query(
        "INSERT INTO read.models (name, version) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET version = EXCLUDED.version, built_at = clock_timestamp()",
    )
    .bind(M::NAME)
    .bind(live.version)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes all traces of a consumer.
async fn forget(connection: &mut PgConnection, consumer: ConsumerId) -> Result<(), sqlx::Error> {
    for table in ["checkpoints", "leases", "parked"] {
        let sql = format!("DELETE FROM bus.{table} WHERE consumer = $1 AND version = $2");
        sqlx::query(&sql)
            .bind(consumer.name)
            .bind(consumer.version)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The log up to given heads; says when it is there.
struct UntilFeed {
    feed: LogFeed,
    target: Heads,
    there: CancellationToken,
    applied: Arc<tokio::sync::watch::Sender<i64>>,
}

#[async_trait]
impl Feed for UntilFeed {
    async fn read(&mut self, after: &Positions, limit: u32) -> Result<Events, ReadError> {
        self.applied
            .send_replace(after.iter().map(|(_, number)| *number).sum());
        let target = self.target.partitions;
        let rest: Positions = after
            .iter()
            .copied()
            .filter(|(partition, number)| *number < target[usize::from(*partition)])
            .collect();
        if rest.is_empty() {
            self.there.cancel();
            return Ok(Events::default());
        }
        self.feed.read(&rest, limit).await
    }

    async fn wait(&mut self, after: &Positions, patience: Duration) {
        self.feed.wait(after, patience).await;
    }
}
