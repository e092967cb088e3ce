//! What is said of a benefit.

use serde::{Deserialize, Serialize};

use crate::benefit::value::BenefitType;
use crate::limits;
use crate::rejection::{Rejection, Violations};

/// A benefit as the library describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenefitContent {
    /// What a person reads, unique in the org in any spelling of upper and lower case.
    pub name: String,
    /// Longer text; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What its values look like. It never changes: published versions of programs rely on it.
    #[serde(rename = "type")]
    pub benefit_type: BenefitType,
}

impl BenefitContent {
    /// Checks the texts.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with one violation per mistake.
    pub fn check(&self) -> Result<(), Rejection> {
        let mut v = Violations::default();
        limits::check_name(&mut v, "name", &self.name, limits::NAME);
        limits::check_note(&mut v, "description", &self.description);
        v.check()
    }
}

/// Changes to a benefit. An absent field stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BenefitChanges {
    /// What a person reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Longer text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

macro_rules! each_field {
    ($each:ident) => {
        $each!(name, description)
    };
}

impl BenefitChanges {
    /// What turns `from` into `to`.
    pub fn between(from: &BenefitContent, to: &BenefitContent) -> Self {
        macro_rules! differences {
            ($($field:ident),+) => {
                Self { $($field: (from.$field != to.$field).then(|| to.$field.clone())),+ }
            };
        }
        each_field!(differences)
    }

    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes the changes.
    pub fn apply_to(&self, content: &mut BenefitContent) {
        macro_rules! replaced {
            ($($field:ident),+) => {
                $(if let Some(value) = &self.$field { content.$field = value.clone(); })+
            };
        }
        each_field!(replaced);
    }
}
