//! Exchange rates: looking them up and converting with them.
//!
//! A rate says how much of a currency one unit of the base (the euro, as the European Central
//! Bank publishes it) is worth. An amount is converted through the base, exactly, and rounded once
//! to the minor units of the target. Without a rate an amount is *unknown*; it is never zero.
//!
//! A published rate is used on its own day and for [`LOOK_BACK_DAYS`] after it, no longer. Where a
//! currency has been replaced, its rate follows from that of its successor (`by_law.rs`).

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::{Currency, Money};
use crate::program::rates::RateDay;
use crate::ratio::scaled_ratio;
use crate::rules::by_law::{Replacement, predecessor_of, successor_of};
use crate::time::add_days;

/// How many days before the wanted day the last published rate may lie. The longest regular gap
/// of the European Central Bank is five days (Easter, the turn of the year); years in which a
/// currency was not quoted, such as the Icelandic krona from 2008 to 2018, must give no rate.
pub const LOOK_BACK_DAYS: i32 = 10;

/// A rate and the day on which it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateOn {
    /// Units of the currency for one unit of the base.
    pub rate: Decimal,
    /// The day of publication, at most [`LOOK_BACK_DAYS`] before the wanted day.
    pub published: Date,
}

/// A source of exchange rates.
pub trait Rates {
    /// The last rate published on or before the day, within [`LOOK_BACK_DAYS`].
    fn rate(&self, currency: Currency, on: Date) -> Option<RateOn>;
}

/// No rates at all: only amounts in the wanted currency itself are known.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRates;

impl Rates for NoRates {
    fn rate(&self, _currency: Currency, _on: Date) -> Option<RateOn> {
        None
    }
}

/// A converted amount and the rates it was converted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    /// The amount in the target currency, rounded to its minor units.
    pub money: Money,
    /// The rate of the currency of the original amount.
    pub from: RateOn,
    /// The rate of the target currency.
    pub to: RateOn,
}

/// Converts at the rates of a day. `None`: there is no rate, or the result is beyond all bounds.
pub fn convert(money: Money, to: Currency, on: Date, rates: &dyn Rates) -> Option<Conversion> {
    let from_rate = rates.rate(money.currency, on)?;
    let to_rate = rates.rate(to, on)?;
    let amount = scaled_ratio(money.amount, to_rate.rate, from_rate.rate, to.minor_units())?;
    Some(Conversion {
        money: Money::new(amount, to),
        from: from_rate,
        to: to_rate,
    })
}

/// Amounts of several currencies that a program counts as equal from a day on, whatever the market
/// says: 100 dollars, 75 euros and 12,000 yen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedRates {
    /// The first day. Before that of the first table there is none.
    pub from: Date,
    /// The last day. Left out: the day before the next table, or no end. After it there is no rate
    /// until the next table begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// The amounts. A currency that is not named cannot be converted.
    #[schemars(with = "BTreeMap<Currency, crate::schema::ExactNumber>")]
    pub equal: BTreeMap<Currency, Decimal>,
}

/// In which currency amounts are measured, and by which rates: those that are published, or those
/// that the program has fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pricing<'a> {
    /// The currency of the program.
    pub currency: Currency,
    /// The fixed tables, the earliest first. Empty: published rates are used.
    pub fixed: &'a [FixedRates],
}

impl From<Currency> for Pricing<'_> {
    fn from(currency: Currency) -> Self {
        Self {
            currency,
            fixed: &[],
        }
    }
}

/// Fixed tables as a source of rates: a fact is converted by the table of its day.
pub(crate) struct Fixed<'a>(pub(crate) &'a [FixedRates]);

impl Rates for Fixed<'_> {
    fn rate(&self, currency: Currency, on: Date) -> Option<RateOn> {
        let begun = self.0.iter().rfind(|table| table.from <= on)?;
        let table = Some(begun).filter(|table| table.until.is_none_or(|last| on <= last))?;
        let rate = *table.equal.get(&currency)?;
        Some(RateOn {
            rate,
            published: table.from,
        })
    }
}

/// One rate and the number of the event that introduced it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Zero: the day was published again without this currency.
    rate: Decimal,
    since: u64,
}

/// Published rates by currency and day, with everything that was ever replaced, so that a replay
/// sees what was known at its time.
#[derive(Debug, Clone)]
pub struct RateTable {
    base: Currency,
    latest: BTreeMap<Currency, BTreeMap<Date, Entry>>,
    superseded: BTreeMap<(Currency, Date), Vec<Entry>>,
}

impl Default for RateTable {
    fn default() -> Self {
        Self::new(Currency::EUR)
    }
}

impl RateTable {
    /// An empty table of rates against a base.
    pub fn new(base: Currency) -> Self {
        Self {
            base,
            latest: BTreeMap::new(),
            superseded: BTreeMap::new(),
        }
    }

