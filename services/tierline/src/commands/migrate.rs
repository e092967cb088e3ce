//! `tierline migrate`

use std::process::ExitCode;

use anyhow::Context;

use super::database::report;
use crate::config_flags::ConfigFlags;
use crate::{database, output, schema};

/// Brings the schema of the database up to date. Safe to run again, and from several places.
///
/// As the owner that `tierline database roles` made, also gives the accounts of the targets their
/// rights on what is new.
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
    let applied = schema::migrate(&pool).await?;
    let granted = database::grant(&mut *pool.acquire().await?).await?;
    if applied.is_empty() {
        output::line("the schema is up to date");
    }
    for name in applied {
        output::line(format!("applied {name}"));
    }
    if let Some(granted) = &granted {
        report(granted);
    }
    for (name, built, wanted) in tierline_projector::outdated(&pool).await? {
        output::line(format!(
            "the read model {name} has version {built} and this release keeps {wanted}; \
             `tierline rebuild outdated` builds it beside the one that serves"
        ));
    }
    Ok(ExitCode::SUCCESS)
}
