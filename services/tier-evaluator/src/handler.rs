//! The consumer: what is kept in memory between batches, and how a batch is split.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use tierline_bus::{Handler, HandlerError};
use tierline_domain::any_event::AnyEvent;
use tierline_domain::rules::RateTable;
use tierline_eventstore::{EventStore, LogEvent};

use crate::batch::{Batch, TELLS_NOTHING, Trouble};
use crate::org::OrgView;
use crate::partner::PartnerState;
use crate::store::{self, PartnerKey};
use crate::survey::Unsurveyed;

/// Tells the present instant; a plain function, so that tests can hold time still.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Most of what is kept in memory of partners, in entries; see [`PartnerState::weigh`].
const MAX_WEIGHT: usize = 400_000;

/// What the evaluator keeps between batches. All of it can be read back from the database.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) orgs: HashMap<(u8, String), OrgView>,
    pub(crate) rates: HashMap<String, KnownRates>,
    pub(crate) partners: BTreeMap<PartnerKey, PartnerState>,
    /// How large these are, in entries of a map.
    weight: usize,
    pub(crate) batches: u64,
    /// Orgs to be surveyed once the batch is committed.
    pub(crate) unsurveyed: BTreeSet<String>,
}

/// The rates of an org, with every correction, up to a version of their stream.
#[derive(Default)]
pub(crate) struct KnownRates {
    pub(crate) table: RateTable,
    pub(crate) version: u64,
}

impl Memory {
    /// Notes how large a partner is now.
    pub(crate) fn weigh(&mut self, key: &PartnerKey) {
        if let Some(state) = self.partners.get_mut(key) {
            self.weight -= state.weight;
            state.weigh();
            self.weight += state.weight;
        }
    }

    /// Lets go of the partners that were not used for longest, when there are too many.
    fn trim(&mut self) {
        if self.weight <= MAX_WEIGHT {
            return;
        }
        let mut ages: Vec<u64> = self
            .partners
            .values()
            .map(|state| state.last_used)
            .collect();
        let middle = ages.len() / 2;
        let (_, median, _) = ages.select_nth_unstable(middle);
        let median = *median;
        let newest = self.batches;
        self.partners
            .retain(|_, state| state.last_used > median || state.last_used == newest);
        self.weight = self.partners.values().map(|state| state.weight).sum();
    }
}

/// The handler of the evaluator's consumer.
pub struct Evaluator {
    store: EventStore,
    clock: Clock,
    /// How far the clock is off by that of the database; absent: it is believed.
    off: Option<SignedDuration>,
    memory: Memory,
    appended: bool,
    unsurveyed: Unsurveyed,
}

impl Evaluator {
    /// An evaluator that reads the real time from `clock`.
    pub fn new(store: EventStore, clock: Clock) -> Self {
        Self {
            store,
            clock,
            off: None,
            memory: Memory::default(),
            appended: false,
            unsurveyed: Unsurveyed::default(),
        }
    }

    /// Notes the orgs that have to be surveyed where a [`crate::Surveyor`] finds them.
    #[must_use]
    pub fn noting(mut self, unsurveyed: Unsurveyed) -> Self {
        self.unsurveyed = unsurveyed;
        self
    }

    /// Goes by the clock of the database and uses its own only to tell how time passes in between.
    /// A machine whose clock is a day ahead would otherwise decide what is due tomorrow, for good.
    #[must_use]
    pub fn by_the_database(mut self) -> Self {
        self.off = Some(SignedDuration::ZERO);
        self
    }

    fn now(&self) -> Timestamp {
        let own = (self.clock)();
        own.checked_add(self.off.unwrap_or_default()).unwrap_or(own)
    }

    async fn look_at_the_clock(
        &mut self,
        connection: &mut PgConnection,
    ) -> Result<(), sqlx::Error> {
        if self.off.is_some() {
            let there = store::clock(connection).await?;
            self.off = Some(there.duration_since((self.clock)()));
        }
        Ok(())
    }

