//! What the streams hold that the log does not have.

use async_nats::jetstream::stream::Stream;
use sqlx::{PgPool, Row};
use tierline_eventstore::{PARTITIONS, VoidRange};

use super::{JetStream, NatsError, stream_name};
use crate::cloudevent::{self, Witness};

/// Why the streams could not be held against the log.
#[derive(Debug, thiserror::Error)]
pub enum VoidError {
    /// The servers.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// The database.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// The numbers of each partition that the streams carry with a content that the log does not have
/// under them. A stream that is not there, or is empty, carries none.
///
/// # Errors
/// See [`VoidError`].
pub async fn void_ranges(bus: &JetStream, pool: &PgPool) -> Result<Vec<VoidRange>, VoidError> {
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        let stream = match bus.context().get_stream(stream_name(partition)).await {
            Ok(stream) => stream,
            Err(error) if error.to_string().contains("stream not found") => continue,
            Err(error) => return Err(NatsError::of(error).into()),
        };
        found.extend(of_partition(&stream, pool, partition).await?);
    }
    Ok(found)
}

/// From the divergence on everything is void, so that it is found by halving.
async fn of_partition(
    stream: &Stream,
    pool: &PgPool,
    partition: u8,
) -> Result<Option<VoidRange>, VoidError> {
    let state = &stream.cached_info().state;
    if state.messages == 0 {
        return Ok(None);
    }
    let Some(last) = witness(stream, state.last_sequence).await? else {
        return Ok(None);
    };
    if holds(pool, partition, &last).await? {
        return Ok(None);
    }
    let (mut good, mut bad) = (state.first_sequence - 1, state.last_sequence);
    let mut from = last.number;
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match witness(stream, middle).await? {
            Some(seen) if holds(pool, partition, &seen).await? => good = middle,
            Some(seen) => {
                bad = middle;
                from = seen.number;
            }
            // A deleted message says nothing; it counts with those after it.
            None => bad = middle,
        }
    }
    Ok(Some(VoidRange {
        partition,
        from,
        to: last.number,
    }))
}

async fn witness(stream: &Stream, sequence: u64) -> Result<Option<Witness>, VoidError> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(cloudevent::witness(&message.headers).ok()),
        Err(error) if super::publisher::is_absent(&error) => Ok(None),
        Err(error) => Err(NatsError::of(error).into()),
    }
}

async fn holds(pool: &PgPool, partition: u8, seen: &Witness) -> Result<bool, VoidError> {
    let row = sqlx::query(
        "SELECT event_id = $3 AND leaf_hash = $4 FROM log
         WHERE partition = $1 AND partition_number = $2",
    )
    .bind(i16::from(partition))
    .bind(seen.number)
    .bind(seen.event_id)
    .bind(&seen.leaf_hash)
    .fetch_optional(pool)
    .await?;
    Ok(match row {
        Some(row) => row.try_get(0)?,
        None => false,
    })
}
