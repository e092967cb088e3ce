//! One batch of events: facts taken in, partition by partition, the enrollments they touch
//! assessed, everything written set by set.

mod assessing;
mod index;
mod saving;
mod taking;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use sqlx::PgConnection;
use tierline_bus::HandlerError;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::program::rates::RatesEvent;
use tierline_domain::rules::Fact;
use tierline_domain::standing::events::MAX_TRIGGERS;
use tierline_domain::{OrgId, PartnerId, ProgramId, Rejection, StreamId};
use tierline_eventstore::{LogEvent, NewEvent};
use tierline_telemetry::trace;

use crate::handler::{KnownRates, Memory};
use crate::org::OrgView;
use crate::partner::PartnerState;
use crate::store::{self, FactKey, PartnerKey};

/// Aggregate types whose events tell the evaluator nothing: what it wrote itself, and what concerns
/// no partner. They are not even decoded.
pub(crate) const TELLS_NOTHING: [&str; 5] =
    [saving::STANDING, "Form", "Submission", "Segment", "Benefit"];

/// Why an event was not taken.
pub(crate) enum Trouble {
    Database(sqlx::Error),
    Event(String),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Rejection> for Trouble {
    fn from(rejection: Rejection) -> Self {
        Self::Event(rejection.to_string())
    }
}

impl From<Trouble> for HandlerError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Database(error) => Self::Database(error),
            Trouble::Event(reason) => Self::Stop(reason),
        }
    }
}

/// New events of one Standing stream.
struct Pending {
    org: OrgId,
    partner: PartnerId,
    base: u64,
    events: Vec<NewEvent>,
}

/// What a batch is about in one partition.
#[derive(Default)]
struct Portion {
    /// The last event taken in.
    number: i64,
    /// Partners to assess, with the numbers of the events that touched them.
    dirty: BTreeMap<PartnerKey, Vec<u64>>,
}

