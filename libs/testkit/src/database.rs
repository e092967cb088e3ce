//! A database of its own for each test, on the server of the test run.

use std::env;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

/// Names a server on which tests may create and drop databases.
pub const TEST_DATABASE_URL: &str = "TIERLINE_TEST_DATABASE_URL";

const PREFIX: &str = "tierline_test_";
/// A database that is older was left by a test run that was killed.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(2 * 3600);
/// No statement of the set-up takes this long unless the server hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// An empty database with a random name. It is dropped with this value, connections and all.
#[derive(Debug)]
pub struct TestDatabase {
    server: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// Creates a database on the server that `TIERLINE_TEST_DATABASE_URL` names.
    ///
    /// # Panics
    /// Without the variable, and when the server refuses; both say what to do.
    pub async fn create() -> Self {
        let url = env::var(TEST_DATABASE_URL).unwrap_or_else(|_| {
            panic!(
                "{TEST_DATABASE_URL} is not set: this test needs a PostgreSQL on which it may \
                 create databases. `./dev test` starts one and sets the variable; or set it to \
                 the URL of a superuser of a scratch server"
            )
        });
        Self::create_on(&url).await
    }

    /// Creates a database on a given server, such as a [`crate::Cluster`].
    ///
    /// # Panics
    /// When the URL cannot be read or the server refuses.
    pub async fn create_on(url: &str) -> Self {
        let server = PgConnectOptions::from_str(url)
            .unwrap_or_else(|error| panic!("the URL of the test server cannot be read: {error}"))
            .disable_statement_logging();
        let name = format!("{PREFIX}{}_{}", unix_seconds(), Uuid::new_v4().simple());
        // template0 takes no connections, so parallel tests never stand in each other's way.
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        within("create a test database", async {
            let mut connection = server.connect().await?;
            drop_left_overs(&mut connection).await?;
            sqlx::raw_sql(&create).execute(&mut connection).await?;
            connection.close().await
        })
        .await;
        Self { server, name }
    }

    /// Creates a database and runs SQL in it, which may have many statements.
    ///
    /// # Panics
    /// As [`TestDatabase::create`], and when the SQL fails.
    pub async fn create_with(sql: &str) -> Self {
        let database = Self::create().await;
        let mut connection = database.connect().await;
        within("prepare a test database", async {
            sqlx::raw_sql(sql).execute(&mut connection).await?;
            connection.close().await
        })
        .await;
        database
    }

    /// Name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// URL of the database.
    pub fn url(&self) -> String {
        self.options().to_url_lossy().to_string()
    }

    /// How to connect to the database, for pools with settings of their own.
    pub fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// A single connection.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn connect(&self) -> PgConnection {
        let options = self.options();
        within("connect to a test database", async {
            options.connect().await
        })
        .await
    }

    /// A pool of at most `size` connections.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn pool(&self, size: u32) -> PgPool {
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(30));
        let options = self.options();
        within("connect to a test database", pool.connect_with(options)).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread with a runtime of its own: the runtime of the test may be about to end. What
        // goes wrong here is left to the clean-up of a later run.
        let drop_it = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime
                .block_on(async {
                    let work = async {
                        let mut connection = server.connect().await?;
                        sqlx::raw_sql(&sql).execute(&mut connection).await?;
                        connection.close().await
                    };
                    tokio::time::timeout(PATIENCE, work).await
                })
                .ok();
        });
        drop_it.join().ok();
    }
}

/// Drops what killed test runs have left behind.
async fn drop_left_overs(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE starts_with(datname, $1)")
            .bind(PREFIX)
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
    let oldest = unix_seconds().saturating_sub(LEFT_OVER_AFTER.as_secs());
    for name in names
        .iter()
        .filter(|name| created_at(name).is_some_and(|at| at < oldest))
    {
        // Two test processes may meet here; whoever comes second finds nothing to do.
        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        sqlx::raw_sql(&sql).execute(&mut *connection).await.ok();
    }
    Ok(())
}

fn created_at(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.split_once('_')?.0.parse().ok()
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

async fn within<T>(what: &str, work: impl Future<Output = Result<T, sqlx::Error>>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => panic!("cannot {what}: {error} (server of {TEST_DATABASE_URL})"),
        Err(_) => panic!("cannot {what} within {PATIENCE:?} (server of {TEST_DATABASE_URL})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_database_is_in_its_name() {
        assert_eq!(
            created_at("tierline_test_1700000000_abc"),
            Some(1_700_000_000)
        );
        assert_eq!(created_at("tierline_test_x_abc"), None);
        assert_eq!(created_at("production"), None);
    }
}
