//! What may be asked of a benefit.

use crate::benefit::content::{BenefitChanges, BenefitContent};
use crate::ids::BenefitId;

/// The commands of a benefit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BenefitCommand {
    /// Create the benefit.
    Create(Box<CreateBenefit>),
    /// Create the benefit where it is missing. One that exists stays as it is, archived or not.
    Seed(Box<CreateBenefit>),
    /// Change it. Values that are the same already are left out; nothing left: nothing to do.
    Edit(Box<BenefitChanges>),
    /// Keep it out of new versions of programs. Archived already: nothing to do.
    Archive,
    /// Let new versions of programs have it again. In use: nothing to do.
    Restore,
}

/// Create a benefit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateBenefit {
    /// Identifier, URL-safe, unique in the org.
    pub benefit: BenefitId,
    /// What it is.
    pub content: BenefitContent,
}
