//! Taking events in: what they change in the partners, facts, rates and programs.

use tierline_domain::activity::facts;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::enrollment::EnrollmentEvent;
use tierline_domain::program::rates::RatesEvent;
use tierline_domain::standing::Terms;
use tierline_domain::surroundings::SurroundingsEvent;
use tierline_domain::{Decide, EnrollmentId, ProgramId, StreamId};
use tierline_eventstore::LogEvent;

use super::{Batch, Trouble, fact_key, partner_of};
use crate::partner::Enrolled;
use crate::store::{self, PartnerKey};

impl Batch<'_> {
    pub(super) fn take_terms(&mut self, event: &LogEvent, any: &AnyEvent) -> Result<(), Trouble> {
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

    pub(super) fn take_observed(
        &mut self,
        event: &LogEvent,
        observed: &SurroundingsEvent,
    ) -> Result<(), Trouble> {
        let partner = partner_of(event)
            .ok_or_else(|| Trouble::Event("the event names no partner".to_owned()))?;
        let key = (event.org_id.clone(), partner);
        let id = EnrollmentId::parse(StreamId::from(event.aggregate_id.clone()).id())?;
        let state = self.state(&key);
        let Some(enrolled) = state.enrollments.get_mut(&id) else {
            return Err(Trouble::Event(format!("enrollment {id} was never begun")));
        };
        enrolled.known.evolve(observed);
        enrolled.changed = true;
        self.mark(key, event.partition_number);
        Ok(())
    }

    pub(super) async fn take_fact(
        &mut self,
        event: &LogEvent,
        any: &AnyEvent,
    ) -> Result<(), Trouble> {
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
        let partner_key = (event.org_id.clone(), partner);
        let seen = self.view(&event.org_id).rates_seen;
        self.load_rates(&event.org_id, seen).await?;
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

    /// Reads the rates of the org up to this version of their stream, as far as they are not known
    /// already.
    pub(super) async fn load_rates(&mut self, org: &str, up_to: u64) -> Result<(), Trouble> {
        let known = self.memory.rates.entry(org.to_owned()).or_default();
        if known.version >= up_to {
            return Ok(());
        }
        let stream = store::rates_stream(self.connection, org, known.version, up_to);
        for (sequence, payload) in stream.await? {
            let event: RatesEvent = serde_json::from_str(&payload)
                .map_err(|error| Trouble::Event(format!("stored rates: {error}")))?;
            known.publish(sequence, &event);
        }
        Ok(())
    }

    pub(super) async fn rates_published(
        &mut self,
        event: &LogEvent,
        rates: &RatesEvent,
    ) -> Result<(), Trouble> {
        let org = &event.org_id;
        let version = u64::try_from(event.sequence).unwrap_or_default();
        self.load_rates(org, version).await?;
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

    pub(super) async fn program_published(
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
    pub(super) async fn reindex(
        &mut self,
        partners: Vec<PartnerKey>,
        number: i64,
    ) -> Result<(), Trouble> {
        self.load_here(&partners).await?;
        for key in partners {
            self.state(&key).index = None;
            self.mark(key, number);
        }
        Ok(())
    }
}
