//! What a mapping refuses, and how it says so.

use tierline_importer::Mapping;

mod common;

fn problems(text: &str) -> String {
    match Mapping::parse("m.yaml", text) {
        Ok(_) => panic!("the mapping is accepted"),
        Err(error) => error.to_string(),
    }
}

const PARTNER: &str = "  external_id: {column: id}\n  name: {column: name}\n  \
     type: {constant: referral}\n  domain: {column: domain}\n  \
        primary_contact.first_name: {column: first}\n  \
     primary_contact.last_name: {column: last}\n  primary_contact.email: {column: mail}\n";

fn partner(extra: &str) -> String {
    format!("kind: partners\nfields:\n{PARTNER}{extra}")
}

#[test]
fn every_shipped_mapping_is_accepted() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mapping = Mapping::load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(!mapping.description().is_empty(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_what_is_allowed() {
    let text = problems("kind: partners\nnulla: [x]\nfields: {}\n");
    assert!(text.starts_with("m.yaml:2:"), "{text}");
    assert!(text.contains("nulla") && text.contains("nulls"), "{text}");
}

#[test]
fn an_unknown_kind_is_refused_with_the_kinds() {
    let text = problems("kind: partner\nfields: {}\n");
    assert!(
        text.contains("partners") && text.contains("rates"),
        "{text}"
    );
}

#[test]
fn an_unknown_field_is_refused_with_its_line_and_a_close_name() {
    let text = problems(&partner("  regon: {column: r}\n"));
    assert!(
        text.starts_with("m.yaml:10:3: fields.regon: is no field of partners"),
        "{text}"
    );
    assert!(
        text.contains("did you mean \"region\" or \"regions\"?"),
        "{text}"
    );
    assert!(text.contains("attributes.NAME"), "{text}");
}

#[test]
fn all_problems_are_named_at_once() {
    let text = problems(
        "kind: deals\nfields:\n  external_id: {column: a, constant: b}\n  \
        state: {constant: won}\n  \
         closed_date: {column: d, format: \"%d.%m.%y\"}\n  partner_id: {template: \"{a|slugg}\"}\n",
    );
    for part in [
        "fields.external_id: needs exactly one of column, constant, template, first_of",
        "fields.closed_date: \"%d.%m.%y\" has %y",
        "fields.partner_id: \"{a|slugg}\" has no filter \"slugg\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn a_missing_required_field_is_named() {
    let text = problems("kind: deals\nfields:\n  external_id: {column: a}\n");
    assert!(
        text.contains("fields.partner_id: is missing: deals need it"),
        "{text}"
    );
    assert!(text.contains("fields.state: is missing"), "{text}");
}

#[test]
fn settings_must_fit_the_type_of_the_field() {
    for (extra, expected) in [
        (
            "  region: {column: r, format: \"%Y-%m-%d\"}\n",
            "format is for dates",
        ),
        (
            "  region: {column: r, multiply: \"10\"}\n",
            "multiply are for numbers",
        ),
        (
            "  region: {column: r, split: \",\"}\n",
            "split is for lists",
        ),
        (
            "  region: {column: r, unlisted: keep}\n",
            "unlisted needs translate",
        ),
        (
            "  region: {column: r, as: number}\n",
            "\"as\" is for attributes only",
        ),
        (
            "  region: {column: r, combine: first}\n",
            "combine needs group_by",
        ),
        ("  region: [{column: r}, {column: s}]\n", "takes one value"),
        (
            "  region: {column: r, filters: [trm]}\n",
            "\"trm\" is no filter; allowed: lower",
        ),
        (
            "  region: {column: r, translate: {A: x, a: y}}\n",
            "lists \"a\" twice",
        ),
        ("  attributes.A B: {column: r}\n", "attributes.NAME"),
        (
            "  employee_count: {column: r, decimal: comma, thousands: comma}\n",
            "must be different marks",
        ),
    ] {
        let text = problems(&partner(extra));
        assert!(text.contains(expected), "{expected} in {text}");
        assert!(text.starts_with("m.yaml:"), "{text}");
    }
}

#[test]
fn a_duplicate_key_is_refused() {
    let text = problems(&partner("  name: {column: other}\n"));
    assert!(text.contains("name"), "{text}");
}

#[test]
fn lookups_and_values_see_only_earlier_ones() {
    let text = problems(&format!(
        "kind: partners\nvalues:\n  v: {{column: l.x}}\nlookups:\n  \
        - {{name: l, path: l.csv, key: k, \
         by: {{column: id}}}}\nfields:\n{PARTNER}"
    ));
    assert!(
        text.contains("refers to the lookup \"l\" before it is there"),
        "{text}"
    );
}

#[test]
fn conditions_need_one_test_and_a_reason() {
    let text = problems(&format!(
        "kind: partners\nwhere:\n  - {{column: a, reason: r}}\n  \
         - {{column: a, present: true, reason: \"\"}}\nfields:\n{PARTNER}"
    ));
    assert!(
        text.contains("exactly one of any_of, none_of, present"),
        "{text}"
    );
    assert!(text.contains("must say why"), "{text}");
}

#[test]
fn rates_need_a_base_and_one_shape() {
    let text = problems("kind: rates\nfields:\n  date: {column: d}\n");
    assert!(text.contains("rates: is missing"), "{text}");
    let text =
        problems("kind: rates\nrates: {base: EURO, source: x}\nfields:\n  date: {column: d}\n");
    assert!(
        text.contains("rates.base") && text.contains("needs rates.columns"),
        "{text}"
    );
    let text = problems(
        "kind: rates\nrates: {base: EUR, source: x, columns: some}\nfields:\n  date: {column: d}\n",
    );
    assert!(text.contains("all, or a list of columns"), "{text}");
}

#[test]
fn a_mapping_file_that_is_not_there_is_an_error_with_its_name() {
    let error = Mapping::load(std::path::Path::new("/nowhere/m.yaml")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/m.yaml: cannot be opened"),
        "{error}"
    );
}
