//! Deals, certifications and records as facts: what requirements look at.
//!
//! Consumers of the log keep only facts, so a fact must be enough to take the next event in:
//! [`apply_event`] needs the fact before and the event, nothing else. What an event changes is
//! written down once, in the `evolve` of each record; here stand only the two translations,
//! record to fact and back.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::activity::certification::{CertificationEvent, CertificationRecord, Holder};
use crate::activity::deal::{Customer, DealEvent, DealRecord, DealState};
use crate::activity::record::{ActivityRecord, RecordEvent};
use crate::activity::{certification, deal};
use crate::ids::PartnerId;
use crate::money::Money;
use crate::rules::{Fact, FactKind, Value};

/// An event of anything that becomes a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivityEvent<'a> {
    /// Of a deal.
    Deal(&'a DealEvent),
    /// Of a certification.
    Certification(&'a CertificationEvent),
    /// Of a record of another activity.
    Record(&'a RecordEvent),
}

impl<'a> From<&'a DealEvent> for ActivityEvent<'a> {
    fn from(event: &'a DealEvent) -> Self {
        Self::Deal(event)
    }
}

impl<'a> From<&'a CertificationEvent> for ActivityEvent<'a> {
    fn from(event: &'a CertificationEvent) -> Self {
        Self::Certification(event)
    }
}

impl<'a> From<&'a RecordEvent> for ActivityEvent<'a> {
    fn from(event: &'a RecordEvent) -> Self {
        Self::Record(event)
    }
}

impl ActivityEvent<'_> {
    /// The partner concerned, in events that name it: those that begin or replace the thing. All
    /// later events of the stream concern the same partner, which their routing key names.
    pub fn partner(&self) -> Option<&PartnerId> {
        match self {
            Self::Deal(
                DealEvent::DealRegistered { partner, .. } | DealEvent::DealImported { partner, .. },
            )
            | Self::Certification(
                CertificationEvent::CertificationAwarded { partner, .. }
                | CertificationEvent::CertificationImported { partner, .. },
            )
            | Self::Record(RecordEvent::ActivityRecorded { partner, .. }) => Some(partner),
            _ => None,
        }
    }

    /// True when the event replaces whatever was known, so that no previous fact is needed.
    pub fn replaces_all(&self) -> bool {
        self.partner().is_some()
    }
}

/// The fact after an event, from the fact before it alone.
///
/// `id` is the identifier of the thing within its org, `version` the sequence of the event in its
/// stream. An event that changes a thing of which nothing is known gives no fact; an event that
/// this release does not know leaves the fact as it is. Never refuses.
pub fn apply_event(
    previous: Option<Fact>,
    id: &str,
    event: ActivityEvent<'_>,
    version: u64,
) -> Option<Fact> {
    match event {
        ActivityEvent::Deal(DealEvent::Unknown { .. })
        | ActivityEvent::Certification(CertificationEvent::Unknown { .. })
        | ActivityEvent::Record(RecordEvent::Unknown { .. }) => previous,
        ActivityEvent::Deal(
            DealEvent::DealRegistered { record, .. } | DealEvent::DealImported { record, .. },
        ) => Some(record.fact(id, version)),
        ActivityEvent::Deal(event) => {
            let mut record = DealRecord::of_fact(&previous?);
            record.evolve(event);
            Some(record.fact(id, version))
        }
        ActivityEvent::Certification(
            CertificationEvent::CertificationAwarded { record, .. }
            | CertificationEvent::CertificationImported { record, .. },
        ) => Some(record.fact(id, version)),
        ActivityEvent::Certification(event) => {
            let mut record = CertificationRecord::of_fact(&previous?)?;
            record.evolve(event);
            Some(record.fact(id, version))
        }
        ActivityEvent::Record(RecordEvent::ActivityRecorded { activity, .. }) => {
            Some(activity.fact(id, version, false))
        }
        ActivityEvent::Record(RecordEvent::RecordAmended { activity }) => {
            let retracted = previous?.state == RETRACTED;
            Some(activity.fact(id, version, retracted))
        }
        ActivityEvent::Record(RecordEvent::RecordRetracted { .. }) => previous.map(|fact| Fact {
            state: RETRACTED.to_owned(),
            version,
            ..fact
        }),
    }
}

const VALID: &str = "valid";
const REVOKED: &str = "revoked";
const RECORDED: &str = "recorded";
const RETRACTED: &str = "retracted";

