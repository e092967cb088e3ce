//! `tierline demo`

use std::process::ExitCode;

use crate::cli::Globals;
use crate::{demo, output};

/// Loads the demonstration org, unless it is there already.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {}

pub async fn run(_args: DemoArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let loaded = demo::ensure(&globals.client).await?;
    if globals.output.json() {
        output::json(&loaded)?;
    } else if !loaded.loaded {
        let (org, today) = (loaded.org_id, loaded.today_date);
        output::line(format!(
            "The demonstration is there already: org {org}, today is {today}."
        ));
    }
    Ok(ExitCode::SUCCESS)
}
