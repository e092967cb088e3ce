//! The standings table: a row per enrollment.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tierline_domain::standing::{Standing, Terms, TierSource};
use tierline_domain::{PartnerId, ProgramId, TierId, TrackId};
use uuid::Uuid;

use crate::NO_RANK;

/// An enrollment and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandingRow {
    /// The enrollment: who takes part in what, and the pin of its tier.
    pub terms: Terms,
    /// Where it stands; without a tier until the first assessment.
    pub standing: Standing,
    /// Name of the tier.
    pub tier_name: String,
    /// Rank of the tier: 0 is the highest.
    pub rank: u16,
    /// Version of the program that was in force at the last assessment that changed anything.
    pub program_version: u32,
    /// The decision that led to the present tier: the id of its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Uuid>,
    /// Version of the stream of the standing.
    pub version: i64,
    /// When the last change was recorded.
    pub update_time: Timestamp,
}

/// The columns of `read.standings` beside the common ones.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the columns of the table, under their names")]
pub struct StandingColumns<'a> {
    pub partner_id: &'a PartnerId,
    pub program: &'a ProgramId,
    pub track: &'a TrackId,
    pub tier: Option<&'a TierId>,
    pub tier_name: Option<&'a str>,
    pub tier_rank: u16,
    pub tier_since: Option<Date>,
    pub source: Option<TierSource>,
    pub pinned: Option<&'a TierId>,
    pub at_risk: bool,
    pub recommended: Option<&'a TierId>,
    pub closed: bool,
    pub evaluated: Option<Date>,
    pub version: i64,
    pub update_time: Timestamp,
}

impl StandingRow {
    /// An enrollment that was not assessed yet.
    pub fn new(terms: Terms, update_time: Timestamp) -> Self {
        Self {
            terms,
            standing: Standing::default(),
            tier_name: String::new(),
            rank: NO_RANK,
            program_version: 0,
            decision: None,
            version: 0,
            update_time,
        }
    }

    /// What stands in the columns.
    pub fn columns(&self) -> StandingColumns<'_> {
        let (terms, standing) = (&self.terms, &self.standing);
        let assessed = standing.tier.is_some();
        StandingColumns {
            partner_id: &terms.partner,
            program: &terms.program,
            track: &terms.track,
            tier: standing.tier.as_ref(),
            tier_name: assessed.then_some(self.tier_name.as_str()),
            tier_rank: self.rank,
            tier_since: assessed.then_some(standing.tier_since),
            source: assessed.then_some(standing.source),
            pinned: terms.pin.as_ref().map(|pin| &pin.tier),
            at_risk: standing.process.is_some(),
            recommended: standing
                .recommended
                .as_ref()
                .map(|recommended| &recommended.to),
            closed: standing.closed.is_some(),
            evaluated: assessed.then_some(standing.last_as_of),
            version: self.version,
            update_time: self.update_time,
        }
    }
}
