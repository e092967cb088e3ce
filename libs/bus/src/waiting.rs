//! Reading one's own writes: waiting until consumers have applied an event.
//!
//! Waiters of a process share one look at the checkpoints, taken only while somebody waits.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use sqlx::{PgPool, Row};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::ConsumerId;

/// By name and version of a consumer, the last number applied of each partition.
type Reached = HashMap<(&'static str, i32), Vec<(u8, i64)>>;

/// How far the consumers of this process are. Wakes waiters without asking the database.
#[derive(Debug)]
pub struct Progress {
    reached: watch::Sender<Reached>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            reached: watch::Sender::new(HashMap::new()),
        }
    }
}

impl Progress {
    /// Notes how far a consumer is.
    pub fn reached(&self, consumer: ConsumerId, positions: &[(u8, i64)]) {
        self.reached.send_modify(|all| {
            all.insert((consumer.name, consumer.version), positions.to_vec());
        });
    }

    /// Notes that a consumer of this process holds nothing any more.
    pub fn left(&self, consumer: ConsumerId) {
        self.reached.send_modify(|all| {
            all.remove(&(consumer.name, consumer.version));
        });
    }
}

/// The read model did not get there in time.
#[derive(Debug, thiserror::Error)]
pub enum Behind {
    /// The deadline passed.
    #[error("the read model has not caught up in time")]
    Late,
    /// The token names an event that the log does not have.
    #[error("the consistency token names an event that the log does not have")]
    UnknownEvent,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Waits for consumers on behalf of queries.
pub struct Waiter {
    pool: PgPool,
    progress: Option<std::sync::Arc<Progress>>,
    /// One refresh at a time, shared by all who wait.
    last: Mutex<HashMap<(String, i32), Look>>,
}

#[derive(Debug, Clone)]
struct Look {
    at: Instant,
    numbers: Vec<i64>,
}

/// Pause between two looks at the database.
const PAUSE: Duration = Duration::from_millis(5);

impl Waiter {
    /// A waiter; `progress` is that of the consumers in this process, if any.
    pub fn new(pool: PgPool, progress: Option<std::sync::Arc<Progress>>) -> Self {
        Self {
            pool,
            progress,
            last: Mutex::default(),
        }
    }

    /// Waits until `consumer` has applied the event. With `through`, an upstream consumer that
    /// itself writes events: until that one has applied it and `consumer` has applied everything
    /// that followed from it.
    ///
    /// # Errors
    /// [`Behind`] when the deadline passes or the event does not exist.
    pub async fn applied(
        &self,
        event_id: Uuid,
        through: Option<ConsumerId>,
        consumer: ConsumerId,
        deadline: Instant,
    ) -> Result<(), Behind> {
        let places = self.numbered(event_id, deadline).await?;
        for (partition, number) in places {
            let mut target = number;
            if let Some(upstream) = through {
                self.reach(upstream, partition, number, deadline).await?;
                target = self.settled_head(partition, deadline).await?.max(number);
            }
            self.reach(consumer, partition, target, deadline).await?;
        }
        Ok(())
    }

    /// Waits until `consumer` has applied the event in one partition, for a consumer that works on
    /// few of those in which the event is. At once if the event is not in that partition.
    ///
    /// # Errors
    /// [`Behind`] when the deadline passes or the event does not exist.
    pub async fn applied_in(
        &self,
        partition: u8,
        event_id: Uuid,
        consumer: ConsumerId,
        deadline: Instant,
    ) -> Result<(), Behind> {
        for (at, number) in self.numbered(event_id, deadline).await? {
            if at == partition {
                self.reach(consumer, at, number, deadline).await?;
            }
        }
        Ok(())
    }

    /// Where the event is in the log, once it is numbered.
    async fn numbered(&self, event_id: Uuid, deadline: Instant) -> Result<Vec<(u8, i64)>, Behind> {
        loop {
            let rows = sqlx::query(
                "SELECT partition, partition_number FROM log WHERE event_id = $1 ORDER BY 1",
            )
            .bind(event_id)
            .fetch_all(&self.pool)
            .await?;
            if !rows.is_empty() {
                return rows
                    .iter()
                    .map(|row| {
                        let partition: i16 = row.try_get(0)?;
                        Ok((u8::try_from(partition).unwrap_or_default(), row.try_get(1)?))
                    })
                    .collect::<Result<_, sqlx::Error>>()
                    .map_err(Behind::from);
            }
            if Instant::now() >= deadline {
                return Err(Behind::UnknownEvent);
            }
            sleep(PAUSE).await;
        }
    }

    /// The head of a partition once everything is numbered that was committed before this call.
    async fn settled_head(&self, partition: u8, deadline: Instant) -> Result<i64, Behind> {
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT max(id) FROM outbox WHERE partition IN ($1, -1)")
                .bind(i16::from(partition))
                .fetch_one(&self.pool)
                .await?;
        loop {
            let row = sqlx::query(
                "SELECT heads[$1 + 1], EXISTS (SELECT 1 FROM outbox
                                               WHERE partition IN ($1, -1) AND id <= $2)
                 FROM sequencer",
            )
            .bind(i16::from(partition))
            .bind(newest.unwrap_or(-1))
            .fetch_one(&self.pool)
            .await?;
            if !row.try_get::<bool, _>(1)? {
                return Ok(row.try_get(0)?);
            }
            if Instant::now() >= deadline {
                return Err(Behind::Late);
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits until a consumer has applied the given number of a partition.
    async fn reach(
        &self,
        consumer: ConsumerId,
        partition: u8,
        number: i64,
        deadline: Instant,
    ) -> Result<(), Behind> {
        if let Some(progress) = &self.progress {
            let mut reached = progress.reached.subscribe();
            let key = (consumer.name, consumer.version);
            let here = |all: &Reached| {
                let held = all.get(&key)?.iter().find(|(at, _)| *at == partition)?;
                Some(held.1)
            };
            // A partition may move to another process meanwhile; then the database is asked.
            let news = reached.wait_for(|all| here(all).is_none_or(|reached| reached >= number));
            match timeout_at(deadline, news).await {
                Ok(Ok(all)) if here(&all).is_some() => return Ok(()),
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return Err(Behind::Late),
            }
        }
        loop {
            if self.number_of(consumer, partition).await? >= number {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Behind::Late);
            }
            sleep(PAUSE).await;
        }
    }

    async fn number_of(&self, consumer: ConsumerId, partition: u8) -> Result<i64, sqlx::Error> {
        let key = (consumer.name.to_owned(), consumer.version);
        let at = usize::from(partition);
        {
            let last = self
                .last
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(look) = last.get(&key).filter(|look| look.at.elapsed() < PAUSE) {
                return Ok(look.numbers.get(at).copied().unwrap_or_default());
            }
        }
        let rows = sqlx::query(
            "SELECT partition, number FROM bus.checkpoints WHERE consumer = $1 AND version = $2",
        )
        .bind(consumer.name)
        .bind(consumer.version)
        .fetch_all(&self.pool)
        .await?;
        let mut numbers = vec![0; usize::from(tierline_eventstore::PARTITIONS)];
        for row in &rows {
            let partition: i16 = row.try_get(0)?;
            if let Some(slot) = usize::try_from(partition)
                .ok()
                .and_then(|at| numbers.get_mut(at))
            {
                *slot = row.try_get(1)?;
            }
        }
        let number = numbers.get(at).copied().unwrap_or_default();
        self.last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(
                key,
                Look {
                    at: Instant::now(),
                    numbers,
                },
            );
        Ok(number)
    }
}
