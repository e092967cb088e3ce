//! The records that come out, and how they are made from checked values.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tierline_domain::rules::value::Value;
use tierline_domain::{CertificationId, Currency, DealId, Money, PartnerId};

use crate::filters::slug;
use crate::mapping::Kind;
use crate::parse::{CellError, quoted};

/// A person to talk to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address.
    pub email: String,
}

/// A partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartnerRecord {
    /// Identifier in the system that the file comes from.
    pub external_id: String,
    /// Identifier of ours; made from the external one unless the mapping gives another.
    pub partner_id: PartnerId,
    /// Company name.
    pub name: String,
    /// Domain, lower case.
    pub domain: String,
    /// Type, such as Reseller.
    #[serde(rename = "type")]
    pub partner_type: Option<String>,
    /// Stage, such as Onboarding.
    pub stage: Option<String>,
    /// Status, such as Active.
    pub status: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// Everything else.
    pub attributes: BTreeMap<String, Value>,
    /// Primary contact.
    pub primary_contact: Contact,
    /// Number of employees.
    pub employee_count: Option<u64>,
    /// Revenue of a year.
    pub annual_revenue: Option<Money>,
    /// The partner that this one belongs to.
    pub parent_partner_id: Option<PartnerId>,
}

/// State of a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DealState {
    /// Registered, not yet decided.
    Registered,
    /// Registration approved.
    Approved,
    /// Registration rejected.
    Rejected,
    /// Closed and won.
    Won,
    /// Closed and lost.
    Lost,
}

/// Who brought a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DealSource {
    /// The partner found it.
    PartnerSourced,
    /// The partner helped with it.
    Influenced,
}

/// A deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DealRecord {
    /// Identifier in the system that the file comes from.
    pub external_id: String,
    /// Identifier of ours; made from the external one unless the mapping gives another.
    pub deal_id: DealId,
    /// The partner.
    pub partner_id: PartnerId,
    /// Name of the customer.
    pub customer_name: Option<String>,
    /// Domain of the customer, lower case.
    pub customer_domain: Option<String>,
    /// Amount; always there for a won deal.
    pub amount: Option<Money>,
    /// Product lines, sorted.
    pub product_lines: Vec<String>,
    /// Region.
    pub region: Option<String>,
    /// Who brought it.
    pub source: Option<DealSource>,
    /// State.
    pub state: DealState,
    /// Stage as the other system calls it.
    pub stage: Option<String>,
    /// Day of registration.
    pub registered_date: Option<Date>,
    /// Day of approval or rejection.
    pub approved_date: Option<Date>,
    /// Day on which it is expected to close.
    pub expected_close_date: Option<Date>,
    /// Day on which it was won or lost.
    pub closed_date: Option<Date>,
    /// Everything else.
    pub attributes: BTreeMap<String, Value>,
}

/// A certification held by a person at a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificationRecord {
    /// Identifier in the system that the file comes from.
    pub external_id: String,
    /// Identifier of ours; made from the external one unless the mapping gives another.
    pub certification_id: CertificationId,
    /// The partner.
    pub partner_id: PartnerId,
    /// The person, by an identifier of the other system.
    pub person_id: String,
    /// Name of the person.
    pub person_name: Option<String>,
    /// E-mail address of the person.
    pub person_email: Option<String>,
    /// The certification.
    pub certification: String,
    /// Level, such as Advanced.
    pub level: Option<String>,
    /// First day of validity.
    pub awarded_date: Date,
    /// Last day of validity; none for ever.
    pub expires_date: Option<Date>,
    /// Everything else.
    pub attributes: BTreeMap<String, Value>,
}

/// Exchange rates of a day. A currency without a rate on that day is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateDay {
    /// The day.
    pub date: Date,
    /// The currency of which one unit is priced.
    pub base: Currency,
    /// Units of each currency for one unit of the base.
    pub rates: BTreeMap<Currency, Decimal>,
}

/// What came out of one row or one group of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A partner.
    Partner(Box<PartnerRecord>),
    /// A deal.
    Deal(Box<DealRecord>),
    /// A certification.
    Certification(Box<CertificationRecord>),
    /// Exchange rates of a day.
    Rates(RateDay),
}

