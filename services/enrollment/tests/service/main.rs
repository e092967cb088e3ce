//! The service of enrollments over a real connection, behind the real gate, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod bulk;
mod commands;
mod expirer;
mod recommendations;

use tierline_proto::enrollment::v1 as pb;
use tierline_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TestServer};
use tonic::service::Routes;

type Enrollments = EnrollmentServiceClient<Connection>;

const RESALE: &str = "
slug: resale
name: Resale
currency: EUR
tracks:
  - id: main
    name: Main
    promotion: {mode: recommend}
    tiers:
      - id: gold
        name: Gold
        qualification:
          criterion:
            id: deals
            name: Deals
            measure: {count: {facts: {kind: deal, date: closed, window: all_time}}}
            needs: {gte: 10}
      - id: member
        name: Member
";

/// A program with two tracks, of which one has to be named.
const TWO_TRACKS: &str = "
slug: services
name: Services
currency: EUR
tracks:
  - {id: delivery, name: Delivery, tiers: [{id: member, name: Member}]}
  - {id: support, name: Support, tiers: [{id: member, name: Member}]}
";

/// The service with the org `acme`, its partners `nova` and `orion`, and two programs.
async fn start() -> TestServer {
    let server = bare().await;
    server.org().await;
    fill(&server).await;
    server
}

async fn bare() -> TestServer {
    TestServer::start(|commands| Routes::new(tierline_enrollment::enrollment_server(commands)))
        .await
}

async fn fill(server: &TestServer) {
    server.partner("nova").await;
    server.partner("orion").await;
    server.program(RESALE, "2010-01-01").await;
    server.program(TWO_TRACKS, "2010-01-01").await;
}

fn enrollments(server: &TestServer) -> Enrollments {
    EnrollmentServiceClient::new(server.caller(Role::PartnerManager))
}

fn enroll(partner: &str) -> pb::EnrollPartnerRequest {
    pb::EnrollPartnerRequest {
        partner_id: partner.to_owned(),
        program_id: "resale".to_owned(),
        ..Default::default()
    }
}

const NOVA: &str = "nova.resale.main";
