//! What people do with Tierline, on the program that they run: each flow is written once and runs
//! in one process, and in one process per target.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "helpers of tests"
)]

mod activities;
mod applications;
mod audit;
#[path = "../access/call.rs"]
mod call;
mod client;
mod deals;
mod demotion;
mod enrollments;
mod front;
mod imports;
mod keys;
mod parked;
mod partners;
mod programs;
mod rates;
mod reading;
mod rebuilding;
mod seats;
mod takeover;
mod topology;
mod trials;

mod world;

use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::LocalSet;
use topology::{Layout, Topology};

type Running = Pin<Box<dyn Future<Output = ()>>>;

/// A flow; it has an org of its own, which is named after it.
struct Flow {
    name: &'static str,
    run: fn(Rc<Topology>, &'static str) -> Running,
}

macro_rules! flow {
    ($name:ident) => {
        Flow {
            name: stringify!($name),
            run: |topology, org| Box::pin(async move { $name::flow(&topology, org).await }),
        }
    };
}

const FIRST: [Flow; 7] = [
    flow!(programs),
    flow!(partners),
    flow!(enrollments),
    flow!(deals),
    flow!(activities),
    flow!(rates),
    flow!(applications),
];
const SECOND: [Flow; 8] = [
    flow!(imports),
    flow!(demotion),
    flow!(keys),
    flow!(reading),
    flow!(audit),
    flow!(parked),
    flow!(trials),
    flow!(seats),
];
/// Alone: these are about the whole installation.
const REBUILDING: [Flow; 1] = [flow!(rebuilding)];
const TAKEOVER: [Flow; 1] = [flow!(takeover)];

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_works_in_one_process() {
    flows_in(&Layout::one_process()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_works_in_one_process_that_reads_the_log_itself() {
    flows_in(&Layout::one_process().without_nats()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_works_with_a_process_for_each_target() {
    flows_in(&Layout::one_process_per_target()).await;
}

/// Half of the flows, then two processes die where there are others that can take over, and the
/// other half goes on without them.
async fn flows_in(layout: &Layout) {
    let topology = Rc::new(Topology::start(layout).await);
    let in_pairs = topology.has("tier-evaluator-2");
    let mut failed = together(&topology, &FIRST).await;
    if in_pairs {
        failed.extend(together(&topology, &TAKEOVER).await);
    }
    failed.extend(together(&topology, &SECOND).await);
    if in_pairs {
        takeover::back(&topology).await;
    }
    failed.extend(together(&topology, &REBUILDING).await);
    assert!(
        failed.is_empty(),
        "failed: {failed:?}; what went wrong is above"
    );
    for flow in FIRST.iter().chain(&SECOND).chain(&REBUILDING) {
        decided_the_same_again(&topology, flow.name).await;
    }
    tables_hold_what_the_log_says(&topology).await;
    ends_in_order(&topology).await;
}

/// Runs flows beside each other, to the end of each; gives those that failed.
async fn together(topology: &Rc<Topology>, flows: &[Flow]) -> Vec<&'static str> {
    let work = LocalSet::new();
    let running = flows.iter().map(|flow| {
        let task = work.spawn_local((flow.run)(Rc::clone(topology), flow.name));
        async move {
            let begin = Instant::now();
            let ended = task.await;
            println!("{}: {:.1?}", flow.name, begin.elapsed());
            ended.err().map(|_| flow.name)
        }
    });
    let ended = work.run_until(futures::future::join_all(running)).await;
    ended.into_iter().flatten().collect()
}

async fn decided_the_same_again(topology: &Topology, org: &str) {
    let replayed = topology.json(org, &["audit", "replay", "--org"]).await;
    let summary = &replayed["summary"];
    assert_eq!(summary["differences"], 0, "{org}: {replayed}");
    let enrolls = !["partners", "applications"].contains(&org);
    assert_eq!(
        summary["decisions"].as_u64() > Some(0),
        enrolls,
        "{org}: {replayed}"
    );
}

async fn tables_hold_what_the_log_says(topology: &Topology) {
    let verified = topology.json("anybody", &["verify", "projections"]).await;
    assert_eq!(verified["differences"], 0, "{verified}");
    for model in verified["models"].as_array().unwrap() {
        assert!(model["rows"].as_u64() > Some(0), "{model}");
        assert_eq!(model["set_aside"], 0, "{model}");
    }
}

/// SIGTERM, and every process ends by itself with nothing left to do.
async fn ends_in_order(topology: &Topology) {
    for (name, status, took) in topology.drain().await {
        assert!(
            status.success(),
            "{name}: {status} {:?}",
            topology.log(&name)
        );
        assert!(took < Duration::from_secs(20), "{name} took {took:?}");
    }
    for (name, _) in topology.names() {
        let lines = topology.log(&name);
        // One event was damaged on purpose.
        let meant = |line: &Value| {
            line["message"] == "event parked" && line["routing_key"] == "parked/hurt"
        };
        let errors = lines.iter().filter(|line| line["level"] == "ERROR");
        let errors: Vec<&Value> = errors.filter(|line| !meant(line)).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let pool = topology.database().pool(1).await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 0, "everything has its number");
    pool.close().await;
}
