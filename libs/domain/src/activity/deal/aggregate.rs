//! The deal: its state and its decisions.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::activity::deal::check::checked_record;
use crate::activity::deal::commands::{DealCommand, RecordDeal, RegisterDeal, ReverseDeal};
use crate::activity::deal::events::DealEvent;
use crate::activity::deal::record::{DealChanges, DealRecord, DealState};
use crate::aggregate::{Claim, Decide, Entity, Routing, refuse_unreadable};
use crate::ids::{PartnerId, check_label};
use crate::limits;
use crate::money::Money;
use crate::rejection::{Kind, Rejection, Violations};
use crate::rules::Fact;
use crate::time::check_date;

/// A deal, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deal {
    partner: Option<PartnerId>,
    record: Option<DealRecord>,
    unreadable: bool,
}

crate::aggregate!(Deal, "Deal");

impl Deal {
    /// Whose deal it is, once it exists.
    pub fn partner(&self) -> Option<&PartnerId> {
        self.partner.as_ref()
    }

    /// The deal as it stands, once it exists.
    pub fn record(&self) -> Option<&DealRecord> {
        self.record.as_ref()
    }

    /// The deal as requirements see it, once it exists.
    pub fn fact(&self, id: &str, version: u64) -> Option<Fact> {
        self.record.as_ref().map(|record| record.fact(id, version))
    }

    fn register(&self, register: RegisterDeal) -> Result<Vec<DealEvent>, Rejection> {
        if self.record.is_some() {
            return Err(Rejection::already_exists("deal", &register.deal));
        }
        let mut v = Violations::default();
        v.take("", check_label("deal_id", register.deal.as_str()));
        v.take("", check_label("partner_id", register.partner.as_str()));
        let record = DealRecord {
            external_id: register.external_id,
            customer: register.customer,
            amount: register.amount,
            product_lines: register.product_lines,
            region: register.region,
            source: register.source,
            registered_date: Some(register.registered_date),
            expected_close_date: register.expected_close_date,
            attributes: register.attributes,
            ..DealRecord::new(register.name)
        };
        let record = checked_record(&mut v, "", record);
        v.check()?;
        if !register.partner_status.takes_part() {
            let status = register.partner_status;
            return Err(Rejection::precondition(
                format!("PARTNER_{}", status.as_str().to_uppercase()),
                format!(
                    "partner {} is {status} and cannot register deals",
                    register.partner
                ),
            ));
        }
        Ok(vec![DealEvent::DealRegistered {
            deal: register.deal,
            partner: register.partner,
            record: Box::new(record),
        }])
    }

    fn record_deal(&self, command: RecordDeal) -> Result<Vec<DealEvent>, Rejection> {
        let mut v = Violations::default();
        v.take("", check_label("deal_id", command.deal.as_str()));
        v.take("", check_label("partner_id", command.partner.as_str()));
        let record = checked_record(&mut v, "record", command.record);
        v.check()?;
        if let Some(partner) = self
            .partner
            .as_ref()
            .filter(|known| **known != command.partner)
        {
            return Err(Rejection::precondition(
                "DEAL_OF_ANOTHER_PARTNER",
                format!("the deal belongs to partner {partner}, and that never changes"),
            ));
        }
        if self.record.as_ref() == Some(&record) {
            return Ok(Vec::new());
        }
        Ok(vec![DealEvent::DealImported {
            deal: command.deal,
            partner: command.partner,
            record: Box::new(record),
        }])
    }

    fn present(&self) -> Result<&DealRecord, Rejection> {
        self.record.as_ref().ok_or_else(|| {
            Rejection::new(Kind::NotFound, "DEAL_NOT_FOUND", "the deal does not exist")
        })
    }
}

impl DealRecord {
    /// The facts of an event, once it is proven that the deal is sound with it.
    fn with(&self, event: DealEvent) -> Result<Vec<DealEvent>, Rejection> {
        let mut after = self.clone();
        after.evolve(&event);
        let mut v = Violations::default();
        checked_record(&mut v, "", after);
        v.check()?;
        Ok(vec![event])
    }

    /// The refusal of what cannot be done in the present state.
    fn refuse(&self, what: &str) -> Rejection {
        let advice = match self.state {
            DealState::Registered | DealState::Approved => "it is open: win, lose or withdraw it",
            DealState::Won => "amend, reverse or reopen it",
            DealState::Rejected | DealState::Withdrawn | DealState::Lost | DealState::Reversed => {
                "reopen it first"
            }
        };
        Rejection::precondition(
            format!("DEAL_{}", self.state.as_str().to_uppercase()),
            format!("a deal that is {} cannot be {what}; {advice}", self.state),
        )
    }

