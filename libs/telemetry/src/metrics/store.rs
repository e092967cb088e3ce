//! Calls, commands and appends.

use std::time::Duration;

use metrics::{counter, histogram};

use super::names::{self, label};
use super::{AppendOutcome, CommandOutcome, to_f64};

/// A gRPC call was answered. `method` is the full name from the descriptor, never the raw path.
pub fn grpc_answered(method: &'static str, code: &'static str, took: Duration) {
    histogram!(names::RPC_DURATION, label::RPC_METHOD => method, label::RPC_STATUS => code)
        .record(took.as_secs_f64());
}

/// A caller was not let in. `why` is a fixed word.
pub fn auth_refused(why: &'static str) {
    counter!(names::AUTH_REFUSED, label::WHY => why).increment(1);
}

/// A command on an aggregate of type `aggregate` ended.
pub fn command_finished(aggregate: &'static str, outcome: CommandOutcome, took: Duration) {
    let outcome = outcome.label();
    counter!(names::COMMANDS, label::AGGREGATE => aggregate, label::OUTCOME => outcome)
        .increment(1);
    histogram!(names::COMMAND_DURATION, label::OUTCOME => outcome).record(took.as_secs_f64());
}

/// The store has answered one append, or has not.
pub fn append_finished(outcome: AppendOutcome) {
    counter!(names::APPENDS, label::OUTCOME => outcome.label()).increment(1);
}

/// One statement stored `appends` appends with `events` events in all.
pub fn group_committed(appends: usize, events: usize) {
    histogram!(names::GROUP_APPENDS).record(to_f64(appends as u64));
    histogram!(names::GROUP_EVENTS).record(to_f64(events as u64));
}
