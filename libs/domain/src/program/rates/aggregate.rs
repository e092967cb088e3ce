//! Exchange rates: the state keeps a digest of each day, not the rates, so that publishing the
//! whole history again costs nothing and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::aggregate::{Decide, Entity, Routing, refuse_unreadable};
use crate::limits;
use crate::money::Currency;
use crate::program::rates::commands::{PublishRates, RatesCommand};
use crate::program::rates::events::{RateDay, RatesEvent};
use crate::rejection::{Rejection, Violations};
use crate::time::check_date;

/// The exchange rates of an org, folded from their events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    base: Option<Currency>,
    /// Half of the SHA-256 of each day as last published.
    days: BTreeMap<Date, (u64, u64)>,
    unreadable: bool,
}

crate::aggregate!(Rates, "Rates");

impl Rates {
    /// The currency of which one unit is worth the rates, once any were published.
    pub fn base(&self) -> Option<Currency> {
        self.base
    }

    /// Number of days with rates.
    pub fn day_count(&self) -> usize {
        self.days.len()
    }

    /// The first and the last day with rates.
    pub fn span(&self) -> Option<(Date, Date)> {
        let first = self.days.keys().next()?;
        let last = self.days.keys().next_back()?;
        Some((*first, *last))
    }

    fn publish(&self, publish: PublishRates) -> Result<Vec<RatesEvent>, Rejection> {
        self.check(&publish)?;
        let mut changed: Vec<RateDay> = publish
            .days
            .into_iter()
            .filter(|day| self.days.get(&day.date) != Some(&digest(day)))
            .collect();
        changed.sort_by_key(|day| day.date);
        Ok(changed
            .chunks(limits::RATE_DAYS_PER_EVENT)
            .map(|days| RatesEvent::RatesPublished {
                source: publish.source.clone(),
                base: publish.base,
                days: days.to_vec(),
            })
            .collect())
    }

    fn check(&self, publish: &PublishRates) -> Result<(), Rejection> {
        if let Some(base) = self.base.filter(|base| *base != publish.base) {
            return Err(Rejection::precondition(
                "RATES_BASE_FIXED",
                format!(
                    "the rates of this org are per {base}, not per {}",
                    publish.base
                ),
            ));
        }
        let mut v = Violations::default();
        limits::check_name(&mut v, "source", &publish.source, limits::NAME);
        if publish.days.len() > limits::RATE_DAYS_PER_COMMAND {
            let most = limits::RATE_DAYS_PER_COMMAND;
            v.add("days", format!("must be at most {most} entries"));
            return v.check();
        }
        let mut seen = BTreeSet::new();
        for (at, day) in publish.days.iter().enumerate() {
            v.take("", check_date(&format!("days[{at}].date"), day.date));
            if !seen.insert(day.date) {
                v.add(
                    format!("days[{at}].date"),
                    format!("{} is there twice", day.date),
                );
            }
            check_day(&mut v, &format!("days[{at}].rates"), publish.base, day);
        }
        v.check()
    }
}

fn check_day(v: &mut Violations, field: &str, base: Currency, day: &RateDay) {
    if day.rates.is_empty() {
        v.add(field, "must have at least one rate");
    }
    if day.rates.len() > limits::CURRENCIES_PER_DAY {
        let most = limits::CURRENCIES_PER_DAY;
        v.add(field, format!("must be at most {most} entries"));
        return;
    }
    for (currency, rate) in &day.rates {
        if *rate <= Decimal::ZERO || *rate > crate::money::MAX_AMOUNT {
            let most = crate::money::MAX_AMOUNT;
            v.add(
                format!("{field}.{currency}"),
                format!("must be more than 0, at most {most}"),
            );
        }
        if *currency == base {
            v.add(format!("{field}.{currency}"), "is the base itself");
        }
    }
}

