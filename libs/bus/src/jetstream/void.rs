//! What the streams hold that the log does not have.

use std::slice;

use async_nats::jetstream::stream::Stream;
use sqlx::PgPool;
use tierline_eventstore::{PARTITIONS, VoidRange};

use super::{JetStream, NatsError, stream_name};
use crate::history::find_mismatch;
use crate::{Sighting, cloudevent};

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
    let Some(last) = sighting(stream, partition, state.last_sequence).await? else {
        return Ok(None);
    };
    if holds(pool, &last).await? {
        return Ok(None);
    }
    let (mut good, mut bad) = (state.first_sequence - 1, state.last_sequence);
    let mut from = last.number;
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match sighting(stream, partition, middle).await? {
            Some(seen) if holds(pool, &seen).await? => good = middle,
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

async fn sighting(
    stream: &Stream,
    partition: u8,
    sequence: u64,
) -> Result<Option<Sighting>, VoidError> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => {
            let witness = cloudevent::witness(partition, &message.headers).ok();
            Ok(witness.map(|witness| witness.seen))
        }
        Err(error) if super::publisher::is_absent(&error) => Ok(None),
        Err(error) => Err(NatsError::of(error).into()),
    }
}

async fn holds(pool: &PgPool, seen: &Sighting) -> Result<bool, VoidError> {
    let mut connection = pool.acquire().await?;
    let mismatch = find_mismatch(&mut connection, slice::from_ref(seen)).await?;
    Ok(mismatch.is_none())
}
