//! What a file holds, summed up for comparison with the system that it comes from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tierline_importer::{Kind, Record};

use super::clock::attained;
use crate::commands::show::words::grouped;

/// Different names that are counted one by one.
const MAX_NAMES: usize = 50;

/// Deals of one state in one currency.
#[derive(Debug, Default)]
struct Sum {
    count: u64,
    /// Absent where the sum has become too large for an exact number.
    amount: Option<Decimal>,
}

/// Control totals of the records of a file.
#[derive(Debug)]
pub(super) struct Totals {
    kind: Kind,
    records: u64,
    first: Option<Date>,
    last: Option<Date>,
    /// Deals by state and currency; the currency is empty where no amount is known.
    deals: BTreeMap<(&'static str, String), Sum>,
    /// Partners by type, or certifications by name.
    names: BTreeMap<String, u64>,
    currencies: BTreeSet<String>,
    days: BTreeSet<Date>,
    day: Option<Date>,
    scattered: Option<Date>,
}

impl Totals {
    /// Nothing counted yet.
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            records: 0,
            first: None,
            last: None,
            deals: BTreeMap::new(),
            names: BTreeMap::new(),
            currencies: BTreeSet::new(),
            days: BTreeSet::new(),
            day: None,
            scattered: None,
        }
    }

    /// Counts a record.
    pub(super) fn add(&mut self, record: &Record) {
        self.records += 1;
        let date = match record {
            Record::Rates(day) => Some(day.date),
            other => attained(other),
        };
        if let Some(date) = date {
            self.first = Some(self.first.map_or(date, |first| first.min(date)));
            self.last = self.last.max(Some(date));
        }
        match record {
            Record::Deal(deal) => {
                let (currency, amount) = match deal.record.amount {
                    Some(money) => (money.currency.to_string(), money.amount),
                    None => (String::new(), Decimal::ZERO),
                };
                let key = (deal.record.state.as_str(), currency);
                let sum = self.deals.entry(key).or_insert(Sum {
                    count: 0,
                    amount: Some(Decimal::ZERO),
                });
                sum.count += 1;
                sum.amount = sum.amount.and_then(|sum| sum.checked_add(amount));
            }
            Record::Partner(partner) => self.name(partner.profile.partner_type.as_str()),
            Record::Certification(row) => self.name(&row.record.name),
            Record::Rates(day) => {
                let currencies = day.rates.keys().map(ToString::to_string);
                self.currencies.extend(currencies);
                if self.day != Some(day.date) && !self.days.insert(day.date) {
                    self.scattered.get_or_insert(day.date);
                }
                self.day = Some(day.date);
            }
        }
    }

    fn name(&mut self, name: &str) {
        let room = self.names.len() < MAX_NAMES || self.names.contains_key(name);
        let name = if room { name } else { "others" };
        *self.names.entry(name.to_owned()).or_default() += 1;
    }

    /// The first day of rates whose rows do not stand together. Publishing a day replaces it, so
    /// that it has to be sent as a whole.
    pub(super) fn scattered_day(&self) -> Option<Date> {
        self.scattered
    }

    /// So many records of this file, in words.
    pub(super) fn things(&self, records: u64) -> String {
        // A row of rates is a whole day, or one currency of it.
        let by_day = self.currencies.len() > 1 && self.days.len() as u64 == self.records;
        let (one, many) = match self.kind {
            Kind::Partners => ("partner", "partners"),
            Kind::Deals => ("deal", "deals"),
            Kind::Certifications => ("certification", "certifications"),
            Kind::Rates if by_day => ("day of rates", "days of rates"),
            Kind::Rates => ("rate", "rates"),
        };
        format!(
            "{} {}",
            grouped(records),
            if records == 1 { one } else { many }
        )
    }

    /// The totals for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(first), Some(last)) = (self.first, self.last) {
            lines.push(format!("{:<12}{first} to {last}", "dates"));
        }
        for ((state, currency), sum) in &self.deals {
            let count = grouped(sum.count);
            let deals = if sum.count == 1 { "deal" } else { "deals" };
            let amount = match (currency.as_str(), sum.amount) {
                ("", _) => "without an amount".to_owned(),
                (code, Some(amount)) => format!("{code} {}", money(amount)),
                (code, None) => format!("{code} (too large to add up)"),
            };
            lines.push(format!("{state:<12}{count:>9} {deals:<6}{amount:>24}"));
        }
        for (name, count) in &self.names {
            let things = match self.kind {
                Kind::Certifications => "certifications",
                _ => "partners",
            };
            lines.push(format!("{name:<12}{:>9} {things}", grouped(*count)));
        }
        if self.kind == Kind::Rates {
            lines.push(format!("{:<12}{}", "days", grouped(self.days.len() as u64)));
            lines.push(format!("{:<12}{}", "currencies", self.currencies.len()));
        }
        lines
    }

    /// The totals for programs.
    pub(super) fn json(&self) -> Value {
        let deals = self.deals.iter().map(|((state, currency), sum)| {
            json!({
                "state": state,
                "currency": currency,
                "deals": sum.count,
                "amount": sum.amount.map(|amount| amount.to_string()),
            })
        });
        let mut totals = json!({
            "first_date": self.first.map(|day| day.to_string()),
            "last_date": self.last.map(|day| day.to_string()),
        });
        match self.kind {
            Kind::Deals => totals["deals"] = deals.collect(),
            Kind::Partners => totals["types"] = json!(self.names),
            Kind::Certifications => totals["certifications"] = json!(self.names),
            Kind::Rates => {
                totals["days"] = json!(self.days.len());
                totals["currencies"] = json!(self.currencies);
            }
        }
        totals
    }
}

/// An exact amount with marks between the thousands.
fn money(amount: Decimal) -> String {
    let text = amount.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    if rest.is_empty() {
        whole
    } else {
        format!("{whole}.{rest}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tierline_domain::Currency;
    use tierline_importer::RateDay;

    use super::*;

    fn rates(day: &str, code: &str) -> Record {
        Record::Rates(RateDay {
            source: "ECB".to_owned(),
            date: day.parse().unwrap(),
            base: Currency::EUR,
            rates: BTreeMap::from([(Currency::parse(code).unwrap(), Decimal::ONE)]),
        })
    }

    #[test]
    fn a_day_of_rates_may_have_several_rows_if_they_stand_together() {
        let mut totals = Totals::new(Kind::Rates);
        for (day, code) in [
            ("2026-01-02", "USD"),
            ("2026-01-02", "GBP"),
            ("2026-01-01", "USD"),
        ] {
            totals.add(&rates(day, code));
        }
        assert_eq!(totals.scattered_day(), None);
        assert_eq!(totals.things(3), "3 rates");
        assert_eq!(
            totals.lines().join("\n"),
            "dates       2026-01-01 to 2026-01-02\ndays        2\ncurrencies  2"
        );
        totals.add(&rates("2026-01-02", "CHF"));
        assert_eq!(totals.scattered_day().unwrap().to_string(), "2026-01-02");
    }

    #[test]
    fn amounts_are_written_exactly() {
        assert_eq!(money("77548570.20".parse().unwrap()), "77,548,570.20");
        assert_eq!(money("5".parse().unwrap()), "5");
    }
}
