//! The certification: its state and its decisions.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::activity::certification::commands::{CertificationCommand, DescribeCertification};
use crate::activity::certification::events::{CertificationEvent, CertificationRecord};
use crate::aggregate::{Claim, Decide, Entity, Routing, refuse_unreadable};
use crate::ids::{PartnerId, check_label};
use crate::limits;
use crate::partner::domain_name::normalize_email;
use crate::rejection::{Kind, Rejection, Violations};
use crate::rules::Fact;
use crate::time::{check_date, previous_day};

/// Names of the built-in fields of a certification's fact; attributes cannot take them.
pub const RESERVED_FIELDS: &[&str] = &[
    "state",
    "amount",
    "currency",
    "quantity",
    "person",
    "certification",
    "level",
    "external_id",
    "awarded_date",
    "expires_date",
    "revoked_date",
    "left_date",
];

/// A certification, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certification {
    partner: Option<PartnerId>,
    record: Option<CertificationRecord>,
    unreadable: bool,
}

crate::aggregate!(Certification, "Certification");

impl Certification {
    /// The partner it counts for, once it exists.
    pub fn partner(&self) -> Option<&PartnerId> {
        self.partner.as_ref()
    }

    /// The certification as it stands, once it exists.
    pub fn record(&self) -> Option<&CertificationRecord> {
        self.record.as_ref()
    }

    /// The certification as requirements see it, once it exists.
    pub fn fact(&self, id: &str, version: u64) -> Option<Fact> {
        self.record.as_ref().map(|record| record.fact(id, version))
    }

    /// True when it counts for the partner on a business date.
    pub fn valid_on(&self, day: Date) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.valid_on(day))
    }

    fn award(&self, award: DescribeCertification) -> Result<Vec<CertificationEvent>, Rejection> {
        if self.record.is_some() {
            return Err(Rejection::already_exists(
                "certification",
                &award.certification,
            ));
        }
        let mut v = Violations::default();
        if award.record.revoked_date.is_some() {
            v.add("record.revoked_date", "must be absent when it is awarded");
        }
        if award.record.left_date.is_some() {
            v.add("record.left_date", "must be absent when it is awarded");
        }
        let DescribeCertification {
            certification,
            partner,
            record,
        } = checked(&mut v, award);
        v.check()?;
        Ok(vec![CertificationEvent::CertificationAwarded {
            certification,
            partner,
            record: Box::new(record),
        }])
    }

    fn import(&self, import: DescribeCertification) -> Result<Vec<CertificationEvent>, Rejection> {
        let mut v = Violations::default();
        let DescribeCertification {
            certification,
            partner,
            record,
        } = checked(&mut v, import);
        v.check()?;
        if let Some(known) = self.partner.as_ref().filter(|known| **known != partner) {
            return Err(Rejection::precondition(
                "CERTIFICATION_OF_ANOTHER_PARTNER",
                format!(
                    "the certification counts for partner {known}, and that never changes; \
                     record another one for the person at the new partner"
                ),
            ));
        }
        if self.record.as_ref() == Some(&record) {
            return Ok(Vec::new());
        }
        Ok(vec![CertificationEvent::CertificationImported {
            certification,
            partner,
            record: Box::new(record),
        }])
    }

    fn present(&self) -> Result<&CertificationRecord, Rejection> {
        self.record.as_ref().ok_or_else(|| {
            Rejection::new(
                Kind::NotFound,
                "CERTIFICATION_NOT_FOUND",
                "the certification does not exist",
            )
        })
    }
}

impl CertificationRecord {
    /// The last business date on which it counts for the partner. `None`: no end is known.
    /// Revocation stands apart, since a revoked certification counts on no date at all.
    pub fn last_day(&self) -> Option<Date> {
        let before_leaving = self.left_date.map(previous_day);
        match (self.expires_date, before_leaving) {
            (Some(expires), Some(left)) => Some(expires.min(left)),
            (expires, left) => expires.or(left),
        }
    }

    /// True when it counts for the partner on a business date.
    pub fn valid_on(&self, day: Date) -> bool {
        self.revoked_date.is_none()
            && self.awarded_date <= day
            && self.last_day().is_none_or(|last| day <= last)
    }

    fn must_not_be_revoked(&self) -> Result<(), Rejection> {
        match self.revoked_date {
            None => Ok(()),
            Some(date) => Err(Rejection::precondition(
                "CERTIFICATION_REVOKED",
                format!("the certification was revoked on {date}; award a new one"),
            )),
        }
    }

    fn not_before_award(&self, field: &str, date: Date) -> Result<(), Rejection> {
        check_date(field, date)?;
        if date < self.awarded_date {
            let awarded = self.awarded_date;
            return Err(Rejection::invalid(
                field,
                format!("must not be before the award on {awarded}"),
            ));
        }
        Ok(())
    }

    fn renew(
        &self,
        renewed_date: Date,
        expires_date: Option<Date>,
    ) -> Result<Vec<CertificationEvent>, Rejection> {
        self.must_not_be_revoked()?;
        if let Some(left) = self.left_date {
            return Err(Rejection::precondition(
                "CERTIFICATION_HOLDER_LEFT",
                format!("the person left the partner on {left}"),
            ));
        }
        let mut v = Violations::default();
        v.take("", self.not_before_award("renewed_date", renewed_date));
        if let Some(expires) = expires_date {
            v.take("", check_date("expires_date", expires));
            if expires < renewed_date {
                v.add("expires_date", "must not be before the renewal");
            }
        }
        v.check()?;
        if self.expires_date == expires_date {
            return Ok(Vec::new());
        }
        Ok(vec![CertificationEvent::CertificationRenewed {
            renewed_date,
            expires_date,
        }])
    }

