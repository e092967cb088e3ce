//! The record of an activity: its state and its decisions.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::activity::record::commands::{ActivityChanges, RecordActivity, RecordCommand};
use crate::activity::record::events::{ActivityRecord, RecordEvent};
use crate::aggregate::{Claim, Decide, Entity, Routing, refuse_unreadable};
use crate::ids::{PartnerId, check_label};
use crate::limits;
use crate::money::Money;
use crate::rejection::{Kind, Rejection, Violations};
use crate::rules::{Fact, FactKind};
use crate::time::check_date;

/// Names of the built-in fields of a record's fact; attributes cannot take them.
pub const RESERVED_FIELDS: &[&str] = &[
    "state",
    "amount",
    "currency",
    "quantity",
    "title",
    "external_id",
    "held_date",
];

/// The record of an activity, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    partner: Option<PartnerId>,
    activity: Option<ActivityRecord>,
    retracted: Option<String>,
    unreadable: bool,
}

crate::aggregate!(Record, "Record");

impl Record {
    /// Where it took place, once it is recorded.
    pub fn partner(&self) -> Option<&PartnerId> {
        self.partner.as_ref()
    }

    /// The activity as it stands, once it is recorded.
    pub fn activity(&self) -> Option<&ActivityRecord> {
        self.activity.as_ref()
    }

    /// Why it does not count, if it was retracted.
    pub fn retracted(&self) -> Option<&str> {
        self.retracted.as_deref()
    }

    /// The record as requirements see it, once it exists.
    pub fn fact(&self, id: &str, version: u64) -> Option<Fact> {
        let retracted = self.retracted.is_some();
        self.activity
            .as_ref()
            .map(|activity| activity.fact(id, version, retracted))
    }

    fn record(&self, record: RecordActivity) -> Result<Vec<RecordEvent>, Rejection> {
        let mut v = Violations::default();
        v.take("", check_label("record_id", record.record.as_str()));
        v.take("", check_label("partner_id", record.partner.as_str()));
        check_activity(&mut v, "activity.", &record.activity);
        v.check()?;
        let Some((partner, known)) = self.partner.as_ref().zip(self.activity.as_ref()) else {
            return Ok(vec![RecordEvent::ActivityRecorded {
                record: record.record,
                partner: record.partner,
                activity: Box::new(record.activity),
            }]);
        };
        if *partner != record.partner {
            return Err(Rejection::precondition(
                "RECORD_OF_ANOTHER_PARTNER",
                format!("the record belongs to partner {partner}, and that never changes"),
            ));
        }
        if known.kind != record.activity.kind {
            return Err(Rejection::precondition(
                "RECORD_OF_ANOTHER_KIND",
                format!(
                    "the record is a {}, and that never changes",
                    known.kind.as_str()
                ),
            ));
        }
        self.amended(known, record.activity)
    }

    fn amend(&self, changes: ActivityChanges) -> Result<Vec<RecordEvent>, Rejection> {
        let known = self.present()?;
        let mut activity = known.clone();
        if let Some(title) = changes.title {
            activity.title = title;
        }
        if let Some(date) = changes.held_date {
            activity.held_date = date;
        }
        if let Some(amount) = changes.amount {
            activity.amount = amount;
        }
        if let Some(quantity) = changes.quantity {
            activity.quantity = quantity;
        }
        if let Some(attributes) = changes.attributes {
            activity.attributes = attributes;
        }
        let mut v = Violations::default();
        check_activity(&mut v, "", &activity);
        v.check()?;
        self.amended(known, activity)
    }

    fn amended(
        &self,
        known: &ActivityRecord,
        activity: ActivityRecord,
    ) -> Result<Vec<RecordEvent>, Rejection> {
        if self.retracted.is_some() {
            return Err(Rejection::precondition(
                "RECORD_RETRACTED",
                "the record was retracted for good; record the activity under a new identifier",
            ));
        }
        if *known == activity {
            return Ok(Vec::new());
        }
        Ok(vec![RecordEvent::RecordAmended {
            activity: Box::new(activity),
        }])
    }

    fn retract(&self, reason: String) -> Result<Vec<RecordEvent>, Rejection> {
        self.present()?;
        let mut v = Violations::default();
        limits::check_reason(&mut v, "reason", &reason);
        v.check()?;
        if self.retracted.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![RecordEvent::RecordRetracted { reason }])
    }

    fn present(&self) -> Result<&ActivityRecord, Rejection> {
        self.activity.as_ref().ok_or_else(|| {
            Rejection::new(
                Kind::NotFound,
                "RECORD_NOT_FOUND",
                "the record does not exist",
            )
        })
    }
}

fn check_activity(v: &mut Violations, prefix: &str, activity: &ActivityRecord) {
    let path = |field: &str| format!("{prefix}{field}");
    let kind = activity.kind.as_str();
    v.take("", check_label(&path("kind"), kind));
    if matches!(kind, FactKind::DEAL | FactKind::CERTIFICATION) {
        v.add(path("kind"), format!("a {kind} has its own commands"));
    }
    limits::check_name(v, &path("title"), &activity.title, limits::NAME);
    let external = activity.external_id.as_deref();
    limits::check_optional_name(v, &path("external_id"), external, limits::EXTERNAL_ID);
    v.take("", check_date(&path("held_date"), activity.held_date));
    if let Some(money) = activity.amount {
        check_amount(v, &path("amount"), money, activity.held_date);
    }
    if let Some(quantity) = activity.quantity {
        limits::check_number(v, &path("quantity"), quantity);
    }
    limits::check_attributes(
        v,
        &path("attributes"),
        &activity.attributes,
        RESERVED_FIELDS,
    );
}

fn check_amount(v: &mut Violations, path: &str, money: Money, held: Date) {
    let Money { amount, currency } = money;
    v.take(path, Money::checked(amount, currency));
    if !currency.in_force_on(held) {
        v.add(
            format!("{path}.currency_code"),
            format!("{currency} was not in force any more on {held}"),
        );
    }
}

impl Decide for Record {
    type Command = RecordCommand;
    type Event = RecordEvent;

    fn decide(&self, command: RecordCommand) -> Result<Vec<RecordEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            RecordCommand::Record(record) => self.record(*record),
            RecordCommand::Amend(changes) => self.amend(*changes),
            RecordCommand::Retract { reason } => self.retract(reason),
        }
    }

    fn evolve(&mut self, event: &RecordEvent) {
        match event {
            RecordEvent::ActivityRecorded {
                partner, activity, ..
            } => {
                self.partner = Some(partner.clone());
                self.activity = Some((**activity).clone());
            }
            RecordEvent::RecordAmended { activity } => self.activity = Some((**activity).clone()),
            RecordEvent::RecordRetracted { reason } => self.retracted = Some(reason.clone()),
            RecordEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Record {
    fn routing(&self) -> Option<Routing> {
        self.partner.clone().map(Routing::Partner)
    }

    fn claims(&self) -> Vec<Claim> {
        self.activity
            .iter()
            .filter_map(|activity| activity.external_id.clone())
            .map(|key| Claim {
                scope: "record_external_id",
                key,
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;

#[cfg(test)]
pub(crate) use tests::properties::command as record_commands;
