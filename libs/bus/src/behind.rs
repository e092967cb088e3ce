//! How far consumers are behind the log, in events and in time, for monitoring.

use std::time::Duration;

use sqlx::{PgPool, Row};

use crate::ConsumerId;

/// One consumer and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distance {
    /// Which consumer.
    pub consumer: ConsumerId,
    /// By partition, the numbered events that it has not applied.
    pub events: Vec<(u8, u64)>,
    /// Age of the oldest of them; zero when there is none.
    pub oldest: Duration,
    /// Events that it set aside.
    pub parked: u64,
}

impl Distance {
    /// Of each of the consumers that has begun; what others in the database left behind is not
    /// looked at. One index lookup for each partition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(pool: &PgPool, of: &[ConsumerId]) -> Result<Vec<Self>, sqlx::Error> {
        let (names, versions): (Vec<&str>, Vec<i32>) =
            of.iter().map(|id| (id.name, id.version)).unzip();
        let rows = sqlx::query(
            "SELECT k.ord, c.partition, s.heads[c.partition + 1] - c.number,
                    (SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8
                     FROM log l JOIN events e ON e.aggregate_type = l.aggregate_type
                          AND e.aggregate_id = l.aggregate_id AND e.sequence = l.sequence
                     WHERE l.partition = c.partition AND l.partition_number = c.number + 1),
                    (SELECT count(*) FROM bus.parked p
                     WHERE p.consumer = c.consumer AND p.version = c.version
                       AND p.partition = c.partition)
             FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS k(name, version, ord)
             JOIN bus.checkpoints c ON c.consumer = k.name AND c.version = k.version
             CROSS JOIN sequencer s
             ORDER BY k.ord, c.partition",
        )
        .bind(&names)
        .bind(&versions)
        .fetch_all(pool)
        .await?;
        let mut all: Vec<Self> = Vec::new();
        for row in &rows {
            let place = usize::try_from(row.try_get::<i64, _>(0)? - 1).unwrap_or_default();
            let Some(consumer) = of.get(place).copied() else {
                continue;
            };
            if all.last().is_none_or(|last| last.consumer != consumer) {
                all.push(Self {
                    consumer,
                    events: Vec::new(),
                    oldest: Duration::ZERO,
                    parked: 0,
                });
            }
            let Some(last) = all.last_mut() else { continue };
            let partition = u8::try_from(row.try_get::<i16, _>(1)?).unwrap_or_default();
            let events = u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or_default();
            let age = row.try_get::<Option<f64>, _>(3)?.unwrap_or_default();
            let parked = u64::try_from(row.try_get::<i64, _>(4)?).unwrap_or_default();
            last.events.push((partition, events));
            last.oldest = last
                .oldest
                .max(Duration::try_from_secs_f64(age).unwrap_or_default());
            last.parked += parked;
        }
        Ok(all)
    }
}
