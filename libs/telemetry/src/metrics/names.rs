//! The name, kind, unit and labels of every number. No other file spells one.
//!
//! Names follow OpenTelemetry's semantic conventions where those have one for the thing (`rpc.`,
//! `db.client.`, `process.`); the rest begins with `tierline.`. The unit is the end of the name,
//! as Prometheus wants it; it prints each dot as `_`.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// A present value.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One number that Tierline tells.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, with dots.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels, with dots.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

impl Metric {
    /// The names under which Prometheus knows its series.
    pub fn series(&self) -> Vec<String> {
        let name = in_prometheus(self.name);
        match self.kind {
            Kind::Counter | Kind::Gauge => vec![name],
            Kind::Histogram => ["_bucket", "_sum", "_count"]
                .map(|end| format!("{name}{end}"))
                .to_vec(),
        }
    }

    /// Its labels as Prometheus writes them; a histogram also has `le`.
    pub fn series_labels(&self) -> Vec<String> {
        let bound = (self.kind == Kind::Histogram).then_some("le");
        let labels = self.labels.iter().copied().chain(bound);
        labels.map(in_prometheus).collect()
    }

    fn unit(&self) -> Option<Unit> {
        let name = self.name.strip_suffix(".total").unwrap_or(self.name);
        match name.rsplit('.').next() {
            Some("seconds") => Some(Unit::Seconds),
            Some("bytes") => Some(Unit::Bytes),
            _ => None,
        }
    }
}

/// A name as Prometheus writes it.
pub fn in_prometheus(name: &str) -> String {
    name.replace('.', "_")
}

/// Names of labels. Values are fixed words, numbers of partitions or what an operator has
/// configured, never what a caller sent.
pub(super) mod label {
    pub(crate) const AGGREGATE: &str = "aggregate";
    pub(crate) const CAUSE: &str = "cause";
    pub(crate) const CHANGE: &str = "change";
    pub(crate) const COMMIT: &str = "commit";
    pub(crate) const CONSUMER: &str = "consumer";
    pub(crate) const FOLDER: &str = "folder";
    pub(crate) const OUTCOME: &str = "outcome";
    pub(crate) const PART: &str = "part";
    pub(crate) const PARTITION: &str = "partition";
    pub(crate) const POOL: &str = "db.client.connection.pool.name";
    pub(crate) const REASON: &str = "reason";
    pub(crate) const RPC_METHOD: &str = "rpc.method";
    pub(crate) const RPC_STATUS: &str = "rpc.response.status_code";
    pub(crate) const STATE: &str = "db.client.connection.state";
    pub(crate) const VERSION: &str = "version";
    pub(crate) const WHY: &str = "why";
}

macro_rules! table {
    ($($constant:ident: $kind:ident $name:literal [$($label:ident),*] $help:literal;)+) => {
        $(pub(super) const $constant: &str = $name;)+

        /// Every number, in the order in which the documentation lists them.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$(label::$label),*],
            help: $help,
        }),+];
    };
}