/// The entries that are there, by name.
fn named<T>(
    entries: impl IntoIterator<Item = (&'static str, Option<T>)>,
) -> impl Iterator<Item = (String, T)> {
    entries
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
}

fn text(value: &Option<String>) -> Option<Value> {
    value.as_ref().map(Value::text)
}

fn text_of(fact: &Fact, name: &str) -> Option<String> {
    match fact.fields.get(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A date of the thing itself, never an attribute of the same name.
fn date_of(fact: &Fact, name: &str) -> Option<Date> {
    fact.dates.get(name).copied()
}

/// The fields that are no built-in ones: the org's own attributes.
fn own_attributes(fact: &Fact, built_in: &[&str]) -> BTreeMap<String, Value> {
    fact.fields
        .iter()
        .filter(|(name, _)| !built_in.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

impl DealRecord {
    /// The deal as requirements see it: the amount is what is left after reversals.
    pub fn fact(&self, id: &str, version: u64) -> Fact {
        let customer = self.customer.as_ref();
        let lines = &self.product_lines;
        let reversed = Some(self.reversed_amount).filter(|amount| !amount.is_zero());
        let mut fields = self.attributes.clone();
        fields.extend(named([
            ("name", Some(Value::text(&self.name))),
            (
                "customer",
                customer.map(|customer| Value::text(&customer.name)),
            ),
            (
                "customer_domain",
                customer.and_then(|customer| text(&customer.domain)),
            ),
            (
                "source",
                self.source.map(|source| Value::text(source.as_str())),
            ),
            ("region", text(&self.region)),
            (
                "product_lines",
                (!lines.is_empty()).then(|| Value::List(lines.clone())),
            ),
            ("external_id", text(&self.external_id)),
            (
                "reversed_amount",
                reversed.map(|amount| Value::Number(amount.normalize())),
            ),
        ]));
        Fact {
            kind: FactKind::new(FactKind::DEAL),
            id: id.to_owned(),
            version,
            state: self.state.as_str().to_owned(),
            // One way to write each number: a fact has the same bytes however it came to be.
            amount: self
                .net_amount()
                .map(|net| Money::new(net.amount.normalize(), net.currency)),
            quantity: None,
            dates: named([
                ("registered", self.registered_date),
                ("approved", self.approved_date),
                ("expected_close", self.expected_close_date),
                ("closed", self.closed_date),
            ])
            .collect(),
            fields,
            disqualified: None,
        }
    }

    /// The deal that a fact was made of, except for what facts do not show: the reason.
    fn of_fact(fact: &Fact) -> Self {
        let reversed = match fact.fields.get("reversed_amount") {
            Some(Value::Number(amount)) => *amount,
            _ => Default::default(),
        };
        let gross = |net: Money| Money::new(net.amount + reversed, net.currency);
        Self {
            external_id: text_of(fact, "external_id"),
            name: text_of(fact, "name").unwrap_or_default(),
            state: fact.state.parse().unwrap_or(DealState::Registered),
            customer: text_of(fact, "customer").map(|name| Customer {
                name,
                domain: text_of(fact, "customer_domain"),
            }),
            amount: fact.amount.map(gross),
            reversed_amount: reversed,
            product_lines: match fact.fields.get("product_lines") {
                Some(Value::List(lines)) => lines.clone(),
                _ => Vec::new(),
            },
            region: text_of(fact, "region"),
            source: text_of(fact, "source").and_then(|word| word.parse().ok()),
            registered_date: date_of(fact, "registered"),
            approved_date: date_of(fact, "approved"),
            expected_close_date: date_of(fact, "expected_close"),
            closed_date: date_of(fact, "closed"),
            reason: String::new(),
            attributes: own_attributes(fact, deal::check::RESERVED_FIELDS),
        }
    }
}

impl CertificationRecord {
    /// The certification as requirements see it. The date `expires` is the last day on which it
    /// counts for the partner: the expiry, or the day before the person left. Name and address of
    /// the person are not in it.
    pub fn fact(&self, id: &str, version: u64) -> Fact {
        let mut fields = self.attributes.clone();
        fields.extend(named([
            ("person", Some(Value::text(&self.holder.person))),
            ("certification", Some(Value::text(&self.name))),
            ("level", text(&self.level)),
            ("external_id", text(&self.external_id)),
        ]));
        Fact {
            kind: FactKind::new(FactKind::CERTIFICATION),
            id: id.to_owned(),
            version,
            state: if self.revoked_date.is_some() {
                REVOKED
            } else {
                VALID
            }
            .to_owned(),
            amount: None,
            quantity: None,
            dates: named([
                ("awarded", Some(self.awarded_date)),
                ("expires", self.last_day()),
                ("revoked", self.revoked_date),
                ("left", self.left_date),
            ])
            .collect(),
            fields,
            disqualified: None,
        }
    }

    /// The certification that a fact was made of, except for what facts do not show. `None` when
    /// the fact is not one of a certification.
    fn of_fact(fact: &Fact) -> Option<Self> {
        Some(Self {
            external_id: text_of(fact, "external_id"),
            holder: Holder {
                person: text_of(fact, "person")?,
                name: None,
                email: None,
            },
            name: text_of(fact, "certification")?,
            level: text_of(fact, "level"),
            awarded_date: date_of(fact, "awarded")?,
            expires_date: date_of(fact, "expires"),
            revoked_date: date_of(fact, "revoked"),
            revoked_reason: String::new(),
            left_date: date_of(fact, "left"),
            attributes: own_attributes(fact, certification::aggregate::RESERVED_FIELDS),
        })
    }
}

impl ActivityRecord {
    /// The record as requirements see it.
    pub fn fact(&self, id: &str, version: u64, retracted: bool) -> Fact {
        let mut fields = self.attributes.clone();
        fields.extend(named([
            ("title", Some(Value::text(&self.title))),
            ("external_id", text(&self.external_id)),
        ]));
        Fact {
            kind: self.kind.clone(),
            id: id.to_owned(),
            version,
            state: if retracted { RETRACTED } else { RECORDED }.to_owned(),
            amount: self
                .amount
                .map(|money| Money::new(money.amount.normalize(), money.currency)),
            quantity: self.quantity,
            dates: named([("held", Some(self.held_date))]).collect(),
            fields,
            disqualified: None,
        }
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
