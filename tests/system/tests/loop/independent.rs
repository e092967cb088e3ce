//! The same sums by another road: straight from the files, without any code of the product.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use rust_decimal::{Decimal, RoundingStrategy};

pub struct Order {
    pub reseller: String,
    pub date: Date,
    pub amount: Decimal,
}

pub struct Sales {
    pub orders: Vec<Order>,
    countries: HashMap<String, String>,
}

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let mut plain = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_string(&mut plain)
            .unwrap();
        return plain;
    }
    String::from_utf8(bytes).unwrap()
}

impl Sales {
    pub fn read(folder: &Path) -> Self {
        let mut countries = HashMap::new();
        for line in text(&folder.join("Resellers.csv")).lines().skip(1) {
            let key = line.split(',').next().unwrap().to_owned();
            countries.insert(key, line.rsplit(',').next().unwrap().trim().to_owned());
        }
        let mut orders: BTreeMap<String, Order> = BTreeMap::new();
        for line in text(&folder.join("FactResellerSales.csv.gz"))
            .lines()
            .skip(1)
        {
            let cells: Vec<&str> = line.trim().split(',').collect();
            let order = orders.entry(cells[0].to_owned()).or_insert_with(|| Order {
                reseller: cells[3].to_owned(),
                date: cells[1].parse().unwrap(),
                amount: Decimal::ZERO,
            });
            order.amount += cells[9].parse::<Decimal>().unwrap();
        }
        Self {
            orders: orders.into_values().collect(),
            countries,
        }
    }

    pub fn country(&self, order: &Order) -> &str {
        &self.countries[&order.reseller]
    }

    fn currency(&self, order: &Order) -> &'static str {
        match self.country(order) {
            "United States" => "USD",
            "Canada" => "CAD",
            "United Kingdom" => "GBP",
            "Australia" => "AUD",
            "France" | "Germany" => "EUR",
            other => panic!("no currency for {other}"),
        }
    }
}

/// Units of a currency for one euro, by day.
pub struct Rates(BTreeMap<Date, HashMap<String, Decimal>>);

impl Rates {
    pub fn read(path: &Path) -> Self {
        let text = text(path);
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let mut days = BTreeMap::new();
        for line in lines {
            let cells: Vec<&str> = line.split(',').collect();
            let rates = names
                .iter()
                .zip(&cells)
                .skip(1)
                .filter_map(|(name, rate)| Some(((*name).to_owned(), rate.parse().ok()?)))
                .collect();
            days.insert(cells[0].parse().unwrap(), rates);
        }
        Self(days)
    }

    /// The last published rate on or before a day.
    fn on(&self, currency: &str, day: Date) -> Decimal {
        if currency == "EUR" {
            return Decimal::ONE;
        }
        self.0.range(..=day).next_back().unwrap().1[currency]
    }
}

/// Sales of a reseller in US dollars over the twelve months that end on a day.
pub fn rolling_total(sales: &Sales, rates: &Rates, reseller: &str, end: Date) -> Decimal {
    let year: Span = 12.months();
    let before = end.checked_sub(year).unwrap();
    sales
        .orders
        .iter()
        .filter(|order| order.reseller == reseller && order.date > before && order.date <= end)
        .map(|order| {
            let currency = sales.currency(order);
            if currency == "USD" {
                return order.amount;
            }
            let dollars =
                order.amount / rates.on(currency, order.date) * rates.on("USD", order.date);
            dollars.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
        })
        .sum()
}