/// Two days have the same digest when their rates are equal as numbers: 1.10 is 1.1.
fn digest(day: &RateDay) -> (u64, u64) {
    let mut hash = Sha256::new();
    for (currency, rate) in &day.rates {
        hash.update(format!("{currency} {}\n", rate.normalize()));
    }
    let bytes = hash.finalize();
    let half = |from: usize| {
        bytes[from..from + 8]
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    (half(0), half(8))
}

impl Decide for Rates {
    type Command = RatesCommand;
    type Event = RatesEvent;

    fn decide(&self, command: RatesCommand) -> Result<Vec<RatesEvent>, Rejection> {
        refuse_unreadable(self.unreadable)?;
        match command {
            RatesCommand::Publish(publish) => self.publish(publish),
        }
    }

    fn evolve(&mut self, event: &RatesEvent) {
        match event {
            RatesEvent::RatesPublished { base, days, .. } => {
                self.base = Some(*base);
                self.days
                    .extend(days.iter().map(|day| (day.date, digest(day))));
            }
            RatesEvent::Unknown { .. } => self.unreadable = true,
        }
    }
}

impl Entity for Rates {
    fn routing(&self) -> Option<Routing> {
        // The stream needs no creation: it begins with the first rates.
        Some(Routing::EveryPartition)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::test_support::given;
    use crate::time::add_days;

    fn day(date: Date, rates: &[(&str, &str)]) -> RateDay {
        let rate =
            |(code, rate): &(&str, &str)| (Currency::parse(code).unwrap(), rate.parse().unwrap());
        RateDay {
            date,
            rates: rates.iter().map(rate).collect(),
        }
    }

    fn publish(days: Vec<RateDay>) -> RatesCommand {
        RatesCommand::Publish(PublishRates {
            source: "ECB".to_owned(),
            base: Currency::EUR,
            days,
        })
    }

    fn published(days: Vec<RateDay>) -> RatesEvent {
        RatesEvent::RatesPublished {
            source: "ECB".to_owned(),
            base: Currency::EUR,
            days,
        }
    }

    #[test]
    fn only_days_that_are_new_or_differ_are_written_and_in_order() {
        let monday = date(2026, 3, 2);
        let tuesday = date(2026, 3, 3);
        let first = day(monday, &[("USD", "1.10"), ("JPY", "160")]);
        given::<Rates>([])
            .when(publish(vec![first.clone()]))
            .then([published(vec![first.clone()])])
            .when(publish(vec![first.clone()]))
            .nothing()
            .when(publish(vec![day(tuesday, &[("USD", "1.2")]), first]))
            .then([published(vec![day(tuesday, &[("USD", "1.2")])])])
            .when(publish(vec![day(monday, &[("USD", "1.11")])]))
            .then([published(vec![day(monday, &[("USD", "1.11")])])]);
    }

    #[test]
    fn the_same_number_written_otherwise_is_no_change() {
        let monday = date(2026, 3, 2);
        given::<Rates>([])
            .when(publish(vec![day(monday, &[("USD", "1.10")])]))
            .accepted()
            .when(publish(vec![day(monday, &[("USD", "1.1000")])]))
            .nothing();
    }

    #[test]
    fn a_long_history_becomes_several_bounded_events_and_twice_is_once() {
        let start = date(1999, 1, 4);
        let days: Vec<_> = (0..1_000)
            .map(|n| day(add_days(start, n), &[("USD", "1.5")]))
            .collect();
        let answer = given::<Rates>([]).when(publish(days.clone())).accepted();
        assert_eq!(answer.state.day_count(), 1_000);
        assert_eq!(answer.state.span(), Some((start, add_days(start, 999))));
        answer.when(publish(days.clone())).nothing();
        let events = Rates::default().decide(publish(days)).unwrap();
        assert_eq!(events.len(), 3);
    }

    #[test]
    fn rates_that_are_no_rates_are_refused_one_by_one() {
        let wrong = vec![
            day(date(2026, 3, 2), &[("USD", "0"), ("EUR", "1")]),
            day(date(2026, 3, 2), &[("USD", "-1")]),
            day(date(1492, 1, 1), &[]),
        ];
        given::<Rates>([]).when(publish(wrong)).invalid(&[
            "days[0].rates.EUR",
            "days[0].rates.USD",
            "days[1].date",
            "days[1].rates.USD",
            "days[2].date",
            "days[2].rates",
        ]);
    }

    #[test]
    fn the_base_stays_what_it_was() {
        let days = vec![day(date(2026, 3, 2), &[("JPY", "150")])];
        given::<Rates>([])
            .when(publish(days.clone()))
            .accepted()
            .when(RatesCommand::Publish(PublishRates {
                source: "FED".to_owned(),
                base: Currency::USD,
                days,
            }))
            .refused("RATES_BASE_FIXED");
    }

    proptest::proptest! {
        #[test]
        fn any_publications_replay_and_repeating_the_last_changes_nothing(
            steps in proptest::collection::vec(
                proptest::collection::vec((0..20_i32, -1..4_i64, 0..3_u32), 0..6), 0..8)
        ) {
            let commands: Vec<_> = steps.into_iter().map(|days| {
                publish(days.into_iter().map(|(at, rate, scale)| RateDay {
                    date: add_days(date(2026, 1, 1), at),
                    rates: [(Currency::USD, Decimal::new(rate, scale))].into(),
                }).collect())
            }).collect();
            let (rates, _) = crate::test_support::run_and_replay::<Rates>(commands.clone());
            let accepted = |c: &RatesCommand| Rates::default().decide(c.clone()).is_ok();
            let taken = commands.into_iter().rev().find(accepted);
            if let Some(last) = taken {
                proptest::prop_assert_eq!(rates.decide(last), Ok(Vec::new()));
            }
        }
    }
}
