//! The JSON Schema of program files: what reads as a program conforms, and a slip is found.
#![allow(
    clippy::unwrap_used,
    reason = "a test that can not go on says so by failing"
)]

use serde_json::Value;
use tierline_domain::schema::program_schema;

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&program_schema()).unwrap()
}

/// A file as an editor sees it.
fn instance(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn every_shipped_program_conforms_to_the_schema() {
    let validator = validator();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../programs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&instance(&text))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_program_of_the_guide_conforms_to_the_schema() {
    let validator = validator();
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/program-files.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let blocks = text.split("```yaml\n").skip(1);
    let programs = blocks.filter_map(|block| block.split_once("```").map(|(yaml, _)| yaml));
    let mut seen = 0;
    for program in programs.filter(|yaml| yaml.starts_with("slug:")) {
        let errors: Vec<String> = validator
            .iter_errors(&instance(program))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{program}\n{errors:#?}");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn a_slip_is_found_at_its_place() {
    let with = |tier: &str| {
        instance(&format!(
            "{{slug: a, name: A, currency: EUR, tracks: [{{id: t, name: T, tiers: [{tier}]}}]}}"
        ))
    };
    let validator = validator();
    assert!(validator.is_valid(&with("{id: gold, name: Gold, color: amber}")));
    for wrong in [
        "{id: gold, name: Gold, colour: amber}",
        "{id: gold, name: Gold, color: pink}",
        "{id: gold}",
        "{id: gold, name: Gold, qualification: {al: []}}",
        "{id: gold, name: Gold, qualification: {partner: {id: a, name: A, where: {any: 5}}}}",
    ] {
        assert!(!validator.is_valid(&with(wrong)), "{wrong}");
    }
}

#[test]
fn benefits_and_dates_conform_to_the_schema() {
    let with = |head: &str, benefit: &str| {
        instance(&format!(
            "{{slug: a, name: A, currency: EUR, {head} tracks: [{{id: t, name: T, tiers: \
             [{{id: e, name: E, benefits: [{benefit}]}}]}}]}}"
        ))
    };
    let validator = validator();
    for right in [
        "{name: Rebate, value: 15 %}",
        "{id: mdf, value: 5000 USD}",
        "{id: mdf, value: 5000 USD, earned_by: revenue}",
    ] {
        assert!(validator.is_valid(&with("", right)), "{right}");
        let dated = with("start_date: 2026-01-01, end_date: 2026-12-31,", right);
        assert!(validator.is_valid(&dated), "{right}");
    }
    for wrong in [
        "{id: mdf}",
        "{id: mdf, value: {amount: 5}}",
        "{id: mdf, value: 5000 USD, earned: revenue}",
    ] {
        assert!(!validator.is_valid(&with("", wrong)), "{wrong}");
    }
    let wrong = with("starts: 2026-01-01,", "");
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn a_catalogue_and_suppressions_conform_to_the_schema() {
    let with = |rest: &str| {
        instance(&format!(
            "{{slug: a, name: A, currency: EUR, tracks: [{{id: t, name: T, tiers: [{{id: e, \
             name: E}}]}}], {rest}}}"
        ))
    };
    let validator = validator();
    for right in [
        "catalogue: {}",
        "catalogue: {certifications: [CKA], fact_fields: {deal: [seats]}}",
        "lint: [{rule: SAME_BENEFITS, reason: So.}]",
        "lint: [{rule: SAME_BENEFITS, at: 'tracks[0]', reason: So.}]",
    ] {
        assert!(validator.is_valid(&with(right)), "{right}");
    }
    for wrong in [
        "catalogue: {certification: [CKA]}",
        "catalogue: {fact_fields: [seats]}",
        "lint: [{rule: SAME_BENEFITS}]",
        "lint: [{rule: SAME_BENEFITS, reason: So., where: here}]",
    ] {
        assert!(!validator.is_valid(&with(wrong)), "{wrong}");
    }
}
