//! The records that come out, and how they are made from checked values.
//!
//! A record carries what the business itself takes: the same types, checked by the same rules, so
//! that a dry run finds what the real run would find.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tierline_domain::activity::{
    Certification, CertificationCommand, CertificationRecord, Customer, Deal, DealCommand,
    DealRecord, DealState, DescribeCertification, Holder, RecordDeal,
};
use tierline_domain::partner::{
    Partner, PartnerCommand, PartnerProfile, PartnerStatus, PartnerType, Person, RecordPartner,
};
use tierline_domain::rules::value::Value;
use tierline_domain::{CertificationId, Currency, DealId, Decide, Money, PartnerId, Rejection};

use crate::filters::slug;
use crate::mapping::Kind;
use crate::parse::{CellError, quoted};

/// A partner, described as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartnerRow {
    /// Identifier in the system that the file comes from.
    pub external_id: String,
    /// Identifier of ours; made from the external one unless the mapping gives another.
    pub partner: PartnerId,
    /// Its description.
    pub profile: PartnerProfile,
    /// Its status; absent: stays as it is, or active for a new partner.
    pub status: Option<PartnerStatus>,
    /// Its tags, sorted; absent where the mapping has none: they stay as they are.
    pub tags: Option<Vec<String>>,
    /// Primary contact.
    pub primary_contact: Person,
}

/// A deal, described as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DealRow {
    /// Identifier of ours; made from the external one unless the mapping gives another.
    pub deal: DealId,
    /// The partner.
    pub partner: PartnerId,
    /// The deal. Its external id is always there; a won deal has an amount.
    pub record: DealRecord,
}

/// A certification, described as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificationRow {
    /// Identifier of ours; made from the external one unless the mapping gives another.
    pub certification: CertificationId,
    /// The partner.
    pub partner: PartnerId,
    /// The certification. Its external id is always there.
    pub record: CertificationRecord,
}

