//! Reading the log: by partition, by position, by stream, by routing key.
//!
//! Every read checks that the numbers it got are dense. A hole is an error here, never something
//! to step over: a consumer that skips one loses an event for ever.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row};
use tierline_domain::{OrgId, StreamId};
use tokio::time::Instant;
use uuid::Uuid;

use crate::keys::{self, PARTITIONS};
use crate::pool::bounded;
use crate::{DbError, Heads};

// Limits stand in the text of the statements: a plan made without knowing that few rows are wanted
// reads the whole log.

/// How long one read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Most events of one read, whatever the caller asks for.
pub const MAX_READ: u32 = 10_000;

/// An event with its place in the log. An event for every partition has sixteen places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// Dense from 1 over the whole log.
    pub position: i64,
    /// The partition.
    pub partition: u8,
    /// Dense from 1 within the partition.
    pub partition_number: i64,
    /// The org.
    pub org_id: String,
    /// `{org}/{partner}`, or `{org}/*` for every partition.
    pub routing_key: String,
    /// The kind of aggregate.
    pub aggregate_type: String,
    /// The stream.
    pub aggregate_id: String,
    /// Version of the stream after this event.
    pub sequence: i64,
    /// Permanent type.
    pub event_type: String,
    /// Version of the payload's shape.
    pub event_version: String,
    /// JSON text as it was stored.
    pub payload: String,
    /// Flat JSON object of strings, as it was stored.
    pub metadata: String,
    /// The id, the same in all partitions.
    pub event_id: Uuid,
    /// When the database took it.
    pub recorded_at: Timestamp,
    /// The hash that was computed at the append; see [`crate::leaf_hash`].
    pub leaf_hash: Vec<u8>,
}

impl LogEvent {
    /// True when payload, metadata, type and id still give the hash of the append.
    pub fn is_intact(&self) -> bool {
        let hash = keys::leaf_hash(
            self.event_id,
            &self.event_type,
            &self.event_version,
            &self.payload,
            &self.metadata,
        );
        self.leaf_hash == hash
    }
}

/// Where an event was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Position in the whole log.
    pub position: i64,
    /// The partition.
    pub partition: u8,
    /// Number within the partition.
    pub partition_number: i64,
}

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A number is missing where the next ones are there: the log is damaged.
    #[error("the log has a hole: {expected} is missing in {of}")]
    Hole {
        /// The missing number.
        expected: i64,
        /// Of which series.
        of: String,
    },
    /// A numbered event is not in its stream: the log is damaged.
    #[error("the event at position {position} of the log is not stored")]
    Missing {
        /// Its position.
        position: i64,
    },
    /// The database failed or did not answer in time.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbError::Database(error))
    }
}

/// The columns of [`LogEvent`] out of `l` (log) and `e` (events, outer joined).
const COLUMNS: &str = "l.position, l.partition, l.partition_number, l.org_id, e.routing_key, \
     l.aggregate_type, l.aggregate_id, l.sequence, e.event_type, e.event_version, e.payload, \
     e.metadata, l.event_id, e.recorded_at, l.leaf_hash";

/// The join keeps log rows without an event, so that damage is seen instead of skipped.
const JOIN: &str = "LEFT JOIN LATERAL (SELECT * FROM events x \
     WHERE x.aggregate_type = l.aggregate_type AND x.aggregate_id = l.aggregate_id \
     AND x.sequence = l.sequence OFFSET 0) e ON true";

/// Reads the log.
#[derive(Clone)]
pub struct LogReader {
    pool: PgPool,
}

