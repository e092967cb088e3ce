//! The service of partners over a real connection, behind the real gate, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod bulk;
mod commands;

use tierline_proto::partner::v1 as pb;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TestServer};
use tonic::service::Routes;

type Partners = PartnerServiceClient<Connection>;

/// The service with the org `acme`.
async fn start() -> TestServer {
    let server =
        TestServer::start(|commands| Routes::new(tierline_partner::partner_server(commands))).await;
    server.org().await;
    server
}

fn partners(server: &TestServer) -> Partners {
    PartnerServiceClient::new(server.caller(Role::PartnerManager))
}

fn contact(email: &str) -> pb::Contact {
    pb::Contact {
        first_name: "Ada".to_owned(),
        last_name: "Nova".to_owned(),
        email: email.to_owned(),
        ..Default::default()
    }
}

fn described(name: &str, domain: &str) -> pb::Partner {
    pb::Partner {
        name: name.to_owned(),
        domain: domain.to_owned(),
        partner_type: pb::PartnerType::Reseller.into(),
        ..Default::default()
    }
}
