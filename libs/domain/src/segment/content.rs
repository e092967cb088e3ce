//! What a segment says.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::partner::profile::label;
use crate::rejection::{Rejection, Violations};
use crate::rules::{Condition, Explanation, Fields, explain_partner};

label!(
    /// By what a segment divides partners.
    SegmentFamily {
        /// By the market that they serve.
        Market = "market",
        /// By the technology that they build.
        Technology = "technology",
        /// By the services that they offer.
        Services = "services",
    }
);

/// The description of a segment and the condition that tells who is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentContent {
    /// What a person reads.
    pub name: String,
    /// Longer text; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// By what it divides partners.
    pub family: SegmentFamily,
    /// Which partners are in it, over their attributes. Unknown does not pass.
    #[serde(rename = "where")]
    pub filter: Condition,
}

impl SegmentContent {
    /// Checks texts and condition.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with one violation per mistake; paths within the condition begin with
    /// `where`.
    pub fn check(&self) -> Result<(), Rejection> {
        let mut v = Violations::default();
        limits::check_name(&mut v, "name", &self.name, limits::NAME);
        limits::check_note(&mut v, "description", &self.description);
        v.take("where", self.filter.check());
        v.check()
    }

    /// Whether a partner with these attributes is in the segment, and why.
    pub fn explain<A: Fields + ?Sized>(&self, id: &str, attributes: &A) -> Explanation {
        explain_partner(id, &self.name, &self.filter, attributes)
    }
}

/// Changes to a segment. An absent field stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SegmentChanges {
    /// What a person reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Longer text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// By what it divides partners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<SegmentFamily>,
    /// Which partners are in it.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Condition>,
}

macro_rules! each_field {
    ($each:ident) => {
        $each!(name, description, family, filter)
    };
}

impl SegmentChanges {
    /// What turns `from` into `to`.
    pub fn between(from: &SegmentContent, to: &SegmentContent) -> Self {
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
    pub fn apply_to(&self, content: &mut SegmentContent) {
        macro_rules! replaced {
            ($($field:ident),+) => {
                $(if let Some(value) = &self.$field { content.$field = value.clone(); })+
            };
        }
        each_field!(replaced);
    }
}
