//! One trace from a call to everything that follows from it.
//!
//! A call makes a span, the append inside it another, and its *traceparent* is stored with every
//! event. Whoever works on events later is in another process and at another time, and works on
//! many at once: its span *links* to the spans that the events came from. A decision that one event
//! led to continues the trace of that event.
//!
//! While nobody wants traces a [`Span`] is nothing: making one reads a static and returns.

mod names;
mod start;

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::SystemTime;

use opentelemetry::trace::{
    FutureExt as _, Link, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, ContextGuard, KeyValue};
use serde::Deserialize;

use names::key;
use start::tracer;
pub use start::{TraceError, TraceSettings, Tracing, start};

/// Most links of one span.
pub const MAX_LINKS: usize = 64;
/// Most decisions of one batch that have a span of their own.
pub const MAX_DECISIONS: usize = 256;

/// Answers of a gRPC call that are the fault of the server.
const FAULTS: [&str; 6] = [
    "UNKNOWN",
    "DEADLINE_EXCEEDED",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
];

/// A span, or nothing while nobody wants traces. It ends when the last copy is dropped.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Span(Option<Context>);

impl Span {
    fn start(builder: impl FnOnce() -> SpanBuilder) -> Self {
        Self::start_in(builder, Context::current)
    }

    fn start_in(builder: impl FnOnce() -> SpanBuilder, parent: impl FnOnce() -> Context) -> Self {
        let Some(tracer) = tracer() else {
            return Self(None);
        };
        let parent = parent();
        let span = tracer.build_with_context(builder(), &parent);
        Self(Some(parent.with_span(span)))
    }

    /// Runs a piece of work inside the span: spans made there are its children, and log lines
    /// written there carry its ids.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        match &self.0 {
            Some(context) => work.with_context(context.clone()).await,
            None => work.await,
        }
    }

    /// The same for work that does not wait.
    #[must_use]
    pub fn enter(&self) -> Option<ContextGuard> {
        self.0.clone().map(Context::attach)
    }

    /// The W3C `traceparent` of the span; none without one.
    pub fn traceparent(&self) -> Option<String> {
        self.0.as_ref().and_then(traceparent_of)
    }

    fn set(&self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(name, value));
        }
    }

    /// The call was answered with a status code, by its name in the specification.
    pub fn answered(&self, code: &'static str) {
        self.set(key::RPC_STATUS, code);
        if FAULTS.contains(&code) {
            self.failed(code);
        }
    }

    /// What the command ended with.
    pub fn ended(&self, outcome: crate::metrics::CommandOutcome) {
        use crate::metrics::CommandOutcome::{Failed, Unknown};
        self.set(key::OUTCOME, outcome.label());
        if matches!(outcome, Failed | Unknown) {
            self.failed(outcome.label());
        }
    }

    /// The work failed. `why` is a fixed word: the text of an error may hold what a caller sent.
    pub fn failed(&self, why: &'static str) {
        self.set(key::ERROR, why);
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(why));
        }
    }
}

fn builder(name: impl Into<Cow<'static, str>>, kind: SpanKind) -> SpanBuilder {
    SpanBuilder::from_name(name).with_kind(kind)
}

/// The server side of a gRPC call. `method` is the full name from the descriptor; `caller` is the
/// `traceparent` that the caller sent.
pub fn server_call(method: &'static str, caller: Option<&str>) -> Span {
    let attributes = || {
        [
            KeyValue::new(key::RPC_SYSTEM, "grpc"),
            KeyValue::new(key::RPC_METHOD, method),
        ]
    };
    Span::start_in(
        || builder(method, SpanKind::Server).with_attributes(attributes()),
        || {
            let outer = Context::new();
            match caller.and_then(parse) {
                Some(caller) => outer.with_remote_span_context(caller),
                None => outer,
            }
        },
    )
}

/// A command on an aggregate of type `aggregate`.
pub fn command(aggregate: &'static str, org: &str) -> Span {
    Span::start(|| {
        builder(names::command(aggregate), SpanKind::Internal).with_attributes([
            KeyValue::new(key::AGGREGATE, aggregate),
            KeyValue::new(key::ORG, org.to_owned()),
        ])
    })
}

/// The append of what a command decided. Its traceparent is stored with the events.
pub fn append(aggregate: &'static str) -> Span {
    Span::start(|| {
        builder(names::append(aggregate), SpanKind::Producer)
            .with_attributes([KeyValue::new(key::AGGREGATE, aggregate)])
    })
}

/// Many commands that are appended together. Its traceparent is stored with the events.
pub fn bulk(aggregate: &'static str, org: &str, commands: usize) -> Span {
    Span::start(|| {
        builder(names::bulk(aggregate), SpanKind::Producer).with_attributes([
            KeyValue::new(key::AGGREGATE, aggregate),
            KeyValue::new(key::ORG, org.to_owned()),
            KeyValue::new(key::COMMANDS, count(commands)),
        ])
    })
}

/// An event as the spans of those who work on it point to it.
#[derive(Debug, Clone, Copy)]
pub struct Produced<'a> {
    /// Its metadata, as stored.
    pub metadata: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// The partition it is numbered in.
    pub partition: u8,
    /// Its number there.
    pub number: i64,
}

