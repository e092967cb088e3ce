//! The name of every span and of what it carries. No other file spells one.
//!
//! They follow OpenTelemetry's semantic conventions for RPC and for messaging. Nothing that a
//! caller sent is in them, but for the trace id itself.

use std::borrow::Cow;

/// Who makes the spans.
pub(super) const SCOPE: &str = "tierline";

/// A command from its begin to its answer.
pub(super) fn command(aggregate: &str) -> Cow<'static, str> {
    format!("command {aggregate}").into()
}

/// Events on their way into the log. This is what everything that follows from them points to.
pub(super) fn append(aggregate: &str) -> Cow<'static, str> {
    format!("append {aggregate}").into()
}

/// Many commands that are appended together.
pub(super) fn bulk(aggregate: &str) -> Cow<'static, str> {
    format!("append many {aggregate}").into()
}

/// A consumer at work on a batch.
pub(super) fn process(consumer: &str) -> Cow<'static, str> {
    format!("process {consumer}").into()
}

/// An assessment that led to events.
pub(super) const DECIDE: &str = "decide Standing";

/// What spans and links carry.
pub(super) mod key {
    pub(crate) const AGGREGATE: &str = "tierline.aggregate";
    pub(crate) const COMMANDS: &str = "tierline.commands";
    pub(crate) const ERROR: &str = "error.type";
    pub(crate) const EVENTS: &str = "messaging.batch.message_count";
    pub(crate) const EVENT_TYPE: &str = "tierline.event.type";
    pub(crate) const GROUP: &str = "messaging.consumer.group.name";
    pub(crate) const NUMBER: &str = "tierline.log.partition_number";
    pub(crate) const OPERATION: &str = "messaging.operation.name";
    pub(crate) const ORG: &str = "tierline.org";
    pub(crate) const OUTCOME: &str = "tierline.outcome";
    pub(crate) const PARTITION: &str = "tierline.log.partition";
    pub(crate) const RPC_METHOD: &str = "rpc.method";
    pub(crate) const RPC_STATUS: &str = "rpc.response.status_code";
    pub(crate) const RPC_SYSTEM: &str = "rpc.system.name";
    pub(crate) const SYSTEM: &str = "messaging.system";
}