    /// Orgs on real time whose date has moved on since anything was assessed.
    fn late(&self) -> Vec<(u8, String)> {
        let now = self.now();
        self.memory
            .orgs
            .iter()
            .filter(|(_, view)| {
                !view.org.is_sandbox()
                    && view.clock.is_some_and(|clock| view.org.today(now) > clock)
            })
            .map(|(key, _)| key.clone())
            .collect()
    }
}

#[async_trait]
impl Handler for Evaluator {
    fn wants(&self, event: &LogEvent) -> bool {
        !TELLS_NOTHING.contains(&event.aggregate_type.as_str())
    }

    async fn start(
        &mut self,
        connection: &mut PgConnection,
        held: &[u8],
    ) -> Result<(), HandlerError> {
        self.memory = Memory::default();
        self.look_at_the_clock(connection).await?;
        let reached = store::reached(connection).await?;
        for (partition, org, mut view) in store::load_orgs(connection, held).await? {
            let checkpoint = reached.iter().find(|(at, _)| *at == partition);
            view.seen = view.seen.max(checkpoint.map_or(0, |(_, number)| *number));
            if view.looks_beyond() {
                self.memory.unsurveyed.insert(org.clone());
            }
            self.memory.orgs.insert((partition, org), view);
        }
        // Whatever was missed meanwhile is found.
        let all = std::mem::take(&mut self.memory.unsurveyed);
        self.unsurveyed.note_all(all);
        Ok(())
    }

    async fn apply(
        &mut self,
        connection: &mut PgConnection,
        events: &[LogEvent],
    ) -> Result<(), HandlerError> {
        self.memory.batches += 1;
        let mut partitions: BTreeMap<u8, Vec<(usize, AnyEvent)>> = BTreeMap::new();
        for (index, event) in events.iter().enumerate() {
            if !self.wants(event) {
                continue;
            }
            let any = tierline_bus::decode(self.store.codec(), event).map_err(|error| {
                HandlerError::Poison {
                    index,
                    reason: error.to_string(),
                }
            })?;
            if any.is_unknown() {
                let reason = format!("this release does not know {}", event.event_type);
                return Err(HandlerError::Poison { index, reason });
            }
            partitions
                .entry(event.partition)
                .or_default()
                .push((index, any));
        }
        let mut batch = Batch::new(&mut *connection, &mut self.memory);
        batch.load(events, partitions.values().flatten()).await?;
        for (partition, members) in &partitions {
            let first = members
                .first()
                .map_or(1, |(index, _)| events[*index].partition_number);
            batch.enter(*partition, first - 1);
            for (index, any) in members {
                batch
                    .take(&events[*index], any)
                    .await
                    .map_err(|trouble| match trouble {
                        Trouble::Database(error) => HandlerError::Database(error),
                        Trouble::Event(reason) => HandlerError::Poison {
                            index: *index,
                            reason,
                        },
                    })?;
            }
        }
        self.appended |= batch.finish().await?;
        self.memory.trim();
        Ok(())
    }

    fn due(&mut self) -> bool {
        !self.late().is_empty()
    }

    async fn idle(
        &mut self,
        connection: &mut PgConnection,
        positions: &[(u8, i64)],
    ) -> Result<(), HandlerError> {
        self.memory.batches += 1;
        self.look_at_the_clock(connection).await?;
        let now = self.now();
        for (partition, org) in self.late() {
            let number = positions.iter().find(|(at, _)| *at == partition);
            let Some((_, number)) = number else { continue };
            let mut batch = Batch::new(&mut *connection, &mut self.memory);
            batch.enter(partition, *number);
            batch.tick(&org, now).await?;
            self.appended |= batch.finish().await?;
        }
        self.memory.trim();
        Ok(())
    }

    fn rest(&mut self) {
        self.memory.partners = BTreeMap::new();
        self.memory.weight = 0;
        self.memory.rates = HashMap::new();
    }

    fn committed(&mut self) {
        if std::mem::take(&mut self.appended) {
            self.store.wake();
        }
        let changed = std::mem::take(&mut self.memory.unsurveyed);
        self.unsurveyed.note_all(changed);
    }
}
