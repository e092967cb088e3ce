//! The benefits table: a row per benefit of the library.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tierline_domain::BenefitId;
use tierline_domain::benefit::{BenefitContent, BenefitType};

/// A benefit of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenefitRow {
    /// Identifier.
    pub benefit: BenefitId,
    /// What it is.
    pub content: BenefitContent,
    /// True while new versions of programs do not take it.
    #[serde(default)]
    pub archived: bool,
    /// When it was recorded that the benefit exists.
    pub create_time: Timestamp,
    /// When a change was last recorded.
    pub update_time: Timestamp,
}

/// The columns of `read.benefits` beside the common ones.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the columns of the table, under their names")]
pub struct BenefitColumns<'a> {
    pub name: &'a str,
    #[serde(rename = "type")]
    pub benefit_type: BenefitType,
    pub archived: bool,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

impl BenefitRow {
    /// What stands in the columns.
    pub fn columns(&self) -> BenefitColumns<'_> {
        BenefitColumns {
            name: &self.content.name,
            benefit_type: self.content.benefit_type,
            archived: self.archived,
            create_time: self.create_time,
            update_time: self.update_time,
        }
    }
}
