//! One look at the database for everybody of the process who waits for something in it.
//!
//! Who waits leaves a question. While there are any, one task looks again and again, on behalf of
//! all of them, and answers those that can be answered. A question is answered by a
//! look that began after it was asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use crate::ConsumerId;
use crate::waiting::Behind;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(4);
/// Longest time for one look.
const PATIENCE: Duration = Duration::from_secs(5);

/// Partitions with a number in each.
pub type Places = Vec<(u8, i64)>;
type Answer = Result<Places, Arc<sqlx::Error>>;

/// What somebody waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    /// That an event has numbers; answered with all of them.
    Numbered(Uuid),
    /// That a consumer has applied a number; answered with how far it is.
    Reached {
        consumer: ConsumerId,
        partition: u8,
        number: i64,
    },
    /// That everything of a partition is numbered that was committed before the question;
    /// answered with the head of the partition.
    Settled {
        partition: u8,
        /// The last event without a number as of the first look.
        newest: Option<i64>,
    },
    /// That a consumer has applied what followed from a number: that `upstream`, which itself
    /// writes events, has applied it, that everything it committed by then is numbered, and that
    /// the consumer has applied all of that. Answered with how far the consumer is.
    Followed {
        upstream: ConsumerId,
        consumer: ConsumerId,
        partition: u8,
        number: i64,
        /// The last event without a number as of the first look after upstream was there.
        newest: Option<i64>,
        /// What the consumer has to apply, once that is known.
        target: Option<i64>,
    },
}