    /// The currency of which one unit is worth the rates.
    pub fn base(&self) -> Currency {
        self.base
    }

    /// True when no rate was ever published.
    pub fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }

    /// Takes in what was published: the days of one event. The first one says what the base is.
    pub fn take(&mut self, sequence: u64, base: Currency, days: &[RateDay]) {
        if self.is_empty() {
            self.base = base;
        }
        for day in days {
            self.publish(sequence, day.date, &day.rates);
        }
    }

    /// Takes in the rates of a day, which replace those published for it before. `sequence` is the
    /// number of the event that says so; numbers must not go back.
    pub fn publish(&mut self, sequence: u64, day: Date, rates: &BTreeMap<Currency, Decimal>) {
        for (currency, days) in &mut self.latest {
            if let Some(entry) = days.get_mut(&day) {
                let rate = rates.get(currency).copied().unwrap_or_default();
                let rate = rate.max(Decimal::ZERO);
                if entry.rate != rate {
                    self.superseded
                        .entry((*currency, day))
                        .or_default()
                        .push(*entry);
                    *entry = Entry {
                        rate,
                        since: sequence,
                    };
                }
            }
        }
        for (currency, rate) in rates {
            if *rate > Decimal::ZERO {
                let entry = Entry {
                    rate: *rate,
                    since: sequence,
                };
                let days = self.latest.entry(*currency).or_default();
                days.entry(day).or_insert(entry);
            }
        }
    }

    /// The table as it was after the event of this number.
    pub fn as_known_at(&self, sequence: u64) -> RatesAsKnown<'_> {
        RatesAsKnown {
            table: self,
            sequence,
        }
    }

    fn known(&self, key: (Currency, Date), latest: Entry, at: u64) -> Option<Decimal> {
        let entry = if latest.since <= at {
            latest
        } else {
            let earlier = self.superseded.get(&key)?;
            *earlier.iter().rev().find(|entry| entry.since <= at)?
        };
        (entry.rate > Decimal::ZERO).then_some(entry.rate)
    }

    fn look_up(&self, currency: Currency, on: Date, at: u64) -> Option<RateOn> {
        if currency == self.base {
            return Some(RateOn {
                rate: Decimal::ONE,
                published: on,
            });
        }
        if let Some(law) = successor_of(currency).filter(|law| law.from <= on) {
            let new = self.look_up(law.new, on, at)?;
            let rate = new.rate.checked_mul(law.units)?.normalize();
            return Some(RateOn { rate, ..new });
        }
        self.published(currency, on, at)
            .or_else(|| self.before_redenomination(predecessor_of(currency)?, on, at))
    }

    /// The rate of the new money by that of the old, on days when only the old one was quoted.
    fn before_redenomination(&self, law: Replacement, on: Date, at: u64) -> Option<RateOn> {
        let old = self.published(law.old, on, at)?;
        let rate = old.rate.checked_div(law.units)?;
        Some(RateOn { rate, ..old })
    }

    fn published(&self, currency: Currency, on: Date, at: u64) -> Option<RateOn> {
        let days = self.latest.get(&currency)?;
        days.range(add_days(on, -LOOK_BACK_DAYS)..=on)
            .rev()
            .find_map(|(day, entry)| {
                let rate = self.known((currency, *day), *entry, at)?;
                Some(RateOn {
                    rate,
                    published: *day,
                })
            })
    }

    /// The last day up to this one for which a rate of the currency was published, however long
    /// ago: for saying why there is none that could be used.
    pub fn last_published(&self, currency: Currency, up_to: Date) -> Option<Date> {
        let mut days = self.latest.get(&currency)?.range(..=up_to).rev();
        days.find(|(_, entry)| entry.rate > Decimal::ZERO)
            .map(|(day, _)| *day)
    }
}

impl Rates for RateTable {
    fn rate(&self, currency: Currency, on: Date) -> Option<RateOn> {
        self.look_up(currency, on, u64::MAX)
    }
}

/// A [`RateTable`] as it was at an earlier time.
#[derive(Debug, Clone, Copy)]
pub struct RatesAsKnown<'a> {
    table: &'a RateTable,
    sequence: u64,
}

