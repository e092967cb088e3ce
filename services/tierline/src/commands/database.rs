//! `tierline database roles`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::direct::DatabaseFlags;
use crate::cli::Globals;
use crate::database::{self, Granted, Prefix, Secrets};
use crate::{output, schema};

/// Looks after the database itself.
#[derive(Debug, clap::Args)]
pub struct DatabaseArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make one account for each target, with the rights it needs and no others.
    Roles(RolesArgs),
}

/// Prints the SQL that makes one account for each target, and one that owns the schema; with
/// --apply carries it out. May be run again, and has to be when a release brings a new target.
///
/// The database should belong to Tierline alone: what lies in it goes to the owner of the schema,
/// and other accounts lose the right to connect.
#[derive(Debug, clap::Args)]
struct RolesArgs {
    /// What the names of the accounts begin with.
    #[arg(long, default_value = "tl_")]
    prefix: Prefix,
    /// Carry it out. --database-url then names an administrator.
    #[arg(long)]
    apply: bool,
    /// Folder with a file ACCOUNT.url for each account. Files that are missing are made, with
    /// random passwords; the passwords in them become those of the accounts.
    #[arg(long, value_name = "DIR", requires = "apply")]
    secrets: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseFlags,
}

pub async fn run(args: DatabaseArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let What::Roles(args) = args.what;
    if !args.apply {
        output::line(database::script(&args.prefix).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let target = args.database.named()?;
    let secrets = match &args.secrets {
        Some(folder) => Some(Secrets::open(folder, target.url())?),
        None => None,
    };
    let pool = target.connect(1).await?;
    let ready = schema::missing(&pool).await?.is_empty();
    let mut connection = pool.acquire().await?;
    let applied = database::apply(&mut connection, &args.prefix, secrets.as_ref(), ready).await;
    drop(connection);
    pool.close().await;
    let (fresh, granted) = applied?;
    if globals.output.json() {
        output::json(&json!({
            "owner": args.prefix.owner(),
            "accounts": args.prefix.accounts(),
            "passwords_made": fresh,
            "rights_granted": granted.is_some(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!(
        "accounts: {} (owner of the schema), {}",
        args.prefix.owner(),
        args.prefix.accounts().join(", ")
    ));
    if let (Some(folder), false) = (&args.secrets, fresh.is_empty()) {
        output::line(format!("new in {}: {}", folder.display(), fresh.join(", ")));
    }
    match &granted {
        Some(granted) => report(granted),
        None => output::line(format!(
            "rights: none yet, the schema is not up to date; run `tierline migrate` as {}",
            args.prefix.owner()
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// Says who has rights now.
pub fn report(granted: &Granted) {
    output::line(format!("rights given to {}", granted.accounts.join(", ")));
    if !granted.missing.is_empty() {
        output::line(format!(
            "without an account: {}; `tierline database roles --apply` makes them",
            granted.missing.join(", ")
        ));
    }
}