struct Ticket {
    question: Question,
    answer: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct Asked {
    tickets: Vec<Ticket>,
    /// Somebody looks.
    looked_for: bool,
}

/// See the module.
pub(crate) struct Lookout {
    pool: PgPool,
    asked: Mutex<Asked>,
}

/// What a look saw.
#[derive(Default)]
struct Seen {
    numbers: HashMap<Uuid, Places>,
    reached: HashMap<(ConsumerId, u8), i64>,
    partitions: BTreeMap<u8, Ends>,
}

/// A partition of the log, and what waits for a number in it.
struct Ends {
    head: i64,
    oldest: Option<i64>,
    newest: Option<i64>,
}

impl Lookout {
    pub(crate) fn new(pool: PgPool) -> Arc<Self> {
        Arc::new(Self {
            pool,
            asked: Mutex::default(),
        })
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// [`Behind::Late`] at the deadline, and what the database says.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        question: Question,
        deadline: Instant,
    ) -> Result<Places, Behind> {
        let (answer, told) = oneshot::channel();
        {
            let mut asked = self.asked();
            asked.tickets.push(Ticket { question, answer });
            if !asked.looked_for {
                asked.looked_for = true;
                tokio::spawn(Arc::clone(self).run());
            }
        }
        match timeout_at(deadline, told).await {
            Ok(Ok(answer)) => answer.map_err(Behind::Database),
            Ok(Err(_)) | Err(_) => Err(Behind::Late),
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        // Tickets are put in and taken out as a whole.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks until nobody waits.
    async fn run(self: Arc<Self>) {
        let mut connection = None;
        while let Some(tickets) = self.open() {
            let open: Vec<Ticket> = match self.look(&tickets, &mut connection).await {
                Ok(seen) => tickets
                    .into_iter()
                    .filter_map(|ticket| ticket.answered(&seen))
                    .collect(),
                Err(error) => {
                    let error = Arc::new(error);
                    for ticket in tickets {
                        // Who does not wait any more needs no answer.
                        ticket.answer.send(Err(Arc::clone(&error))).ok();
                    }
                    Vec::new()
                }
            };
            self.asked().tickets.extend(open);
            sleep(PAUSE).await;
        }
    }

    /// Takes the questions of those who still wait; without any nobody looks any more.
    fn open(&self) -> Option<Vec<Ticket>> {
        let mut asked = self.asked();
        let mut tickets = std::mem::take(&mut asked.tickets);
        tickets.retain(|ticket| !ticket.answer.is_closed());
        asked.looked_for = !tickets.is_empty();
        asked.looked_for.then_some(tickets)
    }

    /// The connection is kept from look to look, unless it failed or others have no other.
    async fn look(
        &self,
        tickets: &[Ticket],
        kept: &mut Option<PoolConnection<Postgres>>,
    ) -> Result<Seen, sqlx::Error> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        match timeout(PATIENCE, see(&mut connection, tickets)).await {
            Ok(Ok(seen)) => {
                if self.pool.options().get_max_connections() > 1 {
                    *kept = Some(connection);
                }
                Ok(seen)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                // What the server still does on it must not reach anybody else.
                drop(connection.detach());
                Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl Seen {
    /// How far a consumer is, if it is there.
    fn at_least(&self, consumer: ConsumerId, partition: u8, number: i64) -> Option<i64> {
        let reached = self.reached.get(&(consumer, partition)).copied();
        reached.filter(|reached| *reached >= number)
    }

    /// The head of a partition, once everything is numbered that waited for it at the first look.
    fn settled(&self, partition: u8, newest: &mut Option<i64>) -> Option<i64> {
        let ends = self.partitions.get(&partition)?;
        let until = *newest.get_or_insert(ends.newest.unwrap_or(i64::MIN));
        let settled = ends.oldest.is_none_or(|oldest| oldest > until);
        settled.then_some(ends.head)
    }
}

impl Question {
    fn answer(&mut self, seen: &Seen) -> Option<Places> {
        let (partition, number) = match self {
            Self::Numbered(event) => return seen.numbers.get(event).cloned(),
            Self::Reached {
                consumer,
                partition,
                number,
            } => (*partition, seen.at_least(*consumer, *partition, *number)?),
            Self::Settled { partition, newest } => (*partition, seen.settled(*partition, newest)?),
            Self::Followed {
                upstream,
                consumer,
                partition,
                number,
                newest,
                target,
            } => {
                // A look sees the consumers first and the ends after them.
                if target.is_none() && seen.at_least(*upstream, *partition, *number).is_some() {
                    let head = seen.settled(*partition, newest);
                    *target = head.map(|head| head.max(*number));
                }
                (
                    *partition,
                    seen.at_least(*consumer, *partition, (*target)?)?,
                )
            }
        };
        Some(vec![(partition, number)])
    }
}

impl Ticket {
    /// Answers it, or gives it back.
    fn answered(mut self, seen: &Seen) -> Option<Self> {
        match self.question.answer(seen) {
            Some(places) => {
                self.answer.send(Ok(places)).ok();
                None
            }
            None => Some(self),
        }
    }
}

/// One look: a statement for each kind of question that somebody asks. They are kept apart since
/// the server plans a statement of all three anew each time, which takes longer than to answer it.
async fn see(connection: &mut PgConnection, tickets: &[Ticket]) -> Result<Seen, sqlx::Error> {
    let mut events = BTreeSet::new();
    let mut consumers = BTreeSet::new();
    let mut partitions = BTreeSet::new();
    for ticket in tickets {
        match ticket.question {
            Question::Numbered(event) => {
                events.insert(event);
            }
            Question::Reached { consumer, .. } => {
                consumers.insert(consumer);
            }
            Question::Settled { partition, .. } => {
                partitions.insert(i16::from(partition));
            }
            Question::Followed {
                upstream,
                consumer,
                partition,
                target,
                ..
            } => {
                consumers.insert(consumer);
                if target.is_none() {
                    consumers.insert(upstream);
                    partitions.insert(i16::from(partition));
                }
            }
        }
    }
    let mut seen = Seen::default();
    if !events.is_empty() {
        seen.numbers = numbers(connection, events).await?;
    }
    // Before the ends: see `Question::Followed`.
    if !consumers.is_empty() {
        seen.reached = reached(connection, &consumers).await?;
    }
    if !partitions.is_empty() {
        seen.partitions = ends(connection, partitions).await?;
    }
    Ok(seen)
}

async fn numbers(
    connection: &mut PgConnection,
    events: BTreeSet<Uuid>,
) -> Result<HashMap<Uuid, Places>, sqlx::Error> {
    let events: Vec<Uuid> = events.into_iter().collect();
    let rows: Vec<(Uuid, i16, i64)> = sqlx::query_as(
        "SELECT event_id, partition, partition_number FROM log WHERE event_id = ANY ($1)",
    )
    .bind(events)
    .fetch_all(connection)
    .await?;
    let mut found = HashMap::<Uuid, Places>::new();
    for (event, partition, number) in rows {
        let places = found.entry(event).or_default();
        places.push((place(partition), number));
    }
    Ok(found)
}

async fn reached(
    connection: &mut PgConnection,
    consumers: &BTreeSet<ConsumerId>,
) -> Result<HashMap<(ConsumerId, u8), i64>, sqlx::Error> {
    let names: Vec<&str> = consumers.iter().map(|one| one.name).collect();
    let rows: Vec<(String, i32, i16, i64)> = sqlx::query_as(
        "SELECT consumer, version, partition, number FROM bus.checkpoints
         WHERE consumer = ANY ($1)",
    )
    .bind(names)
    .fetch_all(connection)
    .await?;
    let mut found = HashMap::new();
    for (name, version, partition, number) in rows {
        let same = |one: &&ConsumerId| one.name == name && one.version == version;
        if let Some(consumer) = consumers.iter().find(same) {
            let partition = place(partition);
            found.insert((*consumer, partition), number);
        }
    }
    Ok(found)
}

/// The database allows no other partitions than there are.
fn place(partition: i16) -> u8 {
    u8::try_from(partition).unwrap_or_default()
}

/// Heads and what waits for a number, as of one moment.
async fn ends(
    connection: &mut PgConnection,
    partitions: BTreeSet<i16>,
) -> Result<BTreeMap<u8, Ends>, sqlx::Error> {
    let partitions: Vec<i16> = partitions.into_iter().collect();
    let rows: Vec<(i16, i64, Option<i64>, Option<i64>)> = sqlx::query_as(
        // The outbox is mostly rows that are dead already: it is gone through once.
        "WITH o AS MATERIALIZED (SELECT id, partition FROM outbox)
         SELECT w.at, s.heads[w.at + 1],
                (SELECT min(o.id) FROM o WHERE o.partition IN (w.at, -1)),
                (SELECT max(o.id) FROM o WHERE o.partition IN (w.at, -1))
         FROM unnest($1::smallint[]) AS w(at) CROSS JOIN sequencer s",
    )
    .bind(partitions)
    .fetch_all(connection)
    .await?;
    let ends = |(at, head, oldest, newest)| {
        let ends = Ends {
            head,
            oldest,
            newest,
        };
        (place(at), ends)
    };
    Ok(rows.into_iter().map(ends).collect())
}
