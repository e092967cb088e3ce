//! The org as one partition of the log knows it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tierline_domain::Decide;
use tierline_domain::ProgramId;
use tierline_domain::program::ProgramEvent;
use tierline_domain::program::org::{Org, OrgEvent};
use tierline_domain::standing::Version;
use tierline_domain::surroundings::looks_beyond;

/// Calendar, clock and program versions of an org, up to a number of the partition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct OrgView {
    /// The org itself.
    pub(crate) org: Org,
    /// The business date that everything has been assessed for; absent before the first event.
    pub(crate) clock: Option<Date>,
    /// Number of the last event taken in of the org.
    #[serde(default)]
    pub(crate) seen: i64,
    /// The last known version of the rates stream.
    pub(crate) rates_seen: u64,
    /// Published versions by program.
    pub(crate) versions: BTreeMap<ProgramId, Vec<Version>>,
    /// Whether any of them looks beyond the partner, once it has been asked.
    #[serde(skip)]
    looks_beyond: OnceLock<bool>,
    /// Changed since it was last written.
    #[serde(skip)]
    pub(crate) changed: bool,
}

impl OrgView {
    /// The business date at an event of the org: the sandbox clock, or the date on which it was
    /// recorded. Never before the present one.
    pub(crate) fn date_at(&self, recorded_at: Timestamp) -> Date {
        let date = self.org.today(recorded_at);
        self.clock.map_or(date, |clock| clock.max(date))
    }

    pub(crate) fn apply_org(&mut self, event: &OrgEvent) {
        self.org.evolve(event);
        self.changed = true;
    }

    /// Takes a program event; true when a version was published.
    pub(crate) fn apply_program(&mut self, program: &ProgramId, event: &ProgramEvent) -> bool {
        let ProgramEvent::ProgramVersionPublished {
            version,
            effective_date,
            transition,
            definition,
            ..
        } = event
        else {
            return false;
        };
        self.changed = true;
        self.looks_beyond = OnceLock::new();
        let versions = self.versions.entry(program.clone()).or_default();
        versions.retain(|known| known.number != *version);
        versions.push(Version {
            number: *version,
            effective: *effective_date,
            transition: *transition,
            definition: (**definition).clone(),
        });
        true
    }

    /// True when a version of a program of the org looks beyond the partner.
    pub(crate) fn looks_beyond(&self) -> bool {
        *self.looks_beyond.get_or_init(|| {
            let mut versions = self.versions.values().flatten();
            versions.any(|version| looks_beyond(&version.definition))
        })
    }

    pub(crate) fn versions_of(&self, program: &ProgramId) -> &[Version] {
        self.versions.get(program).map_or(&[], Vec::as_slice)
    }

    /// Moves the clock; true when it moved.
    pub(crate) fn set_clock(&mut self, to: Date) -> bool {
        if self.clock.is_some_and(|clock| clock >= to) {
            return false;
        }
        self.clock = Some(to);
        self.changed = true;
        true
    }
}
