//! What surrounds a command: who, on whose behalf, under which request.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tierline_domain::OrgId;
use tierline_telemetry::trace::Span;
use tokio::time::Instant;
use uuid::Uuid;

/// Who asks, and what the answer belongs to.
#[derive(Debug, Clone)]
pub struct CommandContext {
    /// The org on which the caller acts. Streams of another org are refused.
    pub org: OrgId,
    /// Who acts, such as `user:ada@acme.example` or `service:importer`.
    pub actor: String,
    /// The caller's id of this request. With it, a repeated request gets the first answer.
    pub request_id: Option<String>,
    /// SHA-256 of the request's content, to tell a repetition from a reuse of the id.
    pub request_hash: [u8; 32],
    /// Ties together all that one outer request led to.
    pub correlation_id: Option<String>,
    /// What led to this command, such as an event id.
    pub causation_id: Option<String>,
    /// W3C trace context of the caller. Where traces are made, the events carry that of their
    /// append instead, which belongs to the same trace.
    pub traceparent: Option<String>,
    /// Business time in a sandbox org, as RFC 3339; `None` where real time counts.
    pub org_time: Option<String>,
    /// The version the caller has seen (etag). Given and wrong: `Conflict`, without retries.
    pub expected_version: Option<u64>,
    /// When the caller stops waiting. The store has a limit of its own besides.
    pub deadline: Option<Instant>,
}

impl CommandContext {
    /// A context with nothing but the org and the actor.
    pub fn new(org: OrgId, actor: impl Into<String>) -> Self {
        Self {
            org,
            actor: actor.into(),
            request_id: None,
            request_hash: [0; 32],
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            org_time: None,
            expected_version: None,
            deadline: None,
        }
    }

    /// Adds a request id and the content that it stands for, such as the encoded request.
    pub fn with_request(mut self, request_id: impl Into<String>, content: &[u8]) -> Self {
        self.request_id = Some(request_id.into());
        self.request_hash = Sha256::digest(content).into();
        self
    }

    /// The metadata that every event of the command carries: a flat JSON object of strings.
    pub fn metadata(&self) -> Arc<str> {
        self.metadata_with(self.traceparent.as_ref())
    }

    /// The same for events that are appended inside a span.
    pub(crate) fn metadata_in(&self, span: &Span) -> Arc<str> {
        let own = span.traceparent();
        self.metadata_with(own.as_ref().or(self.traceparent.as_ref()))
    }

    fn metadata_with(&self, traceparent: Option<&String>) -> Arc<str> {
        let values = [
            ("actor", Some(&self.actor)),
            ("request_id", self.request_id.as_ref()),
            ("correlation_id", self.correlation_id.as_ref()),
            ("causation_id", self.causation_id.as_ref()),
            ("traceparent", traceparent),
            ("org_time", self.org_time.as_ref()),
        ];
        let present: BTreeMap<&str, &String> = values
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        // A map of strings always has a JSON form.
        serde_json::to_string(&present)
            .unwrap_or_else(|_| "{}".to_owned())
            .into()
    }
}

/// Where in the log a command left its trace; the content of a consistency token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyPoint {
    /// The org.
    pub org: OrgId,
    /// The last event of the stream at that moment.
    pub event_id: Uuid,
    /// The partition that the event is numbered in; `None`: in every one.
    pub partition: Option<u8>,
}
