//! `tierline migrate`

use std::process::ExitCode;

use anyhow::Context;

use crate::config_flags::ConfigFlags;
use crate::{node, output};

/// Brings the schema of the database up to date. Safe to run again, and from several places.
#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    flags: ConfigFlags,
}

pub async fn run(args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let config = args.flags.load()?;
    let url = config
        .database_url
        .context("migrate needs a database: --database-url or TIERLINE_DATABASE_URL")?;
    let pool = tierline_eventstore::connect(url.expose(), 1)
        .await
        .context("the database does not answer")?;
    let applied = node::migrate(&pool).await?;
    if applied.is_empty() {
        output::line("the schema is up to date");
    }
    for name in applied {
        output::line(format!("applied {name}"));
    }
    Ok(ExitCode::SUCCESS)
}
