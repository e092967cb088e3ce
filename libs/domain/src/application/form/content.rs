//! What a form says. A content is what gets published; a published one never changes.

use serde::{Deserialize, Serialize};

use crate::ids::FormId;
use crate::partner::profile::label;

/// The whole content of a form. In YAML exactly the serde form of this type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormContent {
    /// Identifier of the form, URL-safe, unique in the org.
    pub form: FormId,
    /// The heading that an applicant reads.
    pub title: String,
    /// Longer text below the heading.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What stands on the button.
    #[serde(default = "submit_label", skip_serializing_if = "is_submit_label")]
    pub submit_label: String,
    /// What an applicant reads once the submission was taken.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub success_message: String,
    /// The sections, in the order in which they are shown.
    #[serde(default)]
    pub sections: Vec<FormSection>,
}

/// What stands on the button where the form does not say.
fn submit_label() -> String {
    "Submit".to_owned()
}

fn is_submit_label(text: &str) -> bool {
    text == submit_label()
}

impl FormContent {
    /// All fields, in the order in which they are shown.
    pub fn fields(&self) -> impl Iterator<Item = &FormField> {
        self.sections.iter().flat_map(|section| &section.fields)
    }

    /// The sections that ask for an agreement, with it.
    pub fn agreements(&self) -> impl Iterator<Item = (&FormSection, &Agreement)> {
        self.sections
            .iter()
            .filter_map(|section| Some((section, section.agreement.as_ref()?)))
    }
}

/// A section: fields to fill in, or an agreement to accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormSection {
    /// Identifier, unique in the form.
    pub id: String,
    /// The heading that an applicant reads.
    pub title: String,
    /// Longer text below the heading.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The fields, in the order in which they are shown; none in a section with an agreement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FormField>,
    /// The agreement, in a section without fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

/// A text that an applicant is asked to accept. Known by the identifier of its section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// The text itself.
    pub text: String,
    /// What stands beside the box to tick.
    pub accept_label: String,
    /// True when nothing can be submitted without accepting it.
    #[serde(default = "yes")]
    pub required: bool,
}

fn yes() -> bool {
    true
}

/// A field to fill in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormField {
    /// Identifier, unique in the form; answers are known by it.
    pub id: String,
    /// What stands beside the field.
    pub label: String,
    /// What can be filled in.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// True when nothing can be submitted without an answer; of a checkbox: without a tick.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// A hint below the field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// What can be selected, in order; only of select and multi_select.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that serde asks for"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Something that can be selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Identifier, unique in the field; the answer carries it.
    pub id: String,
    /// What an applicant reads.
    pub label: String,
}

label!(
    /// What can be filled in, and what an answer looks like.
    FieldType {
        /// One line of text.
        Text = "text",
        /// Text of several lines.
        LongText = "long_text",
        /// An e-mail address.
        Email = "email",
        /// A web address, `http` or `https`.
        Url = "url",
        /// A number.
        Number = "number",
        /// One of the options.
        Select = "select",
        /// Some of the options.
        MultiSelect = "multi_select",
        /// A box to tick.
        Checkbox = "checkbox",
    }
);

impl FieldType {
    /// True where the field has options.
    pub fn selects(self) -> bool {
        matches!(self, Self::Select | Self::MultiSelect)
    }
}