    fn approve(&self, approved_date: Date) -> Result<Vec<DealEvent>, Rejection> {
        match self.state {
            DealState::Approved if self.approved_date == Some(approved_date) => Ok(Vec::new()),
            DealState::Registered => {
                if let Some(registered) = self.registered_date.filter(|day| approved_date < *day) {
                    return Err(Rejection::invalid(
                        "approved_date",
                        format!("must not be before the registration on {registered}"),
                    ));
                }
                self.with(DealEvent::DealApproved { approved_date })
            }
            _ => Err(self.refuse("approved")),
        }
    }

    fn reject(&self, reason: String) -> Result<Vec<DealEvent>, Rejection> {
        let mut v = Violations::default();
        limits::check_reason(&mut v, "reason", &reason);
        v.check()?;
        match self.state {
            DealState::Rejected if self.reason == reason => Ok(Vec::new()),
            DealState::Registered => self.with(DealEvent::DealRejected { reason }),
            _ => Err(self.refuse("rejected")),
        }
    }

    fn withdraw(&self, reason: String) -> Result<Vec<DealEvent>, Rejection> {
        match self.state {
            DealState::Withdrawn => Ok(Vec::new()),
            state if state.is_open() => self.with(DealEvent::DealWithdrawn { reason }),
            _ => Err(self.refuse("withdrawn")),
        }
    }

    fn win(&self, closed_date: Date, amount: Option<Money>) -> Result<Vec<DealEvent>, Rejection> {
        let same =
            self.closed_date == Some(closed_date) && (amount.is_none() || amount == self.amount);
        match self.state {
            DealState::Won if same => Ok(Vec::new()),
            state if state.is_open() => self.with(DealEvent::DealWon {
                closed_date,
                amount,
            }),
            _ => Err(self.refuse("won")),
        }
    }

    fn lose(&self, closed_date: Date, reason: String) -> Result<Vec<DealEvent>, Rejection> {
        match self.state {
            DealState::Lost if self.closed_date == Some(closed_date) => Ok(Vec::new()),
            state if state.is_open() => self.with(DealEvent::DealLost {
                closed_date,
                reason,
            }),
            _ => Err(self.refuse("lost")),
        }
    }

    fn reopen(&self, reason: String) -> Result<Vec<DealEvent>, Rejection> {
        if self.state.is_open() {
            return Ok(Vec::new());
        }
        self.with(DealEvent::DealReopened { reason })
    }

