//! Seats filled by persons: a maximum matching.
//!
//! A person can fill a role with one valid certification that passes its filter, takes one seat of
//! it at most, and may fill `per_person` roles in all. Among equally good choices the one is taken
//! that persons in alphabetical order lead to, so that the same facts always give the same names.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::rules::certified::{Held, Noted, held};
use crate::rules::condition::Truth;
use crate::rules::evaluate::FactSource;
use crate::rules::explain::{Found, Input, Unit};
use crate::rules::measuring::Reading;
use crate::rules::model::{Condition, Role, Roles};

/// Which roles a person can fill.
type Able = BTreeMap<String, Vec<bool>>;

/// Counts the seats that can be filled. Also gives the next day on which a certification begins or
/// stops to count.
pub(crate) fn read<F: FactSource + ?Sized>(
    source: &F,
    wanted: &Roles,
    as_of: Date,
) -> (Reading, Option<Date>) {
    let mut able: Able = BTreeMap::new();
    let mut noted = Noted::new(as_of);
    let any = Condition::Any(
        wanted
            .roles
            .iter()
            .map(|role| role.filter.clone())
            .collect(),
    );
    source.each_certificate(&mut |certificate| {
        let (fact, digest) = (certificate.fact, certificate.digest);
        let found = held(certificate, &any, &wanted.validity, as_of);
        noted.note(fact, digest, &found, &wanted.validity);
        if let Held::Valid { person, .. } = found {
            let roles = able
                .entry(person.into_owned())
                .or_insert_with(|| vec![false; wanted.roles.len()]);
            for (can, role) in roles.iter_mut().zip(&wanted.roles) {
                *can |= role.filter.holds(fact) == Truth::True;
            }
        }
    });
    let filled = Matching::of(&able, wanted).filled();
    let count: usize = filled.iter().map(Vec::len).sum();
    let inputs = filled
        .iter()
        .zip(&wanted.roles)
        .map(|(persons, role)| seats(role, persons))
        .collect();
    let reading = Reading {
        open: noted.tally.valueless > 0,
        found: Found::undated(&noted.tally),
        inputs,
        ..Reading::of(Decimal::from(count), Unit::Things)
    };
    (reading, noted.next)
}

fn seats(role: &Role, persons: &[&str]) -> Input {
    let text = match persons {
        [] => format!("of {}", role.seats),
        persons => format!("of {}: {}", role.seats, persons.join(", ")),
    };
    Input {
        name: role.name.clone(),
        number: Some(persons.len().into()),
        applies: true,
        unit: Unit::Persons,
        found: Found::default(),
        note: Some(text),
        inputs: Vec::new(),
    }
}

/// Paths that free a seat by moving persons along, until there is none.
struct Matching<'a> {
    persons: Vec<(&'a str, &'a [bool])>,
    seats: Vec<usize>,
    per_person: usize,
    /// Who sits in a role.
    taken: Vec<Vec<usize>>,
}

impl<'a> Matching<'a> {
    fn of(able: &'a Able, wanted: &Roles) -> Self {
        let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let mut matching = Self {
            persons: able
                .iter()
                .map(|(person, roles)| (person.as_str(), roles.as_slice()))
                .collect(),
            seats: wanted.roles.iter().map(|role| number(role.seats)).collect(),
            per_person: number(wanted.per_person),
            taken: vec![Vec::new(); wanted.roles.len()],
        };
        for person in 0..matching.persons.len() {
            let most = matching.per_person.min(wanted.roles.len());
            for _ in 0..most {
                let mut seen = vec![false; wanted.roles.len()];
                if !matching.seat(person, &mut seen) {
                    break;
                }
            }
        }
        matching
    }

    /// Finds one more role for a person; whoever has to leave one finds another.
    fn seat(&mut self, person: usize, seen: &mut [bool]) -> bool {
        for role in 0..self.seats.len() {
            let can = self.persons[person].1[role];
            if !can || seen[role] || self.taken[role].contains(&person) {
                continue;
            }
            seen[role] = true;
            if self.taken[role].len() < self.seats[role] {
                self.taken[role].push(person);
                return true;
            }
            for at in 0..self.taken[role].len() {
                let other = self.taken[role][at];
                if self.seat(other, seen) {
                    self.taken[role][at] = person;
                    return true;
                }
            }
        }
        false
    }

    /// The persons of each role, in alphabetical order.
    fn filled(&self) -> Vec<Vec<&'a str>> {
        self.taken
            .iter()
            .map(|persons| {
                let mut names: Vec<&str> = persons.iter().map(|at| self.persons[*at].0).collect();
                names.sort_unstable();
                names
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn roles(seats: &[u32], per_person: u32) -> Roles {
        let role = |seats: &u32| Role {
            name: "role".to_owned(),
            seats: *seats,
            filter: Condition::default(),
        };
        Roles {
            roles: seats.iter().map(role).collect(),
            per_person,
            validity: Vec::new(),
        }
    }

    fn able(table: &[Vec<bool>]) -> Able {
        let named = table.iter().enumerate();
        named
            .map(|(at, roles)| (format!("p{at}"), roles.clone()))
            .collect()
    }

    /// Every choice there is.
    fn best(table: &[Vec<bool>], seats: &mut Vec<u32>, per_person: u32) -> usize {
        fn choose(
            table: &[Vec<bool>],
            seats: &mut Vec<u32>,
            left: u32,
            role: usize,
            per: u32,
        ) -> usize {
            let Some(person) = table.first() else {
                return 0;
            };
            if role == seats.len() {
                return choose(&table[1..], seats, per, 0, per);
            }
            let mut most = choose(table, seats, left, role + 1, per);
            if person[role] && left > 0 && seats[role] > 0 {
                seats[role] -= 1;
                most = most.max(1 + choose(table, seats, left - 1, role + 1, per));
                seats[role] += 1;
            }
            most
        }
        choose(table, seats, per_person, 0, per_person)
    }

    proptest! {
        #[test]
        fn no_other_choice_of_persons_fills_more_seats(
            table in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 3), 0..5),
            seats in proptest::collection::vec(0..3_u32, 3),
            per_person in 1..3_u32,
        ) {
            let able = able(&table);
            let wanted = roles(&seats, per_person);
            let matching = Matching::of(&able, &wanted);
            let filled = matching.filled();
            for (persons, seats) in filled.iter().zip(&seats) {
                prop_assert!(persons.len() <= usize::try_from(*seats).unwrap());
            }
            let count: usize = filled.iter().map(Vec::len).sum();
            prop_assert_eq!(count, best(&table, &mut seats.clone(), per_person));
        }
    }
}
