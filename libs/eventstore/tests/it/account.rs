//! Two small aggregates: an account of a partner, and a notice to all partners.

use serde::{Deserialize, Serialize};
use tierline_domain::{Claim, Decide, Entity, PartnerId, Rejection, Routing};
use tierline_domain::{aggregate, stored_events};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    Opened {
        partner: PartnerId,
        domain: String,
    },
    Deposited {
        amount: i64,
    },
    Renamed {
        domain: String,
    },
    Unknown {
        event_type: String,
        payload: serde_json::Value,
    },
}

stored_events!(AccountEvent, "test.v1", { Opened = "1.0", Deposited = "2.0", Renamed = "1.0" });

#[derive(Debug, Clone)]
pub(crate) enum AccountCommand {
    Open {
        partner: PartnerId,
        domain: String,
    },
    Deposit(i64),
    /// Brings the balance to this value; nothing happens if it is there already.
    Settle(i64),
    Rename(String),
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) partner: Option<PartnerId>,
    pub(crate) domain: String,
    pub(crate) balance: i64,
    pub(crate) entries: u64,
}

impl Decide for Account {
    type Command = AccountCommand;
    type Event = AccountEvent;

    fn decide(&self, command: AccountCommand) -> Result<Vec<AccountEvent>, Rejection> {
        if let AccountCommand::Open { partner, domain } = command {
            if self.partner.is_some() {
                return Err(Rejection::already_exists("account", ""));
            }
            return Ok(vec![AccountEvent::Opened { partner, domain }]);
        }
        if self.partner.is_none() {
            return Err(Rejection::not_found("account", ""));
        }
        match command {
            AccountCommand::Deposit(amount) if self.balance + amount < 0 => Err(
                Rejection::precondition("OVERDRAWN", "the balance does not suffice"),
            ),
            AccountCommand::Deposit(amount) => Ok(vec![AccountEvent::Deposited { amount }]),
            AccountCommand::Settle(balance) if balance == self.balance => Ok(Vec::new()),
            AccountCommand::Settle(balance) => Ok(vec![AccountEvent::Deposited {
                amount: balance - self.balance,
            }]),
            AccountCommand::Rename(domain) => Ok(vec![AccountEvent::Renamed { domain }]),
            AccountCommand::Open { .. } => Ok(Vec::new()),
        }
    }

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened { partner, domain } => {
                self.partner = Some(partner.clone());
                self.domain.clone_from(domain);
            }
            AccountEvent::Deposited { amount } => {
                self.balance += amount;
                self.entries += 1;
            }
            AccountEvent::Renamed { domain } => self.domain.clone_from(domain),
            AccountEvent::Unknown { .. } => {}
        }
    }
}

aggregate!(Account, "Account");

impl Entity for Account {
    fn routing(&self) -> Option<Routing> {
        self.partner.clone().map(Routing::Partner)
    }

    fn claims(&self) -> Vec<Claim> {
        let claim = |domain: &String| Claim {
            scope: "account_domain",
            key: domain.clone(),
        };
        Some(&self.domain)
            .filter(|domain| !domain.is_empty())
            .map(claim)
            .into_iter()
            .collect()
    }
}

pub(crate) fn open(partner: &str, domain: &str) -> AccountCommand {
    AccountCommand::Open {
        partner: PartnerId::parse(partner).unwrap(),
        domain: domain.to_owned(),
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum NoticeEvent {
    Given {
        text: String,
    },
    Unknown {
        event_type: String,
        payload: serde_json::Value,
    },
}

stored_events!(NoticeEvent, "test.v1", { Given = "1.0" });

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) texts: Vec<String>,
}

impl Decide for Notice {
    type Command = String;
    type Event = NoticeEvent;

    fn decide(&self, text: String) -> Result<Vec<NoticeEvent>, Rejection> {
        Ok(vec![NoticeEvent::Given { text }])
    }

    fn evolve(&mut self, event: &NoticeEvent) {
        if let NoticeEvent::Given { text } = event {
            self.texts.push(text.clone());
        }
    }
}

aggregate!(Notice, "Notice");

impl Entity for Notice {
    fn routing(&self) -> Option<Routing> {
        Some(Routing::EveryPartition)
    }
}