pub(crate) struct Batch<'a> {
    connection: &'a mut PgConnection,
    memory: &'a mut Memory,
    portions: BTreeMap<u8, Portion>,
    /// The partition whose events are being taken in.
    partition: u8,
    facts: HashMap<FactKey, Fact>,
    unsaved_facts: BTreeSet<FactKey>,
    touched: BTreeSet<PartnerKey>,
    pending: BTreeMap<(String, String), Pending>,
    appended: bool,
    /// Where the events of the batch came from, by partition and number, while traces are made.
    origins: HashMap<(u8, u64), trace::Origin>,
    decisions: trace::Decisions,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(connection: &'a mut PgConnection, memory: &'a mut Memory) -> Self {
        Self {
            connection,
            memory,
            portions: BTreeMap::new(),
            partition: 0,
            facts: HashMap::new(),
            unsaved_facts: BTreeSet::new(),
            touched: BTreeSet::new(),
            pending: BTreeMap::new(),
            appended: false,
            origins: HashMap::new(),
            decisions: trace::Decisions::default(),
        }
    }

    /// Reads what the events will need: partners and the present versions of their facts.
    pub(crate) async fn load(
        &mut self,
        events: &[LogEvent],
        members: impl Iterator<Item = &(usize, AnyEvent)>,
    ) -> Result<(), HandlerError> {
        let mut partners = BTreeMap::new();
        let mut facts = BTreeSet::new();
        for (index, any) in members {
            let event = &events[*index];
            let Some(partner) = partner_of(event) else {
                continue;
            };
            partners.insert((event.org_id.clone(), partner.clone()), event.partition);
            // Before the first event of a stream there is no fact.
            if any.activity().is_some() && event.sequence > 1 {
                facts.insert(fact_key(event, partner));
            }
        }
        self.load_partners(partners).await?;
        let facts: Vec<FactKey> = facts.into_iter().collect();
        if !facts.is_empty() {
            self.facts
                .extend(store::load_facts(self.connection, &facts).await?);
        }
        Ok(())
    }

    /// Goes on with the events of a partition after `number`.
    pub(crate) fn enter(&mut self, partition: u8, number: i64) {
        self.partition = partition;
        self.portion().number = number;
    }

    fn portion(&mut self) -> &mut Portion {
        self.portions.entry(self.partition).or_default()
    }

    /// Partners of the present partition.
    async fn load_here(&mut self, wanted: &[PartnerKey]) -> Result<(), sqlx::Error> {
        let partition = self.partition;
        let wanted = wanted.iter().map(|key| (key.clone(), partition));
        self.load_partners(wanted.collect()).await
    }

    async fn load_partners(&mut self, wanted: BTreeMap<PartnerKey, u8>) -> Result<(), sqlx::Error> {
        let missing: Vec<PartnerKey> = wanted
            .keys()
            .filter(|key| !self.memory.partners.contains_key(*key))
            .cloned()
            .collect();
        if !missing.is_empty() {
            let loaded = store::load_partners(self.connection, &missing).await?;
            self.memory.partners.extend(loaded);
        }
        for (key, partition) in &wanted {
            if let Some(state) = self.memory.partners.get_mut(key) {
                state.partition = *partition;
                state.last_used = self.memory.batches;
            }
        }
        self.touched.extend(wanted.into_keys());
        Ok(())
    }

    /// Takes one event in.
    pub(crate) async fn take(&mut self, event: &LogEvent, any: &AnyEvent) -> Result<(), Trouble> {
        if let Some(origin) = trace::origin(&event.metadata) {
            let number = u64::try_from(event.partition_number).unwrap_or_default();
            self.origins.insert((event.partition, number), origin);
        }
        let org = &event.org_id;
        let (date, moved) = {
            let view = self.view(org);
            let date = view.date_at(event.recorded_at);
            (date, view.clock.is_some_and(|clock| date > clock))
        };
        if moved {
            // What happened before this date is assessed as of the day on which it happened.
            self.flush().await?;
            self.fire(org, date).await?;
        }
        // An event that was parked comes late: what is known of its org reaches further.
        let view = self.view(org);
        view.seen = view.seen.max(event.partition_number);
        let seen = view.seen;
        self.portion().number = seen;
        match any {
            AnyEvent::Org(org_event) => {
                self.view(org).apply_org(org_event);
                let today = self.view(org).date_at(event.recorded_at);
                if self.view(org).clock.is_some_and(|clock| today > clock) {
                    self.flush().await?;
                    self.fire(org, today).await?;
                }
                self.view(org).set_clock(today);
                return Ok(());
            }
            AnyEvent::Program(program_event) => {
                let program = ProgramId::parse(StreamId::from(event.aggregate_id.clone()).id())?;
                if self.view(org).apply_program(&program, program_event) {
                    self.program_published(org, &program, event).await?;
                }
            }
            AnyEvent::Rates(rates_event) => self.rates_published(event, rates_event).await?,
            AnyEvent::Partner(_) | AnyEvent::Enrollment(_) => self.take_terms(event, any)?,
            AnyEvent::Surroundings(observed) => self.take_observed(event, observed)?,
            AnyEvent::Deal(_) | AnyEvent::Certification(_) | AnyEvent::Record(_) => {
                self.take_fact(event, any).await?;
            }
            // Never given to it; see `TELLS_NOTHING`.
            AnyEvent::Standing(_)
            | AnyEvent::Form(_)
            | AnyEvent::Submission(_)
            | AnyEvent::Segment(_)
            | AnyEvent::Benefit(_)
            | AnyEvent::Keyring(_) => {}
            AnyEvent::Foreign { event_type, .. } => {
                return Err(Trouble::Event(format!(
                    "this release does not know {event_type}"
                )));
            }
        }
        self.view(org).set_clock(date);
        Ok(())
    }

    fn view(&mut self, org: &str) -> &mut OrgView {
        self.memory
            .orgs
            .entry((self.partition, org.to_owned()))
            .or_default()
    }

    fn state(&mut self, key: &PartnerKey) -> &mut PartnerState {
        let state = self.memory.partners.entry(key.clone()).or_default();
        state.partition = self.partition;
        state.last_used = self.memory.batches;
        state
    }

    fn mark(&mut self, key: PartnerKey, number: i64) {
        let triggers = self.portion().dirty.entry(key).or_default();
        if triggers.len() < MAX_TRIGGERS {
            triggers.push(u64::try_from(number).unwrap_or_default());
        }
    }

    /// Moves the clock of an org on real time that nothing happened in.
    pub(crate) async fn tick(&mut self, org: &str, now: Timestamp) -> Result<(), HandlerError> {
        let today = self.view(org).org.today(now);
        self.fire(org, today).await?;
        Ok(())
    }

    /// Notes the orgs in which something may have changed that others look at: anything about a
    /// partner, or the day.
    pub(super) fn note_unsurveyed(&mut self) {
        let mut orgs: BTreeSet<&str> = self.touched.iter().map(|(org, _)| org.as_str()).collect();
        let views = self.memory.orgs.iter();
        let changed = views
            .filter(|((partition, _), view)| view.changed && self.portions.contains_key(partition));
        orgs.extend(changed.map(|((_, org), _)| org.as_str()));
        let looking = orgs.into_iter().filter(|org| {
            let mut views = self.portions.keys().filter_map(|partition| {
                let key = (*partition, (*org).to_owned());
                self.memory.orgs.get(&key)
            });
            views.any(OrgView::looks_beyond)
        });
        let looking: Vec<String> = looking.map(str::to_owned).collect();
        self.memory.unsurveyed.extend(looking);
    }

    /// Assesses what is left, writes everything, and says whether events were appended.
    pub(crate) async fn finish(mut self) -> Result<bool, HandlerError> {
        self.flush_all().await?;
        self.save().await?;
        for ((partition, org), view) in &mut self.memory.orgs {
            if self.portions.contains_key(partition) && view.changed {
                store::save_org(self.connection, *partition, org, view).await?;
                view.changed = false;
            }
        }
        Ok(self.appended)
    }
}

impl KnownRates {
    pub(crate) fn publish(&mut self, version: u64, event: &RatesEvent) {
        if let RatesEvent::RatesPublished { base, days, .. } = event {
            self.table.take(version, *base, days);
        }
        self.version = version;
    }
}

/// The partner whose partition carries the event; none for events of a whole org.
fn partner_of(event: &LogEvent) -> Option<PartnerId> {
    let (_, partner) = event.routing_key.split_once('/')?;
    PartnerId::parse(partner).ok()
}

fn fact_key(event: &LogEvent, partner: PartnerId) -> FactKey {
    let stream = StreamId::from(event.aggregate_id.clone());
    (
        event.org_id.clone(),
        partner,
        event.aggregate_type.clone(),
        stream.id().to_owned(),
    )
}
