//! The partners table: a row per partner.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tierline_domain::partner::{PartnerProfile, PartnerStage, PartnerStatus, PartnerType};
use tierline_domain::rules::Value;
use tierline_domain::{EnrollmentId, PartnerId, ProgramId, TierId, TrackId};

use crate::NO_RANK;

/// A partner with the tier of each of its enrollments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerRow {
    /// Identifier.
    pub partner: PartnerId,
    /// The description.
    pub profile: PartnerProfile,
    /// Whether it takes part.
    pub status: PartnerStatus,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// When it was recorded that it exists.
    pub create_time: Timestamp,
    /// When a change of the partner itself was last recorded.
    pub update_time: Timestamp,
    /// The enrollments.
    pub standings: BTreeMap<EnrollmentId, StandingLine>,
}

/// An enrollment of a partner in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingLine {
    /// The program.
    pub program: ProgramId,
    /// The track.
    pub track: TrackId,
    /// The tier; absent until the first assessment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierId>,
    /// Name of the tier.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tier_name: String,
    /// Rank of the tier: 0 is the highest.
    pub rank: u16,
    /// Since when the tier is held; before the first assessment the start of the enrollment.
    pub since: Date,
    /// True once the enrollment has ended.
    #[serde(default)]
    pub closed: bool,
}

/// The columns of `read.partners` beside the common ones.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the columns of the table, under their names")]
pub struct PartnerColumns<'a> {
    pub name: &'a str,
    pub name_search: String,
    pub domain: &'a str,
    pub partner_type: PartnerType,
    pub status: PartnerStatus,
    pub stage: Option<PartnerStage>,
    pub region: Option<&'a str>,
    pub regions: Vec<&'a str>,
    pub country: Option<&'a str>,
    pub industry: Option<&'a str>,
    pub manager: Option<&'a str>,
    pub tags: &'a BTreeSet<String>,
    pub tier: Option<&'a TierId>,
    pub tier_name: Option<&'a str>,
    pub tier_rank: u16,
    pub programs: BTreeSet<&'a ProgramId>,
    pub tracks: BTreeSet<&'a TrackId>,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

impl PartnerRow {
    /// The enrollments that have not ended.
    pub fn open(&self) -> impl Iterator<Item = &StandingLine> {
        self.standings.values().filter(|line| !line.closed)
    }

    /// The standing whose tier is shown for the partner as a whole: of the open ones the highest,
    /// and of several equally high ones the longest held.
    pub fn shown(&self) -> Option<&StandingLine> {
        self.open()
            .filter(|line| line.tier.is_some())
            .min_by_key(|line| (line.rank, line.since))
    }

    /// What segments can ask about the partner; the same as of the partner itself.
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        self.profile.attributes_with(self.status, &self.tags)
    }

    /// The regions: all that are named, the main one first.
    pub fn all_regions(&self) -> Vec<&str> {
        let main = self.profile.region.as_deref();
        let others = self.profile.regions.iter().map(String::as_str);
        main.into_iter()
            .chain(others.filter(|region| Some(*region) != main))
            .collect()
    }

    /// What stands in the columns.
    pub fn columns(&self) -> PartnerColumns<'_> {
        let profile = &self.profile;
        let shown = self.shown();
        PartnerColumns {
            name: &profile.name,
            name_search: profile.name.to_lowercase(),
            domain: &profile.domain,
            partner_type: profile.partner_type,
            status: self.status,
            stage: profile.stage,
            region: profile.region.as_deref(),
            regions: self.all_regions(),
            country: profile.country.as_deref(),
            industry: profile.industry.as_deref(),
            manager: profile.partner_manager.as_deref(),
            tags: &self.tags,
            tier: shown.and_then(|line| line.tier.as_ref()),
            tier_name: shown.map(|line| line.tier_name.as_str()),
            tier_rank: shown.map_or(NO_RANK, |line| line.rank),
            programs: self.open().map(|line| &line.program).collect(),
            tracks: self.open().map(|line| &line.track).collect(),
            create_time: self.create_time,
            update_time: self.update_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(rank: u16, since: &str, closed: bool) -> StandingLine {
        StandingLine {
            program: ProgramId::parse("cloud").unwrap(),
            track: TrackId::parse("resell").unwrap(),
            tier: Some(TierId::parse(format!("t{rank}")).unwrap()),
            tier_name: format!("Tier {rank}"),
            rank,
            since: since.parse().unwrap(),
            closed,
        }
    }

    #[test]
    fn the_shown_tier_is_the_highest_open_one_and_of_equals_the_longest_held() {
        let lines = [
            line(0, "2024-01-01", true),
            line(2, "2020-01-01", false),
            line(1, "2025-06-01", false),
            line(1, "2025-01-01", false),
        ];
        let row = PartnerRow {
            partner: PartnerId::parse("p-1").unwrap(),
            profile: PartnerProfile::new("Acme", "acme.example", PartnerType::Channel),
            status: PartnerStatus::Active,
            tags: BTreeSet::new(),
            create_time: Timestamp::UNIX_EPOCH,
            update_time: Timestamp::UNIX_EPOCH,
            standings: lines
                .into_iter()
                .enumerate()
                .map(|(n, line)| (EnrollmentId::parse(format!("e-{n}")).unwrap(), line))
                .collect(),
        };
        assert_eq!(row.shown().unwrap().since, "2025-01-01".parse().unwrap());
        assert_eq!(row.columns().tier_rank, 1);
    }
}
