//! A partner as the evaluator keeps it in memory: attributes, enrollments with their standings,
//! and the indexed facts.

use std::collections::BTreeMap;

use jiff::civil::Date;
use tierline_domain::EnrollmentId;
use tierline_domain::partner::Partner;
use tierline_domain::rules::IndexedFacts;
use tierline_domain::standing::{Standing, Terms};
use tierline_domain::surroundings::Surroundings;

/// A partner of one org.
#[derive(Default)]
pub(crate) struct PartnerState {
    /// The partition of the log that carries the partner.
    pub(crate) partition: u8,
    /// The partner without its contacts: its attributes are what requirements may ask.
    pub(crate) partner: Partner,
    /// The partner changed since it was last written.
    pub(crate) partner_changed: bool,
    /// The enrollments, ended ones included.
    pub(crate) enrollments: BTreeMap<EnrollmentId, Enrolled>,
    /// The facts, once somebody had to look at them.
    pub(crate) index: Option<IndexedFacts>,
    /// Number of the batch that used it last.
    pub(crate) last_used: u64,
    /// Rough size in memory, in entries of a map, as last weighed.
    pub(crate) weight: usize,
}

/// An enrollment and where it stands.
pub(crate) struct Enrolled {
    /// What people decided.
    pub(crate) terms: Terms,
    /// What the evaluator decided.
    pub(crate) standing: Standing,
    /// What was observed around it.
    pub(crate) known: Surroundings,
    /// Version of the Standing stream.
    pub(crate) version: u64,
    /// The next day on which time alone could change something.
    pub(crate) next_change: Option<Date>,
    /// Changed since it was last written.
    pub(crate) changed: bool,
}

impl Enrolled {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            terms,
            standing: Standing::default(),
            known: Surroundings::default(),
            version: 0,
            next_change: None,
            changed: true,
        }
    }
}

impl PartnerState {
    /// True when no assessment can follow from anything that happens to the partner.
    pub(crate) fn is_idle(&self) -> bool {
        self.enrollments
            .values()
            .all(|enrolled| enrolled.standing.closed.is_some())
    }

    /// Notes how large it is.
    pub(crate) fn weigh(&mut self) {
        let days = self
            .index
            .iter()
            .flat_map(IndexedFacts::series)
            .map(|(_, _, s)| s.days().len());
        let whole = self.index.as_ref().map_or(0, IndexedFacts::kept_whole);
        let observed = self.enrollments.values();
        let observed = observed.map(|enrolled| enrolled.known.beyond.states.len());
        self.weight = 8
            + 16 * self.enrollments.len()
            + 4 * observed.sum::<usize>()
            + days.sum::<usize>()
            + 4 * whole;
    }
}
