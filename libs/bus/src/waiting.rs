//! Reading one's own writes: waiting until consumers have applied an event.
//!
//! Waiters of a process share one look at the database, taken only while somebody waits.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::ConsumerId;
use crate::lookout::{Lookout, Places, Question};

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
    Database(#[source] Arc<sqlx::Error>),
}

/// Waits for consumers on behalf of queries.
pub struct Waiter {
    lookout: Arc<Lookout>,
    progress: Option<Arc<Progress>>,
}

impl Waiter {
    /// A waiter; `progress` is that of the consumers in this process, if any.
    pub fn new(pool: PgPool, progress: Option<Arc<Progress>>) -> Self {
        Self {
            lookout: Lookout::new(pool),
            progress,
        }
    }

    /// Where the event is in the log, once it is numbered.
    ///
    /// # Errors
    /// [`Behind`] when the deadline passes, which is also what becomes of an event that does not
    /// exist.
    pub async fn numbered(&self, event_id: Uuid, deadline: Instant) -> Result<Places, Behind> {
        match self
            .lookout
            .ask(Question::Numbered(event_id), deadline)
            .await
        {
            Err(Behind::Late) => Err(Behind::UnknownEvent),
            other => other,
        }
    }

    /// Waits until `consumer` has applied the event at these places. With `through`, an upstream
    /// consumer that itself writes events: until that one has applied it and `consumer` has applied
    /// everything that followed from it.
    ///
    /// # Errors
    /// [`Behind`] when the deadline passes.
    pub async fn applied(
        &self,
        places: &Places,
        through: Option<ConsumerId>,
        consumer: ConsumerId,
        deadline: Instant,
    ) -> Result<(), Behind> {
        for &(partition, number) in places {
            let mut target = number;
            if let Some(upstream) = through {
                // What is not told in this process is one question to the database.
                if !self.is_here(upstream) && !self.is_here(consumer) {
                    let question = Question::Followed {
                        upstream,
                        consumer,
                        partition,
                        number,
                        newest: None,
                        target: None,
                    };
                    self.lookout.ask(question, deadline).await?;
                    continue;
                }
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
    /// [`Behind`] when the deadline passes.
    pub async fn applied_in(
        &self,
        partition: u8,
        places: &Places,
        consumer: ConsumerId,
        deadline: Instant,
    ) -> Result<(), Behind> {
        for &(at, number) in places {
            if at == partition {
                self.reach(consumer, at, number, deadline).await?;
            }
        }
        Ok(())
    }

    /// Whether a consumer works in this process.
    fn is_here(&self, consumer: ConsumerId) -> bool {
        let key = (consumer.name, consumer.version);
        let progress = self.progress.as_ref();
        progress.is_some_and(|progress| progress.reached.borrow().contains_key(&key))
    }

    /// The head of a partition once everything is numbered that was committed before this call.
    async fn settled_head(&self, partition: u8, deadline: Instant) -> Result<i64, Behind> {
        let question = Question::Settled {
            partition,
            newest: None,
        };
        let places = self.lookout.ask(question, deadline).await?;
        Ok(places.first().map_or(0, |(_, head)| *head))
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
        let question = Question::Reached {
            consumer,
            partition,
            number,
        };
        self.lookout.ask(question, deadline).await.map(|_| ())
    }
}
