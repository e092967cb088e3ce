//! Every number that Tierline tells. The names stand in [`names`] and nowhere else.
//!
//! Labels are fixed words or partition numbers on purpose: nothing that a caller sends may become
//! a label, or one client could grow the memory of the process without end.

mod consumers;
mod log;
pub mod names;
mod outcomes;
mod process;
mod store;

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub use consumers::{
    backfilled, batch_applied, batch_delayed, consumer_failed, duplicates_dropped, lease_changed,
    leases_held, parked_events, projection_lag, projection_lag_seconds, projection_skipped,
};
pub use log::{
    epoch_mismatch, halted, jetstream_connected, oldest_transaction, relay_failed, relay_lag,
    relay_published, sequencer_lag, sequencer_lag_seconds, sequencer_numbered,
};
pub use outcomes::{
    AppendOutcome, BackfillCause, CommandOutcome, FailureCause, LeaseChange, Part, RelayFailure,
};
pub use process::{PoolUse, build, disk_free, disk_reserve, pool_use, sample_process};
pub use store::{append_finished, auth_refused, command_finished, group_committed, grpc_answered};

/// Bounds of every duration histogram, in seconds.
const DURATION_BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];
/// Bounds of the histogram of delays: they may reach hours after a fault.
const DELAY_BUCKETS: [f64; 11] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0, 3_600.0, 86_400.0,
];
/// Bounds of every histogram that counts things in a group.
const SIZE_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 2048.0];

/// Renders the numbers of this process and keeps their memory bounded.
#[derive(Debug, Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// All numbers in the Prometheus text format; what the process uses is looked up now.
    pub fn render(&self) -> String {
        sample_process();
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
    let delay = Matcher::Full(names::PROJECTION_DELAY.to_owned());
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(delay, &DELAY_BUCKETS)
        .and_then(|b| b.set_buckets_for_metric(seconds(), &DURATION_BUCKETS))
        .and_then(|b| b.set_buckets_for_metric(groups(), &SIZE_BUCKETS))
        .expect("the bucket lists are constants and not empty")
        .install_recorder()
        .expect("only this function installs a recorder");
    names::describe_all();
    MetricsHandle(handle)
}

fn seconds() -> Matcher {
    Matcher::Suffix(".seconds".to_owned())
}

fn groups() -> Matcher {
    Matcher::Prefix("tierline.append.group.".to_owned())
}

/// Counts stay far below 2^53, where a float is still exact.
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        batch_delayed("tier-evaluator", Duration::from_secs(200));
        handle.upkeep();
        let text = handle.render();
        for line in [
            "tierline_commands_total{aggregate=\"Deal\",outcome=\"done\"} 1",
            "tierline_command_duration_seconds_bucket{outcome=\"done\",le=\"0.005\"} 1",
            "tierline_append_group_appends_bucket{le=\"8\"} 1",
            "tierline_sequencer_numbered_total 9",
            "tierline_projection_lag_events{consumer=\"projector-partners-v1\",partition=\"3\"} 12",
            "tierline_consumer_parked_events{consumer=\"projector-partners-v1\"} 1",
            "rpc_server_call_duration_seconds_count{rpc_method=\"tierline.activity.v1.Deals/RegisterDeal\",\
             rpc_response_status_code=\"OK\"} 1",
            "tierline_projection_delay_seconds_bucket{consumer=\"tier-evaluator\",le=\"300\"} 1",
        ] {
            assert!(text.contains(line), "no line `{line}` in:\n{text}");
        }
    }

    #[test]
    fn what_is_rendered_is_what_the_table_says() {
        let handle = install_metrics();
        jetstream_connected(Part::Relay, true);
        relay_lag(3, Duration::from_secs(1));
        relay_published(3, Duration::from_millis(1));
        relay_failed(RelayFailure::Sequence);
        epoch_mismatch(Part::Consumer);
        halted(Part::Consumer, true);
        backfilled("tier-evaluator", BackfillCause::Hole, 4);
        duplicates_dropped("tier-evaluator", 2);
        lease_changed("tier-evaluator", LeaseChange::TakenOver, 16);
        leases_held("tier-evaluator", 16);
        consumer_failed("tier-evaluator", FailureCause::Fenced);
        append_finished(AppendOutcome::Stored);
        oldest_transaction(Duration::from_secs(7));
        pool_use(PoolUse {
            name: "commands",
            max: 8,
            open: 3,
            idle: 1,
            wait: Duration::ZERO,
        });
        disk_free("/var/lib/postgresql", 1 << 30);
        disk_reserve(256 << 20);
        build("1.2.3", "abc");
        std::thread::sleep(Duration::from_millis(5));
        let known: Vec<String> = names::ALL.iter().flat_map(names::Metric::series).collect();
        let text = handle.render();
        let mut found = 0;
        for line in text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            assert!(
                known.iter().any(|known| known == name),
                "{name} is in no table"
            );
            found += 1;
        }
        assert!(found > 20, "{text}");
        let used = "db_client_connection_count{db_client_connection_pool_name=\"commands\",\
                    db_client_connection_state=\"used\"} 2";
        assert!(text.contains(used), "{text}");
        let age = text
            .lines()
            .find_map(|line| line.strip_prefix("process_uptime_seconds "));
        assert!(
            age.is_some_and(|age| age.parse::<f64>().unwrap() >= 0.005),
            "{age:?}"
        );
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
