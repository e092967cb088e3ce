//! What lies beyond one partner: related companies, other tracks and programs, the ranking of a
//! track, and the line for tiers that are limited in number.
//!
//! It is an input of the assessment like the facts, supplied by whoever knows it
//! ([`crate::rules::FactSource::beyond`]). Nothing here looks at another partner by itself, and
//! what was not supplied is unknown.

mod input;
mod places;
mod reading;
mod with;

pub use input::{
    Beyond, BeyondState, InLine, KEPT_DAYS, MAX_COMPANIES, MAX_STATES, MAX_TIERS, Ranked,
    RelatedCompany, Relation, TierElsewhere,
};
pub use places::{Claim, Queue, Ranking, place_in_line, rank_among};
pub use reading::number_of;
pub use with::WithBeyond;
