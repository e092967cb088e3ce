//! What follows for every standing when a draft comes into force.

use jiff::civil::Date;

use super::compare::{Ground, Side, compare};
use super::{Compared, Draft};
use crate::aggregate::Decide;
use crate::ids::EnrollmentId;
use crate::program::Transition;
use crate::rejection::Rejection;
use crate::rules::{Beyond, Fact, NaiveFacts, WithBeyond};
use crate::standing::aggregate::Standing;
use crate::standing::assess::assess;
use crate::standing::events::{Basis, Progress};
use crate::standing::past::{OrgHistory, PartnerHistory};
use crate::standing::replay::World;
use crate::standing::subject::{Terms, Version, in_force};
use crate::surroundings::Otherwise;

/// Days on which one enrollment is looked at on the way. More would mean that an assessment asks to
/// be woken without end.
const MAX_STEPS: usize = 4_000;

/// What is supposed.
#[derive(Debug, Clone, Default)]
pub struct Supposed {
    /// Things that have not happened, beside what is recorded. They are there on both sides or on
    /// the other side alone; see `facts_on_both_sides`.
    pub facts: Vec<Fact>,
    /// True: the sides differ by the draft alone. False: by the facts as well.
    pub facts_on_both_sides: bool,
    /// First day on which the draft is in force.
    pub effective: Date,
    /// From when on tiers may be lost under the draft.
    pub transition: Transition,
    /// The day as of which the business stands now.
    pub today: Date,
    /// The day that is asked about; not before `today`. Until then time passes and nothing else
    /// happens.
    pub on: Date,
}

/// What is found of an enrollment.
#[derive(Debug, Clone, PartialEq)]
pub struct Previewed {
    /// Both sides.
    pub compared: Compared,
    /// What each tier asks for and how far it is, on the other side.
    pub progress: Option<Progress>,
}

/// Compares, for the enrollments of a partner in the program of the draft, what follows on a day
/// with the rules as published and with the draft, from what was recorded up to `up_to`. With
/// `only`, just that enrollment.
///
/// # Errors
/// When an input cannot be read.
pub fn preview(
    org: &OrgHistory,
    partner: &PartnerHistory,
    draft: &Draft,
    supposed: &Supposed,
    only: Option<&EnrollmentId>,
    up_to: u64,
) -> Result<Vec<Previewed>, Rejection> {
    let mut world = World::new(org, partner);
    world.advance_to(up_to)?;
    let published = world
        .versions
        .get(&draft.program)
        .map_or(&[][..], Vec::as_slice);
    let mut drafted = published.to_vec();
    if let Some(definition) = &draft.definition {
        let newest = drafted.iter().map(|version| version.number).max();
        drafted.push(Version {
            number: newest.unwrap_or_default() + 1,
            effective: supposed.effective,
            transition: supposed.transition,
            definition: (**definition).clone(),
        });
    }
    let facts = world.facts();
    let mut with_supposed = facts.clone();
    with_supposed.extend(supposed.facts.iter().cloned());
    let present = match supposed.facts_on_both_sides {
        true => &with_supposed,
        false => &facts,
    };
    let enrollments = world.terms.iter().filter(|(id, terms)| {
        terms.program == draft.program && only.is_none_or(|only| only == *id)
    });
    let present_rules = in_force(published, supposed.today);
    let otherwise = present_rules.zip(draft.definition.as_ref());
    let otherwise = otherwise.map(|(known, draft)| Otherwise::of(&known.definition, draft));
    let otherwise = otherwise.unwrap_or_default();
    let mut previewed = Vec::new();
    for (id, terms) in enrollments {
        let mut standing = Standing::default();
        for (_, event) in partner.recorded(id) {
            standing.evolve(event);
        }
        let around = world.around(id);
        let seen = otherwise.seen(&terms.track, around);
        let before = follow(
            &world,
            &standing,
            terms,
            published,
            (present, around),
            supposed,
        );
        let known = (&with_supposed[..], &seen);
        let after = follow(&world, &standing, terms, &drafted, known, supposed);
        let attributes = world.partner.attributes();
        let rates = world.rates();
        let ground = Ground {
            terms,
            calendar: world.org.calendar(),
            facts: &WithBeyond {
                facts: &NaiveFacts {
                    facts: &with_supposed,
                    attributes: &attributes,
                    rates: &rates,
                },
                beyond: &seen,
            },
            on: supposed.on,
        };
        let side = |standing, versions| Side {
            standing,
            definition: in_force(versions, supposed.on).map(|version| &version.definition),
        };
        let sides = (side(&before, published), side(&after, &drafted));
        let compared = compare(&ground, &sides.0, &sides.1);
        previewed.extend(compared.map(|compared| Previewed {
            compared,
            progress: after.progress.clone(),
        }));
    }
    Ok(previewed)
}

/// Lets time pass to the day that is asked about.
fn follow(
    world: &World<'_>,
    standing: &Standing,
    terms: &Terms,
    versions: &[Version],
    (facts, beyond): (&[Fact], &Beyond),
    supposed: &Supposed,
) -> Standing {
    let attributes = world.partner.attributes();
    let rates = world.rates();
    let source = WithBeyond {
        facts: &NaiveFacts {
            facts,
            attributes: &attributes,
            rates: &rates,
        },
        beyond,
    };
    let mut standing = standing.clone();
    let mut day = supposed.today.max(standing.last_as_of);
    for _ in 0..MAX_STEPS {
        let calendar = world.org.calendar();
        let basis = Basis::default();
        let done = assess(&standing, terms, versions, calendar, &source, day, &basis);
        if let Some(changed) = done.standing {
            standing = changed;
        }
        match done.next_change {
            Some(next) if next <= supposed.on => day = next,
            _ => break,
        }
    }
    standing
}
