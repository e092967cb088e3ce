//! The figures, one file each. A new one is a file here and a line in [`FIGURES`].

mod appends;
mod assess;
mod backtest;
mod correctness;
mod evaluator;
mod grpc;
mod history;
mod idle;
mod import;
mod latency;
mod processes;
mod projection;
mod rebuild;
mod relay;
mod stock;
mod streams;
mod takeover;

use futures::future::LocalBoxFuture;

use super::run::Run;

/// Something that is measured.
pub struct Figure {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it measures.
    pub about: &'static str,
    /// Measures it once and reports its samples to the run.
    pub measure: for<'r> fn(&'r Run<'r>) -> LocalBoxFuture<'r, anyhow::Result<()>>,
}

macro_rules! figures {
    ($($module:ident: $about:literal),+ $(,)?) => {
        /// All figures, in the order in which they are measured: those that share a raw limit
        /// follow on each other.
        pub const FIGURES: &[Figure] = &[$(Figure {
            name: stringify!($module),
            about: $about,
            measure: |run| Box::pin($module::measure(run)),
        }),+];
    };
}

figures! {
    appends: "commands on new aggregates, runner in process",
    stock: "the same with stock cqrs-es and postgres-es, and on 200 long streams",
    grpc: "the same over gRPC",
    streams: "commands on 200 long streams, runner in process",
    import: "bulk import of deals over gRPC, until the last one is numbered",
    projection: "events into the partners table and the standings, from the log and from JetStream",
    relay: "the log into the streams of JetStream",
    rebuild: "a million events into a new partners table, while the old one serves",
    evaluator: "deal facts into standings",
    latency: "from the answer to a won deal to its tier in a query",
    processes: "seven processes on JetStream: idle, and from a won deal to its tier",
    takeover: "one of two evaluators is killed",
    assess: "one assessment by itself, from kept facts and fact by fact",
    backtest: "a draft tried on eight quarters of 10,000 enrollments, without a server",
    history: "one more fact for a partner with a long history against one with a short one",
    correctness: "rows lost or doubled by writers with delayed commits",
    idle: "memory after an import, and statements per second of an idle process",
}
