//! What may be asked of a certification.

use jiff::civil::Date;

use crate::activity::certification::events::CertificationRecord;
use crate::ids::{CertificationId, PartnerId};

/// The commands of a certification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificationCommand {
    /// A person at the partner got it.
    Award(Box<DescribeCertification>),
    /// It is valid for longer. The same last day again: nothing to do.
    Renew {
        /// The business date of the renewal; not before the award.
        renewed_date: Date,
        /// The new last day; later than the renewal. Absent: it does not expire.
        expires_date: Option<Date>,
    },
    /// Take it away. Again: nothing to do.
    Revoke {
        /// The business date of the decision; not before the award.
        date: Date,
        /// Why; required.
        reason: String,
    },
    /// The person left the partner. On the same date again: nothing to do.
    HolderLeft {
        /// The first business date on which the person is not at the partner.
        date: Date,
    },
    /// Take the whole state from another system: creates the certification where it is missing.
    /// The same state as known: nothing to do.
    Record(Box<DescribeCertification>),
}

/// A certification with everything about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeCertification {
    /// Identifier of this certification of this person.
    pub certification: CertificationId,
    /// The partner it counts for.
    pub partner: PartnerId,
    /// Everything about it. An award is neither revoked nor left.
    pub record: CertificationRecord,
}
