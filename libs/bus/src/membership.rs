//! Who takes part in a consumer, and which share of its partitions is whose.
//!
//! Every process beats once a second, in one statement for all of its consumers, and reads in the
//! same statement who else is there. From that each instance works out its share by itself: it
//! lets go of what is too much and takes what is free. Nobody hands anything out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{PgPool, Row};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::lease::BEAT;
use crate::{ConsumerId, LEASE_TIME, Leases};

/// Longest wait for one heartbeat.
const PATIENCE: Duration = LEASE_TIME;

/// The seats of one process at its consumers.
#[derive(Debug)]
pub struct Membership {
    owner: Uuid,
    pool: PgPool,
    joined: Mutex<BTreeSet<(&'static str, i32)>>,
    last_beat: Mutex<Option<Instant>>,
    roster: watch::Sender<Arc<Roster>>,
    heart: Mutex<Option<JoinHandle<()>>>,
}

/// Who is there and who holds what, as of the last heartbeat.
#[derive(Debug, Default)]
struct Roster {
    members: Vec<Member>,
    leases: Vec<Lease>,
}

#[derive(Debug)]
struct Member {
    consumer: String,
    version: i32,
    owner: Uuid,
}

#[derive(Debug)]
struct Lease {
    consumer: String,
    version: i32,
    partition: u8,
    free: bool,
}

/// What has to change for an instance to have its share.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) let_go: Vec<u8>,
    pub(crate) take: Vec<u8>,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.let_go.is_empty() && self.take.is_empty()
    }
}

impl Membership {
    /// A process without a seat yet. Heartbeats take their connection from `pool`, which should
    /// be used for nothing else: they have to get through when everything else is busy.
    pub fn new(pool: PgPool) -> Arc<Self> {
        Self::of(pool, Uuid::new_v4())
    }

    /// That of this process, whose sessions are ended by others once its leases are over and it
    /// stands still.
    pub fn of_this_process(pool: PgPool) -> Arc<Self> {
        Self::of(pool, tierline_eventstore::process_id())
    }

    fn of(pool: PgPool, owner: Uuid) -> Arc<Self> {
        Arc::new(Self {
            owner,
            pool,
            joined: Mutex::default(),
            last_beat: Mutex::default(),
            roster: watch::Sender::new(Arc::default()),
            heart: Mutex::default(),
        })
    }

