//! Reading files from other systems: a delimited file and a mapping go in, typed records and one
//! result per row come out.
//!
//! The way through the crate is [`Mapping::load`], [`ImportPlan::open`], [`ImportPlan::check`] and
//! [`CheckedPlan::items`]. The check reads the whole file once and sends nothing; only a file that
//! passed it yields items, so a damaged file is refused before a single record left.
//!
//! Deliberately absent: any network, any clock, any guess. A date or a number is read by the
//! pattern that the mapping declares or not at all; a row is never dropped without a result.

mod error;
mod eval;
mod filters;
mod group;
mod journal;
mod lookup;
mod mapping;
mod parse;
mod plan;
mod reader;
mod record;
mod results;
mod row;
mod steps;
mod suggest;
mod template;
mod unique;

pub use error::{ImportError, MappingError, MissingColumn, Problem};
pub use journal::{Journal, JournalError};
pub use mapping::{Kind, Mapping};
pub use plan::{CheckedPlan, ImportPlan, Item, Items, Observer, Options, Progress, Step, Summary};
pub use reader::Limits;
pub use record::{CertificationRow, ContentHash, DealRow, PartnerRow, RateDay, Record};
pub use results::{Outcome, ResultFormat, ResultWriter, RowRef, RowResult, Stored};
