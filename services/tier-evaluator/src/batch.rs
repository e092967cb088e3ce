//! One batch of one partition: facts taken in, the enrollments they touch assessed, everything
//! written set by set.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::PgConnection;
use tierline_bus::HandlerError;
use tierline_domain::activity::facts;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::program::rates::RatesEvent;
use tierline_domain::rules::{Fact, IndexedFacts, Rates, SeriesSpec, series_of};
use tierline_domain::standing::events::MAX_TRIGGERS;
use tierline_domain::standing::{Basis, StandingEvent, Terms, assess};
use tierline_domain::{Decide, OrgId, PartnerId, ProgramId, Rejection, Routing, StreamId};
use tierline_eventstore::{AppendInError, AppendItem, CommandContext, LogEvent, append_in};

use crate::handler::{KnownRates, Memory};
use crate::org::OrgView;
use crate::partner::{Enrolled, PartnerState};
use crate::store::{self, FactKey, PartnerKey};

/// Enrollments whose timers are taken at once.
const TIMERS: i64 = 500;
/// Type name of the streams that the evaluator writes.
const STANDING: &str = "Standing";
/// Days on which one enrollment may be assessed for one move of the clock. More would mean that an
/// assessment asks to be woken without end.
const MAX_ROUNDS: usize = 20_000;

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
    events: Vec<tierline_eventstore::NewEvent>,
}

