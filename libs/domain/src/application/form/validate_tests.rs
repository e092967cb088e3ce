use super::*;
use crate::application::form::content::{Agreement, FieldType};
use crate::application::form::form_from_yaml;
use crate::ids::FormId;

/// A form with a field of each type and two agreements, of which one is required.
pub(crate) fn sample() -> FormContent {
    form_from_yaml(SAMPLE).unwrap()
}

pub(crate) const SAMPLE: &str = "
form: resellers
title: Become a reseller
description: We answer within a week.
submit_label: Apply
success_message: Thank you.
sections:
  - id: company
    title: Your company
    fields:
      - {id: company, label: Company, type: text, required: true, help: As registered}
      - {id: site, label: Web site, type: url}
      - {id: staff, label: Employees, type: number}
      - id: kind
        label: What you do
        type: select
        required: true
        options: [{id: resell, label: Resell}, {id: refer, label: Refer}]
      - id: regions
        label: Regions
        type: multi_select
        options: [{id: emea, label: EMEA}, {id: apac, label: APAC}]
  - id: you
    title: You
    fields:
      - {id: email, label: E-mail, type: email, required: true}
      - {id: why, label: Why, type: long_text}
      - {id: call, label: Call me, type: checkbox}
  - id: terms
    title: Terms
    agreement: {text: Be fair., accept_label: I accept}
  - id: news
    title: News
    agreement: {text: We write once a month., accept_label: Yes please, required: false}
";

fn violated(content: &FormContent) -> Vec<String> {
    let rejection = validate(content).unwrap_err();
    rejection.violations.into_iter().map(|v| v.field).collect()
}

fn changed(change: impl FnOnce(&mut FormContent)) -> Vec<String> {
    let mut content = sample();
    change(&mut content);
    violated(&content)
}

#[test]
fn a_form_with_every_type_of_field_is_fine() {
    validate(&sample()).unwrap();
    let types: BTreeSet<_> = sample().fields().map(|field| field.field_type).collect();
    assert_eq!(types, FieldType::ALL.iter().copied().collect());
}

#[test]
fn the_form_that_ships_can_be_published() {
    let text = include_str!("../../../../../forms/reseller-application.yaml");
    validate(&form_from_yaml(text).unwrap()).unwrap();
}

#[test]
fn an_empty_form_is_no_form() {
    let fields = changed(|it| {
        it.title.clear();
        it.submit_label = "x".repeat(61);
        it.sections.clear();
    });
    assert_eq!(fields, ["title", "submit_label", "sections", "sections"]);
}

#[test]
fn every_wrong_part_is_named_at_once() {
    let fields = changed(|it| {
        it.form = FormId::default();
        it.sections[0].title = "two\nlines".to_owned();
        it.sections[0].fields[1].id = "company".to_owned();
        it.sections[0].fields[2].id = "No Label".to_owned();
        it.sections[0].fields[3].options[1].id = "resell".to_owned();
        it.sections[1].id = "company".to_owned();
        it.sections[1].fields[0].label = String::new();
    });
    assert_eq!(
        fields,
        [
            "form",
            "sections[0].title",
            "sections[0].fields[1].id",
            "sections[0].fields[2].id",
            "sections[0].fields[3].options[1].id",
            "sections[1].id",
            "sections[1].fields[0].label",
        ]
    );
}

#[test]
fn a_section_has_fields_or_an_agreement() {
    let both = changed(|it| {
        it.sections[0].agreement = Some(Agreement {
            text: " ".to_owned(),
            accept_label: "Yes".to_owned(),
            required: true,
        });
    });
    assert_eq!(
        both,
        ["sections[0].agreement", "sections[0].agreement.text"]
    );
    assert_eq!(
        changed(|it| it.sections[2].agreement = None),
        ["sections[2]"]
    );
}

#[test]
fn options_belong_to_what_is_selected() {
    let fields = changed(|it| {
        let options = it.sections[0].fields[3].options.clone();
        it.sections[0].fields[0].options = options;
        it.sections[0].fields[3].options.clear();
        it.sections[0].fields[4].options = vec![
            Choice {
                id: "x".to_owned(),
                label: "X".to_owned(),
            };
            limits::FORM_OPTIONS + 1
        ];
    });
    assert_eq!(
        fields,
        [
            "sections[0].fields[0].options",
            "sections[0].fields[3].options",
            "sections[0].fields[4].options",
        ]
    );
}

#[test]
fn what_is_too_much_is_said_once() {
    let field = sample().sections[1].fields[1].clone();
    let fields = changed(|it| it.sections[1].fields = vec![field; limits::FORM_FIELDS + 1]);
    assert_eq!(fields, ["sections"]);
    let section = sample().sections[2].clone();
    let sections = changed(|it| it.sections.extend(vec![section; limits::FORM_SECTIONS]));
    assert_eq!(sections, ["sections"]);
    let large = changed(|it| it.description = "x".repeat(MAX_BYTES));
    assert_eq!(large, [""]);
}

#[test]
fn a_form_is_written_as_it_is_read() {
    let text = crate::application::form::form_to_yaml(&sample()).unwrap();
    assert_eq!(form_from_yaml(&text).unwrap(), sample(), "{text}");
    let json = serde_json::to_string(&sample()).unwrap();
    assert_eq!(form_from_yaml(&json).unwrap(), sample(), "JSON is YAML");
}

#[test]
fn an_unknown_name_in_a_file_is_refused_with_its_place() {
    let rejection = form_from_yaml(&format!("{SAMPLE}color: red\n")).unwrap_err();
    let [violation] = rejection.violations.as_slice() else {
        panic!("{rejection:?}");
    };
    assert_eq!(violation.field, "content");
    assert!(
        violation.description.contains("color") && violation.description.contains("line"),
        "{violation:?}"
    );
}