/// SHA-256 of a record's content. Two files that say the same give the same hash, whatever their
/// notation of dates and numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Record {
    /// The hash of the content. Fields are hashed in their order in the struct, numbers without
    /// trailing zeros, lists and attributes sorted.
    pub fn content_hash(&self) -> ContentHash {
        let bytes = serde_json::to_vec(self).expect("records have text keys only");
        ContentHash(Sha256::digest(&bytes).into())
    }

    /// What must be unique in a file: what it is called and its value; the first is the key.
    pub(crate) fn unique(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Partner(partner) => vec![
                ("external_id", partner.external_id.clone()),
                ("partner_id", partner.partner_id.to_string()),
                ("domain", partner.domain.clone()),
            ],
            Self::Deal(deal) => vec![
                ("external_id", deal.external_id.clone()),
                ("deal_id", deal.deal_id.to_string()),
            ],
            Self::Certification(certification) => vec![
                ("external_id", certification.external_id.clone()),
                (
                    "certification_id",
                    certification.certification_id.to_string(),
                ),
            ],
            Self::Rates(day) => vec![("date", day.key())],
        }
    }
}

impl RateDay {
    /// The date, and the currency where the day has only one.
    pub(crate) fn key(&self) -> String {
        match self.rates.keys().next() {
            Some(currency) if self.rates.len() == 1 => format!("{}/{currency}", self.date),
            _ => self.date.to_string(),
        }
    }
}

/// Why values make no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) error: CellError,
}

impl FieldError {
    pub(crate) fn new(
        field: impl Into<String>,
        text: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            error: CellError::new(text, allowed),
        }
    }
}

/// The values of a record, by place.
pub(crate) struct Values {
    pub(crate) kind: Kind,
    pub(crate) slots: Vec<Option<Value>>,
    pub(crate) attributes: BTreeMap<String, Value>,
}

impl Values {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.kind
            .slot(name)
            .and_then(|slot| self.slots.get_mut(slot))
            .and_then(Option::take)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn required(&mut self, name: &str) -> Result<String, FieldError> {
        self.text(name)
            .ok_or_else(|| FieldError::new(name, "is blank", "a value"))
    }