    fn amend(&self, changes: DealChanges) -> Result<Vec<DealEvent>, Rejection> {
        let mut after = self.clone();
        changes.apply_to(&mut after);
        let mut v = Violations::default();
        let has_reversals = !self.reversed_amount.is_zero() || self.state == DealState::Reversed;
        let currency = |record: &Self| record.amount.map(|money| money.currency);
        if has_reversals && currency(&after) != currency(self) {
            v.add(
                "amount.currency_code",
                "cannot change once parts of the deal were reversed",
            );
        }
        if self.state == DealState::Reversed && after.amount != self.amount {
            v.add(
                "amount",
                "cannot change once the deal was reversed; reopen it first",
            );
            after.amount = self.amount;
        }
        let after = checked_record(&mut v, "", after);
        v.check()?;
        let changes = DealChanges::between(self, &after);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![DealEvent::DealAmended {
            changes: Box::new(changes),
        }])
    }

    fn reverse(&self, reverse: ReverseDeal) -> Result<Vec<DealEvent>, Rejection> {
        if self.state != DealState::Won {
            return Err(self.refuse("reversed"));
        }
        let mut v = Violations::default();
        limits::check_reason(&mut v, "reason", &reverse.reason);
        v.take("", check_date("date", reverse.date));
        if let Some(closed) = self.closed_date.filter(|closed| reverse.date < *closed) {
            v.add(
                "date",
                format!("must not be before the closing date, {closed}"),
            );
        }
        let left = self.net_amount();
        if let Some(taken) = reverse.amount {
            check_reversal(&mut v, taken, left);
        }
        v.check()?;
        let taken = reverse.amount.or(left).map(|money| money.amount);
        let complete = taken == left.map(|money| money.amount);
        self.with(DealEvent::DealReversed {
            date: reverse.date,
            amount: taken,
            complete,
            reason: reverse.reason,
        })
    }

    /// Takes one fact in. Facts that begin a deal replace everything.
    pub(crate) fn evolve(&mut self, event: &DealEvent) {
        match event {
            DealEvent::DealRegistered { record, .. } | DealEvent::DealImported { record, .. } => {
                self.clone_from(record);
            }
            DealEvent::DealApproved { approved_date } => {
                self.state = DealState::Approved;
                self.approved_date = Some(*approved_date);
            }
            DealEvent::DealRejected { reason } => {
                self.state = DealState::Rejected;
                self.reason.clone_from(reason);
            }
            DealEvent::DealWithdrawn { reason } => {
                self.state = DealState::Withdrawn;
                self.reason.clone_from(reason);
            }
            DealEvent::DealWon {
                closed_date,
                amount,
            } => {
                self.state = DealState::Won;
                self.closed_date = Some(*closed_date);
                self.amount = amount.or(self.amount);
                self.reason.clear();
            }
            DealEvent::DealLost {
                closed_date,
                reason,
            } => {
                self.state = DealState::Lost;
                self.closed_date = Some(*closed_date);
                self.reason.clone_from(reason);
            }
            DealEvent::DealReopened { reason } => {
                self.state = match self.approved_date {
                    Some(_) => DealState::Approved,
                    None => DealState::Registered,
                };
                self.closed_date = None;
                self.reversed_amount = Decimal::ZERO;
                self.reason.clone_from(reason);
            }
            DealEvent::DealAmended { changes } => changes.apply_to(self),
            DealEvent::DealReversed {
                amount,
                complete,
                reason,
                ..
            } => {
                self.reversed_amount += amount.unwrap_or_default();
                if *complete {
                    self.state = DealState::Reversed;
                }
                self.reason.clone_from(reason);
            }
            DealEvent::Unknown { .. } => {}
        }
    }
}

/// A part that is taken back is positive, in the currency of the deal, and at most what is left.
fn check_reversal(v: &mut Violations, taken: Money, left: Option<Money>) {
    let Some(left) = left else {
        v.add("amount", "must be absent: the deal has no amount");
        return;
    };
    if taken.currency != left.currency {
        v.add(
            "amount.currency_code",
            format!("must be {}, as of the deal", left.currency),
        );
    }
    v.take("amount", Money::checked(taken.amount, taken.currency));
    if taken.amount <= Decimal::ZERO || taken.amount > left.amount {
        v.add(
            "amount.amount",
            format!("must be more than 0 and at most {}", left.amount),
        );
    }
}

impl Decide for Deal {
    type Command = DealCommand;
    type Event = DealEvent;

    fn decide(&self, command: DealCommand) -> Result<Vec<DealEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            DealCommand::Register(register) => self.register(*register),
            DealCommand::Record(record) => self.record_deal(*record),
            DealCommand::Approve { approved_date } => self.present()?.approve(approved_date),
            DealCommand::Reject { reason } => self.present()?.reject(reason),
            DealCommand::Withdraw { reason } => self.present()?.withdraw(reason),
            DealCommand::Win {
                closed_date,
                amount,
            } => self.present()?.win(closed_date, amount),
            DealCommand::Lose {
                closed_date,
                reason,
            } => self.present()?.lose(closed_date, reason),
            DealCommand::Reopen { reason } => self.present()?.reopen(reason),
            DealCommand::Amend(changes) => self.present()?.amend(*changes),
            DealCommand::Reverse(reverse) => self.present()?.reverse(reverse),
        }
    }

    fn evolve(&mut self, event: &DealEvent) {
        match event {
            DealEvent::DealRegistered {
                partner, record, ..
            }
            | DealEvent::DealImported {
                partner, record, ..
            } => {
                self.partner = Some(partner.clone());
                self.record = Some((**record).clone());
            }
            DealEvent::Unknown { .. } => self.unreadable = true,
            other => {
                if let Some(record) = &mut self.record {
                    record.evolve(other);
                }
            }
        }
    }
}

impl Entity for Deal {
    fn routing(&self) -> Option<Routing> {
        self.partner.clone().map(Routing::Partner)
    }

    fn claims(&self) -> Vec<Claim> {
        self.record
            .iter()
            .filter_map(|record| record.external_id.clone())
            .map(|key| Claim {
                scope: "deal_external_id",
                key,
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;

#[cfg(test)]
pub(crate) use tests::properties::command as deal_commands;
