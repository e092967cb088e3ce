//! Every number that Tierline counts, by name. No other file spells a metric name.
//!
//! Labels are `&'static str` or partition numbers on purpose: nothing that a caller sends may
//! become a label, or one client could grow the memory of the process without end.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const COMMANDS: &str = "tierline.commands.total";
const COMMAND_DURATION: &str = "tierline.command.duration.seconds";
const GROUP_APPENDS: &str = "tierline.append.group.appends";
const GROUP_EVENTS: &str = "tierline.append.group.events";
const SEQUENCER_LAG: &str = "tierline.sequencer.lag.events";
const SEQUENCER_NUMBERED: &str = "tierline.sequencer.numbered.total";
const PROJECTION_LAG: &str = "tierline.projection.lag.events";
const PARKED: &str = "tierline.consumer.parked.events";
const BATCHES: &str = "tierline.consumer.batches.total";
const CONSUMED: &str = "tierline.consumer.events.total";
const BATCH_DURATION: &str = "tierline.consumer.batch.duration.seconds";
const SKIPPED: &str = "tierline.projection.skipped.total";
const GRPC_REQUESTS: &str = "tierline.grpc.requests.total";
const GRPC_DURATION: &str = "tierline.grpc.request.duration.seconds";

/// Bounds of every duration histogram, in seconds.
const DURATION_BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];
/// Bounds of every histogram that counts things in a group.
const SIZE_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 2048.0];

/// How a command ended; the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    /// Events were stored, or nothing had to change.
    Done,
    /// The answer of an earlier request with the same id was given again.
    Repeated,
    /// The rules said no.
    Rejected,
    /// Another writer was faster, too often.
    LostRace,
    /// The commit may or may not have happened.
    Unknown,
    /// The store failed.
    Failed,
}

impl CommandOutcome {
    const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Repeated => "repeated",
            Self::Rejected => "rejected",
            Self::LostRace => "lost_race",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }
}

/// A command on an aggregate of type `aggregate` ended.
pub fn command_finished(aggregate: &'static str, outcome: CommandOutcome, took: Duration) {
    let outcome = outcome.label();
    counter!(COMMANDS, "aggregate" => aggregate, "outcome" => outcome).increment(1);
    histogram!(COMMAND_DURATION, "outcome" => outcome).record(took.as_secs_f64());
}

/// One statement stored `appends` appends with `events` events in all.
pub fn group_committed(appends: usize, events: usize) {
    histogram!(GROUP_APPENDS).record(to_f64(appends as u64));
    histogram!(GROUP_EVENTS).record(to_f64(events as u64));
}

/// The sequencer gave numbers to `events` events.
pub fn sequencer_numbered(events: u64) {
    counter!(SEQUENCER_NUMBERED).increment(events);
}

/// Committed events that wait for their number.
pub fn sequencer_lag(events: u64) {
    gauge!(SEQUENCER_LAG).set(to_f64(events));
}

/// Numbered events of `partition` that `consumer` has not applied yet.
pub fn projection_lag(consumer: &'static str, partition: u16, events: u64) {
    gauge!(PROJECTION_LAG, "consumer" => consumer, "partition" => partition.to_string())
        .set(to_f64(events));
}

/// Events of `consumer` that are parked at the moment.
pub fn parked_events(consumer: &'static str, events: u64) {
    gauge!(PARKED, "consumer" => consumer).set(to_f64(events));
}

/// `consumer` applied a batch of `events` events and moved its checkpoint.
pub fn batch_applied(consumer: &'static str, events: u64, took: Duration) {
    counter!(BATCHES, "consumer" => consumer).increment(1);
    counter!(CONSUMED, "consumer" => consumer).increment(events);
    histogram!(BATCH_DURATION, "consumer" => consumer).record(took.as_secs_f64());
}

/// A projection met something it cannot show and went on without it.
pub fn projection_skipped(consumer: &'static str, reason: &'static str) {
    counter!(SKIPPED, "consumer" => consumer, "reason" => reason).increment(1);
}

