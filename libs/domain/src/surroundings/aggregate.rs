//! The surroundings of an enrollment, folded from what was observed. They take no commands: the
//! tier evaluator writes what a [`super::Survey`] finds.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Decide, Entity, Routing};
use crate::ids::PartnerId;
use crate::rejection::Rejection;
use crate::rules::Beyond;
use crate::standing::NoCommand;
use crate::surroundings::events::SurroundingsEvent;

/// What is known of what lies beyond an enrollment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The partner, once anything was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// The states, dated.
    #[serde(default, skip_serializing_if = "Beyond::is_empty")]
    pub beyond: Beyond,
    /// Since when the enrollment is in the lines for limited tiers, by the `id` of the line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_line_since: BTreeMap<String, Date>,
    /// How often the last day was observed.
    #[serde(default)]
    pub of_the_day: u32,
    /// How often anything was observed.
    #[serde(default)]
    pub observations: u64,
}

impl Surroundings {
    /// True before anything was observed.
    pub fn is_empty(&self) -> bool {
        self.observations == 0
    }
}

impl Decide for Surroundings {
    type Command = NoCommand;
    type Event = SurroundingsEvent;

    fn decide(&self, command: NoCommand) -> Result<Vec<SurroundingsEvent>, Rejection> {
        match command {}
    }

    fn evolve(&mut self, event: &SurroundingsEvent) {
        let SurroundingsEvent::SurroundingsObserved(observed) = event else {
            return;
        };
        self.partner = Some(observed.partner.clone());
        self.beyond.observe(observed.state.clone());
        self.in_line_since.clone_from(&observed.in_line_since);
        self.of_the_day = observed.of_the_day;
        self.observations += 1;
    }
}

crate::aggregate!(Surroundings, "Surroundings");

impl Entity for Surroundings {
    fn routing(&self) -> Option<Routing> {
        self.partner.clone().map(Routing::Partner)
    }
}
