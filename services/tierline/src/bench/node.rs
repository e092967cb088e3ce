//! A whole process on a database of a measurement, and clients that talk to it over gRPC.

use std::time::Duration;

use anyhow::Context;
use tierline_bus::jetstream::NatsSettings;
use tierline_rpc::Role;
use tierline_rpc::auth::{LocalIssuer, TokenRequest};
use tierline_runtime::config::{Config, Inputs};
use tierline_runtime::shutdown::Shutdown;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::server::Database;
use super::world::ORG;
use crate::node::{Node, NodeOptions};

/// How long a token of a measurement is good.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// Issuer and audience that the configuration accepts when nobody says otherwise.
const ISSUER: (&str, &str) = ("tierline-local", "tierline");

/// A channel that shows a token with every call.
pub type Connection = InterceptedService<Channel, Bearer>;

/// Adds the token to every call.
#[derive(Debug, Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let token = self.0.clone();
        request.metadata_mut().insert("authorization", token);
        Ok(request)
    }
}

/// A key, and a token for everything in the org of the measurements.
pub struct Access {
    issuer: LocalIssuer,
    bearer: Bearer,
}

impl Access {
    /// A new key.
    ///
    /// # Errors
    /// When no token can be made.
    pub fn new() -> anyhow::Result<Self> {
        let issuer = LocalIssuer::generate("bench", ISSUER.0, ISSUER.1);
        let roles = [Role::Admin, Role::Operator, Role::Integration];
        let token = issuer.token(&TokenRequest::new("bench", ORG, roles), LIFETIME)?;
        let bearer = format!("Bearer {token}").parse().context("no token")?;
        Ok(Self {
            issuer,
            bearer: Bearer(bearer),
        })
    }

    /// The public half, as a key set.
    pub fn jwks(&self) -> String {
        self.issuer.jwks()
    }

    /// Connects to the services at `address`, such as `http://127.0.0.1:7700`.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn connect(&self, address: &str) -> anyhow::Result<Connection> {
        let channel = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(Duration::from_secs(5))
            .initial_stream_window_size(4 * 1024 * 1024)
            .initial_connection_window_size(8 * 1024 * 1024)
            .connect()
            .await
            .with_context(|| format!("nobody answers at {address}"))?;
        Ok(InterceptedService::new(channel, self.bearer.clone()))
    }
}

/// A node in this process.
pub struct Running {
    node: Node,
    address: String,
    access: Access,
}

impl Running {
    /// Starts `targets` on a database, on ports of its own; with `nats`, events travel over it.
    ///
    /// # Errors
    /// When the node does not start.
    pub async fn start(
        database: &Database,
        targets: &str,
        nats: Option<NatsSettings>,
    ) -> anyhow::Result<Self> {
        let flag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let config = Config::load(&Inputs {
            flags: vec![
                flag("listen", "127.0.0.1:0"),
                flag("admin_listen", "127.0.0.1:0"),
                flag("target", targets),
                // Never used: the database is given. Named so that no home is needed.
                flag("data_dir", "/nonexistent"),
            ],
            ..Inputs::default()
        })?;
        let access = Access::new()?;
        let options = NodeOptions {
            database_url: database.url.clone(),
            targets: config.target.clone(),
            auth: access.issuer.settings(),
            nats,
            disks: None,
            alone: true,
        };
        let node = Node::start(&config, options).await?;
        let grpc = node.grpc.context("no gRPC service was started")?;
        Ok(Self {
            address: format!("http://{grpc}"),
            node,
            access,
        })
    }

    /// One connection.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        self.access.connect(&self.address).await
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.node.stop(&Shutdown::default()).await;
    }
}
