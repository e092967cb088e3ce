//! `tierline program lint`: what is allowed in program files and probably not meant, without any
//! server. The other commands print the same remarks shortly.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
pub use tierline_domain::program::lint::lint;
use tierline_domain::program::lint::{Finding, Severity};
use tierline_domain::program::{program_from_yaml, validate};
use tierline_proto::program::v1 as pb;

use super::{read, violations};
use crate::cli::Globals;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct LintArgs {
    /// Program files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Fail on findings of this severity, too. Warnings always fail.
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Deny::Warning)]
    deny: Deny,
}

/// From which severity on a finding fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deny {
    /// Warnings only.
    Warning,
    /// Advice as well.
    Advice,
}

impl Deny {
    /// Whether a finding fails.
    fn denies(self, finding: &Finding) -> bool {
        let least = match self {
            Self::Warning => Severity::Warning,
            Self::Advice => Severity::Advice,
        };
        finding.suppressed.is_none() && finding.severity >= least
    }
}

/// A file with its findings, or what is wrong with it.
struct Linted {
    file: String,
    wrong: Vec<String>,
    findings: Vec<Finding>,
}

pub fn run(args: &LintArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    for file in &args.files {
        let linted = lint_file(file)?;
        if !globals.output.json() {
            print(&linted);
        }
        files.push(linted);
    }
    let all = || files.iter().flat_map(|file| &file.findings);
    let open = |severity| {
        let mut found: Vec<_> = all().filter(|one| one.suppressed.is_none()).collect();
        found.retain(|one| one.severity == severity);
        found.len()
    };
    let suppressed = all().filter(|one| one.suppressed.is_some()).count();
    let invalid = files.iter().filter(|file| !file.wrong.is_empty()).count();
    let failed = invalid > 0 || all().any(|one| args.deny.denies(one));
    let (warnings, advice) = (open(Severity::Warning), open(Severity::Advice));
    if globals.output.json() {
        output::json(&serde_json::json!({
            "passed": !failed,
            "warnings": warnings,
            "advice": advice,
            "suppressed": suppressed,
            "files": files.iter().map(file_json).collect::<Vec<_>>(),
        }))?;
    } else {
        output::line(format!(
            "{warnings} warnings, {advice} advice, {suppressed} suppressed, {invalid} invalid, \
             {} files",
            files.len()
        ));
    }
    Ok(match failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn lint_file(path: &Path) -> anyhow::Result<Linted> {
    let file = path.display().to_string();
    let text = read(path).with_context(|| format!("{file} cannot be looked at"))?;
    let read = program_from_yaml(&text);
    let checked = read.and_then(|definition| validate(&definition).map(|()| definition));
    let (wrong, findings) = match &checked {
        Ok(definition) => (Vec::new(), lint(definition)),
        Err(refusal) => {
            let wrong = violations(refusal).into_iter();
            let wrong = wrong.map(|one| format!("{}: {}", one.field, one.description));
            (wrong.collect(), Vec::new())
        }
    };
    Ok(Linted {
        file,
        wrong,
        findings,
    })
}

fn print(linted: &Linted) {
    output::line(&linted.file);
    for wrong in &linted.wrong {
        output::line(format!("  INVALID {wrong}"));
    }
    for one in &linted.findings {
        let Finding {
            rule,
            severity,
            field,
            message,
            ..
        } = one;
        match &one.suppressed {
            Some(reason) => {
                output::line(format!("  suppressed {severity} {rule} {field}: {message}"));
                output::line(format!("      reason: {}", reason.trim()));
            }
            None => {
                output::line(format!("  {severity} {rule} {field}: {message}"));
                output::line(format!("      why: {}", one.why));
                output::line(format!("      do: {}", one.remedy));
            }
        }
    }
}

fn file_json(linted: &Linted) -> serde_json::Value {
    serde_json::json!({
        "file": linted.file,
        "invalid": linted.wrong,
        "findings": linted.findings.iter().map(json).collect::<Vec<_>>(),
    })
}

/// A finding for programs.
pub fn json(one: &Finding) -> serde_json::Value {
    serde_json::json!({
        "code": one.rule,
        "severity": one.severity.as_str(),
        "field": one.field,
        "message": one.message,
        "why": one.why,
        "remedy": one.remedy,
        "suppressed_reason": one.suppressed,
    })
}

/// The same of a finding that a server sent.
pub fn sent_json(one: &pb::Finding) -> serde_json::Value {
    serde_json::json!({
        "code": one.code,
        "severity": severity(one),
        "field": one.field,
        "message": one.message,
        "why": one.why,
        "remedy": one.remedy,
        "suppressed_reason": one.suppressed_reason,
    })
}

/// A server of an earlier release sends no severity; its findings were all warnings.
fn severity(one: &pb::Finding) -> &'static str {
    match one.severity() {
        pb::Severity::Advice => Severity::Advice.as_str(),
        pb::Severity::Warning | pb::Severity::Unspecified => Severity::Warning.as_str(),
    }
}

/// Prints what is not suppressed, a line each.
pub fn print_shortly(findings: &[Finding]) {
    for one in findings.iter().filter(|one| one.suppressed.is_none()) {
        let Finding {
            rule,
            severity,
            field,
            message,
            ..
        } = one;
        output::line(format!("  {severity} {field}: {message} [{rule}]"));
    }
}

/// The same of findings that a server sent.
pub fn print_sent(findings: &[pb::Finding]) {
    for one in findings
        .iter()
        .filter(|one| one.suppressed_reason.is_none())
    {
        let severity = severity(one);
        let line = format!("  {severity} {}: {} [{}]", one.field, one.message, one.code);
        output::line(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a program whose demotion is this and that says this of the linter.
    fn found(demotion: &str, rest: &str) -> Vec<Finding> {
        let text = format!(
            "{{slug: p, name: P, currency: EUR, tracks: [{{id: t, name: T, demotion: {demotion}, \
             tiers: [{{id: gold, name: Gold, qualification: {{criterion: {{id: months, \
             name: Months, measure: months_in_program, needs: {{gte: 6}}}}}}}}, {{id: member, \
             name: Member}}]}}]{rest}}}"
        );
        lint(&program_from_yaml(&text).unwrap())
    }

    fn denied(deny: Deny, findings: &[Finding]) -> bool {
        findings.iter().any(|one| deny.denies(one))
    }

    #[test]
    fn warnings_fail_and_advice_fails_where_it_is_denied() {
        let never = found("{mode: never}", "");
        assert!(denied(Deny::Warning, &never) && denied(Deny::Advice, &never));
        let sudden = found("{notice_days: 0, remediation_days: 0}", "");
        assert!(!denied(Deny::Warning, &sudden) && denied(Deny::Advice, &sudden));
        assert!(!denied(Deny::Advice, &found("{mode: recommend}", "")));
    }

    #[test]
    fn what_is_suppressed_never_fails_and_is_still_there() {
        let rest = ", lint: [{rule: TIERS_NEVER_LOST, reason: A club for life.}]";
        let findings = found("{mode: never}", rest);
        assert!(!denied(Deny::Advice, &findings));
        assert_eq!(json(&findings[0])["suppressed_reason"], "A club for life.");
        assert_eq!(json(&findings[0])["severity"], "warning");
    }

    #[test]
    fn a_server_without_severities_sends_warnings() {
        assert_eq!(severity(&pb::Finding::default()), "warning");
        let mut advice = pb::Finding::default();
        advice.set_severity(pb::Severity::Advice);
        assert_eq!(sent_json(&advice)["severity"], "advice");
    }
}
