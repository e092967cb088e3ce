//! Orgs, programs, exchange rates, segments, the benefits library and badges, as gRPC commands.
//!
//! Nothing is decided here. A request becomes a command of the domain with its looked-up data, the
//! runner carries it out, and the folded state becomes the answer.

mod badges;
mod benefits;
mod orgs;
mod programs;
mod rates;
mod segments;

pub use badges::{BadgeService, badge_server};
pub use benefits::{BenefitService, benefit_server};
pub use orgs::{OrgService, org_server};
pub use programs::{ProgramService, program_server};
pub use rates::{RateService, rate_server};
pub use segments::{SegmentService, segment_server};

use tierline_eventstore::{Migration, Migrations};

/// The table of badge images.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "program",
    files: &[Migration {
        name: "0001_badges.sql",
        sql: include_str!("../migrations/0001_badges.sql"),
    }],
};