/// A consumer at work on a batch, linked to what the events came from.
pub fn consumer_batch<'e>(
    consumer: &'static str,
    events: impl ExactSizeIterator<Item = Produced<'e>>,
) -> Span {
    Span::start_in(
        || {
            let attributes = [
                KeyValue::new(key::SYSTEM, names::SCOPE),
                KeyValue::new(key::OPERATION, "process"),
                KeyValue::new(key::GROUP, consumer),
                KeyValue::new(key::EVENTS, count(events.len())),
            ];
            builder(names::process(consumer), SpanKind::Consumer)
                .with_attributes(attributes)
                .with_links(links_of(events))
        },
        Context::new,
    )
}

/// Links to the spans in which the events were appended: each span once, at most [`MAX_LINKS`],
/// and only those that are recorded, since nothing is at the other end of the others.
fn links_of<'e>(events: impl Iterator<Item = Produced<'e>>) -> Vec<Link> {
    let mut seen: HashSet<SpanId> = HashSet::new();
    let mut links = Vec::new();
    for event in events {
        let Some(Origin(origin)) = read(event.metadata) else {
            continue;
        };
        if !origin.is_sampled() || !seen.insert(origin.span_id()) {
            continue;
        }
        let attributes = vec![
            KeyValue::new(key::EVENT_TYPE, event.event_type.to_owned()),
            KeyValue::new(key::PARTITION, i64::from(event.partition)),
            KeyValue::new(key::NUMBER, event.number),
        ];
        links.push(Link::new(origin, attributes, 0));
        if links.len() == MAX_LINKS {
            break;
        }
    }
    links
}

/// The span in which an event was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(SpanContext);

/// The span in which the event with this metadata was appended; none while nobody wants traces.
pub fn origin(metadata: &str) -> Option<Origin> {
    tracer().and_then(|_| read(metadata))
}

/// The present instant, for [`Decisions::decided`]; none while nobody wants traces.
pub fn moment() -> Option<SystemTime> {
    tracer().map(|_| SystemTime::now())
}

/// The decisions of one batch: the first [`MAX_DECISIONS`] have a span each, the others share that
/// of the batch.
#[derive(Debug, Default)]
pub struct Decisions {
    made: usize,
}

impl Decisions {
    /// The traceparent for the events of a decision that began at `began`. Where one event led to
    /// it, it continues the trace of that event; otherwise it belongs to the present span and
    /// links to all of them.
    pub fn decided(&mut self, began: Option<SystemTime>, causes: &[Origin]) -> Option<String> {
        let began = began?;
        if self.made == MAX_DECISIONS {
            return current_traceparent();
        }
        self.made += 1;
        let present = Context::map_current(|context| context.span().span_context().clone());
        let (parent, linked) = match causes {
            [Origin(only)] => {
                let links = present.is_valid().then(|| Link::with_context(present));
                (
                    Context::new().with_remote_span_context(only.clone()),
                    links.into_iter().collect(),
                )
            }
            many => {
                let sampled = many.iter().filter(|Origin(cause)| cause.is_sampled());
                let links = sampled.map(|Origin(cause)| Link::with_context(cause.clone()));
                (
                    Context::current(),
                    links.take(MAX_LINKS).collect::<Vec<_>>(),
                )
            }
        };
        let span = Span::start_in(
            || {
                builder(names::DECIDE, SpanKind::Producer)
                    .with_start_time(began)
                    .with_links(linked)
            },
            || parent,
        );
        span.traceparent()
    }
}

/// The traceparent of the present span; none without one.
pub fn current_traceparent() -> Option<String> {
    tracer().and_then(|_| Context::map_current(traceparent_of))
}

/// Trace id and span id of the present span, in hexadecimal.
pub(crate) fn current_ids() -> Option<(String, String)> {
    tracer()?;
    Context::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        let both = || (ids.trace_id().to_string(), ids.span_id().to_string());
        ids.is_valid().then(both)
    })
}

fn traceparent_of(context: &Context) -> Option<String> {
    let span = context.span();
    let ids = span.span_context();
    ids.is_valid().then(|| text_of(ids))
}

fn text_of(ids: &SpanContext) -> String {
    let flags = ids.trace_flags() & TraceFlags::SAMPLED;
    format!(
        "00-{}-{}-{:02x}",
        ids.trace_id(),
        ids.span_id(),
        flags.to_u8()
    )
}

/// The only thing that is wanted of the metadata of an event.
#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    traceparent: Option<Cow<'a, str>>,
}

fn read(metadata: &str) -> Option<Origin> {
    let metadata: Metadata = serde_json::from_str(metadata).ok()?;
    metadata.traceparent.as_deref().and_then(parse).map(Origin)
}

/// Reads a W3C traceparent: version, trace id, span id and flags, lower-case hexadecimal, ids not
/// zero. Later versions may have more behind the flags.
pub fn is_traceparent(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<SpanContext> {
    let lower_hex = |part: &str, length: usize| {
        let digits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        part.len() == length && digits
    };
    let mut parts = text.splitn(5, '-');
    let mut next = |length| parts.next().filter(|part| lower_hex(part, length));
    let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let ids = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        flags & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    ids.is_valid().then_some(ids)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
