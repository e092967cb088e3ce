//! Orgs, programs, exchange rates, segments and the benefits library, as gRPC commands.
//!
//! Nothing is decided here. A request becomes a command of the domain with its looked-up data, the
//! runner carries it out, and the folded state becomes the answer.

mod benefits;
mod orgs;
mod programs;
mod rates;
mod segments;

pub use benefits::{BenefitService, benefit_server};
pub use orgs::{OrgService, org_server};
pub use programs::{ProgramService, program_server};
pub use rates::{RateService, rate_server};
pub use segments::{SegmentService, segment_server};
