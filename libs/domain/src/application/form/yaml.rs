//! Forms as files: YAML exactly in the serde form of the types.

use crate::application::form::content::FormContent;
use crate::program::yaml;
use crate::rejection::Rejection;

/// Reads a form. It is not checked beyond its shape; [`crate::application::form::validate()`] does
/// that.
///
/// # Errors
/// `INVALID_REQUEST` on the field `content`, with line and column, what is wrong, and for an
/// unknown name the names that are allowed.
pub fn form_from_yaml(text: &str) -> Result<FormContent, Rejection> {
    yaml::read("content", text)
}

/// Writes a form.
///
/// # Errors
/// `INVALID_REQUEST` on the field `content`, should it have no YAML form.
pub fn form_to_yaml(content: &FormContent) -> Result<String, Rejection> {
    yaml::write("content", content)
}
