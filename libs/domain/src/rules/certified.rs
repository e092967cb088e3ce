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
use crate::rules::contribution::{LeftOut, key_text, void};
use crate::rules::digest::Digest;
use crate::rules::evaluate::FactSource;
use crate::rules::explain::{Found, Unit};
use crate::rules::fact::Fact;
use crate::rules::measuring::Reading;
use crate::rules::model::{Condition, OfWhich, Validity};
use crate::rules::tally::Tally;
use crate::time::{add_months, next_day, previous_day};

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

/// What a certification fact means as of a day. Where a line of validity is for its award,
/// that says until when it is valid, whatever it says itself.
pub(crate) fn held<'f>(
    certificate: Certificate<'f>,
    filter: &Condition,
    validity: &[Validity],
    as_of: Date,
) -> Held<'f> {
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
    if let Some(expires) = expiry(fact, validity).filter(over) {
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

/// The last day on which a certification is valid, if there is one.
pub(crate) fn expiry(fact: &Fact, validity: &[Validity]) -> Option<Date> {
    let awarded = fact.date("awarded")?;
    let mut lines = validity.iter();
    match lines.rfind(|line| line.awarded_from.is_none_or(|from| from <= awarded)) {
        Some(line) => Some(previous_day(add_months(awarded, i32::from(line.months)))),
        None => fact.date("expires"),
    }
}

/// What a count of persons asks for.
#[derive(Clone, Copy)]
pub(crate) struct Persons<'a> {
    /// Filter over certification facts.
    pub(crate) filter: &'a Condition,
    /// How many different certifications a person needs.
    pub(crate) at_least: u32,
    /// Of each of these kinds one at least.
    pub(crate) holding: &'a [Condition],
    /// How long certifications are valid.
    pub(crate) validity: &'a [Validity],
    /// The field that has to have the value of the group, with that value.
    pub(crate) same: Option<(&'a str, &'a str)>,
}

/// What certifications were found, and when one of them begins or stops to count.
pub(crate) struct Noted {
    as_of: Date,
    pub(crate) tally: Tally,
    pub(crate) next: Option<Date>,
}

impl Noted {
    pub(crate) fn new(as_of: Date) -> Self {
        Self {
            as_of,
            tally: Tally::default(),
            next: None,
        }
    }

    pub(crate) fn note(
        &mut self,
        fact: &Fact,
        digest: Digest,
        held: &Held<'_>,
        validity: &[Validity],
    ) {
        let expires = expiry(fact, validity);
        match held {
            Held::Valid { .. } => {
                self.on(expires.map(next_day));
                self.tally.count += 1;
                self.tally.digest.add(digest);
            }
            Held::Future(awarded) => self.on(Some(*awarded)),
            Held::LeftOut(why @ (LeftOut::Unclear | LeftOut::NoValue)) => {
                let awarded = fact.date("awarded");
                match why {
                    LeftOut::Unclear => {
                        let begun = awarded.is_some_and(|awarded| awarded <= self.as_of);
                        let over = expires.is_some_and(|expires| expires < self.as_of);
                        self.tally.unclear += u64::from(begun && !over);
                    }
                    _ => self.tally.valueless += 1,
                }
                // It is shown while it would be valid.
                self.on(awarded);
                self.on(expires.map(next_day));
            }
            Held::Expired(_) | Held::Revoked | Held::LeftOut(_) => {}
        }
    }

    fn on(&mut self, day: Option<Date>) {
        if let Some(day) = day.filter(|day| *day > self.as_of) {
            self.next = Some(self.next.map_or(day, |next| next.min(day)));
        }
    }
}

#[derive(Default)]
struct Person<'a> {
    certifications: BTreeSet<Cow<'a, str>>,
    holding: u64,
    parts: u64,
}

/// Counts the persons. Also gives the next day on which a certification begins or stops to count.
pub(crate) fn read<F: FactSource + ?Sized>(
    source: &F,
    wanted: &Persons<'_>,
    of_which: &[OfWhich],
    as_of: Date,
) -> (Reading, Option<Date>) {
    let mut persons: BTreeMap<Cow<'_, str>, Person<'_>> = BTreeMap::new();
    let mut noted = Noted::new(as_of);
    source.each_certificate(&mut |certificate| {
        let (fact, digest) = (certificate.fact, certificate.digest);
        let of_group = |(field, group)| {
            fact.get(field)
                .and_then(key_text)
                .is_some_and(|k| k == group)
        };
        if !wanted.same.is_none_or(of_group) {
            return;
        }
        let found = held(certificate, wanted.filter, wanted.validity, as_of);
        noted.note(fact, digest, &found, wanted.validity);
        if let Held::Valid {
            person,
            certification,
        } = found
        {
            let person = persons.entry(person).or_default();
            person.certifications.insert(certification);
            let passing = |filter: &Condition| u64::from(filter.holds(fact) == Truth::True);
            for (at, filter) in wanted.holding.iter().enumerate().take(64) {
                person.holding |= passing(filter) << at;
            }
            for (at, part) in of_which.iter().enumerate().take(64) {
                person.parts |= passing(&part.filter) << at;
            }
        }
    });
    let enough = usize::try_from(wanted.at_least).unwrap_or(usize::MAX);
    let kinds = wanted.holding.len().min(64) as u32;
    persons.retain(|_, person| {
        person.certifications.len() >= enough && person.holding.count_ones() == kinds
    });
    let part = |at: usize| {
        let inside = |person: &&Person<'_>| (person.parts >> at) & 1 == 1;
        Decimal::from(persons.values().filter(inside).count())
    };
    let reading = Reading {
        parts: (0..of_which.len().min(64)).map(part).collect(),
        open: noted.tally.valueless > 0,
        found: Found::undated(&noted.tally),
        ..Reading::of(persons.len().into(), Unit::Persons)
    };
    (reading, noted.next)
}
