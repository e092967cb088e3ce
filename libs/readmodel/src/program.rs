//! The programs table: a row per program, with every version that was published.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tierline_domain::money::Currency;
use tierline_domain::program::{ProgramDefinition, Track};
use tierline_domain::{ProgramId, TrackId};

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRow {
    /// Identifier.
    pub program: ProgramId,
    /// Name: that of the newest version, and before the first one that of its creation.
    pub name: String,
    /// The published versions, by ascending number.
    pub versions: Vec<PublishedRow>,
    /// True once it takes no more versions and enrollments.
    pub archived: bool,
    /// When it was recorded that it exists.
    pub create_time: Timestamp,
}

/// A published version of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedRow {
    /// Number, from 1.
    pub number: u32,
    /// First day on which it is in force.
    pub effective_date: Date,
    /// Why it was published.
    pub note: String,
    /// Who published it.
    pub actor: String,
    /// When it was recorded.
    pub publish_time: Timestamp,
    /// Its content.
    pub definition: ProgramDefinition,
}

/// The columns of `read.programs` beside the common ones.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the columns of the table, under their names")]
pub struct ProgramColumns<'a> {
    pub name: &'a str,
    pub newest_version: u32,
    pub effective_date: Option<Date>,
    pub currency: Option<Currency>,
    pub archived: bool,
}

impl ProgramRow {
    /// The version with the highest number.
    pub fn newest(&self) -> Option<&PublishedRow> {
        self.versions.last()
    }

    /// The version in force on a day: of those whose effective date has come, the one with the
    /// highest number.
    pub fn in_force(&self, on: Date) -> Option<&PublishedRow> {
        self.versions
            .iter()
            .rev()
            .find(|version| version.effective_date <= on)
    }

    /// A track as the version of this number has it; the newest version if there is no such one.
    pub fn track(&self, version: u32, track: &TrackId) -> Option<&Track> {
        let version = self
            .versions
            .iter()
            .find(|row| row.number == version)
            .or(self.newest())?;
        version.definition.track(track)
    }

    /// What stands in the columns.
    pub fn columns(&self) -> ProgramColumns<'_> {
        let newest = self.newest();
        ProgramColumns {
            name: &self.name,
            newest_version: newest.map_or(0, |version| version.number),
            effective_date: newest.map(|version| version.effective_date),
            currency: newest.map(|version| version.definition.currency),
            archived: self.archived,
        }
    }
}