/// A gRPC call was answered. `method` is the full name from the descriptor, never the raw path.
pub fn grpc_answered(method: &'static str, code: &'static str, took: Duration) {
    counter!(GRPC_REQUESTS, "method" => method, "code" => code).increment(1);
    histogram!(GRPC_DURATION, "method" => method).record(took.as_secs_f64());
}

/// Renders the numbers of this process and keeps their memory bounded.
#[derive(Debug, Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// All numbers in the Prometheus text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what histograms have collected. Must run every few seconds: samples that nobody
    /// renders would pile up otherwise.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Starts counting in this process; further calls return the same handle.
///
/// # Panics
/// When another part of the process has installed a recorder of its own.
pub fn install_metrics() -> MetricsHandle {
    static HANDLE: OnceLock<MetricsHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> MetricsHandle {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("seconds".into()), &DURATION_BUCKETS)
        .and_then(|b| b.set_buckets_for_metric(Matcher::Prefix(group_prefix()), &SIZE_BUCKETS))
        .expect("the bucket lists are constants and not empty")
        .install_recorder()
        .expect("only this function installs a recorder");
    describe();
    MetricsHandle(handle)
}

fn group_prefix() -> String {
    "tierline.append.group".to_owned()
}

fn describe() {
    describe_counter!(COMMANDS, "commands by aggregate type and outcome");
    describe_histogram!(
        COMMAND_DURATION,
        Unit::Seconds,
        "time from command to stored answer"
    );
    describe_histogram!(GROUP_APPENDS, "appends that shared one commit");
    describe_histogram!(GROUP_EVENTS, "events that shared one commit");
    describe_gauge!(SEQUENCER_LAG, "committed events that wait for their number");
    describe_counter!(SEQUENCER_NUMBERED, "events numbered into the log");
    describe_gauge!(PROJECTION_LAG, "numbered events not applied yet");
    describe_gauge!(PARKED, "events set aside after a failure");
    describe_counter!(BATCHES, "batches applied");
    describe_counter!(CONSUMED, "events applied");
    describe_histogram!(
        BATCH_DURATION,
        Unit::Seconds,
        "time from read batch to checkpoint"
    );
    describe_counter!(SKIPPED, "things a projection could not show");
    describe_counter!(GRPC_REQUESTS, "gRPC calls by method and code");
    describe_histogram!(
        GRPC_DURATION,
        Unit::Seconds,
        "time from gRPC call to answer"
    );
}

/// Counts stay far below 2^53, where a float is still exact.
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered_for_prometheus() {
        let handle = install_metrics();
        command_finished("Deal", CommandOutcome::Done, Duration::from_millis(3));
        group_committed(7, 9);
        sequencer_numbered(9);
        projection_lag("projector-partners-v1", 3, 12);
        parked_events("projector-partners-v1", 1);
        grpc_answered(
            "tierline.activity.v1.Deals/RegisterDeal",
            "OK",
            Duration::from_millis(4),
        );
        handle.upkeep();
        let text = handle.render();
        for line in [
            "tierline_commands_total{aggregate=\"Deal\",outcome=\"done\"} 1",
            "tierline_command_duration_seconds_bucket{outcome=\"done\",le=\"0.005\"} 1",
            "tierline_append_group_appends_bucket{le=\"8\"} 1",
            "tierline_sequencer_numbered_total 9",
            "tierline_projection_lag_events{consumer=\"projector-partners-v1\",partition=\"3\"} 12",
            "tierline_consumer_parked_events{consumer=\"projector-partners-v1\"} 1",
        ] {
            assert!(text.contains(line), "no line `{line}` in:\n{text}");
        }
    }

    #[test]
    fn installing_twice_gives_the_same_numbers() {
        let first = install_metrics();
        let second = install_metrics();
        projection_skipped("projector-x", "no_such_partner");
        assert!(first.render().contains("projector-x"));
        assert!(second.render().contains("projector-x"));
    }
}