impl LogReader {
    /// A reader on a pool.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The next events of several partitions, each given with the last number already read, in
    /// the order of positions: at most `per_partition` of each and `total` in all.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read(
        &self,
        after: &[(u8, i64)],
        per_partition: u32,
        total: u32,
    ) -> Result<Vec<LogEvent>, ReadError> {
        let (per_partition, total) = (limit(per_partition), limit(total));
        // Partitions fill evenly, so that twice the even share of each nearly always holds all
        // that is wanted; the full share of all would be read in vain.
        let even = (2 * total / i64::try_from(after.len().max(1)).unwrap_or(1)).max(64);
        let share = even.min(per_partition);
        let mut events = self.read_rounded(after, share, total).await?;
        let cut_short = || {
            let of = |partition| {
                events
                    .iter()
                    .filter(move |event| event.partition == partition)
            };
            let full = |partition| i64::try_from(of(partition).count()) == Ok(share);
            after.iter().any(|(partition, _)| full(*partition))
        };
        if share < per_partition && (events.len() as i64) < total && cut_short() {
            events = self.read_rounded(after, per_partition, total).await?;
        }
        let mut expected = [0; PARTITIONS as usize];
        for (partition, number) in after {
            if let Some(slot) = expected.get_mut(usize::from(*partition)) {
                *slot = *number;
            }
        }
        for event in &events {
            let slot = &mut expected[usize::from(event.partition % PARTITIONS)];
            *slot += 1;
            if event.partition_number != *slot {
                return Err(ReadError::Hole {
                    expected: *slot,
                    of: format!("partition {}", event.partition),
                });
            }
        }
        Ok(events)
    }

    /// With limits rounded up to powers of two, and what is too much cut off: limits stand in the
    /// text, and a room that differs each time would be a statement to plan each time.
    async fn read_rounded(
        &self,
        after: &[(u8, i64)],
        share: i64,
        total: i64,
    ) -> Result<Vec<LogEvent>, ReadError> {
        let rounded = |count: i64| count.unsigned_abs().next_power_of_two().cast_signed();
        let mut events = self
            .read_shares(after, rounded(share), rounded(total))
            .await?;
        let mut room = [share; PARTITIONS as usize];
        events.retain(|event| {
            let room = &mut room[usize::from(event.partition % PARTITIONS)];
            *room -= 1;
            *room >= 0
        });
        events.truncate(usize::try_from(total).unwrap_or(usize::MAX));
        Ok(events)
    }

    async fn read_shares(
        &self,
        after: &[(u8, i64)],
        share: i64,
        total: i64,
    ) -> Result<Vec<LogEvent>, ReadError> {
        let partitions: Vec<i16> = after
            .iter()
            .map(|(partition, _)| i16::from(*partition))
            .collect();
        let numbers: Vec<i64> = after.iter().map(|(_, number)| *number).collect();
        self.run(move |connection| {
            Box::pin(async move {
                let sql = format!(
                    "WITH l AS MATERIALIZED (
                         SELECT c.* FROM unnest($1::smallint[], $2::bigint[]) AS w(part, after)
                         CROSS JOIN LATERAL (
                             SELECT * FROM log WHERE partition = w.part
                                 AND partition_number > w.after
                             ORDER BY partition_number LIMIT {share}) c
                         ORDER BY c.position LIMIT {total})
                     SELECT {COLUMNS} FROM l {JOIN}"
                );
                sqlx::query(&sql)
                    .bind(partitions)
                    .bind(numbers)
                    .fetch_all(connection)
                    .await
            })
        })
        .await
    }

    /// The events at the positions after `after`, at most `count`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_positions(&self, after: i64, count: u32) -> Result<Vec<LogEvent>, ReadError> {
        let count = limit(count);
        let events = self
            .run(move |connection| {
                Box::pin(async move {
                    let sql = format!(
                        "WITH l AS MATERIALIZED (
                             SELECT * FROM log WHERE position > $1 ORDER BY position LIMIT {count})
                         SELECT {COLUMNS} FROM l {JOIN}"
                    );
                    sqlx::query(&sql).bind(after).fetch_all(connection).await
                })
            })
            .await?;
        for (expected, event) in (after + 1..).zip(&events) {
            if event.position != expected {
                return Err(ReadError::Hole {
                    expected,
                    of: "the positions".to_owned(),
                });
            }
        }
        Ok(events)
    }

    /// The numbered events of one stream after a version, each once, at most `count`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_stream(
        &self,
        aggregate_type: &str,
        stream: &StreamId,
        after: u64,
        count: u32,
    ) -> Result<Vec<LogEvent>, ReadError> {
        let (kind, id) = (aggregate_type.to_owned(), stream.as_str().to_owned());
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let count = limit(count);
        self.run(move |connection| {
            Box::pin(async move {
                // An event for every partition is shown at its first place.
                let sql = format!(
                    "SELECT {COLUMNS} FROM (
                         SELECT * FROM events WHERE aggregate_type = $1 AND aggregate_id = $2
                             AND sequence > $3 ORDER BY sequence LIMIT {count}) e
                     CROSS JOIN LATERAL (SELECT * FROM log WHERE event_id = e.event_id
                         ORDER BY partition LIMIT 1) l
                     ORDER BY e.sequence"
                );
                sqlx::query(&sql)
                    .bind(kind)
                    .bind(id)
                    .bind(after)
                    .fetch_all(connection)
                    .await
            })
        })
        .await
    }

    /// Everything about one partner, with what concerns every partition of its org, in the order
    /// of the partner's partition: after position `after`, up to and including `up_to`, at most
    /// `count`. This is what an audit of a decision reads.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_history(
        &self,
        org: &OrgId,
        routing_key: &str,
        after: i64,
        up_to: i64,
        count: u32,
    ) -> Result<Vec<LogEvent>, ReadError> {
        let keys = [routing_key.to_owned(), format!("{org}/*")];
        let partition = keys::partition_of(routing_key);
        self.read_keys(partition, &keys, &[], after, up_to, count)
            .await
    }

    /// The events of some routing keys, as one partition has them: after position `after`, up to
    /// and including `up_to`, at most `count`. Events of the types `without` are left out.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read_keys(
        &self,
        partition: u8,
        routing_keys: &[String],
        without: &[&str],
        after: i64,
        up_to: i64,
        count: u32,
    ) -> Result<Vec<LogEvent>, ReadError> {
        let wanted = routing_keys.to_vec();
        let without: Vec<String> = without.iter().map(|name| (*name).to_owned()).collect();
        let hashes: Vec<i64> = wanted.iter().map(|key| keys::routing_hash(key)).collect();
        let partition = i16::from(partition);
        let count = limit(count);
        self.run(move |connection| {
            Box::pin(async move {
                // One ordered index scan per key. The key itself is compared as well, since two
                // keys may share a hash.
                let sql = format!(
                    "WITH l AS MATERIALIZED (
                         SELECT c.* FROM unnest($1::bigint[], $2::text[]) AS k(hash, key)
                         CROSS JOIN LATERAL (
                             SELECT g.* FROM log g
                             JOIN events e USING (aggregate_type, aggregate_id, sequence)
                             WHERE g.routing_hash = k.hash AND g.position > $3
                                 AND g.position <= $4 AND g.partition = $5
                                 AND e.routing_key = k.key AND e.event_type <> ALL ($6)
                             ORDER BY g.position LIMIT {count}) c
                         ORDER BY c.position LIMIT {count})
                     SELECT {COLUMNS} FROM l {JOIN}"
                );
                sqlx::query(&sql)
                    .bind(hashes)
                    .bind(wanted)
                    .bind(after)
                    .bind(up_to)
                    .bind(partition)
                    .bind(without)
                    .fetch_all(connection)
                    .await
            })
        })
        .await
    }

    /// The places of an event: one, sixteen if it went to every partition, none while it has not
    /// been numbered.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn find(&self, event_id: Uuid) -> Result<Vec<Place>, ReadError> {
        let rows = self
            .rows(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "SELECT position, partition, partition_number FROM log
                         WHERE event_id = $1 ORDER BY partition",
                    )
                    .bind(event_id)
                    .fetch_all(connection)
                    .await
                })
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Place {
                    position: row.try_get(0)?,
                    partition: partition(row.try_get(1)?)?,
                    partition_number: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// Where one partition has the events of a stream that goes to every partition, up to and
    /// including position `up_to`: the version of the stream, and the number in the partition.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn numbers_of(
        &self,
        aggregate_type: &'static str,
        stream: &StreamId,
        org: &OrgId,
        partition: u8,
        up_to: i64,
    ) -> Result<Vec<(u64, u64)>, ReadError> {
        let hash = keys::routing_hash(&format!("{org}/*"));
        let (stream, partition) = (stream.to_string(), i16::from(partition));
        let rows = self
            .rows(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "SELECT sequence, partition_number FROM log
                         WHERE routing_hash = $1 AND partition = $2 AND position <= $3
                             AND aggregate_type = $4 AND aggregate_id = $5
                         ORDER BY partition_number",
                    )
                    .bind(hash)
                    .bind(partition)
                    .bind(up_to)
                    .bind(aggregate_type)
                    .bind(stream)
                    .fetch_all(connection)
                    .await
                })
            })
            .await?;
        rows.iter()
            .map(|row| {
                let (sequence, number): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                Ok((sequence.unsigned_abs(), number.unsigned_abs()))
            })
            .collect()
    }

    /// How far the log goes.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn heads(&self) -> Result<Heads, ReadError> {
        let rows = self
            .rows(|connection| {
                Box::pin(async move {
                    sqlx::query("SELECT position, heads FROM sequencer WHERE id = 1")
                        .fetch_all(connection)
                        .await
                })
            })
            .await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(Heads::read(
            row.try_get(0)?,
            &row.try_get::<Vec<i64>, _>(1)?,
        )?)
    }

    /// How far the log goes, and its present epoch.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn state(&self) -> Result<(Heads, Uuid), ReadError> {
        let rows = self
            .rows(|connection| {
                Box::pin(async move {
                    sqlx::query(
                        "SELECT position, heads,
                                (SELECT epoch FROM log_epochs ORDER BY ordinal DESC LIMIT 1)
                         FROM sequencer WHERE id = 1",
                    )
                    .fetch_all(connection)
                    .await
                })
            })
            .await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let heads = Heads::read(row.try_get(0)?, &row.try_get::<Vec<i64>, _>(1)?)?;
        Ok((heads, row.try_get(2)?))
    }

    /// The newest committed event of a partition that has no number yet, as an opaque mark that
    /// [`Self::is_pending`] takes; `None` when all have one.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn pending(&self, partition: u8) -> Result<Option<i64>, ReadError> {
        let rows = self
            .rows(move |connection| {
                Box::pin(async move {
                    sqlx::query("SELECT max(id) FROM outbox WHERE partition IN ($1, -1)")
                        .bind(i16::from(partition))
                        .fetch_all(connection)
                        .await
                })
            })
            .await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(row.try_get(0)?)
    }

    /// True while an event of the partition up to the mark has no number.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn is_pending(&self, partition: u8, mark: i64) -> Result<bool, ReadError> {
        let rows = self
            .rows(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "SELECT EXISTS (SELECT 1 FROM outbox
                             WHERE id <= $2 AND partition IN ($1, -1))",
                    )
                    .bind(i16::from(partition))
                    .bind(mark)
                    .fetch_all(connection)
                    .await
                })
            })
            .await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(row.try_get(0)?)
    }

    /// Events in the order of their positions.
    async fn run<F>(&self, query: F) -> Result<Vec<LogEvent>, ReadError>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<Vec<PgRow>, sqlx::Error>>,
    {
        let rows = self.rows(query).await?;
        let events: Result<Vec<LogEvent>, ReadError> = rows.iter().map(log_event).collect();
        let mut events = events?;
        // The server is not asked for it: it would sort whole events, on disk when there are many.
        events.sort_by_key(|event| event.position);
        Ok(events)
    }

    async fn rows<F>(&self, query: F) -> Result<Vec<PgRow>, ReadError>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<Vec<PgRow>, sqlx::Error>>,
    {
        let deadline = Instant::now() + READ_TIMEOUT;
        Ok(bounded(&self.pool, deadline, query).await?)
    }
}

