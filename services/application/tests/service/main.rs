//! The services of forms and submissions over a real connection, behind the real gate, on a real
//! PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod forms;
mod submissions;

use tierline_proto::application::v1 as pb;
use tierline_proto::application::v1::define_form_request::Source;
use tierline_proto::application::v1::form_service_client::FormServiceClient;
use tierline_proto::application::v1::submission_service_client::SubmissionServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TestServer};
use tonic::service::Routes;

type Forms = FormServiceClient<Connection>;
type Submissions = SubmissionServiceClient<Connection>;

const RESELLERS: &str = "
form: resellers
title: Become a reseller
success_message: Thank you.
sections:
  - id: company
    title: Your company
    fields:
      - {id: company, label: Company, type: text, required: true}
      - {id: staff, label: Employees, type: number}
      - {id: email, label: E-mail, type: email, required: true}
      - id: regions
        label: Regions
        type: multi_select
        options: [{id: emea, label: EMEA}, {id: apac, label: APAC}]
  - id: terms
    title: Terms
    agreement: {text: Be fair., accept_label: I accept}
";

/// The services with the org `acme`.
async fn start() -> TestServer {
    let server = TestServer::start(|commands| {
        Routes::new(tierline_application::form_server(commands.clone()))
            .add_service(tierline_application::submission_server(commands))
    })
    .await;
    server.org().await;
    server
}

/// The same with a published form.
async fn with_form() -> TestServer {
    let server = start().await;
    let mut forms = forms(&server);
    forms.define_form(define(RESELLERS)).await.unwrap();
    forms.publish_form(publish()).await.unwrap();
    server
}

fn forms(server: &TestServer) -> Forms {
    FormServiceClient::new(server.caller(Role::Admin))
}

fn submissions(server: &TestServer, role: Role) -> Submissions {
    SubmissionServiceClient::new(server.caller(role))
}

fn define(yaml: &str) -> pb::DefineFormRequest {
    pb::DefineFormRequest {
        source: Some(Source::Yaml(yaml.to_owned())),
        ..Default::default()
    }
}

fn publish() -> pb::PublishFormRequest {
    pb::PublishFormRequest {
        form_id: "resellers".to_owned(),
        ..Default::default()
    }
}