    fn revoke(&self, date: Date, reason: String) -> Result<Vec<CertificationEvent>, Rejection> {
        let mut v = Violations::default();
        limits::check_reason(&mut v, "reason", &reason);
        v.take("", self.not_before_award("date", date));
        v.check()?;
        if self.revoked_date.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![CertificationEvent::CertificationRevoked {
            date,
            reason,
        }])
    }

    fn holder_left(&self, date: Date) -> Result<Vec<CertificationEvent>, Rejection> {
        self.not_before_award("date", date)?;
        if self.left_date == Some(date) {
            return Ok(Vec::new());
        }
        if let Some(left) = self.left_date {
            return Err(Rejection::precondition(
                "CERTIFICATION_HOLDER_LEFT",
                format!("the person left the partner on {left} already"),
            ));
        }
        Ok(vec![CertificationEvent::CertificationHolderLeft { date }])
    }

    /// Takes one fact in. Facts that begin a certification replace everything.
    pub(crate) fn evolve(&mut self, event: &CertificationEvent) {
        match event {
            CertificationEvent::CertificationAwarded { record, .. }
            | CertificationEvent::CertificationImported { record, .. } => self.clone_from(record),
            CertificationEvent::CertificationRenewed { expires_date, .. } => {
                self.expires_date = *expires_date;
            }
            CertificationEvent::CertificationRevoked { date, reason } => {
                self.revoked_date = Some(*date);
                self.revoked_reason.clone_from(reason);
            }
            CertificationEvent::CertificationHolderLeft { date } => self.left_date = Some(*date),
            CertificationEvent::Unknown { .. } => {}
        }
    }
}

fn checked(v: &mut Violations, mut it: DescribeCertification) -> DescribeCertification {
    v.take(
        "",
        check_label("certification_id", it.certification.as_str()),
    );
    v.take("", check_label("partner_id", it.partner.as_str()));
    let record = &mut it.record;
    let holder = &mut record.holder;
    limits::check_name(
        v,
        "record.holder.person",
        &holder.person,
        limits::EXTERNAL_ID,
    );
    let name = holder.name.as_deref();
    limits::check_optional_name(v, "record.holder.name", name, limits::NAME);
    if let Some(email) = &holder.email
        && let Some(email) = v.take("", normalize_email("record.holder.email", email))
    {
        holder.email = Some(email);
    }
    limits::check_name(v, "record.name", &record.name, limits::NAME);
    limits::check_optional_name(v, "record.level", record.level.as_deref(), limits::NAME);
    let external = record.external_id.as_deref();
    limits::check_optional_name(v, "record.external_id", external, limits::EXTERNAL_ID);
    limits::check_note(v, "record.revoked_reason", &record.revoked_reason);
    limits::check_attributes(v, "record.attributes", &record.attributes, RESERVED_FIELDS);
    v.take("", check_date("record.awarded_date", record.awarded_date));
    for (field, date) in [
        ("record.expires_date", record.expires_date),
        ("record.revoked_date", record.revoked_date),
        ("record.left_date", record.left_date),
    ] {
        if let Some(date) = date {
            v.take("", check_date(field, date));
            if date < record.awarded_date {
                v.add(
                    field,
                    format!("must not be before the award on {}", record.awarded_date),
                );
            }
        }
    }
    it
}

impl Decide for Certification {
    type Command = CertificationCommand;
    type Event = CertificationEvent;

    fn decide(&self, command: CertificationCommand) -> Result<Vec<CertificationEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            CertificationCommand::Award(award) => self.award(*award),
            CertificationCommand::Record(import) => self.import(*import),
            CertificationCommand::Renew {
                renewed_date,
                expires_date,
            } => self.present()?.renew(renewed_date, expires_date),
            CertificationCommand::Revoke { date, reason } => self.present()?.revoke(date, reason),
            CertificationCommand::HolderLeft { date } => self.present()?.holder_left(date),
        }
    }

    fn evolve(&mut self, event: &CertificationEvent) {
        match event {
            CertificationEvent::CertificationAwarded {
                partner, record, ..
            }
            | CertificationEvent::CertificationImported {
                partner, record, ..
            } => {
                self.partner = Some(partner.clone());
                self.record = Some((**record).clone());
            }
            CertificationEvent::Unknown { .. } => self.unreadable = true,
            other => {
                if let Some(record) = &mut self.record {
                    record.evolve(other);
                }
            }
        }
    }
}

impl Entity for Certification {
    fn routing(&self) -> Option<Routing> {
        self.partner.clone().map(Routing::Partner)
    }

    fn claims(&self) -> Vec<Claim> {
        self.record
            .iter()
            .filter_map(|record| record.external_id.clone())
            .map(|key| Claim {
                scope: "certification_external_id",
                key,
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;

#[cfg(test)]
pub(crate) use tests::properties::command as certification_commands;
