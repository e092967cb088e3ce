//! Persons who hold enough valid certifications.
//!
//! A certification is valid from its `awarded` date to its `expires` date, both included; without
//! `expires` it does not expire. Revoked, retracted and disqualified ones count for nothing. A
//! person is told apart by the field `person`, a certification by the field `certification`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::rules::condition::{Fields, Truth};
use crate::rules::digest::Digest;
use crate::rules::evaluate::{FactSource, Reading};
use crate::rules::fact::Fact;
use crate::rules::model::{Condition, OfWhich};
use crate::rules::series::{LeftOut, key_text, void};
use crate::rules::tally::Tally;
use crate::time::next_day;

/// A certification fact with what is made of it whenever it is looked at.
#[derive(Debug, Clone)]
pub struct Certificate<'a> {
    pub(crate) fact: &'a Fact,
    pub(crate) digest: Digest,
    pub(crate) person: Option<Cow<'a, str>>,
    pub(crate) certification: Option<Cow<'a, str>>,
}

impl<'a> Certificate<'a> {
    /// Of a fact of the kind `certification`.
    pub fn of(fact: &'a Fact) -> Self {
        let key = |name| fact.get(name).and_then(key_text).map(Cow::Owned);
        Self {
            fact,
            digest: Digest::of(&[
                fact.kind.as_str().as_bytes(),
                fact.id.as_bytes(),
                &fact.version.to_le_bytes(),
            ]),
            person: key("person"),
            certification: key("certification"),
        }
    }
}

/// What a certification fact means as of a day.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held<'f> {
    /// A valid certification that passes the filter.
    Valid {
        /// The person, in the form that is compared.
        person: Cow<'f, str>,
        /// The certification, in the form that is compared.
        certification: Cow<'f, str>,
    },
    /// It is not valid yet.
    Future(Date),
    /// It expired; the last valid day.
    Expired(Date),
    /// It was revoked.
    Revoked,
    /// It does not count.
    LeftOut(LeftOut<'f>),
}

/// What a certification fact means as of a day.
pub(crate) fn held<'f>(certificate: Certificate<'f>, filter: &Condition, as_of: Date) -> Held<'f> {
    let fact = certificate.fact;
    if let Some(why) = void(fact) {
        return Held::LeftOut(why);
    }
    if fact.state == "revoked" {
        return Held::Revoked;
    }
    match filter.holds(fact) {
        Truth::False => return Held::LeftOut(LeftOut::Filtered),
        Truth::Unknown => return Held::LeftOut(LeftOut::Unclear),
        Truth::True => {}
    }
    let Some(awarded) = fact.date("awarded") else {
        return Held::LeftOut(LeftOut::Undated);
    };
    // One that expires before it is awarded is never valid.
    let over = |expires: &Date| *expires < as_of || *expires < awarded;
    if let Some(expires) = fact.date("expires").filter(over) {
        return Held::Expired(expires);
    }
    if awarded > as_of {
        return Held::Future(awarded);
    }
    match (certificate.person, certificate.certification) {
        (Some(person), Some(certification)) => Held::Valid {
            person,
            certification,
        },
        _ => Held::LeftOut(LeftOut::NoValue),
    }
}

#[derive(Default)]
struct Person<'a> {
    certifications: BTreeSet<Cow<'a, str>>,
    parts: u64,
}

/// Counts the persons. Also gives the next day on which a certification begins or stops to count.
pub(crate) fn read<F: FactSource + ?Sized>(
    source: &F,
    filter: &Condition,
    at_least: u32,
    of_which: &[OfWhich],
    as_of: Date,
) -> (Reading, Option<Date>) {
    let mut persons: BTreeMap<Cow<'_, str>, Person<'_>> = BTreeMap::new();
    let mut tally = Tally::default();
    let mut next: Option<Date> = None;
    let mut note = |day: Date| next = Some(next.map_or(day, |next| next.min(day)));
    source.each_certificate(&mut |certificate| {
        let (fact, digest) = (certificate.fact, certificate.digest);
        match held(certificate, filter, as_of) {
            Held::Valid {
                person,
                certification,
            } => {
                if let Some(expires) = fact.date("expires") {
                    note(next_day(expires));
                }
                tally.count += 1;
                tally.digest.add(digest);
                let person = persons.entry(person).or_default();
                person.certifications.insert(certification);
                for (at, part) in of_which.iter().enumerate().take(64) {
                    let inside = part.filter.holds(fact) == Truth::True;
                    person.parts |= u64::from(inside) << at;
                }
            }
            Held::Future(awarded) => note(awarded),
            Held::LeftOut(why @ (LeftOut::Unclear | LeftOut::NoValue)) => {
                match why {
                    LeftOut::Unclear => tally.unclear += u64::from(in_force(fact, as_of)),
                    _ => tally.valueless += 1,
                }
                // It is shown while it would be valid.
                let expiry = fact.date("expires").map(next_day);
                for day in [fact.date("awarded"), expiry].into_iter().flatten() {
                    if day > as_of {
                        note(day);
                    }
                }
            }
            Held::Expired(_) | Held::Revoked | Held::LeftOut(_) => {}
        }
    });
    let enough = usize::try_from(at_least).unwrap_or(usize::MAX);
    persons.retain(|_, person| person.certifications.len() >= enough);
    let part = |at: usize| {
        let inside = |person: &&Person<'_>| (person.parts >> at) & 1 == 1;
        Decimal::from(persons.values().filter(inside).count())
    };
    let reading = Reading {
        number: Some(persons.len().into()),
        parts: (0..of_which.len().min(64)).map(part).collect(),
        open: tally.valueless > 0,
        tally,
        ..Reading::default()
    };
    (reading, next)
}

fn in_force(fact: &Fact, as_of: Date) -> bool {
    fact.date("awarded").is_some_and(|awarded| awarded <= as_of)
        && fact.date("expires").is_none_or(|expires| expires >= as_of)
}