pub(crate) struct Batch<'a> {
    connection: &'a mut PgConnection,
    memory: &'a mut Memory,
    partition: u8,
    /// The last event taken in.
    number: i64,
    facts: HashMap<FactKey, Fact>,
    unsaved_facts: BTreeSet<FactKey>,
    /// Partners to assess, with the numbers of the events that touched them.
    dirty: BTreeMap<PartnerKey, Vec<u64>>,
    touched: BTreeSet<PartnerKey>,
    pending: BTreeMap<(String, String), Pending>,
    appended: bool,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        connection: &'a mut PgConnection,
        memory: &'a mut Memory,
        partition: u8,
    ) -> Self {
        Self {
            connection,
            memory,
            partition,
            number: 0,
            facts: HashMap::new(),
            unsaved_facts: BTreeSet::new(),
            dirty: BTreeMap::new(),
            touched: BTreeSet::new(),
            pending: BTreeMap::new(),
            appended: false,
        }
    }

    /// Reads what the events will need: partners and the present versions of their facts.
    pub(crate) async fn load(
        &mut self,
        events: &[LogEvent],
        members: &[(usize, AnyEvent)],
    ) -> Result<(), HandlerError> {
        let mut partners = BTreeSet::new();
        let mut facts = BTreeSet::new();
        for (index, any) in members {
            let event = &events[*index];
            self.number = if self.number == 0 {
                event.partition_number - 1
            } else {
                self.number
            };
            let Some(partner) = partner_of(event) else {
                continue;
            };
            partners.insert((event.org_id.clone(), partner.clone()));
            if any.activity().is_some() {
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

    async fn load_partners(&mut self, wanted: BTreeSet<PartnerKey>) -> Result<(), sqlx::Error> {
        let missing: Vec<PartnerKey> = wanted
            .iter()
            .filter(|key| !self.memory.partners.contains_key(*key))
            .cloned()
            .collect();
        if !missing.is_empty() {
            let loaded = store::load_partners(self.connection, &missing).await?;
            self.memory.partners.extend(loaded);
        }
        for key in &wanted {
            if let Some(state) = self.memory.partners.get_mut(key) {
                state.last_used = self.memory.batches;
            }
        }
        self.touched.extend(wanted);
        Ok(())
    }

    /// Takes one event in.
    pub(crate) async fn take(&mut self, event: &LogEvent, any: &AnyEvent) -> Result<(), Trouble> {
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
        self.number = view.seen;
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
            AnyEvent::Deal(_) | AnyEvent::Certification(_) | AnyEvent::Record(_) => {
                self.take_fact(event, any).await?;
            }
            // The evaluator wrote it itself.
            AnyEvent::Standing(_) => {}
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
        self.memory.partners.entry(key.clone()).or_default()
    }

    fn mark(&mut self, key: PartnerKey, number: i64) {
        let triggers = self.dirty.entry(key).or_default();
        if triggers.len() < MAX_TRIGGERS {
            triggers.push(u64::try_from(number).unwrap_or_default());
        }
    }

    fn take_terms(&mut self, event: &LogEvent, any: &AnyEvent) -> Result<(), Trouble> {
        let partner = partner_of(event)
            .ok_or_else(|| Trouble::Event("the event names no partner".to_owned()))?;
        let key = (event.org_id.clone(), partner);
        let state = self.state(&key);
        match any {
            AnyEvent::Partner(partner_event) => {
                state.partner.evolve(partner_event);
                state.partner = std::mem::take(&mut state.partner).without_contacts();
                state.partner_changed = true;
                let attributes = state.partner.attributes();
                if let Some(index) = &mut state.index {
                    index.set_attributes(attributes);
                }
            }
            AnyEvent::Enrollment(enrollment_event) => {
                use tierline_domain::EnrollmentId;
                use tierline_domain::enrollment::EnrollmentEvent;
                let id = EnrollmentId::parse(StreamId::from(event.aggregate_id.clone()).id())?;
                if let EnrollmentEvent::Enrolled(enrolled) = enrollment_event {
                    state
                        .enrollments
                        .insert(id, Enrolled::new(Terms::of(enrolled)));
                } else if let Some(enrolled) = state.enrollments.get_mut(&id) {
                    enrolled.terms.evolve(enrollment_event);
                    enrolled.changed = true;
                } else {
                    return Err(Trouble::Event(format!("enrollment {id} was never begun")));
                }
            }
            _ => {}
        }
        self.mark(key, event.partition_number);
        Ok(())
    }

    async fn take_fact(&mut self, event: &LogEvent, any: &AnyEvent) -> Result<(), Trouble> {
        let partner = partner_of(event)
            .ok_or_else(|| Trouble::Event("the event names no partner".to_owned()))?;
        let key = fact_key(event, partner.clone());
        let before = self.facts.get(&key).cloned();
        let version = u64::try_from(event.sequence).unwrap_or_default();
        let id = key.3.clone();
        let Some((_, activity)) = any.activity() else {
            return Ok(());
        };
        let Some(after) = facts::apply_event(before.clone(), &id, activity, version) else {
            return Ok(());
        };
        self.load_rates(&event.org_id).await?;
        let partner_key = (event.org_id.clone(), partner);
        let seen = self.view(&event.org_id).rates_seen;
        if let Some(state) = self.memory.partners.get_mut(&partner_key)
            && let Some(index) = &mut state.index
            && let Some(known) = self.memory.rates.get(&event.org_id)
        {
            index.replace(
                before.as_ref(),
                Some(&after),
                &known.table.as_known_at(seen),
            );
        }
        self.facts.insert(key.clone(), after);
        self.unsaved_facts.insert(key);
        self.mark(partner_key, event.partition_number);
        Ok(())
    }

    /// Reads the rates of the org once, as far as this partition has seen them published.
    async fn load_rates(&mut self, org: &str) -> Result<(), Trouble> {
        if self.memory.rates.contains_key(org) {
            return Ok(());
        }
        let seen = self.view(org).rates_seen;
        let mut known = KnownRates::default();
        for (sequence, payload) in store::rates_stream(self.connection, org, seen).await? {
            let event: RatesEvent = serde_json::from_str(&payload)
                .map_err(|error| Trouble::Event(format!("stored rates: {error}")))?;
            known.publish(sequence, &event);
        }
        self.memory.rates.insert(org.to_owned(), known);
        Ok(())
    }

    async fn rates_published(
        &mut self,
        event: &LogEvent,
        rates: &RatesEvent,
    ) -> Result<(), Trouble> {
        let org = &event.org_id;
        self.load_rates(org).await?;
        let version = u64::try_from(event.sequence).unwrap_or_default();
        let known = self.memory.rates.entry(org.clone()).or_default();
        // Another partition of this process may have been here first.
        if version > known.version {
            known.publish(version, rates);
        }
        let view = self.view(org);
        view.rates_seen = version;
        view.changed = true;
        let RatesEvent::RatesPublished { days, .. } = rates else {
            return Ok(());
        };
        let Some(first) = days.iter().map(|day| day.date).min() else {
            return Ok(());
        };
        self.save().await?;
        let concerned =
            store::with_money_since(self.connection, self.partition, org, first).await?;
        self.reindex(concerned, event.partition_number).await
    }

    async fn program_published(
        &mut self,
        org: &str,
        program: &ProgramId,
        event: &LogEvent,
    ) -> Result<(), Trouble> {
        self.save().await?;
        let concerned =
            store::enrolled_in(self.connection, self.partition, org, program.as_str()).await?;
        self.reindex(concerned, event.partition_number).await
    }

    /// Has the facts of these partners indexed anew, and the partners assessed.
    async fn reindex(&mut self, partners: Vec<PartnerKey>, number: i64) -> Result<(), Trouble> {
        self.load_partners(partners.iter().cloned().collect())
            .await?;
        for key in partners {
            self.state(&key).index = None;
            self.mark(key, number);
        }
        Ok(())
    }

    /// Moves the clock of an org on real time that nothing happened in.
    pub(crate) async fn tick(
        &mut self,
        org: &str,
        number: i64,
        now: Timestamp,
    ) -> Result<(), HandlerError> {
        self.number = number;
        let today = self.view(org).org.today(now);
        self.fire(org, today).await?;
        Ok(())
    }

    /// Assesses every partner that was touched, as of the present date of its org.
    async fn flush(&mut self) -> Result<(), Trouble> {
        let dirty = std::mem::take(&mut self.dirty);
        let open: Vec<PartnerKey> = dirty
            .keys()
            .filter(|key| {
                self.memory
                    .partners
                    .get(*key)
                    .is_some_and(|state| !state.is_idle())
            })
            .cloned()
            .collect();
        self.index(&open).await?;
        for key in open {
            let Some(as_of) = self.view(&key.0).clock else {
                continue;
            };
            let triggers = dirty.get(&key).cloned().unwrap_or_default();
            self.assess_partner(&key, as_of, &triggers, false)?;
        }
        Ok(())
    }

    /// Fires the timers of an org up to a date and sets its clock.
    async fn fire(&mut self, org: &str, to: Date) -> Result<(), Trouble> {
        loop {
            self.save().await?;
            let due = store::due_partners(self.connection, self.partition, org, to, TIMERS).await?;
            if due.is_empty() {
                break;
            }
            self.load_partners(due.iter().cloned().collect()).await?;
            self.index(&due).await?;
            let due: BTreeSet<PartnerKey> = due.into_iter().collect();
            for key in &due {
                self.assess_partner(key, to, &[], true)?;
            }
        }
        self.view(org).set_clock(to);
        Ok(())
    }

    /// Makes sure that the facts of these partners are indexed for the programs they are in.
    async fn index(&mut self, partners: &[PartnerKey]) -> Result<(), Trouble> {
        let mut wanted: Vec<(PartnerKey, Vec<SeriesSpec<'static>>)> = Vec::new();
        for key in partners {
            let specs = self.specs_of(key);
            let known = self
                .memory
                .partners
                .get(key)
                .and_then(|state| state.index.as_ref());
            if known.is_none_or(|index| specs.iter().any(|spec| !index.keeps(spec))) {
                wanted.push((key.clone(), specs));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        self.save_facts().await?;
        let keys: Vec<PartnerKey> = wanted.iter().map(|(key, _)| key.clone()).collect();
        let mut facts: BTreeMap<PartnerKey, Vec<Fact>> = BTreeMap::new();
        for (key, fact) in store::load_all_facts(self.connection, &keys).await? {
            facts.entry(key).or_default().push(fact);
        }
        for (key, specs) in wanted {
            self.load_rates(&key.0).await?;
            let facts = facts.remove(&key).unwrap_or_default();
            let seen = self.view(&key.0).rates_seen;
            let Some(known) = self.memory.rates.get(&key.0) else {
                continue;
            };
            let rates = known.table.as_known_at(seen);
            let Some(state) = self.memory.partners.get_mut(&key) else {
                continue;
            };
            state.index = Some(indexed(specs, &facts, &rates, state));
        }
        Ok(())
    }

    fn specs_of(&self, key: &PartnerKey) -> Vec<SeriesSpec<'static>> {
        let mut specs: Vec<SeriesSpec<'static>> = Vec::new();
        let view = self.memory.orgs.get(&(self.partition, key.0.clone()));
        let (Some(view), Some(state)) = (view, self.memory.partners.get(key)) else {
            return specs;
        };
        for enrolled in state.enrollments.values() {
            for version in view.versions_of(&enrolled.terms.program) {
                let track = version.definition.track(&enrolled.terms.track);
                for tier in track.iter().flat_map(|track| &track.tiers) {
                    let both = tier.qualification.iter().chain(&tier.retention);
                    for spec in both.flat_map(|r| series_of(r, version.definition.currency)) {
                        if !specs.contains(&spec) {
                            specs.push(spec);
                        }
                    }
                }
            }
        }
        specs
    }

    /// Assesses the enrollments of a partner: as of the date, or with `timers` on each day up to
    /// the date on which one of them is due.
    fn assess_partner(
        &mut self,
        key: &PartnerKey,
        to: Date,
        triggers: &[u64],
        timers: bool,
    ) -> Result<(), Trouble> {
        let Some(view) = self.memory.orgs.get(&(self.partition, key.0.clone())) else {
            return Ok(());
        };
        let Some(state) = self.memory.partners.get_mut(key) else {
            return Ok(());
        };
        let Some(index) = &state.index else {
            return Ok(());
        };
        let basis = Basis {
            partition: u16::from(self.partition),
            number: u64::try_from(self.number).unwrap_or_default(),
            program_version: 0,
            triggers: triggers.to_vec(),
        };
        for enrolled in state.enrollments.values_mut() {
            for _ in 0..MAX_ROUNDS {
                let as_of = match (timers, enrolled.next_change) {
                    (false, _) => to,
                    (true, Some(day)) if day <= to => day,
                    (true, _) => break,
                };
                let versions = view.versions_of(&enrolled.terms.program);
                let done = assess(
                    &enrolled.standing,
                    &enrolled.terms,
                    versions,
                    view.org.calendar(),
                    index,
                    as_of,
                    &basis,
                );
                enrolled.changed |=
                    !done.events.is_empty() || enrolled.next_change != done.next_change;
                enrolled.next_change = done.next_change;
                if !done.events.is_empty() {
                    note(&mut self.pending, key, enrolled, &done.events, as_of)?;
                    enrolled.standing = done.standing;
                }
                if !timers {
                    break;
                }
            }
        }
        self.touched.insert(key.clone());
        Ok(())
    }

    /// Assesses what is left, writes everything, and says whether events were appended.
    pub(crate) async fn finish(mut self) -> Result<bool, HandlerError> {
        self.flush().await?;
        self.save().await?;
        for ((partition, org), view) in &mut self.memory.orgs {
            if *partition == self.partition && view.changed {
                store::save_org(self.connection, *partition, org, view).await?;
                view.changed = false;
            }
        }
        Ok(self.appended)
    }

    async fn save_facts(&mut self) -> Result<(), sqlx::Error> {
        let keys = std::mem::take(&mut self.unsaved_facts);
        let facts: Vec<(&FactKey, &Fact)> = keys
            .iter()
            .filter_map(|key| Some((key, self.facts.get(key)?)))
            .collect();
        store::save_facts(self.connection, self.partition, &facts).await
    }

    async fn save(&mut self) -> Result<(), Trouble> {
        self.save_facts().await?;
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            let items: Vec<AppendItem> = pending.into_iter().map(item).collect();
            append_in(self.connection, &items)
                .await
                .map_err(|error| match error {
                    AppendInError::Database(error) => Trouble::Database(error),
                    // Another evaluator wrote here: memory is stale, and the fence will tell.
                    other => Trouble::Database(sqlx::Error::Protocol(other.to_string())),
                })?;
            self.appended = true;
        }
        let touched = std::mem::take(&mut self.touched);
        let mut partners = Vec::new();
        let mut enrollments = Vec::new();
        for key in &touched {
            let Some(state) = self.memory.partners.get(key) else {
                continue;
            };
            if state.partner_changed {
                partners.push((key, state));
            }
            let changed = state
                .enrollments
                .values()
                .filter(|enrolled| enrolled.changed);
            enrollments.extend(changed.map(|enrolled| (key, enrolled)));
        }
        store::save_partners(self.connection, self.partition, &partners).await?;
        store::save_enrollments(self.connection, self.partition, &enrollments).await?;
        for key in &touched {
            if let Some(state) = self.memory.partners.get_mut(key) {
                state.partner_changed = false;
                state
                    .enrollments
                    .values_mut()
                    .for_each(|enrolled| enrolled.changed = false);
            }
        }
        // What is still to be assessed changes again.
        self.touched.extend(self.dirty.keys().cloned());
        Ok(())
    }
}

impl KnownRates {
    fn publish(&mut self, version: u64, event: &RatesEvent) {
        if let RatesEvent::RatesPublished { days, .. } = event {
            for day in days {
                self.table.publish(version, day.date, &day.rates);
            }
        }
        self.version = version;
    }
}

fn indexed(
    specs: Vec<SeriesSpec<'static>>,
    facts: &[Fact],
    rates: &dyn Rates,
    state: &PartnerState,
) -> IndexedFacts {
    let mut index = IndexedFacts::new();
    for spec in specs {
        index.keep(spec, facts, rates);
    }
    for fact in facts {
        if fact.kind.as_str() == tierline_domain::rules::FactKind::CERTIFICATION {
            index.set_certificate(fact.clone());
        }
    }
    index.set_attributes(state.partner.attributes());
    index
}

/// Keeps the new events of a standing until they are appended with all others.
fn note(
    pending: &mut BTreeMap<(String, String), Pending>,
    key: &PartnerKey,
    enrolled: &mut Enrolled,
    events: &[StandingEvent],
    as_of: Date,
) -> Result<(), Trouble> {
    let org = OrgId::parse(key.0.clone())?;
    let mut context = CommandContext::new(org.clone(), "service:tier-evaluator");
    context.org_time = Some(as_of.to_string());
    let metadata: Arc<str> = context.metadata();
    let entry = pending
        .entry((key.0.clone(), enrolled.terms.enrollment.to_string()))
        .or_insert_with(|| Pending {
            org,
            partner: key.1.clone(),
            base: enrolled.version,
            events: Vec::new(),
        });
    for event in events {
        let new = tierline_eventstore::NewEvent::from_domain(event, &metadata)
            .map_err(|error| Trouble::Event(format!("a standing event has no JSON: {error}")))?;
        entry.events.push(new);
    }
    enrolled.version += events.len() as u64;
    Ok(())
}

fn item(((_, enrollment), pending): ((String, String), Pending)) -> AppendItem {
    AppendItem::new(
        STANDING,
        StreamId::new(&pending.org, enrollment),
        pending.org.clone(),
        &Routing::Partner(pending.partner),
        pending.base,
        pending.events,
    )
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
