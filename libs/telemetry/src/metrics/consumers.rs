//! Consumers: how far behind they are, and what they had to do to keep up.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::names::{self, label};
use super::{BackfillCause, FailureCause, LeaseChange, to_f64};

/// Numbered events of `partition` that `consumer` has not applied yet.
pub fn projection_lag(consumer: &'static str, partition: u16, events: u64) {
    let partition = partition.to_string();
    gauge!(names::PROJECTION_LAG, label::CONSUMER => consumer, label::PARTITION => partition)
        .set(to_f64(events));
}

/// Age of the oldest event that `consumer` has not applied; zero when there is none.
pub fn projection_lag_seconds(consumer: &'static str, oldest: Duration) {
    gauge!(names::PROJECTION_LAG_SECONDS, label::CONSUMER => consumer).set(oldest.as_secs_f64());
}

/// `consumer` committed a batch whose oldest event was appended `age` ago.
pub fn batch_delayed(consumer: &'static str, age: Duration) {
    histogram!(names::PROJECTION_DELAY, label::CONSUMER => consumer).record(age.as_secs_f64());
}

/// Events of `consumer` that are parked at the moment.
pub fn parked_events(consumer: &'static str, events: u64) {
    gauge!(names::PARKED, label::CONSUMER => consumer).set(to_f64(events));
}

/// `consumer` applied a batch of `events` events and moved its checkpoint.
pub fn batch_applied(consumer: &'static str, events: u64, took: Duration) {
    counter!(names::BATCHES, label::CONSUMER => consumer).increment(1);
    counter!(names::CONSUMED, label::CONSUMER => consumer).increment(events);
    histogram!(names::BATCH_DURATION, label::CONSUMER => consumer).record(took.as_secs_f64());
}

/// A batch of `consumer`, or the whole of it, failed.
pub fn consumer_failed(consumer: &'static str, cause: FailureCause) {
    counter!(names::FAILURES, label::CONSUMER => consumer, label::CAUSE => cause.label())
        .increment(1);
}

/// `events` events that the bus should have brought to `consumer` were read from the log.
pub fn backfilled(consumer: &'static str, cause: BackfillCause, events: u64) {
    counter!(names::BACKFILLED, label::CONSUMER => consumer, label::CAUSE => cause.label())
        .increment(events);
}

/// `events` events that the bus brought to `consumer` again were dropped.
pub fn duplicates_dropped(consumer: &'static str, events: u64) {
    counter!(names::DUPLICATES, label::CONSUMER => consumer).increment(events);
}

/// The leases of `partitions` partitions changed hands, seen from this process.
pub fn lease_changed(consumer: &'static str, change: LeaseChange, partitions: u64) {
    counter!(names::LEASE_CHANGES, label::CONSUMER => consumer, label::CHANGE => change.label())
        .increment(partitions);
}

/// Partitions of `consumer` that this process holds.
pub fn leases_held(consumer: &'static str, partitions: u64) {
    gauge!(names::LEASES_HELD, label::CONSUMER => consumer).set(to_f64(partitions));
}

/// A projection met something it cannot show and went on without it.
pub fn projection_skipped(consumer: &'static str, reason: &'static str) {
    counter!(names::SKIPPED, label::CONSUMER => consumer, label::REASON => reason).increment(1);
}
