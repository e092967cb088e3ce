//! Currencies that another one has replaced, at a rate that the law fixes.
//!
//! The table holds what the European Central Bank has quoted and what the euro has replaced; for
//! these, amounts of old papers are valued although nobody publishes a rate any more. Sources: the
//! conversion rates of Council Regulation (EC) No 2866/98 and of its amendments, one for each later
//! member of the euro area; Turkish Law No. 5083 of 2004; Romanian Law No. 348/2004.

use jiff::civil::{Date, date};
use rust_decimal::Decimal;

use crate::money::Currency;

/// One currency in the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replacement {
    /// The currency that was replaced.
    pub(crate) old: Currency,
    /// The currency in its place.
    pub(crate) new: Currency,
    /// Units of the old currency for one unit of the new one.
    pub(crate) units: Decimal,
    /// The first day on which the rate is that of the law.
    pub(crate) from: Date,
}

/// What replaced a currency.
pub(crate) fn successor_of(old: Currency) -> Option<Replacement> {
    let row = ROWS.iter().find(|row| row.0 == old.as_str())?;
    Some(replacement(row))
}

/// The redenominated currency that a currency took the place of: the same money with fewer zeros.
/// The euro has none: it took the place of many.
pub(crate) fn predecessor_of(new: Currency) -> Option<Replacement> {
    if new == Currency::EUR {
        return None;
    }
    let row = ROWS.iter().find(|row| row.1 == new.as_str())?;
    Some(replacement(row))
}

/// `(old, new, mantissa and scale of the units, first day)`.
type Row = (&'static str, &'static str, (i64, u32), Date);

fn replacement((old, new, (mantissa, scale), from): &Row) -> Replacement {
    let known = |code| Currency::parse(code).expect("the table names ISO 4217 currencies");
    Replacement {
        old: known(old),
        new: known(new),
        units: Decimal::new(*mantissa, *scale),
        from: *from,
    }
}

const ROWS: &[Row] = &[
    ("ATS", "EUR", (137_603, 4), date(1999, 1, 1)),
    ("BEF", "EUR", (403_399, 4), date(1999, 1, 1)),
    ("BGN", "EUR", (195_583, 5), date(2026, 1, 1)),
    ("CYP", "EUR", (585_274, 6), date(2008, 1, 1)),
    ("DEM", "EUR", (195_583, 5), date(1999, 1, 1)),
    ("EEK", "EUR", (156_466, 4), date(2011, 1, 1)),
    ("ESP", "EUR", (166_386, 3), date(1999, 1, 1)),
    ("FIM", "EUR", (594_573, 5), date(1999, 1, 1)),
    ("FRF", "EUR", (655_957, 5), date(1999, 1, 1)),
    ("GRD", "EUR", (340_750, 3), date(2001, 1, 1)),
    ("HRK", "EUR", (753_450, 5), date(2023, 1, 1)),
    ("IEP", "EUR", (787_564, 6), date(1999, 1, 1)),
    ("ITL", "EUR", (193_627, 2), date(1999, 1, 1)),
    ("LTL", "EUR", (345_280, 5), date(2015, 1, 1)),
    ("LUF", "EUR", (403_399, 4), date(1999, 1, 1)),
    ("LVL", "EUR", (702_804, 6), date(2014, 1, 1)),
    ("MTL", "EUR", (429_300, 6), date(2008, 1, 1)),
    ("NLG", "EUR", (220_371, 5), date(1999, 1, 1)),
    ("PTE", "EUR", (200_482, 3), date(1999, 1, 1)),
    ("SIT", "EUR", (239_640, 3), date(2007, 1, 1)),
    ("SKK", "EUR", (301_260, 4), date(2009, 1, 1)),
    ("ROL", "RON", (10_000, 0), date(2005, 7, 1)),
    ("TRL", "TRY", (1_000_000, 0), date(2005, 1, 1)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_two_currencies_and_the_old_one_outlives_the_first_day() {
        for row in ROWS {
            let one = replacement(row);
            assert_eq!(successor_of(one.old), Some(one));
            // Both are legal tender for a while, so that papers of that time are met.
            let a_month_before = one.from.saturating_sub(jiff::Span::new().days(30));
            assert!(one.old.in_force_on(a_month_before), "{}", row.0);
            assert_eq!(successor_of(one.new), None, "{}: replaced again", row.0);
        }
    }

    #[test]
    fn only_redenominated_currencies_have_a_predecessor() {
        let of = |code| predecessor_of(Currency::parse(code).unwrap());
        assert_eq!(of("TRY").unwrap().old.as_str(), "TRL");
        assert_eq!(of("RON").unwrap().old.as_str(), "ROL");
        assert_eq!(of("EUR"), None);
        assert_eq!(of("USD"), None);
    }
}
