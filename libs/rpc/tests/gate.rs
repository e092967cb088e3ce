//! The gate over a real connection: who gets through, who does not, and what the service sees.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::Arc;
use std::time::Duration;

use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::rate_service_client::RateServiceClient;
use tierline_proto::program::v1::rate_service_server::{RateService, RateServiceServer};
use tierline_rpc::auth::{LocalIssuer, TokenRequest, Verifier};
use tierline_rpc::caller::{Caller, Role};
use tierline_rpc::{AuthLayer, Call, describe};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

/// Answers with what the gate told it.
struct Echo;

#[tonic::async_trait]
impl RateService for Echo {
    async fn publish_rates(
        &self,
        request: Request<pb::PublishRatesRequest>,
    ) -> Result<Response<pb::PublishRatesResponse>, Status> {
        let call = Call::new(request)?;
        Ok(Response::new(pb::PublishRatesResponse {
            consistency_token: format!("{} {:?}", call.context.actor, call.context.request_id),
            ..Default::default()
        }))
    }

    async fn get_rates(
        &self,
        request: Request<pb::GetRatesRequest>,
    ) -> Result<Response<pb::GetRatesResponse>, Status> {
        let caller = Caller::of(&request)?;
        assert_ne!(request.get_ref().rate_date, "a bug", "of this kind");
        Ok(Response::new(pb::GetRatesResponse {
            source: caller.org.to_string(),
            ..Default::default()
        }))
    }

    async fn convert_money(
        &self,
        _: Request<pb::ConvertMoneyRequest>,
    ) -> Result<Response<pb::ConvertMoneyResponse>, Status> {
        Err(tierline_rpc::from_rejection(
            &tierline_domain::Rejection::invalid("money", "is required"),
        ))
    }
}

struct Running {
    channel: Channel,
    issuer: LocalIssuer,
}

async fn start() -> Running {
    let issuer = LocalIssuer::generate("k", "https://issuer.example", "tierline");
    let verifier = Arc::new(Verifier::new(&issuer.settings()).unwrap());
    let (_, health) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .layer(AuthLayer::new(verifier))
        .add_service(RateServiceServer::new(Echo))
        .add_service(health)
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let channel = Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    Running { channel, issuer }
}

impl Running {
    fn token(&self, role: Role) -> String {
        let request = TokenRequest::new("ada", "acme", [role]);
        self.issuer
            .token(&request, Duration::from_secs(60))
            .unwrap()
    }

    fn client(&self) -> RateServiceClient<Channel> {
        RateServiceClient::new(self.channel.clone())
    }

    async fn get(&self, authorization: &str) -> Result<pb::GetRatesResponse, Status> {
        let request = request(pb::GetRatesRequest::default(), authorization);
        self.client()
            .get_rates(request)
            .await
            .map(Response::into_inner)
    }

    async fn publish(
        &self,
        request_id: &str,
        authorization: &str,
    ) -> Result<pb::PublishRatesResponse, Status> {
        let message = pb::PublishRatesRequest {
            request_id: request_id.to_owned(),
            ..Default::default()
        };
        let request = request(message, authorization);
        self.client()
            .publish_rates(request)
            .await
            .map(Response::into_inner)
    }
}

fn request<T>(message: T, authorization: &str) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", authorization.parse().unwrap());
    request
}

#[tokio::test]
async fn a_caller_with_the_role_gets_through_and_is_known_to_the_service() {
    let running = start().await;
    let bearer = format!("Bearer {}", running.token(Role::Integration));
    assert_eq!(running.get(&bearer).await.unwrap().source, "acme");
    let answer = running.publish("r-1", &bearer).await.unwrap();
    assert_eq!(answer.consistency_token, "service:ada Some(\"r-1\")");
}

#[tokio::test]
async fn callers_without_a_good_token_are_refused() {
    let running = start().await;
    let stranger = LocalIssuer::generate("k", "https://issuer.example", "tierline");
    let forged = stranger
        .token(
            &TokenRequest::new("eve", "acme", [Role::Admin]),
            Duration::from_secs(60),
        )
        .unwrap();
    let good = running.token(Role::Admin);
    for authorization in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x.y.z".to_owned(),
        format!("Basic {good}"),
        good.clone(),
        format!("Bearer {forged}"),
    ] {
        let status = running.get(&authorization).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{authorization}");
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "UNAUTHENTICATED"
        );
    }
    let none = running
        .client()
        .get_rates(pb::GetRatesRequest::default())
        .await
        .unwrap_err();
    assert_eq!(none.code(), Code::Unauthenticated);
    assert!(describe(&none).contains("token"));

    let mut twice = request(pb::GetRatesRequest::default(), &format!("Bearer {good}"));
    twice
        .metadata_mut()
        .append("authorization", "Bearer other".parse().unwrap());
    assert_eq!(
        running.client().get_rates(twice).await.unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn a_caller_without_the_role_is_told_which_roles_there_are() {
    let running = start().await;
    let bearer = format!("Bearer {}", running.token(Role::Viewer));
    let status = running.publish("", &bearer).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "ROLE_REQUIRED");
    assert_eq!(info.metadata["roles"], "admin, integration");
}