impl Rates for RatesAsKnown<'_> {
    fn rate(&self, currency: Currency, on: Date) -> Option<RateOn> {
        self.table.look_up(currency, on, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn table(days: &[(Date, &[(&str, &str)])]) -> RateTable {
        let mut table = RateTable::default();
        for (number, (day, rates)) in days.iter().enumerate() {
            let rates = rates
                .iter()
                .map(|(code, rate)| (currency(code), decimal(rate)))
                .collect();
            table.publish(number as u64 + 1, *day, &rates);
        }
        table
    }

    #[test]
    fn a_day_without_rates_takes_the_last_published_ones() {
        let table = table(&[
            (date(2026, 4, 2), &[("USD", "1.10")]),
            (date(2026, 4, 7), &[("USD", "1.20")]),
        ]);
        let easter = table.rate(Currency::USD, date(2026, 4, 6)).unwrap();
        assert_eq!(easter.published, date(2026, 4, 2));
        assert_eq!(easter.rate, decimal("1.10"));
        let after = table.rate(Currency::USD, date(2026, 4, 7)).unwrap();
        assert_eq!(after.rate, decimal("1.20"));
    }

    #[test]
    fn a_rate_is_used_for_ten_days_and_not_for_eleven() {
        let table = table(&[(date(2008, 12, 1), &[("ISK", "290")])]);
        assert!(table.rate(currency("ISK"), date(2008, 12, 11)).is_some());
        assert_eq!(table.rate(currency("ISK"), date(2008, 12, 12)), None);
        assert_eq!(table.rate(currency("ISK"), date(2008, 11, 30)), None);
        assert_eq!(table.rate(currency("GBP"), date(2008, 12, 1)), None);
    }

    #[test]
    fn amounts_are_converted_through_the_base_and_rounded_once() {
        let day = date(2026, 10, 30);
        let table = table(&[(day, &[("USD", "1.1172"), ("JPY", "175.68")])]);
        let converted = |amount: &str, from: &str, to: &str| {
            let money = Money::parse(amount, from).unwrap();
            convert(money, currency(to), day, &table).map(|done| done.money.to_string())
        };
        assert_eq!(converted("100", "EUR", "USD").unwrap(), "111.72 USD");
        assert_eq!(converted("111.72", "USD", "EUR").unwrap(), "100.00 EUR");
        // 1,000,000 JPY / 175.68 * 1.1172 = 6359.28961...
        assert_eq!(converted("1000000", "JPY", "USD").unwrap(), "6359.29 USD");
        assert_eq!(converted("-1000000", "JPY", "USD").unwrap(), "-6359.29 USD");
        assert_eq!(converted("1", "GBP", "USD"), None);
        assert_eq!(
            converted("1000000000000000", "EUR", "JPY").unwrap(),
            "175680000000000000 JPY"
        );
    }

    fn rate_of(table: &RateTable, code: &str, on: Date) -> Option<String> {
        let found = table.rate(currency(code), on)?;
        Some(found.rate.to_string())
    }

    #[test]
    fn a_currency_that_the_euro_replaced_has_the_rate_of_the_law_from_that_day_on() {
        let table = table(&[
            (date(2022, 12, 30), &[("HRK", "7.5365"), ("USD", "1.0666")]),
            (date(2023, 1, 2), &[("USD", "1.0683")]),
        ]);
        let kuna = |on| rate_of(&table, "HRK", on);
        assert_eq!(kuna(date(2022, 12, 31)).as_deref(), Some("7.5365"));
        assert_eq!(kuna(date(2023, 1, 1)).as_deref(), Some("7.5345"));
        assert_eq!(kuna(date(2023, 1, 31)).as_deref(), Some("7.5345"));
        // The mark was never quoted against the euro.
        assert_eq!(rate_of(&table, "DEM", date(1998, 12, 31)), None);
        let mark = rate_of(&table, "DEM", date(1999, 1, 1));
        assert_eq!(mark.as_deref(), Some("1.95583"));
        let money = Money::parse("753.45", "HRK").unwrap();
        let on = date(2023, 1, 31);
        let euros = convert(money, Currency::EUR, on, &table).unwrap();
        assert_eq!(euros.money.to_string(), "100.00 EUR");
        // Through the euro to the dollar there is no rate so late in the month.
        assert_eq!(convert(money, Currency::USD, on, &table), None);
    }

    #[test]
    fn a_redenominated_currency_is_one_money_before_and_after() {
        let table = table(&[
            (date(2004, 12, 31), &[("TRL", "1836200")]),
            (date(2005, 1, 3), &[("TRY", "1.8223")]),
        ]);
        let rate = |code, on| rate_of(&table, code, on);
        let (before, between) = (date(2004, 12, 31), date(2005, 1, 2));
        let after = date(2005, 1, 5);
        assert_eq!(rate("TRL", before).as_deref(), Some("1836200"));
        assert_eq!(rate("TRY", before).as_deref(), Some("1.8362"));
        assert_eq!(rate("TRY", between).as_deref(), Some("1.8362"));
        assert_eq!(rate("TRL", between).as_deref(), Some("1836200"));
        assert_eq!(rate("TRL", after).as_deref(), Some("1822300"));
        assert_eq!(rate("TRY", after).as_deref(), Some("1.8223"));
        assert_eq!(rate("TRY", date(2005, 1, 14)), None);
        assert_eq!(rate("TRL", date(2005, 1, 14)), None);
    }

    #[test]
    fn the_base_is_the_one_that_the_rates_are_published_for() {
        let mut table = RateTable::default();
        let day = RateDay {
            date: date(2026, 3, 2),
            rates: [
                (Currency::EUR, decimal("0.8")),
                (currency("JPY"), decimal("150")),
            ]
            .into(),
        };
        table.take(1, Currency::USD, std::slice::from_ref(&day));
        assert_eq!(table.base(), Currency::USD);
        let euros = Money::parse("80", "EUR").unwrap();
        let yen = convert(euros, currency("JPY"), day.date, &table).unwrap();
        assert_eq!(yen.money.to_string(), "15000 JPY");
        let kunas = convert(euros, currency("HRK"), day.date, &table).unwrap();
        assert_eq!(kunas.money.to_string(), "602.76 HRK");
        let dollars = convert(euros, Currency::USD, day.date, &table).unwrap();
        assert_eq!(dollars.money.to_string(), "100.00 USD");
    }

    #[test]
    fn a_currency_that_is_not_quoted_any_more_is_known_for_ten_days() {
        let table = table(&[(date(2022, 3, 1), &[("RUB", "117.201")])]);
        let rouble = currency("RUB");
        assert!(table.rate(rouble, date(2022, 3, 11)).is_some());
        assert_eq!(table.rate(rouble, date(2022, 3, 12)), None);
        let last = |on| table.last_published(rouble, on);
        assert_eq!(last(date(2026, 1, 1)), Some(date(2022, 3, 1)));
        assert_eq!(last(date(2022, 2, 28)), None);
    }

    #[test]
    fn a_fixed_table_holds_until_its_last_day_and_a_gap_has_no_rate() {
        let table = |from, until, yen: &str| FixedRates {
            from,
            until,
            equal: [
                (Currency::USD, decimal("100")),
                (currency("JPY"), decimal(yen)),
            ]
            .into(),
        };
        let tables = [
            table(date(2025, 1, 1), Some(date(2025, 6, 30)), "12000"),
            table(date(2025, 8, 1), None, "15000"),
        ];
        let yen = |on| {
            Fixed(&tables)
                .rate(currency("JPY"), on)
                .map(|rate| rate.rate)
        };
        assert_eq!(yen(date(2024, 12, 31)), None);
        assert_eq!(yen(date(2025, 6, 30)), Some(decimal("12000")));
        assert_eq!(yen(date(2025, 7, 1)), None);
        assert_eq!(yen(date(2025, 7, 31)), None);
        assert_eq!(yen(date(2030, 1, 1)), Some(decimal("15000")));
    }

    #[test]
    fn amounts_are_rounded_to_the_minor_units_of_each_currency() {
        let day = date(2026, 10, 30);
        let rates: &[_] = &[("KWD", "0.3421"), ("CLF", "0.0265"), ("JPY", "175.68")];
        let table = table(&[(day, rates)]);
        let converted = |to: &str| {
            let money = Money::parse("3.33", "EUR").unwrap();
            convert(money, currency(to), day, &table).map(|done| done.money.to_string())
        };
        assert_eq!(converted("KWD").unwrap(), "1.139 KWD");
        assert_eq!(converted("CLF").unwrap(), "0.0882 CLF");
        assert_eq!(converted("JPY").unwrap(), "585 JPY");
    }

    #[test]
    fn a_corrected_day_is_seen_by_those_who_knew_it_and_by_nobody_before() {
        let day = date(2026, 1, 5);
        let mut table = table(&[(day, &[("USD", "1.10"), ("GBP", "0.80")])]);
        table.publish(7, day, &[(Currency::USD, decimal("1.15"))].into());
        let usd = |at| {
            table
                .as_known_at(at)
                .rate(Currency::USD, day)
                .map(|rate| rate.rate)
        };
        assert_eq!(usd(0), None);
        assert_eq!(usd(1), Some(decimal("1.10")));
        assert_eq!(usd(6), Some(decimal("1.10")));
        assert_eq!(usd(7), Some(decimal("1.15")));
        assert_eq!(table.rate(currency("GBP"), day), None);
        assert!(table.as_known_at(6).rate(currency("GBP"), day).is_some());
    }

    #[test]
    fn a_withdrawn_day_falls_back_to_the_day_before_it() {
        let mut table = table(&[
            (date(2026, 1, 5), &[("USD", "1.10")]),
            (date(2026, 1, 6), &[("USD", "9.99")]),
        ]);
        table.publish(3, date(2026, 1, 6), &BTreeMap::new());
        let rate = table.rate(Currency::USD, date(2026, 1, 6)).unwrap();
        assert_eq!(rate.published, date(2026, 1, 5));
    }
}
