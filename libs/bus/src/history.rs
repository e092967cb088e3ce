//! Two histories: what somebody was told, and what the log says under the same number.

use std::collections::BTreeMap;
use std::fmt;

use sqlx::{PgConnection, Row};
use tierline_eventstore::LogEvent;
use uuid::Uuid;

/// An event as it was handed out: enough to tell whether the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The partition.
    pub partition: u8,
    /// The number within it.
    pub number: i64,
    /// The event.
    pub event_id: Uuid,
    /// Its hash in the log.
    pub leaf_hash: Vec<u8>,
}

impl From<&LogEvent> for Sighting {
    fn from(event: &LogEvent) -> Self {
        Self {
            partition: event.partition,
            number: event.partition_number,
            event_id: event.event_id,
            leaf_hash: event.leaf_hash.clone(),
        }
    }
}

/// An event that was seen under a number under which the log has another one, or none. It was
/// numbered in a life of the log whose end was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was seen.
    pub seen: Sighting,
    /// What the log has there: the event and its hash.
    pub logged: Option<(Uuid, Vec<u8>)>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sighting {
            partition,
            number,
            event_id,
            leaf_hash,
        } = &self.seen;
        write!(
            f,
            "partition {partition} number {number} was handed out as event {event_id} (leaf {}), \
             and the log has ",
            hex::encode(leaf_hash)
        )?;
        match &self.logged {
            Some((id, hash)) => write!(f, "event {id} (leaf {}) there", hex::encode(hash))?,
            None => f.write_str("nothing there")?,
        }
        f.write_str(
            ": the end of the log was lost; declare a new epoch with `tierline log new-epoch` \
             (docs/operations/log-epoch.md)",
        )
    }
}

/// What a batch says of the log: first and last event of each partition, in this order.
pub(crate) fn witnesses(events: &[LogEvent]) -> Vec<Sighting> {
    let mut ends: BTreeMap<u8, (&LogEvent, &LogEvent)> = BTreeMap::new();
    for event in events {
        ends.entry(event.partition)
            .and_modify(|(_, last)| *last = event)
            .or_insert((event, event));
    }
    let ends = ends.into_values().flat_map(|(first, last)| [first, last]);
    let mut found: Vec<Sighting> = ends.map(Sighting::from).collect();
    found.dedup();
    found
}

/// What of the sightings in `$1` to `$4`, see [`Columns`], the log has not: `FROM` this.
macro_rules! mismatches {
    () => {
        "unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::bytea[])
              WITH ORDINALITY AS w(partition, number, id, hash, at)
         LEFT JOIN log l ON l.partition = w.partition AND l.partition_number = w.number
         WHERE (l.event_id IS DISTINCT FROM w.id OR l.leaf_hash IS DISTINCT FROM w.hash)"
    };
}
pub(crate) use mismatches;

/// Some of these as the columns of a table.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub(crate) partitions: Vec<i16>,
    pub(crate) numbers: Vec<i64>,
    pub(crate) ids: Vec<Uuid>,
    pub(crate) hashes: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(seen: &'a [Sighting]) -> Self {
        let mut columns = Self::default();
        for one in seen {
            columns.partitions.push(i16::from(one.partition));
            columns.numbers.push(one.number);
            columns.ids.push(one.event_id);
            columns.hashes.push(&one.leaf_hash);
        }
        columns
    }
}

/// The first of these that the log has not, or has under another number.
pub(crate) async fn find_mismatch(
    connection: &mut PgConnection,
    seen: &[Sighting],
) -> Result<Option<Mismatch>, sqlx::Error> {
    let columns = Columns::of(seen);
    let row = sqlx::query(concat!(
        "SELECT w.at, l.event_id, l.leaf_hash FROM ",
        mismatches!(),
        " ORDER BY w.at LIMIT 1"
    ))
    .bind(columns.partitions)
    .bind(columns.numbers)
    .bind(columns.ids)
    .bind(columns.hashes)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let at: i64 = row.try_get(0)?;
    let (event_id, leaf_hash): (Option<Uuid>, Option<Vec<u8>>) = (row.try_get(1)?, row.try_get(2)?);
    // Places are counted from one.
    let found = usize::try_from(at - 1).ok().and_then(|at| seen.get(at));
    Ok(found.map(|seen| Mismatch {
        seen: seen.clone(),
        logged: event_id.zip(leaf_hash),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(partition: u8, number: i64) -> LogEvent {
        LogEvent {
            position: number,
            partition,
            partition_number: number,
            org_id: "acme".to_owned(),
            routing_key: "acme/p".to_owned(),
            aggregate_type: "Deal".to_owned(),
            aggregate_id: "acme/d".to_owned(),
            sequence: 1,
            event_type: "tierline.activity.v1.DealWon".to_owned(),
            event_version: "1.0".to_owned(),
            payload: "{}".to_owned(),
            metadata: "{}".to_owned(),
            event_id: Uuid::from_u128(u128::from(partition)),
            recorded_at: jiff::Timestamp::UNIX_EPOCH,
            leaf_hash: vec![partition],
        }
    }

    #[test]
    fn a_batch_is_known_by_the_ends_of_its_partitions() {
        let batch = [(7, 4), (2, 1), (7, 5), (2, 2), (7, 6), (9, 8)];
        let batch = batch.map(|(partition, number)| event(partition, number));
        let found = witnesses(&batch);
        let places: Vec<(u8, i64)> = found
            .iter()
            .map(|one| (one.partition, one.number))
            .collect();
        assert_eq!(places, [(2, 1), (2, 2), (7, 4), (7, 6), (9, 8)]);
        assert_eq!(found[4], Sighting::from(&batch[5]));
        assert!(witnesses(&[]).is_empty());
    }
}
