//! What the tests are made of.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use tierline_domain::Money;
use tierline_domain::TierId;
use tierline_domain::money::Currency;
use tierline_domain::rules::{
    Beyond, Context, Evaluation, Explanation, Fact, FactKind, FactSource, IndexedFacts, Mode,
    NaiveFacts, RateTable, Requirement, Value, WithBeyond, evaluate, kinds_of, series_of,
};
use tierline_domain::time::Calendar;

/// A day, written `2026-03-31`.
pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// An exact number.
pub fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A currency.
pub fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

/// A requirement, written as in a program file.
pub fn requirement(yaml: &str) -> Requirement {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// A fact without anything.
pub fn fact(kind: &str, id: impl ToString) -> Fact {
    Fact {
        kind: FactKind::new(kind),
        id: id.to_string(),
        version: 1,
        state: "recorded".to_owned(),
        amount: None,
        quantity: None,
        dates: BTreeMap::new(),
        fields: BTreeMap::new(),
        disqualified: None,
    }
}

/// Small changes of a fact, to be chained.
pub trait With: Sized {
    /// In this state.
    fn state(self, state: &str) -> Self;
    /// With this amount.
    fn amount(self, amount: &str, currency: &str) -> Self;
    /// With this date.
    fn on(self, name: &str, day: &str) -> Self;
    /// With this field.
    fn field(self, name: &str, value: impl Into<Entry>) -> Self;
}

/// A value, from what is handy.
pub struct Entry(pub Value);

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Self(Value::text(text))
    }
}

impl From<Decimal> for Entry {
    fn from(number: Decimal) -> Self {
        Self(Value::Number(number))
    }
}

impl From<Date> for Entry {
    fn from(date: Date) -> Self {
        Self(Value::Date(date))
    }
}

impl With for Fact {
    fn state(mut self, state: &str) -> Self {
        self.state = state.to_owned();
        self
    }

    fn amount(mut self, amount: &str, currency: &str) -> Self {
        self.amount = Some(Money::parse(amount, currency).unwrap());
        self
    }

    fn on(mut self, name: &str, date: &str) -> Self {
        self.dates.insert(name.to_owned(), day(date));
        self
    }

    fn field(mut self, name: &str, value: impl Into<Entry>) -> Self {
        self.fields.insert(name.to_owned(), value.into().0);
        self
    }
}

/// A won, partner-sourced deal in US dollars.
pub fn won(id: impl ToString, amount: &str, closed: &str) -> Fact {
    fact("deal", id)
        .state("won")
        .field("source", "partner_sourced")
        .amount(amount, "USD")
        .on("closed", closed)
}

/// A certification of level Associate, awarded at the start of 2026.
pub fn certified(person: &str, certification: &str) -> Fact {
    fact("certification", format!("{person}-{certification}"))
        .state("valid")
        .field("person", person)
        .field("certification", certification)
        .field("level", "Associate")
        .on("awarded", "2026-01-01")
}

/// A partner as the tests know it.
#[derive(Debug, Clone, Default)]
pub struct Partner {
    /// Its facts.
    pub facts: Vec<Fact>,
    /// Its attributes.
    pub attributes: BTreeMap<String, Value>,
    /// The exchange rates.
    pub rates: RateTable,
    /// How time is counted.
    pub calendar: Calendar,
    /// Since when it is enrolled, and in its tier.
    pub since: Date,
    /// The tiers that it has held.
    pub tiers: Vec<(TierId, Date)>,
    /// What lies beyond it, where it is supplied.
    pub beyond: Option<Beyond>,
}

impl Partner {
    /// A partner with these facts, enrolled since the start of 2025.
    pub fn with(facts: impl IntoIterator<Item = Fact>) -> Self {
        Self {
            facts: facts.into_iter().collect(),
            since: day("2025-01-01"),
            ..Self::default()
        }
    }

    /// With an attribute.
    pub fn attribute(mut self, name: &str, value: impl Into<Entry>) -> Self {
        self.attributes.insert(name.to_owned(), value.into().0);
        self
    }

    /// The context of an evaluation.
    pub fn context(&self, as_of: Date, mode: Mode) -> Context<'_> {
        Context {
            as_of,
            calendar: &self.calendar,
            enrolled_since: self.since,
            tier_since: self.since,
            tiers: &self.tiers,
            currency: Currency::USD,
            fixed: &[],
            mode,
        }
    }

    /// Evaluated on the facts one by one.
    pub fn naive(&self, requirement: &Requirement, as_of: Date, mode: Mode) -> Evaluation {
        let source = NaiveFacts {
            facts: &self.facts,
            attributes: &self.attributes,
            rates: &self.rates,
        };
        self.evaluate_on(requirement, &self.context(as_of, mode), &source)
    }

    /// Evaluated on a source, with what lies beyond the partner.
    pub fn evaluate_on<F: FactSource>(
        &self,
        requirement: &Requirement,
        context: &Context<'_>,
        facts: &F,
    ) -> Evaluation {
        match &self.beyond {
            Some(beyond) => evaluate(requirement, context, &WithBeyond { facts, beyond }),
            None => evaluate(requirement, context, facts),
        }
    }

    /// The same facts as an index for a requirement, taken in one by one.
    pub fn indexed(&self, requirement: &Requirement) -> IndexedFacts {
        let mut index = IndexedFacts::new();
        for spec in series_of(requirement, Currency::USD) {
            index.keep(spec, &[], &self.rates);
        }
        for kind in kinds_of(requirement) {
            index.keep_whole(kind, &[]);
        }
        index.set_attributes(self.attributes.clone());
        for fact in &self.facts {
            index.replace(None, Some(fact), &self.rates);
        }
        index
    }

    /// Evaluated both ways, which must agree.
    pub fn evaluate(&self, requirement: &Requirement, as_of: &str) -> Evaluation {
        let as_of = day(as_of);
        let naive = self.naive(requirement, as_of, Mode::AtPeriodEnds);
        let context = self.context(as_of, Mode::AtPeriodEnds);
        let indexed = self.evaluate_on(requirement, &context, &self.indexed(requirement));
        assert_eq!(naive, indexed);
        naive
    }

    /// How the requirement came out.
    pub fn explain(&self, requirement: &Requirement, as_of: &str) -> Explanation {
        self.evaluate(requirement, as_of).explanation
    }
}

/// The measured number of a criterion.
pub fn measured(explanation: &Explanation) -> Option<Decimal> {
    explanation.value.as_ref().and_then(|value| value.number)
}
