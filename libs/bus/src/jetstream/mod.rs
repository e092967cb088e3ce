//! NATS JetStream: one file stream per partition of the log, written by the relay alone.
//!
//! JetStream carries and PostgreSQL remembers. A stream may lose messages, repeat them or vanish;
//! consumers see it by the numbers and read the log instead. So nothing here is ever the only copy
//! of anything, and streams keep no more than what a consumer may be behind in earnest.

mod feed;
mod incoming;
mod publisher;
mod tail;
mod void;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions};

use tierline_telemetry::metrics::RelayFailure;

use crate::cloudevent;

pub use feed::{JetStreamFeed, JetStreamLog};
pub use publisher::{Publisher, RELAY};
pub use void::{VoidError, void_ranges};

/// Longest wait for an answer of the server.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a stream keeps a message. Who is further behind reads the log.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// How many messages a stream keeps at most.
const KEPT: i64 = 1_000_000;
/// How often a silent connection is tested; after two missed answers it counts as lost.
const PING: Duration = Duration::from_secs(5);

/// How to reach the servers.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// One or several, separated by commas: `nats://host:4222`, with `user:password@` or
    /// `tls://` where wanted.
    pub url: String,
    /// A file of credentials, as `nsc` and operators hand out.
    pub credentials: Option<PathBuf>,
    /// Copies of each stream: 1, or 3 on a cluster of three or more.
    pub replicas: u8,
}

/// Why the servers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The settings cannot be used.
    #[error("NATS cannot be used: {0}")]
    Settings(String),
    /// Somebody else has published: the stream goes on from elsewhere.
    #[error("NATS refused a message: {0}")]
    Sequence(String),
    /// The server did not take a message for another reason, such as a full store.
    #[error("NATS did not take a message: {0}")]
    Refused(String),
    /// An acknowledgement did not come.
    #[error("NATS did not acknowledge a message: {0}")]
    Unacknowledged(String),
    /// The server did not answer, or the connection failed.
    #[error("NATS failed: {0}")]
    Failed(String),
}

impl NatsError {
    pub(crate) fn of(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// A message that was sent and not taken.
    fn refused(error: PublishError) -> Self {
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Self::Sequence(error.to_string()),
            PublishErrorKind::TimedOut => Self::Unacknowledged(error.to_string()),
            PublishErrorKind::BrokenPipe => Self::Failed(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }

    /// As it is counted.
    fn cause(&self) -> RelayFailure {
        match self {
            Self::Sequence(_) => RelayFailure::Sequence,
            Self::Unacknowledged(_) => RelayFailure::NoAcknowledgement,
            Self::Refused(_) => RelayFailure::Refused,
            Self::Settings(_) | Self::Failed(_) => RelayFailure::Connection,
        }
    }
}

/// A connection to the servers. It is made again by itself whenever it breaks.
#[derive(Debug, Clone)]
pub struct JetStream {
    client: Client,
    context: jetstream::Context,
    replicas: u8,
}

impl JetStream {
    /// Connects. Servers that are not there yet are waited for in the background: a process starts
    /// without them, and reads the log until they come.
    ///
    /// # Errors
    /// When the URL or the credentials cannot be read.
    pub async fn connect(settings: &NatsSettings, name: &str) -> Result<Self, NatsError> {
        let wrong = |error: String| NatsError::Settings(error);
        let mut options = ConnectOptions::new()
            .name(name)
            .ping_interval(PING)
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .retry_on_initial_connect();
        if let Some(path) = &settings.credentials {
            let shown = path.display().to_string();
            let with = options.credentials_file(path).await;
            options = with.map_err(|error| wrong(format!("credentials {shown}: {error}")))?;
        }
        let servers: Vec<async_nats::ServerAddr> = settings
            .url
            .split(',')
            .map(|url| url.trim().parse().map_err(|_| url))
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("nats_url: write nats://host:4222, several with commas".into()))?;
        // The library reads no user out of a URL by itself.
        let with_user = servers.iter().find_map(|server| {
            let user = server.username()?.to_owned();
            Some((user, server.password().map(str::to_owned)))
        });
        options = match with_user {
            Some((user, Some(password))) => options.user_and_password(user, password),
            Some((token, None)) => options.token(token),
            None => options,
        };
        let client = options
            .connect(servers)
            .await
            .map_err(|error| NatsError::Settings(error.to_string()))?;
        let context = jetstream::context::ContextBuilder::new()
            .timeout(PATIENCE)
            .max_ack_inflight(20_000)
            .build(client.clone());
        Ok(Self {
            client,
            context,
            replicas: settings.replicas.max(1),
        })
    }

    /// Whether there is a connection at this moment.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// How often a connection came about: another number than before means that the server may not
    /// know any more what it was asked for.
    pub(crate) fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Version of the connected server; empty before the first connection.
    pub fn server_version(&self) -> String {
        let info = self.client.try_server_info();
        info.map(|info| info.version).unwrap_or_default()
    }

    /// The underlying client, for benchmarks and tests that look at the bytes.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the server takes atomic batches (2.12 and later).
    pub(crate) fn has_atomic_batches(&self) -> bool {
        self.is_connected() && self.client.is_server_compatible(2, 12, 0)
    }

    pub(crate) fn context(&self) -> &jetstream::Context {
        &self.context
    }

    /// The stream of a partition; made if it is not there.
    pub(crate) async fn stream(&self, partition: u8) -> Result<stream::Stream, NatsError> {
        let config = stream::Config {
            name: stream_name(partition),
            subjects: vec![cloudevent::subjects(partition)],
            storage: stream::StorageType::File,
            num_replicas: usize::from(self.replicas),
            max_age: KEPT_FOR,
            max_messages: KEPT,
            discard: stream::DiscardPolicy::Old,
            allow_atomic_publish: self.has_atomic_batches(),
            description: Some("Events of the Tierline log, written by its relay alone.".to_owned()),
            ..stream::Config::default()
        };
        let made = self.context.get_or_create_stream(config).await;
        made.map_err(NatsError::of)
    }

    /// Removes the stream of a partition with everything in it.
    pub(crate) async fn remove(&self, partition: u8) -> Result<(), NatsError> {
        let removed = self.context.delete_stream(stream_name(partition)).await;
        removed.map(|_| ()).map_err(NatsError::of)
    }
}

/// The name of the stream of a partition.
pub fn stream_name(partition: u8) -> String {
    format!("tl-events-{partition:02}")
}
