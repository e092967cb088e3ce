//! Forward-only schema migrations, one set per owner.
//!
//! A set is applied in one transaction under an advisory lock, so that several processes may
//! start at once and either all files of a set are in the schema or none of the new ones.

use sha2::{Digest, Sha256};
use sqlx::{Acquire, Executor, PgConnection, PgPool, Row};

/// The key of the advisory lock that is held while migrations run: "tierline" in ASCII.
const LOCK: i64 = 0x7469_6572_6c69_6e65;
/// How long a migration waits for a table before it gives up.
const LOCK_TIMEOUT: &str = "10s";

/// One SQL file.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// File name without folder, beginning with its number: `0001_log.sql`.
    pub name: &'static str,
    /// The statements. They run inside a transaction.
    pub sql: &'static str,
}

/// The migrations of one owner, in order.
#[derive(Debug, Clone, Copy)]
pub struct Migrations {
    /// Who owns these tables, such as `eventstore`. Permanent.
    pub owner: &'static str,
    /// The files, by ascending number.
    pub files: &'static [Migration],
}

/// Why a schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A file that was applied has been edited since.
    #[error(
        "migration {name} of {owner} was changed after it was applied; restore the file and put \
         the change into a new one"
    )]
    Changed {
        /// The owner of the set.
        owner: &'static str,
        /// The file.
        name: &'static str,
    },
    /// The file name does not begin with a number, or numbers do not ascend.
    #[error("migration {name} of {owner} needs a name that begins with an ascending number")]
    Misnamed {
        /// The owner of the set.
        owner: &'static str,
        /// The file.
        name: &'static str,
    },
    /// A file failed; nothing of the set was applied.
    #[error("migration {name} of {owner} failed")]
    Failed {
        /// The owner of the set.
        owner: &'static str,
        /// The file.
        name: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The database could not be asked.
    #[error("the database could not be asked for its migrations")]
    Database(#[from] sqlx::Error),
}

impl Migrations {
    /// Applies what is missing and returns the names of the files that were applied.
    ///
    /// Versions in the database that this release does not know are left alone: a rolled-back
    /// release runs on a newer schema.
    ///
    /// # Errors
    /// When an applied file was edited, a file fails, or the database cannot be reached.
    pub async fn run(&self, pool: &PgPool) -> Result<Vec<&'static str>, MigrationError> {
        let mut connection = pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(&mut *transaction)
            .await?;
        // Only after that: whoever migrates meanwhile may take long. But a migration that waits for
        // a table makes everybody else wait behind it, readers too.
        sqlx::query("SELECT set_config('lock_timeout', $1, true)")
            .bind(LOCK_TIMEOUT)
            .execute(&mut *transaction)
            .await?;
        (&mut *transaction)
            .execute(
                "CREATE TABLE IF NOT EXISTS public.schema_migrations (
                 owner text NOT NULL, version integer NOT NULL, name text NOT NULL,
                 checksum bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
                 PRIMARY KEY (owner, version))",
            )
            .await?;
        let mut applied = Vec::new();
        for (version, file) in self.missing(&mut transaction).await? {
            self.apply(&mut transaction, version, file).await?;
            applied.push(file.name);
        }
        transaction.commit().await?;
        Ok(applied)
    }

    /// The names of the files that the database lacks; all of them on an empty database.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn pending(&self, pool: &PgPool) -> Result<Vec<&'static str>, MigrationError> {
        let mut connection = pool.acquire().await?;
        let exists: bool =
            sqlx::query_scalar("SELECT to_regclass('public.schema_migrations') IS NOT NULL")
                .fetch_one(&mut *connection)
                .await?;
        if !exists {
            return Ok(self.files.iter().map(|file| file.name).collect());
        }
        let missing = self.missing(&mut connection).await?;
        Ok(missing.into_iter().map(|(_, file)| file.name).collect())
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        version: i32,
        file: &Migration,
    ) -> Result<(), MigrationError> {
        (&mut *connection)
            .execute(file.sql)
            .await
            .map_err(|source| MigrationError::Failed {
                owner: self.owner,
                name: file.name,
                source,
            })?;
        sqlx::query(
            "INSERT INTO public.schema_migrations (owner, version, name, checksum)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(self.owner)
        .bind(version)
        .bind(file.name)
        .bind(checksum(file))
        .execute(connection)
        .await?;
        tracing::debug!(
            owner = self.owner,
            migration = file.name,
            "applied migration {}",
            file.name
        );
        Ok(())
    }

    async fn missing(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<(i32, &'static Migration)>, MigrationError> {
        let rows =
            sqlx::query("SELECT version, checksum FROM public.schema_migrations WHERE owner = $1")
                .bind(self.owner)
                .fetch_all(connection)
                .await?;
        let mut applied = std::collections::HashMap::new();
        for row in rows {
            applied.insert(row.try_get::<i32, _>(0)?, row.try_get::<Vec<u8>, _>(1)?);
        }
        let mut missing = Vec::new();
        let mut previous = 0;
        for file in self.files {
            let version = self.version(file, previous)?;
            previous = version;
            match applied.get(&version) {
                None => missing.push((version, file)),
                Some(known) if *known == checksum(file) => {}
                Some(_) => {
                    return Err(MigrationError::Changed {
                        owner: self.owner,
                        name: file.name,
                    });
                }
            }
        }
        Ok(missing)
    }

    fn version(&self, file: &Migration, previous: i32) -> Result<i32, MigrationError> {
        file.name
            .split('_')
            .next()
            .and_then(|number| number.parse::<i32>().ok())
            .filter(|version| *version > previous)
            .ok_or(MigrationError::Misnamed {
                owner: self.owner,
                name: file.name,
            })
    }
}

fn checksum(file: &Migration) -> Vec<u8> {
    Sha256::digest(file.sql.as_bytes()).to_vec()
}
