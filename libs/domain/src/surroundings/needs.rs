//! What the tiers of a track ask of what lies beyond a partner.

use crate::program::{ProgramDefinition, Track};
use crate::rules::model::{Across, Company, Line, Rank};
use crate::rules::{Measure, Requirement, beyond_of};

/// What has to be observed for the enrollments of a track.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// The tiers of the partner itself.
    pub(super) own_tiers: bool,
    /// The tiers of these companies.
    pub(super) tiers_of: Vec<Company>,
    pub(super) across: Vec<Across>,
    pub(super) ranks: Vec<Rank>,
    /// Each with the place of its tier in the track.
    pub(super) lines: Vec<(usize, Line)>,
}

impl Needs {
    pub(super) fn of(track: &Track) -> Self {
        let mut needs = Self::default();
        for (tier, requirement) in requirements(track) {
            for measure in beyond_of(requirement) {
                needs.add(tier, measure);
            }
        }
        needs
    }

    fn add(&mut self, tier: usize, measure: Measure) {
        match measure {
            Measure::TiersHeld(held) => {
                for company in held.by {
                    if company == Company::Itself {
                        self.own_tiers = true;
                    } else if !self.tiers_of.contains(&company) {
                        self.tiers_of.push(company);
                    }
                }
            }
            // The same name means the same measure; in which form its place is asked does not
            // matter, nor of which companies.
            Measure::Across(across) => self.across.push(across),
            Measure::Rank(rank) if self.ranks.iter().all(|known| known.id != rank.id) => {
                self.ranks.push(rank);
            }
            Measure::Line(line) if self.lines.iter().all(|(_, known)| known.id != line.id) => {
                self.lines.push((tier, line));
            }
            _ => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.own_tiers
            && self.tiers_of.is_empty()
            && self.across.is_empty()
            && self.ranks.is_empty()
            && self.lines.is_empty()
    }

    /// The companies of which anything is asked.
    pub(super) fn companies(&self) -> Vec<Company> {
        let mut all = self.tiers_of.clone();
        all.extend(self.across.iter().flat_map(|across| across.with.clone()));
        all
    }
}

/// The requirements of a track, each with the place of its tier.
fn requirements(track: &Track) -> impl Iterator<Item = (usize, &Requirement)> {
    track.tiers.iter().enumerate().flat_map(|(at, tier)| {
        let both = tier.qualification.iter().chain(&tier.retention);
        both.map(move |requirement| (at, requirement))
    })
}

/// True when a requirement of the program looks beyond the partner.
pub fn looks_beyond(definition: &ProgramDefinition) -> bool {
    let tracks = definition.tracks.iter();
    tracks.map(Needs::of).any(|needs| !needs.is_empty())
}
