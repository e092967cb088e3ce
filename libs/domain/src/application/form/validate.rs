//! What a form must satisfy before it can be published. All violations at once, each with its path
//! in the content.

use std::collections::BTreeSet;

use crate::application::form::content::{Choice, FormContent, FormField, FormSection};
use crate::ids::check_label;
use crate::limits;
use crate::rejection::{Rejection, Violations};

/// Largest content, in bytes of its JSON.
pub const MAX_BYTES: usize = 128 * 1024;

/// Checks everything that a published form promises.
///
/// # Errors
/// `INVALID_REQUEST` naming every violated path, such as `sections[0].fields[2].options`.
pub fn validate(content: &FormContent) -> Result<(), Rejection> {
    check_size(content)?;
    let mut v = Violations::default();
    v.take("", check_label("form", content.form.as_str()));
    limits::check_name(&mut v, "title", &content.title, limits::NAME);
    limits::check_note(&mut v, "description", &content.description);
    limits::check_name(&mut v, "submit_label", &content.submit_label, limits::LABEL);
    limits::check_note(&mut v, "success_message", &content.success_message);
    let (sections, fields) = (content.sections.len(), content.fields().count());
    if !(1..=limits::FORM_SECTIONS).contains(&sections) {
        let most = limits::FORM_SECTIONS;
        v.add(
            "sections",
            format!("must be 1 to {most}, and are {sections}"),
        );
    }
    if !(1..=limits::FORM_FIELDS).contains(&fields) {
        let most = limits::FORM_FIELDS;
        v.add(
            "sections",
            format!("must have 1 to {most} fields together, and have {fields}"),
        );
    }
    if fields > limits::FORM_FIELDS || sections > limits::FORM_SECTIONS {
        // What is too much is not looked at one by one.
        return v.check();
    }
    let mut seen = Seen::default();
    for (at, section) in content.sections.iter().enumerate() {
        check_section(&mut v, &format!("sections[{at}]"), section, &mut seen);
    }
    v.check()
}

/// Checks only that a content is not too large; drafts may be incomplete.
///
/// # Errors
/// `INVALID_REQUEST` on the content as a whole: the empty path.
pub fn check_size(content: &FormContent) -> Result<(), Rejection> {
    match serde_json::to_vec(content) {
        Ok(json) if json.len() <= MAX_BYTES => Ok(()),
        Ok(json) => Err(Rejection::invalid(
            "",
            format!("has {} bytes; at most {MAX_BYTES} are taken", json.len()),
        )),
        Err(error) => Err(Rejection::invalid("", format!("cannot be kept: {error}"))),
    }
}

/// Identifiers that were met so far.
#[derive(Default)]
struct Seen<'a> {
    sections: BTreeSet<&'a str>,
    fields: BTreeSet<&'a str>,
}

fn check_section<'a>(
    v: &mut Violations,
    path: &str,
    section: &'a FormSection,
    seen: &mut Seen<'a>,
) {
    check_id(v, &format!("{path}.id"), &section.id, &mut seen.sections);
    limits::check_name(v, &format!("{path}.title"), &section.title, limits::NAME);
    limits::check_note(v, &format!("{path}.description"), &section.description);
    match &section.agreement {
        None if section.fields.is_empty() => {
            v.add(path, "must have fields, or an agreement");
        }
        Some(_) if !section.fields.is_empty() => {
            v.add(
                format!("{path}.agreement"),
                "stands in a section of its own, without fields",
            );
        }
        _ => {}
    }
    if let Some(agreement) = &section.agreement {
        let path = format!("{path}.agreement");
        limits::check_long_text(
            v,
            &format!("{path}.text"),
            &agreement.text,
            limits::AGREEMENT,
        );
        let label = format!("{path}.accept_label");
        limits::check_name(v, &label, &agreement.accept_label, limits::NAME);
    }
    for (at, field) in section.fields.iter().enumerate() {
        check_field(v, &format!("{path}.fields[{at}]"), field, &mut seen.fields);
    }
}

fn check_field<'a>(
    v: &mut Violations,
    path: &str,
    field: &'a FormField,
    seen: &mut BTreeSet<&'a str>,
) {
    check_id(v, &format!("{path}.id"), &field.id, seen);
    limits::check_name(v, &format!("{path}.label"), &field.label, limits::NAME);
    limits::check_note(v, &format!("{path}.help"), &field.help);
    check_options(v, &format!("{path}.options"), field);
}

fn check_options(v: &mut Violations, path: &str, field: &FormField) {
    let (count, most) = (field.options.len(), limits::FORM_OPTIONS);
    let kind = field.field_type;
    match (kind.selects(), count) {
        (false, 0) => return,
        (false, _) => {
            v.add(
                path,
                format!("belong to a select or multi_select, not to a {kind}"),
            );
            return;
        }
        (true, count) if !(1..=most).contains(&count) => {
            v.add(path, format!("must be 1 to {most}, and are {count}"));
            return;
        }
        (true, _) => {}
    }
    let mut seen = BTreeSet::new();
    for (at, Choice { id, label }) in field.options.iter().enumerate() {
        check_id(v, &format!("{path}[{at}].id"), id, &mut seen);
        limits::check_name(v, &format!("{path}[{at}].label"), label, limits::NAME);
    }
}

/// Notes a violation of an identifier: its form, or that it is there already.
fn check_id<'a>(v: &mut Violations, path: &str, id: &'a str, seen: &mut BTreeSet<&'a str>) {
    if v.take("", check_label(path, id)).is_some() && !seen.insert(id) {
        v.add(path, format!("\"{id}\" is there twice"));
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
pub(crate) mod tests;
