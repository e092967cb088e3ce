//! The gRPC services of a process behind one listener.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::PgPool;
use tierline_bus::{Progress, Waiter};
use tierline_eventstore::{Codec, EventStore, Runner};
use tierline_query::Query;
use tierline_rpc::auth::{ApiKeys, AuthSettings, Verifier};
use tierline_rpc::limits::MAX_HEADER_BYTES;
use tierline_rpc::{AuthLayer, Commands};
use tierline_runtime::config::Config;
use tierline_runtime::connections::Purpose;
use tierline_runtime::ports;
use tierline_runtime::targets::{Target, Targets};
use tonic::service::{Routes, RoutesBuilder};

use super::Node;
use super::pools::Pools;

/// Calls on one connection at the same time; further ones wait.
const MAX_STREAMS: u32 = 256;

impl Node {
    /// Serves the services of the targets, if they have any.
    pub(super) async fn serve_grpc(
        &mut self,
        config: &Config,
        targets: &Targets,
        store: &EventStore,
        progress: Option<Arc<Progress>>,
        auth: AuthSettings,
        pools: &mut Pools,
    ) -> anyhow::Result<()> {
        let api_keys = ApiKeys::new(store.clone());
        let (reporter, health) = tonic_health::server::health_reporter();
        let mut routes = Routes::builder();
        routes.add_service(health);
        let mut any = add_commands(&mut routes, targets, store, &api_keys);
        if targets.has(Target::Query) {
            add_queries(&mut routes, pools.of(Purpose::Queries).await?, progress);
            any = true;
        }
        if !any {
            return Ok(());
        }
        add_reflection(&mut routes)?;
        let verifier = Verifier::new(&auth).context("the key set cannot be used")?;
        let noted = tierline_access::note_uses(
            api_keys.clone(),
            store.pool().clone(),
            self.serving.clone(),
        );
        self.servers.spawn(noted);
        let listener = ports::bind("listen", config.listen).await?;
        self.grpc = Some(listener.local_addr()?);
        reporter
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
        let server = tonic::transport::Server::builder()
            .timeout(config.request_timeout)
            .concurrency_limit_per_connection(MAX_STREAMS as usize)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .max_concurrent_streams(MAX_STREAMS)
            .max_frame_size(Some(1024 * 1024))
            .initial_stream_window_size(Some(4 * 1024 * 1024))
            .initial_connection_window_size(Some(8 * 1024 * 1024))
            .layer(AuthLayer::new(Arc::new(verifier)).with_api_keys(api_keys))
            .add_routes(routes.routes());
        let stop = self.serving.clone();
        self.servers.spawn(async move {
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            if let Err(error) = server
                .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
                .await
            {
                tracing::error!(%error, "the gRPC listener failed");
            }
        });
        Ok(())
    }
}

/// The services that take commands. False: the targets have none.
fn add_commands(
    routes: &mut RoutesBuilder,
    targets: &Targets,
    store: &EventStore,
    api_keys: &ApiKeys,
) -> bool {
    let commands = Commands::new(Runner::new(store.clone()));
    if targets.has(Target::Program) {
        let pool = store.pool().clone();
        let keys = tierline_access::api_key_server(commands.clone(), api_keys.clone(), pool);
        routes
            .add_service(keys)
            .add_service(tierline_program::org_server(commands.clone()))
            .add_service(tierline_program::program_server(commands.clone()))
            .add_service(tierline_program::rate_server(commands.clone()))
            .add_service(tierline_program::segment_server(commands.clone()))
            .add_service(tierline_program::benefit_server(commands.clone()))
            .add_service(tierline_program::badge_server(store.pool().clone()));
    }
    if targets.has(Target::Partner) {
        routes.add_service(tierline_partner::partner_server(commands.clone()));
    }
    if targets.has(Target::Enrollment) {
        routes.add_service(tierline_enrollment::enrollment_server(commands.clone()));
    }
    if targets.has(Target::Activity) {
        routes
            .add_service(tierline_activity::deal_server(commands.clone()))
            .add_service(tierline_activity::certification_server(commands.clone()))
            .add_service(tierline_activity::record_server(commands.clone()));
    }
    if targets.has(Target::Application) {
        routes
            .add_service(tierline_application::form_server(commands.clone()))
            .add_service(tierline_application::submission_server(commands.clone()));
    }
    targets.any(Target::takes_commands)
}

/// The services that answer from read models and log.
fn add_queries(routes: &mut RoutesBuilder, pool: PgPool, progress: Option<Arc<Progress>>) {
    let waiter = Waiter::new(pool.clone(), progress);
    let query = Query::new(pool, Codec::default(), waiter);
    routes
        .add_service(query.partner_service())
        .add_service(query.program_service())
        .add_service(query.application_service())
        .add_service(query.segment_service())
        .add_service(query.benefit_service())
        .add_service(query.standing_service())
        .add_service(query.audit_service())
        .add_service(query.what_if_service())
        .add_service(query.operations_service());
}

/// What any client can ask for the contract.
fn add_reflection(routes: &mut RoutesBuilder) -> anyhow::Result<()> {
    let describe = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tierline_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection = describe()
        .build_v1()
        .context("the reflection service cannot start")?;
    // Clients of several languages still ask under the older name.
    let older = describe()
        .build_v1alpha()
        .context("the reflection service cannot start")?;
    routes.add_service(reflection).add_service(older);
    Ok(())
}
