//! `tierline targets`

use std::process::ExitCode;

use tierline_runtime::targets::Target;

use crate::cli::Globals;
use crate::output;

/// Lists the parts that `serve` can run.
#[derive(Debug, clap::Args)]
pub struct TargetsArgs {}

pub fn run(_args: TargetsArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    if globals.output.json() {
        let all: Vec<_> = Target::ALL
            .iter()
            .map(|target| {
                serde_json::json!({"target": target.name(), "description": target.description()})
            })
            .collect();
        output::json(&all)?;
    } else {
        let rows = Target::ALL
            .iter()
            .map(|target| [target.name().to_owned(), target.description().to_owned()]);
        output::table(&["target", "what it does"], rows);
    }
    Ok(ExitCode::SUCCESS)
}
