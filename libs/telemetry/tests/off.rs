//! Tracing is one per process, so that each of these files is one.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use tierline_telemetry::trace::*;

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn metadata(traceparent: &str) -> String {
    format!(r#"{{"actor":"user:x","traceparent":"{traceparent}"}}"#)
}

#[test]
fn while_nobody_wants_traces_there_are_no_spans() {
    let span = server_call("tierline.test/Call", Some(SAMPLED));
    assert_eq!(span.traceparent(), None);
    assert_eq!(current_traceparent(), None);
    assert_eq!(moment(), None);
    assert_eq!(origin(&metadata(SAMPLED)), None);
    assert_eq!(Decisions::default().decided(None, &[]), None);
}
