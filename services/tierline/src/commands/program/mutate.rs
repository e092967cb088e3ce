//! `tierline program mutate`: which small changes of program files no case notices.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tierline_domain::program::mutation::{MAX_MUTANTS, Mutated, mutate};
use tierline_domain::program::{program_file_from_yaml, run_case};

use super::{read, violations};
use crate::cli::Globals;
use crate::commands::show::progress;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct MutateArgs {
    /// Program files with cases (`tests:`) that pass.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(args: &MutateArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let mut all = Vec::new();
    for path in &args.files {
        let found = mutate_file(path)?;
        if !globals.output.json() {
            print(path, &found);
        }
        all.push((path, found));
    }
    if globals.output.json() {
        let files = all.iter().map(|(path, found)| {
            serde_json::json!({
                "file": path.display().to_string(),
                "noticed": found.noticed,
                "unnoticed": found.unnoticed,
                "whole": found.whole,
            })
        });
        output::json(&serde_json::json!({"files": files.collect::<Vec<_>>()}))?;
    }
    let guarded = all.iter().all(|(_, found)| found.unnoticed.is_empty());
    Ok(if guarded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn mutate_file(path: &Path) -> anyhow::Result<Mutated> {
    let file = path.display();
    let (definition, cases) = program_file_from_yaml(&read(path)?).map_err(|wrong| {
        let lines: Vec<String> = violations(&wrong)
            .iter()
            .map(|one| format!("  {}: {}", one.field, one.description))
            .collect();
        anyhow::anyhow!("{file} is no program file\n{}", lines.join("\n"))
    })?;
    anyhow::ensure!(!cases.is_empty(), "{file} has no cases");
    let fails = |case: &&tierline_domain::program::Case| {
        !run_case(&definition, case).is_ok_and(|differences| differences.is_empty())
    };
    let failing = cases.iter().find(fails).map(|case| case.name.clone());
    if let Some(name) = failing {
        return Err(anyhow::anyhow!("the case \"{name}\" fails"))
            .with_context(|| format!("{file} has to pass first: tierline program test {file}"));
    }
    let bar = progress::counting("changes");
    let found = mutate(&definition, &cases, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    Ok(found)
}

fn print(path: &Path, found: &Mutated) {
    let (noticed, unnoticed) = (found.noticed, found.unnoticed.len());
    output::line(format!(
        "{}: {noticed} changes noticed, {unnoticed} not",
        path.display()
    ));
    for what in &found.unnoticed {
        output::line(format!("  {what}"));
    }
    if !found.whole {
        output::line(format!("  only the first {MAX_MUTANTS} changes were tried"));
    }
}
