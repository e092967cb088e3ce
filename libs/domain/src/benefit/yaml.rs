//! Benefits as files: YAML exactly in the serde form of [`BenefitFile`].

use serde::{Deserialize, Serialize};

use crate::benefit::content::BenefitContent;
use crate::benefit::value::BenefitType;
use crate::ids::BenefitId;
use crate::program::yaml;
use crate::rejection::Rejection;

/// A benefit in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenefitFile {
    /// Identifier, URL-safe, unique in the org.
    pub id: BenefitId,
    /// What a person reads.
    pub name: String,
    /// What its values look like.
    #[serde(rename = "type")]
    pub benefit_type: BenefitType,
    /// Longer text; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl BenefitFile {
    /// A benefit as a file.
    pub fn new(id: BenefitId, content: BenefitContent) -> Self {
        Self {
            id,
            name: content.name,
            benefit_type: content.benefit_type,
            description: content.description,
        }
    }

    /// What the benefit is.
    pub fn content(self) -> BenefitContent {
        BenefitContent {
            name: self.name,
            description: self.description,
            benefit_type: self.benefit_type,
        }
    }
}

/// Reads a benefit. It is not checked beyond its shape.
///
/// # Errors
/// `INVALID_REQUEST` on the field `benefit`, with line and column, what is wrong, and for an
/// unknown name the names that are allowed.
pub fn benefit_from_yaml(text: &str) -> Result<BenefitFile, Rejection> {
    yaml::read("benefit", text)
}

/// Writes a benefit.
///
/// # Errors
/// `INVALID_REQUEST` on the field `benefit`, should it have no YAML form.
pub fn benefit_to_yaml(benefit: &BenefitFile) -> Result<String, Rejection> {
    yaml::write("benefit", benefit)
}