    fn list(&mut self, name: &str) -> Vec<String> {
        match self.take(name) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    fn date(&mut self, name: &str) -> Option<Date> {
        match self.take(name) {
            Some(Value::Date(date)) => Some(date),
            _ => None,
        }
    }

    fn number(&mut self, name: &str) -> Option<Decimal> {
        match self.take(name) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// An identifier of ours: given, or made from the external one.
    fn id(&mut self, name: &str, external_id: &str) -> String {
        self.text(name).unwrap_or_else(|| slug(external_id))
    }

    fn money(&mut self, amount: &str, currency: &str) -> Result<Option<Money>, FieldError> {
        let (value, code) = (self.number(amount), self.text(currency));
        let Some(value) = value else { return Ok(None) };
        let Some(code) = code else {
            let text = format!("is blank although there is an {amount}");
            return Err(FieldError::new(currency, text, "a code like USD or EUR"));
        };
        let money = Currency::parse(&code).and_then(|currency| Money::checked(value, currency));
        money
            .map(Some)
            .map_err(|wrong| refused(amount, &value.to_string(), wrong))
    }

    /// Makes the record.
    pub(crate) fn into_record(mut self) -> Result<Record, FieldError> {
        match self.kind {
            Kind::Partners => self
                .partner()
                .map(|record| Record::Partner(Box::new(record))),
            Kind::Deals => self.deal().map(|record| Record::Deal(Box::new(record))),
            Kind::Certifications => self
                .certification()
                .map(|record| Record::Certification(Box::new(record))),
            Kind::Rates => Err(FieldError::new("", "has no rates", "rates")),
        }
    }

    fn partner(&mut self) -> Result<PartnerRecord, FieldError> {
        let external_id = self.required("external_id")?;
        let id = self.id("partner_id", &external_id);
        let count = self.number("employee_count");
        Ok(PartnerRecord {
            partner_id: parsed("partner_id", id, PartnerId::parse)?,
            name: self.required("name")?,
            domain: self.required("domain")?,
            partner_type: self.text("type"),
            stage: self.text("stage"),
            status: self.text("status"),
            region: self.text("region"),
            country: self.text("country"),
            tags: self.list("tags"),
            attributes: std::mem::take(&mut self.attributes),
            primary_contact: Contact {
                first_name: self.required("primary_contact.first_name")?,
                last_name: self.required("primary_contact.last_name")?,
                email: self.required("primary_contact.email")?,
            },
            employee_count: count.and_then(|count| count.to_u64()),
            annual_revenue: self.money("annual_revenue", "annual_revenue_currency")?,
            parent_partner_id: self
                .text("parent_partner_id")
                .map(|id| parsed("parent_partner_id", id, PartnerId::parse))
                .transpose()?,
            external_id,
        })
    }

    fn deal(&mut self) -> Result<DealRecord, FieldError> {
        let external_id = self.required("external_id")?;
        let id = self.id("deal_id", &external_id);
        let partner = self.required("partner_id")?;
        let deal = DealRecord {
            deal_id: parsed("deal_id", id, DealId::parse)?,
            partner_id: parsed("partner_id", partner, PartnerId::parse)?,
            customer_name: self.text("customer_name"),
            customer_domain: self.text("customer_domain"),
            amount: self.money("amount", "currency")?,
            product_lines: self.list("product_lines"),
            region: self.text("region"),
            source: self
                .text("source")
                .and_then(|source| match source.as_str() {
                    "partner_sourced" => Some(DealSource::PartnerSourced),
                    "influenced" => Some(DealSource::Influenced),
                    _ => None,
                }),
            state: match self.required("state")?.as_str() {
                "approved" => DealState::Approved,
                "rejected" => DealState::Rejected,
                "won" => DealState::Won,
                "lost" => DealState::Lost,
                _ => DealState::Registered,
            },
            stage: self.text("stage"),
            registered_date: self.date("registered_date"),
            approved_date: self.date("approved_date"),
            expected_close_date: self.date("expected_close_date"),
            closed_date: self.date("closed_date"),
            attributes: std::mem::take(&mut self.attributes),
            external_id,
        };
        deal.check()?;
        Ok(deal)
    }

    fn certification(&mut self) -> Result<CertificationRecord, FieldError> {
        let external_id = self.required("external_id")?;
        let id = self.id("certification_id", &external_id);
        let partner = self.required("partner_id")?;
        let awarded_date = self
            .date("awarded_date")
            .ok_or_else(|| FieldError::new("awarded_date", "is blank", "a date"))?;
        let expires_date = self.date("expires_date");
        if expires_date.is_some_and(|expires| expires < awarded_date) {
            let text = format!("is before the award on {awarded_date}");
            return Err(FieldError::new(
                "expires_date",
                text,
                "a later date, or none",
            ));
        }
        Ok(CertificationRecord {
            certification_id: parsed("certification_id", id, CertificationId::parse)?,
            partner_id: parsed("partner_id", partner, PartnerId::parse)?,
            person_id: self.required("person_id")?,
            person_name: self.text("person_name"),
            person_email: self.text("person_email"),
            certification: self.required("certification")?,
            level: self.text("level"),
            awarded_date,
            expires_date,
            attributes: std::mem::take(&mut self.attributes),
            external_id,
        })
    }
}

impl DealRecord {
    // What the states ask for; an amount must be in a currency of its time.
    fn check(&self) -> Result<(), FieldError> {
        let closed = matches!(self.state, DealState::Won | DealState::Lost);
        if closed && self.closed_date.is_none() {
            return Err(FieldError::new(
                "closed_date",
                "is blank in a closed deal",
                "a date",
            ));
        }
        if self.state == DealState::Won && self.amount.is_none() {
            return Err(FieldError::new(
                "amount",
                "is blank in a won deal",
                "an amount",
            ));
        }
        let day = self
            .closed_date
            .or(self.approved_date)
            .or(self.registered_date);
        if let (Some(money), Some(day)) = (&self.amount, day)
            && !money.currency.in_force_on(day)
        {
            let text = format!("{} was withdrawn before {day}", money.currency);
            return Err(FieldError::new(
                "currency",
                text,
                "a currency in force on that day",
            ));
        }
        Ok(())
    }
}

fn parsed<T>(
    field: &str,
    text: String,
    parse: impl Fn(String) -> Result<T, tierline_domain::Rejection>,
) -> Result<T, FieldError> {
    let shown = text.clone();
    parse(text).map_err(|wrong| refused(field, &shown, wrong))
}

fn refused(field: &str, value: &str, wrong: tierline_domain::Rejection) -> FieldError {
    let allowed = wrong
        .violations
        .into_iter()
        .next()
        .map_or(wrong.message, |v| v.description);
    FieldError::new(field, format!("{} is not accepted", quoted(value)), allowed)
}
