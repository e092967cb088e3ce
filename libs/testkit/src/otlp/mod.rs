//! A receiver of traces (OTLP over gRPC) that keeps what it gets, to be looked at.

mod hops;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;

pub use hops::hops;

/// Most spans that are kept; the oldest go first.
const KEPT: usize = 100_000;

/// A span that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenSpan {
    /// In hexadecimal, as everywhere here.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// That of its parent; empty: none.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// `SERVER`, `PRODUCER`, `CONSUMER`, `INTERNAL` or `CLIENT`.
    pub kind: &'static str,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// How long it took.
    pub took: Duration,
    /// What it carries.
    pub attributes: Vec<(String, String)>,
    /// What it points to.
    pub links: Vec<SeenLink>,
    /// It failed.
    pub failed: bool,
}

/// A link of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLink {
    /// The trace at the other end.
    pub trace_id: String,
    /// The span at the other end.
    pub span_id: String,
    /// What the link carries.
    pub attributes: Vec<(String, String)>,
}

impl SeenSpan {
    /// One of the values that it carries.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        value_of(&self.attributes, name)
    }

    /// Its link to a span, if it has one.
    pub fn link_to(&self, span: &SeenSpan) -> Option<&SeenLink> {
        self.links
            .iter()
            .find(|link| link.span_id == span.span_id && link.trace_id == span.trace_id)
    }
}

impl SeenLink {
    /// One of the values that it carries.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        value_of(&self.attributes, name)
    }
}

fn value_of<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

#[derive(Default)]
struct Kept {
    spans: Vec<SeenSpan>,
    bytes: Vec<u8>,
}

/// A receiver on the loopback. It ends with this value.
pub struct TraceReceiver {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    server: JoinHandle<()>,
}

impl Drop for TraceReceiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TraceReceiver {
    /// Listens on a port that the system chooses.
    pub async fn start() -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens on an address.
    ///
    /// # Panics
    /// When the address is taken.
    pub async fn start_on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address)
            .await
            .unwrap_or_else(|error| panic!("{address} cannot be listened on: {error}"));
        let address = listener.local_addr().unwrap_or(address);
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let service = TraceServiceServer::new(Service(Arc::clone(&kept)));
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            let served = tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await;
            assert!(served.is_ok(), "the receiver of traces failed: {served:?}");
        });
        Self {
            address,
            kept,
            server,
        }
    }

    /// What to configure as the receiver.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<SeenSpan> {
        self.lock().spans.clone()
    }

    /// Everything that came in, as it came, to look for what must not be there.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Service(Arc<Mutex<Kept>>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let request = request.into_inner();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes.extend(request.encode_to_vec());
        let spans = request
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans);
        kept.spans.extend(spans.map(seen));
        let surplus = kept.spans.len().saturating_sub(KEPT);
        kept.spans.drain(..surplus);
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

fn seen(span: Span) -> SeenSpan {
    let kind = match span.kind() {
        SpanKind::Server => "SERVER",
        SpanKind::Client => "CLIENT",
        SpanKind::Producer => "PRODUCER",
        SpanKind::Consumer => "CONSUMER",
        SpanKind::Internal | SpanKind::Unspecified => "INTERNAL",
    };
    let failed = span
        .status
        .as_ref()
        .is_some_and(|status| status.code() == StatusCode::Error);
    let link = |link: opentelemetry_proto::tonic::trace::v1::span::Link| SeenLink {
        trace_id: hex(&link.trace_id),
        span_id: hex(&link.span_id),
        attributes: texts(link.attributes),
    };
    let took = span
        .end_time_unix_nano
        .saturating_sub(span.start_time_unix_nano);
    SeenSpan {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind,
        start: span.start_time_unix_nano,
        took: Duration::from_nanos(took),
        failed,
        name: span.name,
        attributes: texts(span.attributes),
        links: span.links.into_iter().map(link).collect(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |value: Option<AnyValue>| match value.and_then(|any| any.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes
        .into_iter()
        .map(|pair| (pair.key, text(pair.value)))
        .collect()
}
