//! The programs that ship: sound, and every case that they carry passes.
#![allow(
    clippy::unwrap_used,
    reason = "a test that can not go on says so by failing"
)]

use std::path::PathBuf;

use tierline_domain::program::lint::{Severity, lint, rules};
use tierline_domain::program::{
    program_file_from_yaml, program_from_yaml, program_to_yaml, run_case, validate,
};

fn files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../programs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    files
}

/// Runs the cases of a program. Gives their number, and what fails.
fn failures(name: &str, text: &str) -> (usize, Vec<String>) {
    let read = program_file_from_yaml(text);
    let (definition, cases) = match read.and_then(|parts| validate(&parts.0).map(|()| parts)) {
        Ok(parts) => parts,
        Err(wrong) => return (0, vec![format!("{name}: {wrong:?}")]),
    };
    let mut failures = Vec::new();
    for case in &cases {
        match run_case(&definition, case) {
            Ok(differences) => failures.extend(differences.iter().map(|difference| {
                let tree = difference.explanation.join("\n    ");
                format!("{name}: {}: {difference}\n    {tree}", case.name)
            })),
            Err(wrong) => failures.push(format!("{name}: {}: {wrong:?}", case.name)),
        }
    }
    (cases.len(), failures)
}

#[test]
fn every_case_of_every_shipped_program_passes() {
    let mut cases = 0;
    let mut failing = Vec::new();
    for file in files() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let (run, failed) = failures(&name, &std::fs::read_to_string(&file).unwrap());
        cases += run;
        failing.extend(failed);
    }
    assert!(failing.is_empty(), "{}", failing.join("\n"));
    assert!(cases > 0);
}

#[test]
fn the_programs_of_the_guide_are_sound_and_their_cases_pass() {
    let text = guide();
    let blocks = text.split("```yaml\n").skip(1);
    let programs = blocks.filter_map(|block| block.split_once("```").map(|(yaml, _)| yaml));
    let mut seen = 0;
    for program in programs.filter(|yaml| yaml.starts_with("slug:")) {
        let name = program.lines().next().unwrap_or_default();
        let (cases, failing) = failures(name, program);
        assert!(failing.is_empty(), "{}", failing.join("\n"));
        assert!(cases > 0, "{name} has no case");
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn a_case_that_fails_says_what_was_found_and_why() {
    let text = std::fs::read_to_string(
        files()
            .iter()
            .find(|file| file.ends_with("three-tier.yaml"))
            .unwrap(),
    );
    let wrong = text
        .unwrap()
        .replacen("tier: silver, measured", "tier: gold, measured", 1);
    let (_, failing) = failures("three-tier", &wrong);
    assert_eq!(failing.len(), 1, "{failing:#?}");
    assert!(
        failing[0].contains("tier: expected gold, found silver"),
        "{}",
        failing[0]
    );
    assert!(
        failing[0].contains("Certified professionals: 3 persons of at least 5 persons"),
        "{}",
        failing[0]
    );
}

#[test]
fn every_shipped_program_has_no_unsuppressed_warnings() {
    let mut warnings = Vec::new();
    for file in files() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let definition = program_from_yaml(&text).unwrap();
        let findings = lint(&definition).into_iter();
        let open = findings.filter(|one| one.suppressed.is_none());
        warnings.extend(
            open.filter(|one| one.severity == Severity::Warning)
                .map(|one| format!("{name}: {} {}: {}", one.rule, one.field, one.message)),
        );
    }
    assert!(warnings.is_empty(), "{}", warnings.join("\n"));
}

/// The text of the guide.
fn guide() -> String {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/program-files.md");
    std::fs::read_to_string(guide).unwrap()
}

#[test]
fn the_guide_has_every_rule_of_the_linter_with_its_severity() {
    let guide = guide();
    for rule in rules::RULES {
        let line = format!("| `{}` | {} | ", rule.code, rule.severity);
        assert!(guide.contains(&line), "{line}");
    }
}

#[test]
fn the_programs_of_the_guide_have_no_open_findings_of_the_linter() {
    let guide = guide();
    let blocks = guide.split("```yaml\n").skip(1);
    let programs = blocks.filter_map(|block| block.split_once("```").map(|(yaml, _)| yaml));
    for program in programs.filter(|yaml| yaml.starts_with("slug:")) {
        let definition = program_from_yaml(program).unwrap();
        let findings = lint(&definition);
        let open: Vec<_> = findings
            .iter()
            .filter(|one| one.suppressed.is_none())
            .collect();
        assert!(open.is_empty(), "{open:#?}");
        let written = program_to_yaml(&definition).unwrap();
        assert_eq!(program_from_yaml(&written).unwrap(), definition);
    }
}
