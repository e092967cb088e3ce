//! That measurements run. What they measure is no matter for a test.

use std::process::Command;

#[test]
fn a_quick_trial_of_two_figures_gives_a_report_that_programs_can_read() {
    let url = std::env::var("TIERLINE_TEST_DATABASE_URL").expect(
        "TIERLINE_TEST_DATABASE_URL names a scratch PostgreSQL; `./dev test` starts one and sets it",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_tierline"))
        .args([
            "bench",
            "correctness",
            "streams",
            "--quick",
            "--rounds",
            "1",
        ])
        .args(["--output", "json", "--database-url", &url])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["rounds"], 1);
    assert_eq!(report["full"], false);
    let lines = report["lines"].as_array().unwrap();
    let line = |start: &str| {
        let starts = |line: &&serde_json::Value| line["what"].as_str().unwrap().starts_with(start);
        lines
            .iter()
            .find(starts)
            .unwrap_or_else(|| panic!("no line {start} in {report:#}"))
    };
    assert_eq!(line("rows lost or doubled")["value"]["max"], 0.0);
    assert_eq!(line("rows lost or doubled")["reached"], true);
    assert!(
        line("raw: single-row INSERT")["value"]["median"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    assert!(
        line("200 streams of 50 events")["ratio"]["median"]
            .as_f64()
            .unwrap()
            > 0.0
    );
}

#[test]
fn a_figure_that_nobody_knows_is_answered_with_the_list() {
    let output = Command::new(env!("CARGO_BIN_EXE_tierline"))
        .args(["bench", "apends"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("apends") && errors.contains("appends"),
        "{errors}"
    );
}
