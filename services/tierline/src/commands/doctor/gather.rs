//! What the server, the data folder and the database say about themselves.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{PgConnection, PgPool, Row};
use tierline_proto::query::v1::operations_service_client::OperationsServiceClient;
use tierline_proto::query::v1::{GetStatusRequest, ListParkedRequest, ParkedEvent};
use tierline_runtime::config::Config;
use tierline_runtime::connections::Limits;
use tierline_runtime::data_dir::{self, DataDir, Space};
use tierline_runtime::keys::ClientFile;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::{Authorized, ClientFlags, refused};
use crate::commands::direct::{Database, DatabaseFlags};
use crate::output;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Parked events that are looked at.
const PARKED: i32 = 3;

/// Everything that was found out.
#[derive(Debug, Default)]
pub struct Found {
    /// What is wrong with the configuration.
    pub misconfigured: Option<String>,
    /// The data folder.
    pub folder: Option<Folder>,
    /// The database; the error when it does not answer; `None` where there is none.
    pub database: Option<Result<DatabaseFacts, String>>,
    /// True when the database is the one of `tierline up`.
    pub embedded: bool,
    /// The server, or why it could not be asked.
    pub server: Option<Result<Server, String>>,
}

/// The data folder.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Whether there is one.
    pub exists: bool,
    /// Room on its file system.
    pub space: Option<Result<Space, String>>,
}

/// What the database says.
#[derive(Debug, Clone)]
pub struct DatabaseFacts {
    /// `server_version`, such as `15.8`.
    pub version: String,
    /// `server_version_num`, such as 150008.
    pub version_number: i32,
    /// The account that asks.
    pub account: String,
    /// Whether it is a superuser.
    pub superuser: bool,
    /// Connections in use and allowed.
    pub limits: Limits,
    /// Its clock minus ours, in milliseconds.
    pub skew_ms: i64,
    /// How far off that may be.
    pub skew_error_ms: i64,
    /// Age of the oldest open transaction in milliseconds.
    pub oldest_transaction_ms: u64,
    /// Migrations applied; `None` where there is no schema.
    pub migrations: Option<i64>,
    /// The log, read directly; `None` where there is no schema.
    pub log: Option<LogState>,
}

/// What the server says.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// Whether it serves.
    pub serving: bool,
    /// Its state; the refusal when the caller may not see it.
    pub state: Option<Result<ServerState, String>>,
}

/// The state that operators see.
#[derive(Debug, Clone, Default)]
pub struct ServerState {
    /// Version of the server.
    pub version: String,
    /// The log.
    pub log: LogState,
    /// Some events that were set aside.
    pub parked: Vec<ParkedEvent>,
}

/// How far the log and its consumers are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogState {
    /// Position of the last event.
    pub head: u64,
    /// Committed events without a position.
    pub unsequenced: u64,
    /// Age of the oldest of these in milliseconds.
    pub unsequenced_age_ms: u64,
    /// The consumers.
    pub consumers: Vec<Lag>,
}

/// How far a consumer is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lag {
    /// Its name.
    pub consumer: String,
    /// Events behind.
    pub events: u64,
    /// Events set aside.
    pub parked: u64,
    /// Partitions that nobody works on.
    pub idle: usize,
}

/// Asks everybody.
pub async fn all(flags: &DatabaseFlags, client: &ClientFlags) -> Found {
    let config = match flags.load() {
        Ok(config) => config,
        Err(error) => {
            return Found {
                misconfigured: Some(error.to_string()),
                ..Found::default()
            };
        }
    };
    let mut found = Found {
        folder: Some(folder(&config)),
        ..Found::default()
    };
    match Database::of(&config) {
        Ok(None) => {}
        Ok(Some(database)) => {
            found.embedded = database.embedded;
            let asked = ask_database(&database).await;
            found.database = Some(asked.map_err(|error| output::chain(&error)));
        }
        Err(error) => found.database = Some(Err(output::chain(&error))),
    }
    let asked = match server_of(&config, client) {
        Ok(client) => ask_server(&client).await,
        Err(error) => Err(error),
    };
    found.server = Some(asked.map_err(|error| output::chain(&error)));
    found
}

fn folder(config: &Config) -> Folder {
    let path = config.data_dir.clone();
    let existing = DataDir::existing(&path);
    let space = existing
        .as_ref()
        .map(|data| data_dir::space(data.path()).map_err(|error| error.to_string()));
    Folder {
        exists: existing.is_some(),
        path,
        space,
    }
}

/// The server of the data folder in question, unless flags name another.
fn server_of(config: &Config, client: &ClientFlags) -> anyhow::Result<ClientFlags> {
    let mut client = client.clone();
    if client.address.is_none()
        && let Some(data) = DataDir::existing(&config.data_dir)
        && let Some(file) = ClientFile::read(&data.client_file())?
    {
        client.address = Some(file.address);
        if client.token_file.is_none() && client.org.is_none() {
            client.token_file = Some(file.token_file);
        }
    }
    Ok(client)
}

