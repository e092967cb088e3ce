//! The PostgreSQL that is measured: one of our own in a temporary folder, or a given one.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};
use tierline_runtime::data_dir::DataDir;
use tierline_runtime::data_dir::LockedDataDir;
use tierline_runtime::postgres::{EmbeddedPostgres, PostgresOptions};

use super::report::progress;

/// How long the server may take to stop before it is cut off.
const STOP: Duration = Duration::from_secs(30);

/// A server, and connections to it for making and dropping databases.
pub struct Server {
    options: PgConnectOptions,
    admin: PgPool,
    embedded: Option<Embedded>,
    made: AtomicU32,
    folder: PathBuf,
}

struct Embedded {
    postgres: EmbeddedPostgres,
    data: LockedDataDir,
}

/// A database of one figure.
pub struct Database {
    /// Its URL, password included.
    pub url: String,
    /// Its name.
    pub name: String,
}

impl Server {
    /// Uses the server at `url`, or starts one in a new folder below `parent`.
    ///
    /// # Errors
    /// No PostgreSQL, a folder that cannot be made, a server that does not answer.
    pub async fn start(url: Option<&str>, parent: &Path) -> anyhow::Result<Self> {
        let folder = parent.join(format!("tierline-bench-{}", std::process::id()));
        let embedded = match url {
            Some(_) => None,
            None => Some(Embedded::start(&folder).await?),
        };
        let own = embedded.as_ref().map(|own| own.postgres.url_of("postgres"));
        let url = own.as_deref().or(url).unwrap_or_default();
        let options = PgConnectOptions::from_str(url)
            .context("--database-url is no URL of a PostgreSQL")?
            .disable_statement_logging();
        let admin = PgPoolOptions::new()
            .max_connections(2)
            .connect_with(options.clone())
            .await
            .context("the database does not answer")?;
        Ok(Self {
            options,
            admin,
            embedded,
            made: AtomicU32::new(0),
            folder,
        })
    }

    /// Connections to the maintenance database, for looking at the server from outside.
    pub fn admin(&self) -> &PgPool {
        &self.admin
    }

    /// A temporary folder for what else is measured; not made yet.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes an empty database. What earlier figures left in memory is written out first, so that
    /// nobody pays for another one's work.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn database(&self) -> anyhow::Result<Database> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("tierline_bench_{}_{number}", std::process::id());
        // Names of our own making need no quotes.
        sqlx::raw_sql(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .execute(&self.admin)
            .await
            .context("a database cannot be made; the role needs CREATEDB")?;
        self.checkpoint().await;
        let url = self.options.clone().database(&name).to_url_lossy();
        Ok(Database {
            url: url.to_string(),
            name,
        })
    }

    /// Writes out what is only in memory. Not every role may; without it the spread is larger.
    pub async fn checkpoint(&self) {
        if let Err(error) = sqlx::raw_sql("CHECKPOINT").execute(&self.admin).await {
            progress(format!("no checkpoint before the measurement: {error}"));
        }
    }

    /// Removes a database, connections and all.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn drop(&self, database: &Database) -> anyhow::Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database.name);
        sqlx::raw_sql(&sql)
            .execute(&self.admin)
            .await
            .context("a database cannot be dropped")?;
        Ok(())
    }

    /// Drops what is left, stops the server if it is our own, and removes its folder.
    ///
    /// # Errors
    /// When the server does not stop or the folder cannot be removed.
    pub async fn stop(self) -> anyhow::Result<()> {
        if let Some(own) = self.embedded {
            self.admin.close().await;
            return own.stop(&self.folder).await;
        }
        for number in 0..self.made.load(Ordering::Relaxed) {
            let name = format!("tierline_bench_{}_{number}", std::process::id());
            let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            sqlx::raw_sql(&sql).execute(&self.admin).await?;
        }
        self.admin.close().await;
        Ok(())
    }
}

impl Embedded {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        progress(format!("starting a PostgreSQL in {}", folder.display()));
        let data = DataDir::open(folder)?.lock()?;
        let binaries = std::env::var_os("TIERLINE_POSTGRES_BIN").map(PathBuf::from);
        let options = PostgresOptions {
            binaries,
            // The raw limits alone use as many connections as a whole process.
            settings: vec![("max_connections".to_owned(), "100".to_owned())],
            throwaway: false,
        };
        let postgres = EmbeddedPostgres::start(&data, &options)
            .await
            .context("the embedded PostgreSQL did not start")?;
        Ok(Self { postgres, data })
    }

    async fn stop(self, folder: &Path) -> anyhow::Result<()> {
        let stopped = self.postgres.stop(STOP).await;
        drop(self.data);
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
        stopped.context("PostgreSQL did not stop")?;
        Ok(())
    }
}
