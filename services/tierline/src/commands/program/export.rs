//! `tierline program export`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::source;
use crate::cli::Globals;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The program.
    program: String,
    /// Which version. Default: the one in force today.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// Where to write it. Default: to standard output.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long)]
    replace: bool,
}

pub async fn run(args: &ExportArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let channel = globals.client.connect().await?;
    let found = source::version_of(&channel, &args.program, args.version).await?;
    let found = found.with_context(|| {
        format!(
            "{} has no version in force today; name one with --version",
            args.program
        )
    })?;
    let summary = found.summary.unwrap_or_default();
    let head = format!(
        "# {} version {}, in force from {}.\n",
        found.program_id, summary.version, summary.effective_date
    );
    let Some(path) = &args.file else {
        output::line(format!("{head}{}", found.yaml.trim_end()));
        return Ok(ExitCode::SUCCESS);
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    match args.replace {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let written = options.open(path).and_then(|mut file| {
        use std::io::Write as _;
        file.write_all(format!("{head}{}", found.yaml).as_bytes())
    });
    written.with_context(|| {
        format!(
            "{} cannot be written; a file that is there already is replaced with --replace",
            path.display()
        )
    })?;
    output::line(format!("Wrote {}.", path.display()));
    Ok(ExitCode::SUCCESS)
}