#[tokio::test]
async fn probes_need_no_token_and_unknown_methods_are_not_reached() {
    let running = start().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(running.channel.clone());
    let check = tonic_health::pb::HealthCheckRequest {
        service: String::new(),
    };
    health.check(check).await.unwrap();

    let mut grpc = tonic::client::Grpc::new(running.channel.clone());
    grpc.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/tierline.program.v1.RateService/DropRates");
    let codec = tonic_prost::ProstCodec::<pb::GetRatesRequest, pb::GetRatesResponse>::default();
    let bearer = format!("Bearer {}", running.token(Role::Admin));
    let call = grpc.unary(
        request(pb::GetRatesRequest::default(), &bearer),
        path,
        codec,
    );
    assert_eq!(call.await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_bug_in_one_call_is_answered_and_leaves_the_connection_alone() {
    let running = start().await;
    let bearer = format!("Bearer {}", running.token(Role::Viewer));
    let mut client = running.client();
    let message = pb::GetRatesRequest {
        rate_date: "a bug".to_owned(),
    };
    let status = client
        .get_rates(request(message, &bearer))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "INTERNAL");
    assert!(!describe(&status).contains("of this kind"));
    running.get(&bearer).await.unwrap();
}

#[tokio::test]
async fn what_is_no_message_or_too_much_of_one_is_refused_with_a_reason() {
    let running = start().await;
    let bearer = format!("Bearer {}", running.token(Role::Admin));
    // Its first field is a message where that of the method is a text.
    let big = |length: usize| pb::ConvertMoneyRequest {
        money: Some(tierline_proto::common::v1::Money {
            amount: "\u{ff}".repeat(length),
            ..Default::default()
        }),
        ..Default::default()
    };
    for (sent, code, reason) in [
        (big(1), Code::Ok, ""),
        (big(5 << 20), Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
    ] {
        let mut grpc = tonic::client::Grpc::new(running.channel.clone());
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<_, pb::GetRatesResponse>::default();
        let path = "/tierline.program.v1.RateService/GetRates";
        let path = http::uri::PathAndQuery::from_static(path);
        let answer = grpc.unary(request(sent, &bearer), path, codec).await;
        let found = answer.as_ref().err();
        assert_eq!(found.map_or(Code::Ok, Status::code), code, "{found:?}");
        let info = found.and_then(|status| status.get_details_error_info());
        assert_eq!(info.map_or(String::new(), |info| info.reason), reason);
    }
    let wrong = pb::RateDay {
        rate_date: "2026-01-01".to_owned(),
        ..Default::default()
    };
    let mut grpc = tonic::client::Grpc::new(running.channel.clone());
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<_, pb::ConvertMoneyResponse>::default();
    let path = "/tierline.program.v1.RateService/ConvertMoney";
    let path = http::uri::PathAndQuery::from_static(path);
    let status = grpc
        .unary(request(wrong, &bearer), path, codec)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "MALFORMED_MESSAGE");
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let metrics = tierline_telemetry::install_metrics();
    let running = start().await;
    let bearer = format!("Bearer {}", running.token(Role::Viewer));
    running.get(&bearer).await.unwrap();
    let mut client = running.client();
    let convert = client.convert_money(request(pb::ConvertMoneyRequest::default(), &bearer));
    assert_eq!(convert.await.unwrap_err().code(), Code::InvalidArgument);

    let expected =
        [("GetRates", "OK"), ("ConvertMoney", "INVALID_ARGUMENT")].map(|(method, code)| {
            format!(
                "rpc_server_call_duration_seconds_count{{\
                 rpc_method=\"tierline.program.v1.RateService/{method}\",\
                 rpc_response_status_code=\"{code}\"}}"
            )
        });
    // The server counts when it has let go of the answer, which may be after the client has it.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let text = metrics.render();
        if expected.iter().all(|line| text.contains(line)) {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "not counted:\n{text}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
