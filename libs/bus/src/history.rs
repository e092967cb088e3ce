//! Two histories: what somebody was told, and what the log says under the same number.

use std::fmt;

use sqlx::{PgConnection, Row};
use tierline_eventstore::LogEvent;
use uuid::Uuid;

use crate::cloudevent::Witness;

/// An event that was seen under a number under which the log has another one, or none. It was
/// numbered in a life of the log whose end was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The partition.
    pub partition: u8,
    /// The number.
    pub number: i64,
    /// The event that was seen, with its hash in hexadecimal.
    pub seen: (Uuid, String),
    /// What the log has there.
    pub logged: Option<(Uuid, String)>,
}

impl Mismatch {
    pub(crate) fn new(partition: u8, witness: &Witness, logged: Option<(Uuid, Vec<u8>)>) -> Self {
        Self {
            partition,
            number: witness.number,
            seen: (witness.event_id, hex::encode(&witness.leaf_hash)),
            logged: logged.map(|(id, hash)| (id, hex::encode(hash))),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            number,
            seen: (id, hash),
            logged,
        } = self;
        write!(
            f,
            "partition {partition} number {number} was handed out as event {id} (leaf {hash}), \
             and the log has "
        )?;
        match logged {
            Some((id, hash)) => write!(f, "event {id} (leaf {hash}) there")?,
            None => f.write_str("nothing there")?,
        }
        f.write_str(
            ": the end of the log was lost; declare a new epoch with `tierline log new-epoch` \
             (docs/operations/log-epoch.md)",
        )
    }
}

/// What a batch says of the log: first and last event of each partition.
pub(crate) fn witnesses(events: &[LogEvent]) -> Vec<&LogEvent> {
    let mut found: Vec<&LogEvent> = Vec::new();
    for event in events {
        let newest = found
            .iter()
            .rposition(|one| one.partition == event.partition);
        let known = found
            .iter()
            .filter(|one| one.partition == event.partition)
            .count();
        match newest {
            Some(at) if known > 1 => found[at] = event,
            _ => found.push(event),
        }
    }
    found
}

/// The first of these events that the log has not, or has under another number.
pub(crate) async fn find_mismatch(
    connection: &mut PgConnection,
    events: &[&LogEvent],
) -> Result<Option<Mismatch>, sqlx::Error> {
    let partitions: Vec<i16> = events.iter().map(|one| i16::from(one.partition)).collect();
    let numbers: Vec<i64> = events.iter().map(|one| one.partition_number).collect();
    let ids: Vec<Uuid> = events.iter().map(|one| one.event_id).collect();
    let hashes: Vec<&[u8]> = events.iter().map(|one| one.leaf_hash.as_slice()).collect();
    let row = sqlx::query(
        "SELECT w.partition, w.number, w.id, w.hash, l.event_id, l.leaf_hash
         FROM unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::bytea[])
              AS w(partition, number, id, hash)
         LEFT JOIN log l ON l.partition = w.partition AND l.partition_number = w.number
         WHERE l.event_id IS DISTINCT FROM w.id OR l.leaf_hash IS DISTINCT FROM w.hash
         LIMIT 1",
    )
    .bind(partitions)
    .bind(numbers)
    .bind(ids)
    .bind(hashes)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let partition: i16 = row.try_get(0)?;
    let logged: Option<Uuid> = row.try_get(4)?;
    let logged_hash: Option<Vec<u8>> = row.try_get(5)?;
    let seen_hash: Vec<u8> = row.try_get(3)?;
    Ok(Some(Mismatch {
        partition: u8::try_from(partition).unwrap_or_default(),
        number: row.try_get(1)?,
        seen: (row.try_get(2)?, hex::encode(seen_hash)),
        logged: logged.zip(logged_hash.map(hex::encode)),
    }))
}
