//! The services of activities over a real connection, behind the real gate, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod bulk;
mod certifications;
mod deals;
mod records;

use tierline_proto::activity::v1::certification_service_client::CertificationServiceClient;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::activity::v1::record_service_client::RecordServiceClient;
use tierline_proto::common::v1::Money;
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TestServer};
use tonic::service::Routes;

type Deals = DealServiceClient<Connection>;
type Certifications = CertificationServiceClient<Connection>;
type Records = RecordServiceClient<Connection>;

/// The services with the org `acme` and its partner `nova`.
async fn start() -> TestServer {
    let server = TestServer::start(|commands| {
        Routes::new(tierline_activity::deal_server(commands.clone()))
            .add_service(tierline_activity::certification_server(commands.clone()))
            .add_service(tierline_activity::record_server(commands))
    })
    .await;
    server.org().await;
    server.partner("nova").await;
    server
}

fn deals(server: &TestServer) -> Deals {
    DealServiceClient::new(server.caller(Role::PartnerManager))
}

fn certifications(server: &TestServer) -> Certifications {
    CertificationServiceClient::new(server.caller(Role::PartnerManager))
}

fn records(server: &TestServer) -> Records {
    RecordServiceClient::new(server.caller(Role::PartnerManager))
}

fn euros(amount: &str) -> Option<Money> {
    Some(Money {
        amount: amount.to_owned(),
        currency_code: "EUR".to_owned(),
    })
}
