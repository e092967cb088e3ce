//! Whether there are traces, which of them are kept, and where they go.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::{
    Link, SpanKind, TraceContextExt as _, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, IdGenerator as _, RandomIdGenerator, Sampler,
    SamplingDecision, SamplingResult, SdkTracer, SdkTracerProvider, ShouldSample,
};

use super::{MAX_LINKS, names};

/// Ended spans that wait to be sent; those above are dropped and counted.
const QUEUE: usize = 8_192;
/// Spans that are sent at once.
const EXPORT_BATCH: usize = 512;
/// Longest time that an ended span waits.
const EXPORT_PAUSE: Duration = Duration::from_secs(2);
/// Longest time that sending may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most attributes of a span.
const MAX_ATTRIBUTES: u32 = 16;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

pub(super) fn tracer() -> Option<&'static SdkTracer> {
    TRACER.get()
}

/// Where traces go and which.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// An OTLP receiver (gRPC), such as `http://127.0.0.1:4317`. None: traces go nowhere.
    pub endpoint: Option<String>,
    /// Which part of the traces that begin here is kept, from 0 to 1. For a call whose caller
    /// sent a trace, the caller has decided.
    pub ratio: f64,
    /// Ids are given out for log lines although traces go nowhere.
    pub ids: bool,
    /// Version of the program.
    pub version: &'static str,
    /// What distinguishes this process, such as its parts.
    pub parts: String,
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The address of the receiver.
    #[error("traces cannot be sent to {endpoint}")]
    Endpoint {
        /// As configured.
        endpoint: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Tracing was set up before in this process.
    #[error("tracing has been set up already in this process")]
    AlreadySet,
}

/// Tracing of this process, for ending it.
#[derive(Debug)]
#[must_use]
pub struct Tracing(Option<SdkTracerProvider>);

impl Tracing {
    /// Sends what waits and ends, within a deadline. What is not sent by then is lost.
    pub async fn stop(self, within: Duration) {
        let Some(provider) = self.0 else { return };
        let ending = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within));
        match tokio::time::timeout(within, ending).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last traces were not sent"),
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not sent"),
            Err(_) => tracing::warn!("the last traces were not sent in time"),
        }
    }
}

/// Starts tracing for the whole process, if anybody wants it. Needs a tokio runtime, since the
/// connection to the receiver lives on it.
///
/// # Errors
/// When the address of the receiver cannot be used, or on a second call.
pub fn start(settings: &TraceSettings) -> Result<Tracing, TraceError> {
    if settings.endpoint.is_none() && !settings.ids {
        return Ok(Tracing(None));
    }
    let ratio = match &settings.endpoint {
        Some(_) => settings.ratio,
        None => 0.0,
    };
    let mut provider = SdkTracerProvider::builder()
        .with_sampler(Chain(Sampler::TraceIdRatioBased(ratio)))
        .with_max_links_per_span(u32::try_from(MAX_LINKS).unwrap_or(u32::MAX))
        .with_max_attributes_per_span(MAX_ATTRIBUTES)
        .with_resource(resource(settings));
    if let Some(endpoint) = &settings.endpoint {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(EXPORT_BATCH)
            .with_scheduled_delay(EXPORT_PAUSE)
            .build();
        let processor = BatchSpanProcessor::builder(exporter(endpoint)?)
            .with_batch_config(config)
            .build();
        provider = provider.with_span_processor(processor);
    }
    let provider = provider.build();
    let scope = InstrumentationScope::builder(names::SCOPE)
        .with_version(settings.version)
        .build();
    TRACER
        .set(provider.tracer_with_scope(scope))
        .map_err(|_| TraceError::AlreadySet)?;
    Ok(Tracing(Some(provider)))
}

fn exporter(endpoint: &str) -> Result<SpanExporter, TraceError> {
    let mut builder = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT);
    if endpoint.starts_with("https://") {
        builder = builder.with_tls_config(ClientTlsConfig::new().with_native_roots());
    }
    builder.build().map_err(|source| TraceError::Endpoint {
        endpoint: endpoint.to_owned(),
        source: Box::new(source),
    })
}

fn resource(settings: &TraceSettings) -> Resource {
    let instance = RandomIdGenerator::default().new_trace_id().to_string();
    let builder = Resource::builder().with_attributes([
        KeyValue::new("service.version", settings.version),
        KeyValue::new("service.instance.id", instance),
        KeyValue::new("process.pid", i64::from(std::process::id())),
        KeyValue::new("tierline.parts", settings.parts.clone()),
    ]);
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        return builder.build();
    }
    builder.with_service_name(names::SCOPE).build()
}

/// Keeps whole chains: what follows a span that is kept is kept, also where it is a link and not a
/// parent that leads back. A batch of events without a kept one among them is dropped. Only where
/// nothing is before is there a choice.
#[derive(Debug, Clone)]
struct Chain(Sampler);

impl ShouldSample for Chain {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let before = parent.map(|context| context.span().span_context().clone());
        let before = before.filter(|span| span.is_valid());
        let batch = *kind == SpanKind::Consumer;
        let kept = match before {
            Some(span) => span.is_sampled(),
            None if links.iter().any(|link| link.span_context.is_sampled()) => true,
            None if batch => false,
            None => {
                return self
                    .0
                    .should_sample(parent, trace_id, name, kind, attributes, links);
            }
        };
        SamplingResult {
            decision: if kept {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}