fn limit(count: u32) -> i64 {
    i64::from(count.min(MAX_READ))
}

fn partition(stored: i16) -> Result<u8, sqlx::Error> {
    u8::try_from(stored)
        .map_err(|_| sqlx::Error::Decode(format!("partition {stored} in the log").into()))
}

fn log_event(row: &PgRow) -> Result<LogEvent, ReadError> {
    let position: i64 = row.try_get(0)?;
    let routing_key: Option<String> = row.try_get(4)?;
    let routing_key = routing_key.ok_or(ReadError::Missing { position })?;
    Ok(LogEvent {
        position,
        partition: partition(row.try_get(1)?)?,
        partition_number: row.try_get(2)?,
        org_id: row.try_get(3)?,
        routing_key,
        aggregate_type: row.try_get(5)?,
        aggregate_id: row.try_get(6)?,
        sequence: row.try_get(7)?,
        event_type: row.try_get(8)?,
        event_version: row.try_get(9)?,
        // `json` travels as its text; only the name of the type differs.
        payload: row.try_get_unchecked(10)?,
        metadata: row.try_get_unchecked(11)?,
        event_id: row.try_get(12)?,
        recorded_at: row
            .try_get::<crate::instant::Instant, _>(13)?
            .timestamp()
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
        leaf_hash: row.try_get(14)?,
    })
}
