//! Direct access to the database, for commands that look after it rather than work through a
//! server: whose URL it is, and a connection.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::{Connection as _, PgConnection, PgPool};
use tierline_runtime::config::{Config, ConfigError, Inputs};
use tierline_runtime::data_dir::DataDir;
use tierline_runtime::postgres;

/// Longest wait for a database that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which database.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseFlags {
    /// PostgreSQL to work on: postgres://user:password@host/name. Default: the one of `tierline
    /// up` (also TIERLINE_DATABASE_URL).
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Folder of everything that `tierline up` keeps (also TIERLINE_DATA_DIR).
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl DatabaseFlags {
    /// The configuration with these flags.
    ///
    /// # Errors
    /// Every problem found, with the key, its source and what is allowed.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut flags = Vec::new();
        if let Some(url) = &self.database_url {
            flags.push(("database_url".to_owned(), url.clone()));
        }
        if let Some(folder) = &self.data_dir {
            flags.push(("data_dir".to_owned(), folder.display().to_string()));
        }
        Config::load(&Inputs::from_process(flags, self.config.clone()))
    }

    /// Connects, at most `connections` at a time.
    ///
    /// # Errors
    /// There is no database, or it does not answer; the text says what to do.
    pub async fn connect(&self, connections: u32) -> anyhow::Result<PgPool> {
        self.named()?.connect(connections).await
    }

    /// The database that is named, or made by `tierline up`.
    ///
    /// # Errors
    /// There is none; the text says what to do.
    pub fn named(&self) -> anyhow::Result<Database> {
        let config = self.load()?;
        let Some(database) = Database::of(&config)? else {
            bail!(
                "there is no database: `tierline up` makes one in {}, or name one with \
                 --database-url (TIERLINE_DATABASE_URL)",
                config.data_dir.display()
            );
        };
        Ok(database)
    }
}

/// A database that the configuration or the data folder names.
pub struct Database {
    url: String,
    /// True for the one that `tierline up` runs.
    pub embedded: bool,
}

impl Database {
    /// The database of a configuration; `None` where none is named and none was made.
    ///
    /// # Errors
    /// When the data folder cannot be read.
    pub fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        if let Some(url) = &config.database_url {
            let url = url.expose().to_owned();
            return Ok(Some(Self {
                url,
                embedded: false,
            }));
        }
        let Some(data) = DataDir::existing(&config.data_dir) else {
            return Ok(None);
        };
        let url = postgres::last_url(&data)?;
        Ok(url.map(|url| Self {
            url,
            embedded: true,
        }))
    }

    /// Its URL, password included.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connects, at most `connections` at a time.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(&self, connections: u32) -> anyhow::Result<PgPool> {
        let what = if self.embedded {
            "the PostgreSQL of `tierline up` does not answer; is `tierline up` running?"
        } else {
            "the database of --database-url does not answer"
        };
        let connecting = async {
            // A pool would try a refused connection again and again until its own deadline.
            PgConnection::connect(&self.url).await?.close().await?;
            tierline_eventstore::connect(&self.url, connections).await
        };
        match tokio::time::timeout(PATIENCE, connecting).await {
            Ok(pool) => pool.context(what),
            Err(_) => bail!("{what} (waited {} s)", PATIENCE.as_secs()),
        }
    }
}
