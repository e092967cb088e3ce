//! Assessing the enrollments that a batch touched, and those whose timers are due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use tierline_domain::OrgId;
use tierline_domain::rules::WithBeyond;
use tierline_domain::standing::{Basis, StandingEvent, assess};
use tierline_eventstore::{CommandContext, NewEvent};
use tierline_telemetry::trace;

use super::{Batch, Pending, Trouble};
use crate::partner::Enrolled;
use crate::store::{self, PartnerKey};

/// Enrollments whose timers are taken at once.
const TIMERS: i64 = 500;
/// Days on which one enrollment may be assessed for one move of the clock. More would mean that an
/// assessment asks to be woken without end.
const MAX_ROUNDS: usize = 20_000;

impl Batch<'_> {
    /// Assesses every partner of the present partition that was touched, as of the present date of
    /// its org.
    pub(super) async fn flush(&mut self) -> Result<(), Trouble> {
        let dirty = std::mem::take(&mut self.portion().dirty);
        self.index(&self.open(dirty.keys())).await?;
        self.assess_touched(&dirty).await
    }

    /// The same for all partitions; what is missing in memory is read for all of them at once.
    pub(super) async fn flush_all(&mut self) -> Result<(), Trouble> {
        let touched = self
            .portions
            .values()
            .flat_map(|portion| portion.dirty.keys());
        self.index(&self.open(touched)).await?;
        let partitions: Vec<u8> = self.portions.keys().copied().collect();
        for partition in partitions {
            self.partition = partition;
            let dirty = std::mem::take(&mut self.portion().dirty);
            self.assess_touched(&dirty).await?;
        }
        Ok(())
    }

    /// Those of the partners that an assessment may concern.
    fn open<'k>(&self, keys: impl Iterator<Item = &'k PartnerKey>) -> Vec<PartnerKey> {
        let partners = &self.memory.partners;
        keys.filter(|key| partners.get(*key).is_some_and(|state| !state.is_idle()))
            .cloned()
            .collect()
    }

    async fn assess_touched(
        &mut self,
        dirty: &BTreeMap<PartnerKey, Vec<u64>>,
    ) -> Result<(), Trouble> {
        for (done, key) in self.open(dirty.keys()).into_iter().enumerate() {
            breathe(done).await;
            let Some(as_of) = self.view(&key.0).clock else {
                continue;
            };
            let triggers = dirty.get(&key).map_or(&[][..], Vec::as_slice);
            self.assess_partner(&key, as_of, triggers, false)?;
        }
        Ok(())
    }

    /// Fires the timers of an org up to a date and sets its clock.
    pub(super) async fn fire(&mut self, org: &str, to: Date) -> Result<(), Trouble> {
        loop {
            self.save().await?;
            let due = store::due_partners(self.connection, self.partition, org, to, TIMERS).await?;
            if due.is_empty() {
                break;
            }
            self.load_here(&due).await?;
            self.index(&due).await?;
            let due: BTreeSet<PartnerKey> = due.into_iter().collect();
            for (done, key) in due.iter().enumerate() {
                breathe(done).await;
                self.assess_partner(key, to, &[], true)?;
            }
        }
        self.view(org).set_clock(to);
        Ok(())
    }

    /// Assesses the enrollments of a partner: as of the date, or with `timers` on each day up to
    /// the date on which one of them is due.
    pub(super) fn assess_partner(
        &mut self,
        key: &PartnerKey,
        to: Date,
        triggers: &[u64],
        timers: bool,
    ) -> Result<(), Trouble> {
        let number = self.portion().number;
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
            number: u64::try_from(number).unwrap_or_default(),
            program_version: 0,
            triggers: triggers.to_vec(),
        };
        let of_trigger = |number: &u64| self.origins.get(&(self.partition, *number)).cloned();
        let causes: Vec<trace::Origin> = triggers.iter().filter_map(of_trigger).collect();
        for enrolled in state.enrollments.values_mut() {
            for _ in 0..MAX_ROUNDS {
                let as_of = match (timers, enrolled.next_change) {
                    (false, _) => to,
                    (true, Some(day)) if day <= to => day,
                    (true, _) => break,
                };
                let began = trace::moment();
                let versions = view.versions_of(&enrolled.terms.program);
                let source = WithBeyond {
                    facts: index,
                    beyond: &enrolled.known.beyond,
                };
                let done = assess(
                    &enrolled.standing,
                    &enrolled.terms,
                    versions,
                    view.org.calendar(),
                    &source,
                    as_of,
                    &basis,
                );
                enrolled.changed |=
                    !done.events.is_empty() || enrolled.next_change != done.next_change;
                enrolled.next_change = done.next_change;
                if let Some(standing) = done.standing {
                    let traceparent = self.decisions.decided(began, &causes);
                    let made = Made {
                        events: &done.events,
                        as_of,
                        traceparent,
                    };
                    note(&mut self.pending, key, enrolled, made)?;
                    enrolled.standing = standing;
                }
                if !timers {
                    break;
                }
            }
        }
        self.touched.insert(key.clone());
        Ok(())
    }
}

/// Assessments after which others of the process have their turn.
const IN_A_ROW: usize = 64;

/// Lets others have their turn now and then: thousands of assessments are seconds of work.
async fn breathe(done: usize) {
    if done % IN_A_ROW == IN_A_ROW - 1 {
        tokio::task::yield_now().await;
    }
}

/// What an assessment led to.
struct Made<'a> {
    events: &'a [StandingEvent],
    as_of: Date,
    traceparent: Option<String>,
}

/// Keeps the new events of a standing until they are appended with all others.
fn note(
    pending: &mut BTreeMap<(String, String), Pending>,
    key: &PartnerKey,
    enrolled: &mut Enrolled,
    made: Made<'_>,
) -> Result<(), Trouble> {
    let org = OrgId::parse(key.0.clone())?;
    let mut context = CommandContext::new(org.clone(), "service:tier-evaluator");
    context.org_time = Some(made.as_of.to_string());
    context.traceparent = made.traceparent;
    let metadata: Arc<str> = context.metadata();
    let entry = pending
        .entry((key.0.clone(), enrolled.terms.enrollment.to_string()))
        .or_insert_with(|| Pending {
            org,
            partner: key.1.clone(),
            base: enrolled.version,
            events: Vec::new(),
        });
    for event in made.events {
        let new = NewEvent::from_domain(event, &metadata)
            .map_err(|error| Trouble::Event(format!("a standing event has no JSON: {error}")))?;
        entry.events.push(new);
    }
    enrolled.version += made.events.len() as u64;
    Ok(())
}
