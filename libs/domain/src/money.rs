//! Money: an exact decimal amount in an ISO 4217 currency. Never a float.
//!
//! Rounding is stated once: an amount is rounded to the minor units of its currency, a half goes
//! away from zero (the rule of Council Regulation (EC) No 1103/97, article 5, for conversions).

use std::fmt;

use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rejection::Rejection;

#[path = "money_table.rs"]
mod table;

/// Largest amount accepted as input, in absolute value: one quadrillion.
pub const MAX_AMOUNT: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro, the base of the reference rates of the European Central Bank.
    pub const EUR: Self = Self(*b"EUR");
    /// The United States dollar.
    pub const USD: Self = Self(*b"USD");

    /// Takes a three-letter code that ISO 4217 knows or knew. Upper case only.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on the field `currency_code`.
    pub fn parse(code: &str) -> Result<Self, Rejection> {
        match table::CURRENCIES.binary_search_by(|(known, _, _)| (*known).cmp(code)) {
            Ok(at) => {
                let bytes = table::CURRENCIES[at].0.as_bytes();
                Ok(Self([bytes[0], bytes[1], bytes[2]]))
            }
            Err(_) => Err(Rejection::invalid(
                "currency_code",
                format!("\"{code}\" is no ISO 4217 currency code; write it like USD or EUR"),
            )),
        }
    }

    fn entry(self) -> &'static (&'static str, u8, u32) {
        let code = self.as_str();
        table::CURRENCIES
            .binary_search_by(|(known, _, _)| (*known).cmp(code))
            .map(|at| &table::CURRENCIES[at])
            .expect("a Currency is only made from the table")
    }

    /// The three-letter code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a Currency is ASCII")
    }

    /// Number of decimal places of an amount in this currency.
    pub fn minor_units(self) -> u32 {
        u32::from(self.entry().1)
    }

    /// False when ISO 4217 had withdrawn the code before the month of `date`.
    pub fn in_force_on(self, date: Date) -> bool {
        let last = self.entry().2;
        let month = u32::try_from(i32::from(date.year()) * 100 + i32::from(date.month()));
        last == 0 || month.is_ok_and(|month| month <= last)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::parse(&code).map_err(serde::de::Error::custom)
    }
}

/// An exact amount in a currency. Serialized as `{"amount": "12.50", "currency": "EUR"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// The amount in units of the currency (not minor units).
    pub amount: Decimal,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount as given, not rounded.
    pub fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in the given currency.
    pub fn zero(currency: Currency) -> Self {
        Self::new(Decimal::ZERO, currency)
    }

    /// Takes input: a decimal text and a currency code. At most four decimals beyond the minor
    /// units are kept as given; the size is bounded by [`MAX_AMOUNT`].
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `amount` or `currency_code`.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, Rejection> {
        let currency = Currency::parse(currency)?;
        let value = Decimal::from_str_exact(amount.trim()).map_err(|_| {
            Rejection::invalid(
                "amount",
                format!("\"{amount}\" is no decimal number; write it like 1250.00"),
            )
        })?;
        Self::checked(value, currency)
    }

    /// The amount, when it is within the bounds of input.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `amount`.
    pub fn checked(amount: Decimal, currency: Currency) -> Result<Self, Rejection> {
        if amount.abs() > MAX_AMOUNT {
            return Err(Rejection::invalid(
                "amount",
                format!("must be at most {MAX_AMOUNT}"),
            ));
        }
        if amount.scale() > currency.minor_units() + 4 {
            return Err(Rejection::invalid(
                "amount",
                format!("has more than {} decimals", currency.minor_units() + 4),
            ));
        }
        Ok(Self { amount, currency })
    }

    /// Rounded to the minor units of the currency, a half away from zero.
    #[must_use]
    pub fn rounded(self) -> Self {
        let places = self.currency.minor_units();
        let amount = self
            .amount
            .round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
        Self {
            amount,
            currency: self.currency,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.currency.minor_units() as usize;
        write!(f, "{:.places$} {}", self.rounded().amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_amount_is_a_quadrillion() {
        assert_eq!(MAX_AMOUNT.to_string(), "1000000000000000");
    }

    #[test]
    fn the_table_is_sorted_so_that_every_code_is_found() {
        for (code, _, _) in table::CURRENCIES {
            assert_eq!(Currency::parse(code).unwrap().as_str(), *code);
        }
        assert!(
            table::CURRENCIES
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0)
        );
    }

    #[test]
    fn unknown_and_lower_case_codes_are_refused() {
        for code in ["", "usd", "US", "XXX", "ABCD", "€"] {
            let rejection = Currency::parse(code).unwrap_err();
            assert_eq!(rejection.violations[0].field, "currency_code");
        }
    }

    #[test]
    fn a_withdrawn_currency_is_in_force_only_until_its_month() {
        let tolar = Currency::parse("SIT").unwrap();
        assert!(tolar.in_force_on(jiff::civil::date(2006, 12, 29)));
        assert!(!tolar.in_force_on(jiff::civil::date(2010, 1, 1)));
        assert!(Currency::EUR.in_force_on(jiff::civil::date(2026, 1, 1)));
    }

    #[test]
    fn rounding_goes_to_the_minor_units_and_a_half_goes_away_from_zero() {
        let round = |amount: &str, currency: &str| {
            Money::parse(amount, currency)
                .unwrap()
                .rounded()
                .amount
                .to_string()
        };
        assert_eq!(round("1.005", "EUR"), "1.01");
        assert_eq!(round("-1.005", "EUR"), "-1.01");
        assert_eq!(round("1.5", "JPY"), "2");
        assert_eq!(round("1.00049", "KWD"), "1.000");
    }

    #[test]
    fn amounts_beyond_the_bound_or_no_numbers_are_refused() {
        for amount in ["1e5", "", "12,5", "NaN", "1000000000000001", "0.1234567"] {
            let rejection = Money::parse(amount, "EUR").unwrap_err();
            assert_eq!(rejection.violations[0].field, "amount", "{amount}");
        }
    }

    #[test]
    fn money_prints_with_the_minor_units_of_its_currency() {
        assert_eq!(
            Money::parse("99674.3", "USD").unwrap().to_string(),
            "99674.30 USD"
        );
        assert_eq!(Money::parse("12", "JPY").unwrap().to_string(), "12 JPY");
    }
}