    /// Takes a seat. With `alone` the seats of all others at this consumer are taken away.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn join(
        self: &Arc<Self>,
        consumer: ConsumerId,
        partitions: &[u8],
        alone: bool,
    ) -> Result<Seat, sqlx::Error> {
        if alone {
            sqlx::query(
                "DELETE FROM bus.members WHERE consumer = $1 AND version = $2 AND owner <> $3",
            )
            .bind(consumer.name)
            .bind(consumer.version)
            .bind(self.owner)
            .execute(&self.pool)
            .await?;
        }
        // What an earlier seat of this process could not give back is in its name still, and would
        // be kept by the heartbeats of this one without anybody working on it.
        Leases::of(consumer, self.owner).release(&self.pool).await?;
        lock(&self.joined).insert((consumer.name, consumer.version));
        let mut asked = partitions.to_vec();
        asked.sort_unstable();
        let seat = Seat {
            roster: self.roster.subscribe(),
            membership: Arc::clone(self),
            consumer,
            asked,
            followed: None,
        };
        self.beat().await?;
        self.start_heart();
        Ok(seat)
    }

    fn start_heart(self: &Arc<Self>) {
        let mut heart = lock(&self.heart);
        if heart.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let weak = Arc::downgrade(self);
        *heart = Some(tokio::spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                let Some(membership) = weak.upgrade() else {
                    return;
                };
                if lock(&membership.joined).is_empty() {
                    continue;
                }
                // A missed beat is only a warning: the fence on the checkpoint keeps the effect
                // single.
                match timeout(PATIENCE, membership.beat()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "heartbeat failed: {error}"),
                    Err(_) => tracing::warn!("a heartbeat took too long"),
                }
            }
        }));
    }

    /// Prolongs everything that this process holds and looks who else is there.
    async fn beat(&self) -> Result<(), sqlx::Error> {
        *lock(&self.last_beat) = Some(Instant::now());
        let joined: Vec<(&'static str, i32)> = lock(&self.joined).iter().copied().collect();
        let (names, versions): (Vec<&str>, Vec<i32>) = joined.into_iter().unzip();
        // The last part reads as of before the first: what is our own is alive all the same.
        let rows = sqlx::query(
            "WITH mine AS (SELECT * FROM unnest($2::text[], $3::int[]) AS j(consumer, version)),
             seats AS (
                 INSERT INTO bus.members (consumer, version, owner, expires_at)
                 SELECT consumer, version, $1, clock_timestamp() + $4 FROM mine
                 ON CONFLICT (consumer, version, owner)
                 DO UPDATE SET expires_at = EXCLUDED.expires_at),
             gone AS (
                 DELETE FROM bus.members
                 WHERE expires_at < clock_timestamp() - interval '1 hour'),
             kept AS (
                 UPDATE bus.leases l SET expires_at = clock_timestamp() + $4
                 FROM mine WHERE l.consumer = mine.consumer AND l.version = mine.version
                     AND l.owner = $1)
             SELECT m.consumer, m.version, NULL::smallint, m.owner,
                    m.expires_at < clock_timestamp() AND m.owner <> $1
             FROM bus.members m JOIN mine USING (consumer, version)
             UNION ALL
             SELECT l.consumer, l.version, l.partition, l.owner,
                    l.expires_at < clock_timestamp() AND l.owner <> $1
             FROM bus.leases l JOIN mine USING (consumer, version)",
        )
        .bind(self.owner)
        .bind(names)
        .bind(versions)
        .bind(LEASE_TIME)
        .fetch_all(&self.pool)
        .await?;
        let mut roster = Roster::default();
        for row in &rows {
            let (consumer, version): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
            let (owner, over): (Uuid, bool) = (row.try_get(3)?, row.try_get(4)?);
            match row.try_get::<Option<i16>, _>(2)? {
                Some(partition) => roster.leases.push(Lease {
                    consumer,
                    version,
                    partition: u8::try_from(partition).unwrap_or_default(),
                    free: over,
                }),
                None if !over => roster.members.push(Member {
                    consumer,
                    version,
                    owner,
                }),
                None => {}
            }
        }
        self.roster.send_replace(Arc::new(roster));
        Ok(())
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if let Some(heart) = lock(&self.heart).take() {
            heart.abort();
        }
    }
}

/// The seat of a process at one consumer.
pub(crate) struct Seat {
    membership: Arc<Membership>,
    roster: watch::Receiver<Arc<Roster>>,
    consumer: ConsumerId,
    asked: Vec<u8>,
    /// The roster that was acted upon last. It says nothing new before the next heartbeat.
    followed: Option<Arc<Roster>>,
}

impl Seat {
    /// The leases of this seat.
    pub(crate) fn leases(&self) -> Leases {
        Leases::of(self.consumer, self.membership.owner)
    }

    /// What has to change, going by the last heartbeat; nothing, when that was followed already.
    pub(crate) fn plan(&self, held: &[(u8, i64)]) -> Plan {
        let roster = Arc::clone(&self.roster.borrow());
        let known = self.followed.as_ref();
        if known.is_some_and(|followed| Arc::ptr_eq(followed, &roster)) {
            return Plan::default();
        }
        let held: Vec<u8> = held.iter().map(|(partition, _)| *partition).collect();
        plan(
            &roster,
            self.consumer,
            self.membership.owner,
            &self.asked,
            &held,
        )
    }

    /// Beats now, unless the last heartbeat of the process is younger than `age`.
    pub(crate) async fn look(&self, age: Duration) -> Result<(), sqlx::Error> {
        let last = *lock(&self.membership.last_beat);
        if last.is_some_and(|last| last.elapsed() < age) {
            return Ok(());
        }
        self.membership.beat().await
    }

    /// The plan of this moment was carried out.
    pub(crate) fn followed(&mut self) {
        self.followed = Some(Arc::clone(&self.roster.borrow()));
    }