async fn ask_server(client: &ClientFlags) -> anyhow::Result<Server> {
    let channel = client.connect().await?;
    let mut client = HealthClient::new(channel.clone());
    let health = client.check(HealthCheckRequest::default());
    let health = tokio::time::timeout(PATIENCE, health).await;
    let status = match health {
        Ok(answer) => answer.map_err(refused)?.into_inner().status,
        Err(_) => anyhow::bail!("the server took the call and did not answer"),
    };
    let state = match tokio::time::timeout(PATIENCE, server_state(channel)).await {
        Ok(Ok(state)) => Ok(state),
        Ok(Err(status)) if status.code() == Code::PermissionDenied => {
            Err("the token has no role that may see the state of the system".to_owned())
        }
        Ok(Err(status)) => Err(refused(status).to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    };
    Ok(Server {
        serving: status == i32::from(ServingStatus::Serving),
        state: Some(state),
    })
}

async fn server_state(channel: Authorized) -> Result<ServerState, tonic::Status> {
    let mut client = OperationsServiceClient::new(channel);
    let status = client.get_status(GetStatusRequest {}).await?.into_inner();
    let request = ListParkedRequest {
        page_size: PARKED,
        ..Default::default()
    };
    let parked = client.list_parked(request).await?.into_inner().events;
    let consumers = status.consumers.into_iter().map(|one| Lag {
        idle: one
            .partitions
            .iter()
            .filter(|part| part.owner.is_empty())
            .count(),
        consumer: one.consumer,
        events: one.lag_events,
        parked: one.parked_events,
    });
    Ok(ServerState {
        version: status.server_version,
        log: LogState {
            head: status.log_head,
            unsequenced: status.unsequenced_events,
            unsequenced_age_ms: status.oldest_unsequenced_age_ms,
            consumers: consumers.collect(),
        },
        parked,
    })
}

async fn ask_database(database: &Database) -> anyhow::Result<DatabaseFacts> {
    let pool = database.connect(1).await?;
    let facts = tokio::time::timeout(PATIENCE, facts(&pool)).await;
    pool.close().await;
    match facts {
        Ok(facts) => Ok(facts?),
        Err(_) => anyhow::bail!("the database took the connection and did not answer"),
    }
}

async fn facts(pool: &PgPool) -> Result<DatabaseFacts, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let (skew_ms, skew_error_ms) = skew(&mut connection).await?;
    let row = sqlx::query(
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int,
            (SELECT (extract(epoch FROM clock_timestamp() - min(a.xact_start)) * 1000)::bigint
             FROM pg_stat_activity a
             WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()),
            to_regclass('public.schema_migrations') IS NOT NULL
                AND to_regclass('public.sequencer') IS NOT NULL
                AND to_regclass('bus.checkpoints') IS NOT NULL,
            current_user::text, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
    )
    .fetch_one(&mut *connection)
    .await?;
    let mut facts = DatabaseFacts {
        version: row.try_get(0)?,
        version_number: row.try_get(1)?,
        account: row.try_get(4)?,
        superuser: row.try_get(5)?,
        limits: Limits::read(&mut connection).await?,
        skew_ms,
        skew_error_ms,
        oldest_transaction_ms: unsigned(row.try_get::<Option<i64>, _>(2)?.unwrap_or_default()),
        migrations: None,
        log: None,
    };
    if row.try_get(3)? {
        let count = sqlx::query_scalar("SELECT count(*) FROM public.schema_migrations");
        facts.migrations = Some(count.fetch_one(&mut *connection).await?);
        facts.log = Some(log_state(&mut connection).await?);
    }
    Ok(facts)
}

/// The clock of the database minus ours, and how far off that may be: half of the round trip.
async fn skew(connection: &mut PgConnection) -> Result<(i64, i64), sqlx::Error> {
    let sent = Timestamp::now();
    let theirs: i64 =
        sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
            .fetch_one(connection)
            .await?;
    let received = Timestamp::now();
    let (sent, received) = (sent.as_millisecond(), received.as_millisecond());
    let half = (received - sent) / 2;
    Ok((theirs - sent - half, half))
}

async fn log_state(connection: &mut PgConnection) -> Result<LogState, sqlx::Error> {
    let (head, unsequenced): (i64, i64) = sqlx::query_as(
        "SELECT s.position, (SELECT count(*) FROM outbox) FROM sequencer s WHERE s.id = 1",
    )
    .fetch_one(&mut *connection)
    .await?;
    let rows = sqlx::query(
        "SELECT c.consumer || '-v' || c.version,
                sum(greatest(s.heads[c.partition + 1] - c.number, 0))::bigint,
                (SELECT count(*) FROM bus.parked p
                 WHERE p.consumer = c.consumer AND p.version = c.version)
         FROM bus.checkpoints c CROSS JOIN sequencer s
         GROUP BY c.consumer, c.version ORDER BY 1",
    )
    .fetch_all(connection)
    .await?;
    let mut state = LogState {
        head: unsigned(head),
        unsequenced: unsigned(unsequenced),
        ..LogState::default()
    };
    for row in rows {
        state.consumers.push(Lag {
            consumer: row.try_get(0)?,
            events: unsigned(row.try_get(1)?),
            parked: unsigned(row.try_get(2)?),
            idle: 0,
        });
    }
    Ok(state)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
