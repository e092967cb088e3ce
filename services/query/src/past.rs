//! What the log says about a partner and its org, for deciding again what was decided.

use std::collections::HashMap;

use tierline_bus::decode;
use tierline_domain::standing::{OrgHistory, PartnerHistory, Place};
use tierline_domain::{Kind, OrgId, PartnerId, Rejection, StreamId};
use tierline_eventstore::{LogEvent, MAX_READ};

use crate::Query;
use crate::fault::Fault;

/// Most events that are read of one partner, and of what concerns a whole org.
const MAX_EVENTS: u64 = 2_000_000;
/// The type of the events that say how progress changed.
const PROGRESS: &str = "tierline.standing.v1.ProgressRecomputed";
/// The type of the events of exchange rates, of which an org may have megabytes.
const RATES: &str = "tierline.program.v1.RatesPublished";

/// The routing key of a partner.
pub(crate) fn routing_key(org: &OrgId, partner: &PartnerId) -> String {
    format!("{org}/{partner}")
}

impl Query {
    /// What concerns all partners of the org, as one partition carries it, up to a position. Also
    /// gives how many events that is.
    pub(crate) async fn org_history(
        &self,
        org: &OrgId,
        partition: u8,
        up_to: i64,
    ) -> Result<(OrgHistory, u64), Fault> {
        let mut history = OrgHistory::default();
        let key = format!("{org}/*");
        let events = self
            .each_event(partition, &[key], &[], up_to, |event| {
                let content = decode(&self.inner.codec, &event)?;
                history.take(&place(&event), &content)
            })
            .await?;
        Ok((history, events))
    }

    /// The same of another partition of the same org up to the same position: rates are not read
    /// again.
    pub(crate) async fn org_history_beside(
        &self,
        org: &OrgId,
        known: &OrgHistory,
        partition: u8,
        up_to: i64,
    ) -> Result<(OrgHistory, u64), Fault> {
        let (mut history, events) = self.org_without_rates(org, partition, up_to).await?;
        let stream = StreamId::new(org, "rates");
        let numbers = self
            .inner
            .reader
            .numbers_of("Rates", &stream, org, partition, up_to)
            .await?;
        if history.take_rates_of(known, &numbers) {
            return Ok((history, events + numbers.len() as u64));
        }
        self.org_history(org, partition, up_to).await
    }

    /// What concerns all partners of the org, but for its exchange rates.
    pub(crate) async fn org_without_rates(
        &self,
        org: &OrgId,
        partition: u8,
        up_to: i64,
    ) -> Result<(OrgHistory, u64), Fault> {
        let mut history = OrgHistory::default();
        let key = format!("{org}/*");
        let events = self
            .each_event(partition, &[key], &[RATES], up_to, |event| {
                let content = decode(&self.inner.codec, &event)?;
                history.take(&place(&event), &content)
            })
            .await?;
        Ok((history, events))
    }

    /// Everything about a partner up to a position. Also gives how many events that is.
    pub(crate) async fn partner_history(
        &self,
        org: &OrgId,
        partner: &PartnerId,
        up_to: i64,
    ) -> Result<(PartnerHistory, u64), Fault> {
        let mut history = PartnerHistory::default();
        let key = routing_key(org, partner);
        let partition = tierline_eventstore::partition_of(&key);
        let events = self
            .each_event(partition, &[key], &[], up_to, |event| {
                let content = decode(&self.inner.codec, &event)?;
                history.take(place(&event), content)
            })
            .await?;
        Ok((history, events))
    }

    /// Everything about some partners of a partition up to a position, but for the states of their
    /// progress. Also gives how many events that is.
    pub(crate) async fn decided_histories(
        &self,
        org: &OrgId,
        partition: u8,
        partners: &[PartnerId],
        up_to: i64,
    ) -> Result<(Vec<PartnerHistory>, u64), Fault> {
        let keys: Vec<String> = partners
            .iter()
            .map(|partner| routing_key(org, partner))
            .collect();
        let mut histories: HashMap<String, PartnerHistory> = HashMap::new();
        let events = self
            .each_event(partition, &keys, &[PROGRESS], up_to, |event| {
                let content = decode(&self.inner.codec, &event)?;
                let place = place(&event);
                let history = histories.entry(event.routing_key).or_default();
                history.take(place, content)
            })
            .await?;
        let histories = keys
            .iter()
            .map(|key| histories.remove(key).unwrap_or_default());
        Ok((histories.collect(), events))
    }

    async fn each_event(
        &self,
        partition: u8,
        keys: &[String],
        without: &[&str],
        up_to: i64,
        mut take: impl FnMut(LogEvent) -> Result<(), Rejection>,
    ) -> Result<u64, Fault> {
        let (mut after, mut count) = (0, 0);
        loop {
            let events = self
                .inner
                .reader
                .read_keys(partition, keys, without, after, up_to, MAX_READ)
                .await?;
            let read = events.len();
            for event in events {
                after = event.position;
                count += 1;
                take(event)?;
            }
            if read < MAX_READ as usize {
                return Ok(count);
            }
            if count > MAX_EVENTS {
                return Err(Rejection::new(
                    Kind::Exhausted,
                    "HISTORY_TOO_LONG",
                    format!(
                        "there are more than {MAX_EVENTS} events to read for {}",
                        keys.join(", ")
                    ),
                )
                .into());
            }
        }
    }
}

fn place(event: &LogEvent) -> Place {
    Place {
        number: u64::try_from(event.partition_number).unwrap_or_default(),
        sequence: u64::try_from(event.sequence).unwrap_or_default(),
        stream: StreamId::from(event.aggregate_id.clone()),
        recorded_at: event.recorded_at,
    }
}