    /// Returns when something has to change.
    pub(crate) async fn change(&mut self, held: &[(u8, i64)]) {
        while self.plan(held).is_empty() {
            if self.roster.changed().await.is_err() {
                // Cannot be while the membership lives, and this seat keeps it alive.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Gives up the seat and all its leases. Returns how many there were.
    pub(crate) async fn leave(&self) -> Result<u64, sqlx::Error> {
        lock(&self.membership.joined).remove(&(self.consumer.name, self.consumer.version));
        let released = self.leases().release(&self.membership.pool).await?;
        sqlx::query("DELETE FROM bus.members WHERE consumer = $1 AND version = $2 AND owner = $3")
            .bind(self.consumer.name)
            .bind(self.consumer.version)
            .bind(self.membership.owner)
            .execute(&self.membership.pool)
            .await?;
        Ok(released)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is a single insert or removal, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The even share of one instance: as many partitions as everybody, and one more for the first
/// few where they do not divide evenly. What is held stays, as far as it is not too much.
fn plan(roster: &Roster, id: ConsumerId, me: Uuid, asked: &[u8], held: &[u8]) -> Plan {
    let same = |consumer: &str, version| consumer == id.name && version == id.version;
    let mut members: Vec<Uuid> = roster
        .members
        .iter()
        .filter(|member| same(&member.consumer, member.version))
        .map(|member| member.owner)
        .collect();
    if !members.contains(&me) {
        members.push(me);
    }
    members.sort_unstable();
    let rank = members.iter().position(|owner| *owner == me).unwrap_or(0);
    let (even, left) = (asked.len() / members.len(), asked.len() % members.len());
    let share = even + usize::from(rank < left);
    if held.len() > share {
        return Plan {
            let_go: held[share..].to_vec(),
            take: Vec::new(),
        };
    }
    let taken = |partition: &u8| {
        held.contains(partition)
            || roster.leases.iter().any(|lease| {
                lease.partition == *partition && same(&lease.consumer, lease.version) && !lease.free
            })
    };
    let free = asked.iter().copied().filter(|partition| !taken(partition));
    Plan {
        let_go: Vec::new(),
        take: free.take(share - held.len()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: ConsumerId = ConsumerId {
        name: "c",
        version: 1,
    };

    fn roster(members: usize, holders: &[Option<usize>]) -> Roster {
        Roster {
            members: (0..members)
                .map(|n| Member {
                    consumer: "c".to_owned(),
                    version: 1,
                    owner: Uuid::from_u128(n as u128 + 1),
                })
                .collect(),
            leases: holders
                .iter()
                .enumerate()
                .filter(|(_, holder)| holder.is_some())
                .map(|(partition, _)| Lease {
                    consumer: "c".to_owned(),
                    version: 1,
                    partition: u8::try_from(partition).unwrap(),
                    free: false,
                })
                .collect(),
        }
    }

    proptest! {
        #[test]
        fn whoever_comes_and_goes_the_shares_become_even_and_nothing_moves_in_vain(
            sizes in prop::collection::vec(1_usize..20, 1..6),
            partitions in 1_usize..17,
        ) {
            let asked: Vec<u8> = (0..u8::try_from(partitions).unwrap()).collect();
            let mut holders: Vec<Option<usize>> = vec![None; partitions];
            for members in sizes {
                for holder in &mut holders {
                    *holder = holder.filter(|who| *who < members);
                }
                for _ in 0..3 {
                    for who in 0..members {
                        let roster = roster(members, &holders);
                        let held: Vec<u8> = asked
                            .iter()
                            .copied()
                            .filter(|p| holders[usize::from(*p)] == Some(who))
                            .collect();
                        let me = Uuid::from_u128(who as u128 + 1);
                        let plan = plan(&roster, ID, me, &asked, &held);
                        for gone in &plan.let_go {
                            holders[usize::from(*gone)] = None;
                        }
                        for taken in &plan.take {
                            prop_assert_eq!(holders[usize::from(*taken)], None);
                            holders[usize::from(*taken)] = Some(who);
                        }
                    }
                }
                prop_assert!(holders.iter().all(Option::is_some), "{holders:?}");
                for who in 0..members {
                    let count = holders.iter().filter(|holder| **holder == Some(who)).count();
                    prop_assert!(count.abs_diff(partitions / members) <= 1, "{holders:?}");
                }
            }
        }
    }
}
