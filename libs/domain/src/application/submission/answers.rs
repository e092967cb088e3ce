//! Whether what was filled in is what the form asks for. Gives it back in its normal form.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::application::form::{FieldType, FormContent, FormField};
use crate::application::submission::events::AcceptedAgreement;
use crate::ids::check_label;
use crate::limits;
use crate::partner::domain_name::{checked_web_address, normalize_email};
use crate::rejection::Violations;
use crate::rules::Value;

/// Checks all answers against the fields of a form. What is left empty is left out.
pub(crate) fn checked_answers(
    v: &mut Violations,
    content: &FormContent,
    mut answers: BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    let mut kept = BTreeMap::new();
    let most = limits::ANSWERS;
    if answers.values().map(weight).sum::<usize>() > most {
        v.add(
            "answers",
            format!("must have at most {most} characters together"),
        );
        return kept;
    }
    for field in content.fields() {
        let path = format!("answers.{}", field.id);
        let answer = answers.remove(&field.id).and_then(filled_in);
        let Some(answer) = answer else {
            if field.required {
                v.add(path, "is required");
            }
            continue;
        };
        if let Some(answer) = checked(v, &path, field, answer) {
            kept.insert(field.id.clone(), answer);
        }
    }
    for name in answers.keys().take(limits::FORM_FIELDS) {
        // A name that no field can have is not repeated.
        let path = match check_label("", name) {
            Ok(()) => format!("answers.{name}"),
            Err(_) => "answers".to_owned(),
        };
        v.add(path, "the form has no such field");
    }
    kept
}

/// Characters of an answer; numbers and flags count as one.
fn weight(answer: &Value) -> usize {
    match answer {
        Value::Text(text) => text.chars().count(),
        Value::List(items) => items.iter().map(|item| item.chars().count() + 1).sum(),
        Value::Number(_) | Value::Flag(_) | Value::Date(_) => 1,
    }
}

/// The answer without spaces around it; none when nothing is left.
fn filled_in(answer: Value) -> Option<Value> {
    match answer {
        Value::Text(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| Value::text(text))
        }
        Value::List(items) if items.is_empty() => None,
        other => Some(other),
    }
}

fn checked(v: &mut Violations, path: &str, field: &FormField, answer: Value) -> Option<Value> {
    match (field.field_type, answer) {
        (FieldType::Text, Value::Text(text)) => {
            limits::check_name(v, path, &text, limits::ANSWER);
            Some(Value::Text(text))
        }
        (FieldType::LongText, Value::Text(text)) => {
            limits::check_long_text(v, path, &text, limits::LONG_ANSWER);
            Some(Value::Text(text))
        }
        (FieldType::Email, Value::Text(text)) => {
            let address = v.take("", normalize_email(path, &text));
            address.map(Value::Text)
        }
        (FieldType::Url, Value::Text(text)) => {
            let address = v.take("", checked_web_address(path, &text));
            address.map(Value::Text)
        }
        (FieldType::Number, Value::Number(number)) => {
            limits::check_number(v, path, number);
            Some(Value::Number(number))
        }
        (FieldType::Select, Value::Text(text)) => {
            is_option(v, path, field, &text).then_some(Value::Text(text))
        }
        (FieldType::MultiSelect, Value::List(items)) => checked_items(v, path, field, items),
        (FieldType::Checkbox, Value::Flag(flag)) => {
            if field.required && !flag {
                v.add(path, "must be ticked");
            }
            Some(Value::Flag(flag))
        }
        (expected, _) => {
            v.add(path, format!("must be {}", described(expected)));
            None
        }
    }
}

fn described(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Text | FieldType::LongText => "a text",
        FieldType::Email => "an e-mail address, as a text",
        FieldType::Url => "a web address, as a text",
        FieldType::Number => "a number",
        FieldType::Select => "one of the options, as a text",
        FieldType::MultiSelect => "a list of options",
        FieldType::Checkbox => "true or false",
    }
}

fn checked_items(
    v: &mut Violations,
    path: &str,
    field: &FormField,
    items: Vec<String>,
) -> Option<Value> {
    if items.len() > field.options.len() {
        let most = field.options.len();
        v.add(path, format!("must be at most {most} options"));
        return None;
    }
    for (at, item) in items.iter().enumerate() {
        let path = format!("{path}[{at}]");
        if is_option(v, &path, field, item) && items[..at].contains(item) {
            v.add(path, format!("\"{item}\" is there twice"));
        }
    }
    Some(Value::List(items))
}

/// Options that are named to somebody who chose none of them.
const OPTIONS_NAMED: usize = 10;

fn is_option(v: &mut Violations, path: &str, field: &FormField, text: &str) -> bool {
    if field.options.iter().any(|option| option.id == text) {
        return true;
    }
    let ids: Vec<&str> = field
        .options
        .iter()
        .map(|option| option.id.as_str())
        .collect();
    let description = match ids.len() {
        0..=OPTIONS_NAMED => format!("must be one of: {}", ids.join(", ")),
        count => {
            let first = ids[..OPTIONS_NAMED].join(", ");
            format!("must be one of {count} options: {first}, …")
        }
    };
    v.add(path, description);
    false
}

/// Checks that what has to be accepted is, and gives what was accepted in the order of the form.
pub(crate) fn checked_agreements(
    v: &mut Violations,
    (content, form_version): (&FormContent, u32),
    accepted: &[String],
    now: Timestamp,
) -> Vec<AcceptedAgreement> {
    let mut agreements = Vec::new();
    for (section, agreement) in content.agreements() {
        if accepted.contains(&section.id) {
            agreements.push(AcceptedAgreement {
                section: section.id.clone(),
                form_version,
                accept_time: now,
            });
        } else if agreement.required {
            let id = &section.id;
            v.add("accepted_agreements", format!("\"{id}\" must be accepted"));
        }
    }
    let known = |id: &String| content.agreements().any(|(section, _)| section.id == *id);
    let foreign = accepted.iter().enumerate().filter(|(_, id)| !known(id));
    for (at, _) in foreign.take(limits::FORM_SECTIONS) {
        let path = format!("accepted_agreements[{at}]");
        v.add(path, "the form has no such agreement");
    }
    agreements
}
