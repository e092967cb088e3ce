//! The log, its way to JetStream, and what holds it up.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::names::{self, label};
use super::{Part, RelayFailure, to_f64};

/// The sequencer gave numbers to `events` events.
pub fn sequencer_numbered(events: u64) {
    counter!(names::SEQUENCER_NUMBERED).increment(events);
}

/// Committed events that wait for their number.
pub fn sequencer_lag(events: u64) {
    gauge!(names::SEQUENCER_LAG).set(to_f64(events));
}

/// How long the oldest of them has waited; zero when none waits.
pub fn sequencer_lag_seconds(oldest: Duration) {
    gauge!(names::SEQUENCER_LAG_SECONDS).set(oldest.as_secs_f64());
}

/// Numbered events that JetStream has not acknowledged, and the age of the oldest of them.
pub fn relay_lag(events: u64, oldest: Duration) {
    gauge!(names::RELAY_LAG).set(to_f64(events));
    gauge!(names::RELAY_LAG_SECONDS).set(oldest.as_secs_f64());
}

/// JetStream acknowledged a batch of `events` events.
pub fn relay_published(events: u64, took: Duration) {
    counter!(names::RELAY_PUBLISHED).increment(events);
    histogram!(names::RELAY_PUBLISH_DURATION).record(took.as_secs_f64());
}

/// A batch was not acknowledged as a whole.
pub fn relay_failed(cause: RelayFailure) {
    counter!(names::RELAY_FAILURES, label::CAUSE => cause.label()).increment(1);
}

/// Whether a part of the process is connected to JetStream.
pub fn jetstream_connected(part: Part, connected: bool) {
    gauge!(names::JETSTREAM_CONNECTED, label::PART => part.label()).set(if connected {
        1.0
    } else {
        0.0
    });
}

/// A part met a log that is not the one it knew.
pub fn epoch_mismatch(part: Part) {
    counter!(names::EPOCH_MISMATCHES, label::PART => part.label()).increment(1);
}

/// Whether a part has halted and waits for an operator.
pub fn halted(part: Part, halted: bool) {
    gauge!(names::HALTED, label::PART => part.label()).set(if halted { 1.0 } else { 0.0 });
}

/// Age of the oldest open transaction on the database server; zero when there is none.
pub fn oldest_transaction(age: Duration) {
    gauge!(names::TRANSACTION_AGE).set(age.as_secs_f64());
}
