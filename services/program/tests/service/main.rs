//! The services of orgs, programs, rates, segments and benefits over a real connection, behind the
//! real gate, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod badges;
mod benefits;
mod drafts;
mod governance;
mod orgs;
mod programs;
mod rates;
mod segments;

use tierline_rpc_testkit::TestServer;
use tonic::service::Routes;

/// The services without an org.
async fn bare() -> TestServer {
    TestServer::start(|commands| {
        Routes::new(tierline_program::org_server(commands.clone()))
            .add_service(tierline_program::program_server(commands.clone()))
            .add_service(tierline_program::rate_server(commands.clone()))
            .add_service(tierline_program::segment_server(commands.clone()))
            .add_service(tierline_program::badge_server(
                commands.store().pool().clone(),
            ))
            .add_service(tierline_program::benefit_server(commands))
    })
    .await
}

/// The services with the org `acme`.
async fn start() -> TestServer {
    let server = bare().await;
    let pool = server.commands.store().pool();
    tierline_program::MIGRATIONS.run(pool).await.unwrap();
    server.org().await;
    server
}
