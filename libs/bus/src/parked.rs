//! Events set aside because they could not be applied, and what an operator can do about them.

use sqlx::{PgConnection, PgPool, Row};
use tierline_eventstore::LogEvent;

use crate::ConsumerId;

/// One event set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Name of the consumer.
    pub consumer: String,
    /// Version of what it builds.
    pub version: i32,
    /// Partition of the log.
    pub partition: i16,
    /// Number within the partition.
    pub partition_number: i64,
    /// The org.
    pub org_id: String,
    /// The routing key: everything later of this key waits too.
    pub routing_key: String,
    /// Type of the event.
    pub event_type: String,
    /// Why; empty for an event that only waits behind an earlier one.
    pub error: String,
}

/// What is parked in an org, oldest first, at most `limit`.
pub async fn list(pool: &PgPool, org: &str, limit: i64) -> Result<Vec<Parked>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT consumer, version, partition, partition_number, org_id, routing_key, event_type,
                error
         FROM bus.parked WHERE org_id = $1
         ORDER BY parked_at, partition, partition_number LIMIT $2",
    )
    .bind(org)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Parked {
                consumer: row.try_get(0)?,
                version: row.try_get(1)?,
                partition: row.try_get(2)?,
                partition_number: row.try_get(3)?,
                org_id: row.try_get(4)?,
                routing_key: row.try_get(5)?,
                event_type: row.try_get(6)?,
                error: row.try_get(7)?,
            })
        })
        .collect()
}

/// Asks the consumer to try the parked events of a routing key again, in order. Returns how many
/// events that concerns.
pub async fn retry(
    pool: &PgPool,
    org: &str,
    consumer: &str,
    routing_key: &str,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE bus.parked SET retry = true
         WHERE org_id = $1 AND consumer = $2 AND routing_key = $3",
    )
    .bind(org)
    .bind(consumer)
    .bind(routing_key)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// What became of giving up one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// It is noted as given up, and so many later events of its routing key are tried again.
    Done(u64),
    /// An earlier event of the same routing key, with this number, has to go first.
    NotFirst(i64),
    /// It is not parked.
    NotParked,
}

/// Who gives an event up, and why. Kept in `bus.given_up`.
#[derive(Debug, Clone, Copy)]
pub struct GivingUp<'a> {
    /// The person.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// Asks for another try of everything that a consumer has parked under a routing key, and returns
/// how many events these are.
///
/// # Errors
/// When the database fails.
pub async fn retry_key(
    pool: &PgPool,
    (consumer, version): (&str, i32),
    routing_key: &str,
) -> Result<u64, sqlx::Error> {
    let released: i64 = sqlx::query_scalar("SELECT bus.retry_parked($1, $2, $3)")
        .bind(consumer)
        .bind(version)
        .bind(routing_key)
        .fetch_one(pool)
        .await?;
    Ok(released.unsigned_abs())
}

/// Gives up one parked event for good, so that the later ones of its routing key can be applied.
/// It has to be the first of its key: order is kept within a key.
pub async fn give_up(
    pool: &PgPool,
    (consumer, version): (&str, i32),
    (partition, number): (i16, i64),
    why: GivingUp<'_>,
) -> Result<GivenUp, sqlx::Error> {
    let (first, released): (Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT first, released FROM bus.give_up($1, $2, $3, $4, $5, $6)")
            .bind(consumer)
            .bind(version)
            .bind(partition)
            .bind(number)
            .bind(why.actor)
            .bind(why.reason)
            .fetch_one(pool)
            .await?;
    Ok(match (first, released) {
        (None, _) => GivenUp::NotParked,
        (Some(first), None) => GivenUp::NotFirst(first),
        (Some(_), Some(released)) => GivenUp::Done(released.unsigned_abs()),
    })
}

/// The routing keys that have something parked in some partitions.
pub(crate) async fn keys(
    connection: &mut PgConnection,
    consumer: ConsumerId,
    partitions: &[u8],
) -> Result<Vec<(u8, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT DISTINCT partition, routing_key FROM bus.parked
         WHERE consumer = $1 AND version = $2 AND partition = ANY ($3)",
    )
    .bind(consumer.name)
    .bind(consumer.version)
    .bind(smallints(partitions))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let partition: i16 = row.try_get(0)?;
            Ok((u8::try_from(partition).unwrap_or_default(), row.try_get(1)?))
        })
        .collect()
}

/// Sets events aside. `errors` gives the reason of each.
pub(crate) async fn park(
    connection: &mut PgConnection,
    consumer: ConsumerId,
    events: &[(&LogEvent, String)],
) -> Result<(), sqlx::Error> {
    for (event, error) in events {
        sqlx::query(
            "INSERT INTO bus.parked (consumer, version, partition, partition_number, org_id,
                                     routing_key, event_id, event_type, error)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(consumer.name)
        .bind(consumer.version)
        .bind(i16::from(event.partition))
        .bind(event.partition_number)
        .bind(&event.org_id)
        .bind(&event.routing_key)
        .bind(event.event_id)
        .bind(&event.event_type)
        .bind(error)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

fn smallints(partitions: &[u8]) -> Vec<i16> {
    partitions.iter().copied().map(i16::from).collect()
}

/// The numbers of the parked events of the first key for which a retry was asked, in some
/// partitions.
pub(crate) async fn asked(
    connection: &mut PgConnection,
    consumer: ConsumerId,
    partitions: &[u8],
    limit: i64,
) -> Result<Vec<(u8, i64)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT partition, partition_number FROM bus.parked
         WHERE consumer = $1 AND version = $2 AND (partition, routing_key) =
             (SELECT partition, routing_key FROM bus.parked
              WHERE consumer = $1 AND version = $2 AND partition = ANY ($4) AND retry
              ORDER BY partition, partition_number LIMIT 1)
         ORDER BY partition_number LIMIT $3",
    )
    .bind(consumer.name)
    .bind(consumer.version)
    .bind(limit)
    .bind(smallints(partitions))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let partition: i16 = row.try_get(0)?;
            Ok((u8::try_from(partition).unwrap_or_default(), row.try_get(1)?))
        })
        .collect()
}

/// Removes events that were applied at last.
pub(crate) async fn released(
    connection: &mut PgConnection,
    consumer: ConsumerId,
    events: &[(u8, i64)],
) -> Result<(), sqlx::Error> {
    for (partition, number) in events {
        sqlx::query(
            "DELETE FROM bus.parked
             WHERE consumer = $1 AND version = $2 AND partition = $3 AND partition_number = $4",
        )
        .bind(consumer.name)
        .bind(consumer.version)
        .bind(i16::from(*partition))
        .bind(number)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Notes that a retry failed, so that it is not repeated until asked for again.
pub(crate) async fn failed_again(
    pool: &PgPool,
    consumer: ConsumerId,
    (partition, number): (u8, i64),
    routing_key: &str,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE bus.parked SET retry = false,
                error = CASE WHEN partition_number = $5 THEN $6 ELSE error END
         WHERE consumer = $1 AND version = $2 AND partition = $3 AND routing_key = $4",
    )
    .bind(consumer.name)
    .bind(consumer.version)
    .bind(i16::from(partition))
    .bind(routing_key)
    .bind(number)
    .bind(error)
    .execute(pool)
    .await?;
    Ok(())
}
