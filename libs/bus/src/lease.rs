//! Leases: who may move the checkpoint of a partition. Rows, not advisory locks, timed by the
//! clock of the database.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Row};
use tierline_telemetry::metrics::{self, LeaseChange};
use uuid::Uuid;

use crate::ConsumerId;

/// How long a lease holds without a heartbeat. Together with [`BEAT`] it bounds the time in which
/// the partitions of an instance that died are taken over.
pub const LEASE_TIME: Duration = Duration::from_secs(6);
/// Pause between two heartbeats.
pub const BEAT: Duration = Duration::from_secs(1);

/// A process that has missed its heartbeats and does nothing in a transaction for so long does not
/// work any more.
const STANDS_STILL: Duration = Duration::from_secs(3);

/// The leases of one consumer in this process.
#[derive(Debug, Clone)]
pub struct Leases {
    consumer: ConsumerId,
    owner: Uuid,
}

impl Leases {
    /// A new owner, with no lease yet.
    pub fn new(consumer: ConsumerId) -> Self {
        Self::of(consumer, Uuid::new_v4())
    }

    /// The leases of a known owner.
    pub(crate) fn of(consumer: ConsumerId, owner: Uuid) -> Self {
        Self { consumer, owner }
    }

    /// Takes the free and the expired leases among `partitions`; with `force` also those that
    /// somebody else holds. Returns the partitions now held, with their epochs, and fences the
    /// checkpoints: the previous owner can no longer move them.
    pub async fn acquire(
        &self,
        connection: &mut PgConnection,
        partitions: &[u8],
        force: bool,
    ) -> Result<Vec<(u8, i64)>, sqlx::Error> {
        self.free_locks(connection, partitions).await?;
        let rows = sqlx::query(
            "WITH before AS (
                 SELECT partition, owner FROM bus.leases WHERE consumer = $1 AND version = $2),
             held AS (
                 INSERT INTO bus.leases AS l
                     (consumer, version, partition, owner, epoch, expires_at)
                 SELECT $1, $2, p, $3, 1, clock_timestamp() + $5
                 FROM unnest($4::smallint[]) AS p
                 ON CONFLICT (consumer, version, partition) DO UPDATE
                 SET owner = $3, epoch = l.epoch + 1, expires_at = clock_timestamp() + $5
                 WHERE l.expires_at < clock_timestamp() OR $6
                 RETURNING l.partition, l.epoch)
             INSERT INTO bus.checkpoints AS c (consumer, version, partition, number, epoch)
             SELECT $1, $2, partition, 0, epoch FROM held
             ON CONFLICT (consumer, version, partition) DO UPDATE SET epoch = EXCLUDED.epoch
             RETURNING c.partition, c.epoch,
                 (SELECT owner FROM before WHERE before.partition = c.partition)",
        )
        .bind(self.consumer.name)
        .bind(self.consumer.version)
        .bind(self.owner)
        .bind(numbers(partitions))
        .bind(LEASE_TIME)
        .bind(force)
        .fetch_all(connection)
        .await?;
        let mut held = Vec::with_capacity(rows.len());
        let mut over = 0;
        for row in rows {
            let partition: i16 = row.try_get(0)?;
            held.push((u8::try_from(partition).unwrap_or_default(), row.try_get(1)?));
            let before: Option<Uuid> = row.try_get(2)?;
            // Who lets go in order leaves no owner behind.
            over += u64::from(before.is_some_and(|one| !one.is_nil() && one != self.owner));
        }
        self.changed(LeaseChange::TakenOver, over);
        self.changed(LeaseChange::Taken, held.len() as u64 - over);
        Ok(held)
    }

    /// Who has let leases expire may stand still in the middle of a transaction, and keep rows
    /// locked that are needed to go on. Who only has to give way is left alone.
    async fn free_locks(
        &self,
        connection: &mut PgConnection,
        partitions: &[u8],
    ) -> Result<(), sqlx::Error> {
        let silent: Vec<Uuid> = sqlx::query_scalar(
            "SELECT DISTINCT owner FROM bus.leases
             WHERE consumer = $1 AND version = $2 AND partition = ANY ($3)
               AND owner NOT IN ($4, $5) AND expires_at < clock_timestamp()",
        )
        .bind(self.consumer.name)
        .bind(self.consumer.version)
        .bind(numbers(partitions))
        .bind(self.owner)
        .bind(Uuid::nil())
        .fetch_all(&mut *connection)
        .await?;
        if silent.is_empty() {
            return Ok(());
        }
        let ended =
            tierline_eventstore::end_standing_still(connection, &silent, STANDS_STILL).await?;
        if ended > 0 {
            tracing::warn!(
                consumer = %self.consumer, ended,
                "sessions of a process that stands still were ended"
            );
        }
        Ok(())
    }

    /// Counts what happened to some of the leases.
    pub(crate) fn changed(&self, change: LeaseChange, partitions: u64) {
        metrics::lease_changed(self.consumer.name, change, partitions);
    }

    /// Prolongs all leases held. Returns how many there are.
    pub async fn heartbeat(&self, pool: &PgPool) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(
            "UPDATE bus.leases SET expires_at = clock_timestamp() + $4
             WHERE consumer = $1 AND version = $2 AND owner = $3",
        )
        .bind(self.consumer.name)
        .bind(self.consumer.version)
        .bind(self.owner)
        .bind(LEASE_TIME)
        .execute(pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Keeps the leases for as long as the returned future is polled; it never ends.
    pub async fn keep(&self, pool: &PgPool) {
        loop {
            if let Err(error) = self.heartbeat(pool).await {
                tracing::warn!(%error, "heartbeat failed: {error}");
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Lets go of some leases, so that others need not wait for them to expire. Returns how many
    /// of them were held still.
    pub async fn let_go(&self, pool: &PgPool, partitions: &[u8]) -> Result<u64, sqlx::Error> {
        // The owner goes too: a heartbeat that is on its way must not take the lease back.
        let done = sqlx::query(
            "UPDATE bus.leases SET expires_at = clock_timestamp(), owner = $4
             WHERE consumer = $1 AND version = $2 AND owner = $3 AND partition = ANY ($5)",
        )
        .bind(self.consumer.name)
        .bind(self.consumer.version)
        .bind(self.owner)
        .bind(Uuid::nil())
        .bind(numbers(partitions))
        .execute(pool)
        .await?;
        self.changed(LeaseChange::Released, done.rows_affected());
        Ok(done.rows_affected())
    }

    /// Lets go of all leases. Returns how many there were.
    pub async fn release(&self, pool: &PgPool) -> Result<u64, sqlx::Error> {
        let all: Vec<u8> = (0..tierline_eventstore::PARTITIONS).collect();
        self.let_go(pool, &all).await
    }
}

fn numbers(partitions: &[u8]) -> Vec<i16> {
    partitions.iter().copied().map(i16::from).collect()
}
