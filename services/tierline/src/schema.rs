//! The schema before a process works on it: brought up to date, or only looked at where the
//! account of the process may not change it. And a look at the account itself.

use anyhow::{Context as _, bail};
use sqlx::{PgPool, Row as _};
use tierline_eventstore::Migrations;

/// Migrations that are named one by one in an error.
const NAMED: usize = 5;

/// Every set of migrations, in the order in which they build on each other.
pub const MIGRATIONS: [Migrations; 6] = [
    tierline_eventstore::MIGRATIONS,
    tierline_bus::MIGRATIONS,
    tierline_tier_evaluator::MIGRATIONS,
    tierline_projector::MIGRATIONS,
    tierline_access::MIGRATIONS,
    tierline_program::MIGRATIONS,
];

/// Brings the schema up to date and names what was applied.
///
/// # Errors
/// When a migration fails; nothing of its set is applied then.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let mut applied = Vec::new();
    for set in MIGRATIONS {
        let names = set
            .run(pool)
            .await
            .context("the schema cannot be brought up to date")?;
        applied.extend(
            names
                .into_iter()
                .map(|name| format!("{}/{name}", set.owner)),
        );
    }
    if let Some(last) = applied.last() {
        tracing::info!(
            "the schema is up to date: {} files, last {last}",
            applied.len()
        );
    }
    Ok(applied)
}

/// The migrations that the database lacks, as `owner/file`.
///
/// # Errors
/// When the database cannot be asked, or an applied migration was edited.
pub async fn missing(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let mut missing = Vec::new();
    for set in MIGRATIONS {
        let names = set.pending(pool).await.context(
            "the state of the schema cannot be read; where targets have accounts of their own, \
             `tierline migrate` gives them the right to",
        )?;
        missing.extend(
            names
                .into_iter()
                .map(|name| format!("{}/{name}", set.owner)),
        );
    }
    Ok(missing)
}

/// Makes sure that the schema is that of this release: migrates it, or where it must not, refuses
/// to go on with what is missing.
///
/// # Errors
/// A migration is missing or fails.
pub async fn prepare(pool: &PgPool, may_migrate: bool) -> anyhow::Result<()> {
    let missing = missing(pool).await?;
    if missing.is_empty() {
        return Ok(());
    }
    if may_migrate {
        return migrate(pool).await.map(|_| ()).context(
            "the schema has to be brought up to date; if this account may not do that, run \
             `tierline migrate` under one that may, and set migrate_on_start to false here",
        );
    }
    let mut names = missing.join(", ");
    if missing.len() > NAMED {
        names = format!(
            "{} and {} more",
            missing[..NAMED].join(", "),
            missing.len() - NAMED
        );
    }
    bail!(
        "the schema of the database lacks {names}; run `tierline migrate` of this release under \
         the account that owns the schema (migrate_on_start is false, so this process leaves it \
         as it is)"
    )
}

/// The present account, and whether it is a superuser.
///
/// # Errors
/// When the database does not answer.
pub async fn account(pool: &PgPool) -> Result<(String, bool), sqlx::Error> {
    let row =
        sqlx::query("SELECT rolname::text, rolsuper FROM pg_roles WHERE rolname = current_user")
            .fetch_one(pool)
            .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Warns when a process works as a superuser: nothing then holds a fault in it back.
///
/// # Errors
/// When the database does not answer.
pub async fn warn_of_superuser(pool: &PgPool) -> Result<(), sqlx::Error> {
    let (account, superuser) = account(pool).await?;
    if superuser {
        tracing::warn!(
            %account,
            "the database account {account} is a superuser; `tierline database roles` makes \
             accounts that may only do what each target needs"
        );
    }
    Ok(())
}
