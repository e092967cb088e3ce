//! `tierline program test`: the cases of program files, without any server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use tierline_domain::program::{Case, Difference, program_file_from_yaml, run_case, validate};

use super::{read, violations};
use crate::cli::Globals;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// Program files with cases (`tests:`).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Run only cases whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// How one case came out.
struct Ran {
    name: String,
    /// What the case itself has wrong, if anything.
    broken: Vec<String>,
    differences: Vec<Difference>,
}

impl Ran {
    fn passed(&self) -> bool {
        self.broken.is_empty() && self.differences.is_empty()
    }
}

/// A file with its cases, or what is wrong with it.
struct Tested {
    file: String,
    wrong: Vec<String>,
    cases: Vec<Ran>,
}

pub fn run(args: &TestArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let begin = Instant::now();
    let mut files = Vec::new();
    for file in &args.files {
        let tested = test_file(file, args.only.as_deref())?;
        if !globals.output.json() {
            print(&tested);
        }
        files.push(tested);
    }
    let cases: usize = files.iter().map(|file| file.cases.len()).sum();
    let all = files.iter().flat_map(|file| &file.cases);
    let passed = all.filter(|case| case.passed()).count();
    let unreadable = files.iter().filter(|file| !file.wrong.is_empty()).count();
    if globals.output.json() {
        output::json(&json(&files))?;
    } else {
        let millis = begin.elapsed().as_millis();
        let count = files.len();
        output::line(format!(
            "{passed} of {cases} cases passed, {count} files, {millis} ms"
        ));
    }
    let good = passed == cases && unreadable == 0;
    if good && cases == 0 {
        anyhow::bail!("no case was run: the files have no tests of that name");
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn test_file(path: &Path, only: Option<&str>) -> anyhow::Result<Tested> {
    let file = path.display().to_string();
    let text = read(path).with_context(|| format!("{file} cannot be tested"))?;
    let parsed = program_file_from_yaml(&text);
    let checked = parsed.and_then(|parts| validate(&parts.0).map(|()| parts));
    let (definition, cases) = match checked {
        Ok(parts) => parts,
        Err(wrong) => {
            let wrong = violations(&wrong);
            let wrong = wrong
                .iter()
                .map(|one| format!("{}: {}", one.field, one.description));
            return Ok(Tested {
                file,
                wrong: wrong.collect(),
                cases: Vec::new(),
            });
        }
    };
    let wanted = |case: &&Case| only.is_none_or(|only| case.name.contains(only));
    let cases = cases
        .iter()
        .filter(wanted)
        .map(|case| match run_case(&definition, case) {
            Ok(differences) => Ran {
                name: case.name.clone(),
                broken: Vec::new(),
                differences,
            },
            Err(wrong) => Ran {
                name: case.name.clone(),
                broken: violations(&wrong)
                    .iter()
                    .map(|one| format!("{}: {}", one.field, one.description))
                    .collect(),
                differences: Vec::new(),
            },
        })
        .collect();
    Ok(Tested {
        file,
        wrong: Vec::new(),
        cases,
    })
}

fn print(tested: &Tested) {
    output::line(&tested.file);
    for wrong in &tested.wrong {
        output::line(format!("  INVALID {wrong}"));
    }
    for case in &tested.cases {
        let word = if case.passed() { "ok  " } else { "FAIL" };
        output::line(format!("  {word} {}", case.name));
        for wrong in &case.broken {
            output::line(format!("         {wrong}"));
        }
        for difference in &case.differences {
            output::line(format!("         {difference}"));
            for line in &difference.explanation {
                output::line(format!("           {line}"));
            }
        }
    }
}

fn json(files: &[Tested]) -> serde_json::Value {
    let difference = |one: &Difference| {
        serde_json::json!({
            "on": one.on.to_string(),
            "what": one.what,
            "expected": one.expected,
            "found": one.found,
            "explanation": one.explanation,
        })
    };
    let case = |one: &Ran| {
        serde_json::json!({
            "name": one.name,
            "passed": one.passed(),
            "invalid": one.broken,
            "differences": one.differences.iter().map(difference).collect::<Vec<_>>(),
        })
    };
    let file = |one: &Tested| {
        serde_json::json!({
            "file": one.file,
            "invalid": one.wrong,
            "cases": one.cases.iter().map(case).collect::<Vec<_>>(),
        })
    };
    serde_json::json!({"files": files.iter().map(file).collect::<Vec<_>>()})
}
