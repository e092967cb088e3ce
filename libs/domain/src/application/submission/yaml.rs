//! Submissions as files, for whoever submits by hand or by a script; JSON is YAML too.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::ids::FormId;
use crate::program::yaml;
use crate::rejection::Rejection;
use crate::rules::Value;

/// A form that was filled in, as a file says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilledIn {
    /// The form.
    pub form: FormId,
    /// The version that the applicant was shown; absent: the newest.
    #[serde(default)]
    pub version: Option<u32>,
    /// The answers by the identifiers of their fields.
    #[serde(default)]
    pub answers: BTreeMap<String, Value>,
    /// The sections whose agreements are accepted.
    #[serde(default)]
    pub accept: Vec<String>,
}

/// Reads a filled-in form. Whether the answers are right is for the form to say.
///
/// # Errors
/// `INVALID_REQUEST` on the field `submission`, with line and column, what is wrong, and for an
/// unknown name the names that are allowed.
pub fn filled_in_from_yaml(text: &str) -> Result<FilledIn, Rejection> {
    yaml::read("submission", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_numbers_flags_and_lists_are_told_apart() {
        let yaml = "
form: resellers
version: 2
answers: {company: Nova, staff: 12.5, regions: [emea], call: true, zip: '01097'}
accept: [terms]
";
        let json = r#"{"form": "resellers", "version": 2, "accept": ["terms"], "answers": {
            "company": "Nova", "staff": 12.5, "regions": ["emea"], "call": true, "zip": "01097"}}"#;
        let read = filled_in_from_yaml(yaml).unwrap();
        assert_eq!(filled_in_from_yaml(json).unwrap(), read);
        assert_eq!((read.version, read.accept.len()), (Some(2), 1));
        let answer = |field: &str| read.answers[field].clone();
        assert_eq!(answer("company"), Value::text("Nova"));
        assert_eq!(answer("staff"), Value::Number("12.5".parse().unwrap()));
        assert_eq!(answer("regions"), Value::List(vec!["emea".to_owned()]));
        assert_eq!(answer("call"), Value::Flag(true));
        assert_eq!(answer("zip"), Value::text("01097"));
    }

    #[test]
    fn a_name_that_nobody_knows_is_refused_with_its_place() {
        let rejection = filled_in_from_yaml("form: resellers\nanswer: {}\n").unwrap_err();
        assert!(rejection.message.contains("line 2"), "{rejection:?}");
    }
}
