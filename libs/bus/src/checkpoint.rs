//! Checkpoints: how far a consumer is, moved only together with the effect of the events.

use sqlx::{PgConnection, PgPool, Row};

use crate::history::{Columns, mismatches};
use crate::{ConsumerId, Sighting};

/// The checkpoints of the partitions that a consumer holds.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    consumer: ConsumerId,
    held: Vec<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    partition: u8,
    epoch: i64,
    number: i64,
}

/// How far a consumer is behind the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// Name of the consumer.
    pub consumer: String,
    /// Version of what it builds.
    pub version: i32,
    /// Events in the log that it has not applied.
    pub events: i64,
    /// Events that it set aside.
    pub parked: i64,
}

impl Checkpoints {
    /// Reads where the held partitions are.
    pub async fn load(
        connection: &mut PgConnection,
        consumer: ConsumerId,
        leases: &[(u8, i64)],
    ) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT partition, number FROM bus.checkpoints WHERE consumer = $1 AND version = $2",
        )
        .bind(consumer.name)
        .bind(consumer.version)
        .fetch_all(connection)
        .await?;
        let mut held = Vec::new();
        for (partition, epoch) in leases {
            let mut number = 0;
            for row in &rows {
                if row.try_get::<i16, _>(0)? == i16::from(*partition) {
                    number = row.try_get(1)?;
                }
            }
            held.push(Held {
                partition: *partition,
                epoch: *epoch,
                number,
            });
        }
        Ok(Self { consumer, held })
    }

    /// The held partitions and the last number applied in each.
    pub fn positions(&self) -> Vec<(u8, i64)> {
        self.held
            .iter()
            .map(|held| (held.partition, held.number))
            .collect()
    }

    /// Moves the checkpoints of some partitions, inside the transaction that applies the events.
    /// `false`: somebody else has moved or fenced one of them, or the log has not what was `heard`;
    /// the transaction must not commit.
    pub async fn advance(
        &self,
        connection: &mut PgConnection,
        to: &[(u8, i64)],
        heard: &[Sighting],
    ) -> Result<bool, sqlx::Error> {
        let mut partitions: Vec<i16> = Vec::with_capacity(to.len());
        let (mut old, mut new, mut epochs) = (Vec::new(), Vec::new(), Vec::new());
        for (partition, number) in to {
            let Some(held) = self.held.iter().find(|held| held.partition == *partition) else {
                return Ok(false);
            };
            partitions.push(i16::from(*partition));
            old.push(held.number);
            new.push(*number);
            epochs.push(held.epoch);
        }
        let heard = Columns::of(heard);
        let done = sqlx::query(concat!(
            "UPDATE bus.checkpoints c SET number = m.new
                 FROM unnest($7::smallint[], $8::bigint[], $9::bigint[], $10::bigint[])
                      AS m(partition, old, new, epoch)
                 WHERE c.consumer = $5 AND c.version = $6 AND c.partition = m.partition
                   AND c.number = m.old AND c.epoch = m.epoch
                   AND NOT EXISTS (SELECT FROM ",
            mismatches!(),
            ")"
        ))
        .bind(heard.partitions)
        .bind(heard.numbers)
        .bind(heard.ids)
        .bind(heard.hashes)
        .bind(self.consumer.name)
        .bind(self.consumer.version)
        .bind(&partitions)
        .bind(&old)
        .bind(&new)
        .bind(&epochs)
        .execute(connection)
        .await?;
        Ok(usize::try_from(done.rows_affected()).is_ok_and(|moved| moved == to.len()))
    }

    /// Confirms that the epochs still hold, inside a transaction that applies no event.
    pub async fn confirm(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        self.advance(connection, &self.positions(), &[]).await
    }

    /// Notes in memory what was committed.
    pub fn committed(&mut self, to: &[(u8, i64)]) {
        for (partition, number) in to {
            for held in &mut self.held {
                if held.partition == *partition {
                    held.number = *number;
                }
            }
        }
    }

    /// How far every known consumer is behind the log.
    pub async fn lags(pool: &PgPool) -> Result<Vec<Lag>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT c.consumer, c.version,
                    sum(s.heads[c.partition + 1] - c.number)::bigint,
                    (SELECT count(*) FROM bus.parked p
                     WHERE p.consumer = c.consumer AND p.version = c.version)
             FROM bus.checkpoints c CROSS JOIN sequencer s
             GROUP BY c.consumer, c.version ORDER BY 1, 2",
        )
        .fetch_all(pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Lag {
                    consumer: row.try_get(0)?,
                    version: row.try_get(1)?,
                    events: row.try_get(2)?,
                    parked: row.try_get(3)?,
                })
            })
            .collect()
    }
}
