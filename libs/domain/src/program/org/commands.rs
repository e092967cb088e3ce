//! What may be asked of an org.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::ids::OrgId;
use crate::money::Currency;

/// The commands of an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgCommand {
    /// Create the org.
    Create(CreateOrg),
    /// Change what a person reads. The same name again: nothing to do.
    Edit {
        /// The new name.
        name: String,
    },
    /// Move the clock of a sandbox org forward. Where it stands already: nothing to do.
    AdvanceClock {
        /// Where to.
        to: ClockTime,
    },
}

/// Create an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOrg {
    /// Identifier of the org.
    pub org: OrgId,
    /// What a person reads.
    pub name: String,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// Month in which its fiscal year begins, 1 to 12.
    pub fiscal_year_start: i8,
    /// The currency of its own books.
    pub base_currency: Currency,
    /// For a sandbox org: where its clock begins. Absent: an ordinary org on real time.
    pub sandbox_clock: Option<ClockTime>,
}

/// A point in time as a caller names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockTime {
    /// An instant.
    Instant(Timestamp),
    /// The beginning of a business date in the zone of the org. When the clock is already within
    /// that date, it stays where it is.
    Date(Date),
}
