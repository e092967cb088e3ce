//! Making the accounts and giving them their rights.

use anyhow::Context as _;
use sqlx::{Acquire as _, Executor as _, PgConnection};
use tierline_runtime::targets::Target;

use super::roles::{Prefix, rights_sql, roles_sql};
use super::scram;
use super::secrets::Secrets;

/// Held while accounts and rights change: "tierlin" and an r for rights, in ASCII.
const LOCK: i64 = 0x7469_6572_6c69_6e72;

/// What `grant` did.
#[derive(Debug, PartialEq, Eq)]
pub struct Granted {
    /// Accounts that have their rights now.
    pub accounts: Vec<String>,
    /// Accounts of targets that do not exist.
    pub missing: Vec<String>,
}

/// Makes the accounts that are missing, sets the passwords of `secrets`, and hands the schema to
/// its owner. Rights are given too where the schema is up to date already. All or nothing. Gives
/// the accounts whose password is new, and what was granted.
///
/// # Errors
/// When the database refuses, or a secret cannot be used.
pub async fn apply(
    connection: &mut PgConnection,
    prefix: &Prefix,
    secrets: Option<&Secrets>,
    schema_is_ready: bool,
) -> anyhow::Result<(Vec<String>, Option<Granted>)> {
    let mut transaction = connection.begin().await?;
    lock(&mut transaction).await?;
    transaction.execute(roles_sql(prefix).as_str()).await.context(
        "the accounts cannot be made; this takes an administrator: a superuser, or the owner of \
         the database with CREATEROLE",
    )?;
    let mut fresh = Vec::new();
    if let Some(secrets) = secrets {
        let mut all = vec![prefix.owner()];
        all.extend(prefix.accounts());
        for account in all {
            let (password, made) = secrets.password(&account)?;
            let verifier = scram::verifier(&password, rand::random());
            let sql = format!("ALTER ROLE {account} PASSWORD '{verifier}'");
            transaction.execute(sql.as_str()).await?;
            if made {
                fresh.push(account);
            }
        }
    }
    let mut granted = None;
    if schema_is_ready {
        let sql = format!("SET LOCAL ROLE {}", prefix.owner());
        transaction.execute(sql.as_str()).await?;
        granted = Some(rights(&mut transaction, prefix).await?);
    }
    transaction.commit().await?;
    Ok((fresh, granted))
}

/// Gives the accounts their rights on the schema as it is now, when the present account is the
/// owner of such accounts; `None` when it is not.
///
/// # Errors
/// When the database refuses.
pub async fn grant(connection: &mut PgConnection) -> anyhow::Result<Option<Granted>> {
    let account: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&mut *connection)
        .await?;
    let Some(prefix) = Prefix::of_owner(&account) else {
        return Ok(None);
    };
    let mut transaction = connection.begin().await?;
    lock(&mut transaction).await?;
    let granted = rights(&mut transaction, &prefix).await?;
    transaction.commit().await?;
    Ok(Some(granted))
}

async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(connection)
        .await
        .map(|_| ())
}

async fn rights(connection: &mut PgConnection, prefix: &Prefix) -> anyhow::Result<Granted> {
    let known: Vec<String> =
        sqlx::query_scalar("SELECT rolname::text FROM pg_roles WHERE rolname = ANY($1)")
            .bind(prefix.accounts())
            .fetch_all(&mut *connection)
            .await?;
    let (there, absent): (Vec<Target>, Vec<Target>) = Target::ALL
        .into_iter()
        .partition(|target| known.contains(&prefix.account(*target)));
    let names = |targets: &[Target]| targets.iter().map(|one| prefix.account(*one)).collect();
    if !there.is_empty() {
        let sql = rights_sql(prefix, &there);
        connection
            .execute(sql.as_str())
            .await
            .context("the rights of the accounts cannot be set")?;
    }
    Ok(Granted {
        accounts: names(&there),
        missing: names(&absent),
    })
}