table! {
    // Calls
    RPC_DURATION: Histogram "rpc.server.call.duration.seconds" [RPC_METHOD, RPC_STATUS]
        "time from a gRPC call to its answer; its count is the number of calls";
    AUTH_REFUSED: Counter "tierline.auth.refused.total" [WHY]
        "callers who were not let in, by reason";

    // Commands and the store
    COMMANDS: Counter "tierline.commands.total" [AGGREGATE, OUTCOME]
        "commands by aggregate type and outcome";
    COMMAND_DURATION: Histogram "tierline.command.duration.seconds" [OUTCOME]
        "time from command to stored answer";
    APPENDS: Counter "tierline.append.outcomes.total" [OUTCOME]
        "appends by what the store said, each attempt of a command";
    GROUP_APPENDS: Histogram "tierline.append.group.appends" []
        "appends that shared one commit";
    GROUP_EVENTS: Histogram "tierline.append.group.events" []
        "events that shared one commit";

    // The log and what leaves it
    SEQUENCER_LAG: Gauge "tierline.sequencer.lag.events" []
        "committed events that wait for their number";
    SEQUENCER_LAG_SECONDS: Gauge "tierline.sequencer.lag.seconds" []
        "age of the oldest event that waits for its number";
    SEQUENCER_NUMBERED: Counter "tierline.sequencer.numbered.total" []
        "events numbered into the log";
    RELAY_LAG: Gauge "tierline.relay.lag.events" []
        "numbered events that JetStream has not acknowledged";
    RELAY_LAG_SECONDS: Gauge "tierline.relay.lag.seconds" []
        "age of the oldest numbered event that JetStream has not acknowledged";
    RELAY_PUBLISHED: Counter "tierline.relay.published.total" []
        "events acknowledged by JetStream";
    RELAY_PUBLISH_DURATION: Histogram "tierline.relay.publish.duration.seconds" []
        "time from handing a batch to JetStream to its last acknowledgement";
    RELAY_FAILURES: Counter "tierline.relay.failures.total" [CAUSE]
        "batches that were not acknowledged as a whole, by cause";
    JETSTREAM_CONNECTED: Gauge "tierline.jetstream.connected" [PART]
        "1 while this part of the process is connected to JetStream, else 0";
    EPOCH_MISMATCHES: Counter "tierline.log.epoch.mismatches.total" [PART]
        "times that a part halted because the log is not the one it knew";
    HALTED: Gauge "tierline.halted" [PART]
        "1 while a part has halted and waits for an operator, else 0";
    TRANSACTION_AGE: Gauge "tierline.database.transaction.age.seconds" []
        "age of the oldest open transaction of any client of the database server";

    // Consumers
    PROJECTION_LAG: Gauge "tierline.projection.lag.events" [CONSUMER, PARTITION]
        "numbered events that the consumer has not applied";
    PROJECTION_LAG_SECONDS: Gauge "tierline.projection.lag.seconds" [CONSUMER]
        "age of the oldest event that the consumer has not applied; 0 when there is none";
    PROJECTION_DELAY: Histogram "tierline.projection.delay.seconds" [CONSUMER]
        "time from the append of an event to its effect, of the oldest event of each batch";
    PARKED: Gauge "tierline.consumer.parked.events" [CONSUMER]
        "events set aside after a failure";
    BATCHES: Counter "tierline.consumer.batches.total" [CONSUMER]
        "batches applied";
    CONSUMED: Counter "tierline.consumer.events.total" [CONSUMER]
        "events applied";
    BATCH_DURATION: Histogram "tierline.consumer.batch.duration.seconds" [CONSUMER]
        "time from read batch to checkpoint";
    FAILURES: Counter "tierline.consumer.failures.total" [CONSUMER, CAUSE]
        "batches and whole consumers that failed, by cause; each is tried again";
    BACKFILLED: Counter "tierline.consumer.backfilled.events.total" [CONSUMER, CAUSE]
        "events that the bus should have brought and that were read from the log, by cause";
    DUPLICATES: Counter "tierline.consumer.duplicates.total" [CONSUMER]
        "events that the bus brought again and that were dropped";
    LEASE_CHANGES: Counter "tierline.lease.changes.total" [CONSUMER, CHANGE]
        "partitions that this process took, gave up or lost";
    LEASES_HELD: Gauge "tierline.lease.held.partitions" [CONSUMER]
        "partitions that this process holds";
    SKIPPED: Counter "tierline.projection.skipped.total" [CONSUMER, REASON]
        "things that a projection could not show";

    // The process and its connections
    POOL_CONNECTIONS: Gauge "db.client.connection.count" [POOL, STATE]
        "open database connections by pool, idle or used";
    POOL_MAX: Gauge "db.client.connection.max" [POOL]
        "database connections that the pool may open";
    POOL_WAIT: Gauge "db.client.connection.wait_time.seconds" [POOL]
        "how long a caller of the pool waited for a connection when last tried; 0: one was free";
    BUILD: Gauge "tierline.build.info" [VERSION, COMMIT]
        "always 1; the labels say what runs";
    CPU: Counter "process.cpu.time.seconds.total" []
        "processor time that the process has used";
    MEMORY: Gauge "process.memory.usage.bytes" []
        "resident memory of the process";
    FILES: Gauge "process.unix.file_descriptor.count" []
        "file descriptors that the process has open";
    DISK_FREE: Gauge "tierline.disk.free.bytes" [FOLDER]
        "room on a disk that the process was told to watch";
    DISK_RESERVE: Gauge "tierline.disk.reserve.bytes" []
        "room below which the process is not ready";
    UPTIME: Gauge "process.uptime.seconds" []
        "time since the process began to serve";
}

pub(super) fn describe_all() {
    for metric in ALL {
        let unit = metric.unit().unwrap_or(Unit::Count);
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, unit, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_numbers_share_a_series() {
        let series: Vec<String> = ALL.iter().flat_map(Metric::series).collect();
        let distinct: BTreeSet<&String> = series.iter().collect();
        assert_eq!(distinct.len(), series.len());
    }

    #[test]
    fn the_form_of_a_name_says_kind_and_unit() {
        for metric in ALL {
            let total = metric.name.ends_with(".total");
            assert_eq!(total, metric.kind == Kind::Counter, "{}", metric.name);
            let timed = metric.help.contains("time ") || metric.help.contains("age of");
            let seconds = metric.unit() == Some(Unit::Seconds);
            assert!(!timed || seconds, "{} has no unit", metric.name);
        }
    }
}