/// Exchange rates of a day. A currency without a rate on that day is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateDay {
    /// Who says so, such as ECB.
    pub source: String,
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
    Partner(Box<PartnerRow>),
    /// A deal.
    Deal(Box<DealRow>),
    /// A certification.
    Certification(Box<CertificationRow>),
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
            Self::Partner(row) => vec![
                ("external_id", row.external_id.clone()),
                ("partner_id", row.partner.to_string()),
                ("domain", row.profile.domain.clone()),
            ],
            Self::Deal(row) => vec![
                (
                    "external_id",
                    row.record.external_id.clone().unwrap_or_default(),
                ),
                ("deal_id", row.deal.to_string()),
            ],
            Self::Certification(row) => vec![
                (
                    "external_id",
                    row.record.external_id.clone().unwrap_or_default(),
                ),
                ("certification_id", row.certification.to_string()),
            ],
            Self::Rates(day) => vec![("date", day.key())],
        }
    }

    /// Asks the business whether it would take the record.
    fn check(&self) -> Result<(), Rejection> {
        match self {
            Self::Partner(row) => {
                let command = RecordPartner {
                    partner: row.partner.clone(),
                    profile: row.profile.clone(),
                    status: row.status,
                    tags: row.tags.clone(),
                    primary_contact: row.primary_contact.clone(),
                };
                Partner::default()
                    .decide(PartnerCommand::Record(Box::new(command)))
                    .map(drop)
            }
            Self::Deal(row) => {
                let command = RecordDeal {
                    deal: row.deal.clone(),
                    partner: row.partner.clone(),
                    record: row.record.clone(),
                };
                Deal::default()
                    .decide(DealCommand::Record(Box::new(command)))
                    .map(drop)
            }
            Self::Certification(row) => {
                let command = DescribeCertification {
                    certification: row.certification.clone(),
                    partner: row.partner.clone(),
                    record: row.record.clone(),
                };
                let command = CertificationCommand::Record(Box::new(command));
                Certification::default().decide(command).map(drop)
            }
            Self::Rates(_) => Ok(()),
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
    /// True when the mapping says something about tags.
    pub(crate) has_tags: bool,
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

    /// A word of a fixed vocabulary.
    fn label<T: FromStr<Err = Rejection>>(&mut self, name: &str) -> Result<Option<T>, FieldError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|wrong| refused(name, &text, wrong))
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
        let record = match self.kind {
            Kind::Partners => Record::Partner(Box::new(self.partner()?)),
            Kind::Deals => Record::Deal(Box::new(self.deal()?)),
            Kind::Certifications => Record::Certification(Box::new(self.certification()?)),
            Kind::Rates => return Err(FieldError::new("", "has no rates", "rates")),
        };
        record.check().map_err(|wrong| {
            let (field, allowed) = match wrong.violations.into_iter().next() {
                Some(violation) => (violation.field, violation.description),
                None => (String::new(), wrong.message),
            };
            FieldError::new(mapping_name(&field), "is not accepted", allowed)
        })?;
        Ok(record)
    }

    fn partner(&mut self) -> Result<PartnerRow, FieldError> {
        let external_id = self.required("external_id")?;
        let id = self.id("partner_id", &external_id);
        let (name, domain) = (self.required("name")?, self.required("domain")?);
        let partner_type = self.label::<PartnerType>("type")?;
        let partner_type =
            partner_type.ok_or_else(|| FieldError::new("type", "is blank", "a type"))?;
        let mut profile = PartnerProfile::new(name, domain, partner_type);
        profile.region = self.text("region");
        profile.country = self.text("country");
        profile.partner_manager = self.text("partner_manager");
        profile.subtype = self.text("subtype");
        profile.category = self.text("category");
        profile.industry = self.text("industry");
        profile.stage = self.label("stage")?;
        profile.regions = self.list("regions");
        profile.languages = self.list("languages");
        profile.employee_count = match self.number("employee_count") {
            None => None,
            Some(count) => Some(count.to_u32().ok_or_else(|| {
                FieldError::new("employee_count", format!("{count} is too large"), "less")
            })?),
        };
        profile.annual_revenue = self.money("annual_revenue", "annual_revenue_currency")?;
        profile.parent = self
            .text("parent_partner_id")
            .map(|id| parsed("parent_partner_id", id, PartnerId::parse))
            .transpose()?;
        profile.attributes = std::mem::take(&mut self.attributes);
        let tags = self.list("tags");
        Ok(PartnerRow {
            external_id,
            partner: parsed("partner_id", id, PartnerId::parse)?,
            profile,
            status: self.label("status")?,
            tags: self.has_tags.then_some(tags),
            primary_contact: Person {
                first_name: self.required("primary_contact.first_name")?,
                last_name: self.required("primary_contact.last_name")?,
                email: self.required("primary_contact.email")?,
                phone: self.text("primary_contact.phone"),
                title: self.text("primary_contact.title"),
            },
        })
    }

    fn deal(&mut self) -> Result<DealRow, FieldError> {
        let external_id = self.required("external_id")?;
        let id = self.id("deal_id", &external_id);
        let partner = self.required("partner_id")?;
        let name = self.text("name").unwrap_or_else(|| external_id.clone());
        let mut record = DealRecord::new(name);
        record.external_id = Some(external_id);
        record.state = self
            .label("state")?
            .ok_or_else(|| FieldError::new("state", "is blank", "a state"))?;
        record.customer = match (self.text("customer_name"), self.text("customer_domain")) {
            (Some(name), domain) => Some(Customer { name, domain }),
            (None, None) => None,
            (None, Some(_)) => {
                let text = "is blank although there is a customer_domain";
                return Err(FieldError::new("customer_name", text, "a name"));
            }
        };
        record.amount = self.money("amount", "currency")?;
        record.reversed_amount = self.number("reversed_amount").unwrap_or_default();
        record.product_lines = self.list("product_lines");
        record.region = self.text("region");
        record.source = self.label("source")?;
        record.registered_date = self.date("registered_date");
        record.approved_date = self.date("approved_date");
        record.expected_close_date = self.date("expected_close_date");
        record.closed_date = self.date("closed_date");
        record.reason = self.text("reason").unwrap_or_default();
        record.attributes = std::mem::take(&mut self.attributes);
        // The business can win a deal of unknown value; a file of won deals without amounts is
        // far more likely a wrong mapping.
        if record.state == DealState::Won && record.amount.is_none() {
            return Err(FieldError::new(
                "amount",
                "is blank in a won deal",
                "an amount",
            ));
        }
        Ok(DealRow {
            deal: parsed("deal_id", id, DealId::parse)?,
            partner: parsed("partner_id", partner, PartnerId::parse)?,
            record,
        })
    }

    fn certification(&mut self) -> Result<CertificationRow, FieldError> {
        let external_id = self.required("external_id")?;
        let id = self.id("certification_id", &external_id);
        let partner = self.required("partner_id")?;
        let awarded_date = self
            .date("awarded_date")
            .ok_or_else(|| FieldError::new("awarded_date", "is blank", "a date"))?;
        let record = CertificationRecord {
            external_id: Some(external_id),
            holder: Holder {
                person: self.required("person_id")?,
                name: self.text("person_name"),
                email: self.text("person_email"),
            },
            name: self.required("certification")?,
            level: self.text("level"),
            awarded_date,
            expires_date: self.date("expires_date"),
            revoked_date: self.date("revoked_date"),
            revoked_reason: self.text("revoked_reason").unwrap_or_default(),
            left_date: self.date("left_date"),
            attributes: std::mem::take(&mut self.attributes),
        };
        Ok(CertificationRow {
            certification: parsed("certification_id", id, CertificationId::parse)?,
            partner: parsed("partner_id", partner, PartnerId::parse)?,
            record,
        })
    }
}

// The business names some fields by another path than mappings do.
fn mapping_name(path: &str) -> &str {
    let path = ["record.", "profile."]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix))
        .unwrap_or(path);
    match path {
        "amount.amount" => "amount",
        "amount.currency_code" => "currency",
        "annual_revenue.amount" => "annual_revenue",
        "annual_revenue.currency_code" => "annual_revenue_currency",
        "customer.name" => "customer_name",
        "customer.domain" => "customer_domain",
        "holder.person" => "person_id",
        "holder.name" => "person_name",
        "holder.email" => "person_email",
        "parent" => "parent_partner_id",
        other => other,
    }
}

fn parsed<T>(
    field: &str,
    text: String,
    parse: impl Fn(String) -> Result<T, Rejection>,
) -> Result<T, FieldError> {
    let shown = text.clone();
    parse(text).map_err(|wrong| refused(field, &shown, wrong))
}

fn refused(field: &str, value: &str, wrong: Rejection) -> FieldError {
    let allowed = wrong
        .violations
        .into_iter()
        .next()
        .map_or(wrong.message, |v| v.description);
    FieldError::new(field, format!("{} is not accepted", quoted(value)), allowed)
}
