//! One of two evaluators and one of two projectors die, and the other two take over what they had.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use tierline_eventstore::{PARTITIONS, partition_of};
use tierline_testkit::eventually;

use crate::client::Client;
use crate::topology::Topology;
use crate::world::{found, text};

/// Longest time until everything is followed again.
const TAKEOVER: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    let partners = a_partner_in_each_partition(org);
    for partner in &partners {
        client.enrolled(partner, "sell").await;
    }
    for consumer in ["tier-evaluator-v1", "projector-standings-v1"] {
        shared_by(&client, consumer, 2).await;
    }
    topology.kill("tier-evaluator").await;
    topology.kill("projector").await;
    let killed = Instant::now();
    let risen = partners.iter().map(async |partner| {
        let won = client.won(partner, partner, "1000.00 EUR").await;
        let tier = client.tier(&format!("{partner}-sell"), &won).await;
        assert_eq!(tier, "silver", "{partner}");
    });
    futures::future::join_all(risen).await;
    let took = killed.elapsed();
    println!("everything is followed {took:.1?} after two processes were killed");
    assert!(took < TAKEOVER, "took {took:?}");
}

/// Those that died are started again, and get their share.
pub async fn back(topology: &Topology) {
    topology
        .start_again("tier-evaluator", "tier-evaluator")
        .await;
    topology.start_again("projector", "projector").await;
    let client = topology.client("operators");
    for consumer in ["tier-evaluator-v1", "projector-standings-v1"] {
        shared_by(&client, consumer, 2).await;
    }
}

fn a_partner_in_each_partition(org: &str) -> Vec<String> {
    let mut missing: BTreeSet<u8> = (0..PARTITIONS).collect();
    let names = (0..1_000).map(|number| format!("p-{number}"));
    let found: Vec<String> = names
        .filter(|name| missing.remove(&partition_of(&format!("{org}/{name}"))))
        .collect();
    assert_eq!(found.len(), usize::from(PARTITIONS));
    found
}

/// Waits until so many processes share the partitions of a consumer.
async fn shared_by(client: &Client, consumer: &str, processes: usize) {
    let what = format!("{processes} processes share {consumer}");
    eventually(PATIENCE, &what, async || {
        let status = client.ok("query.v1.OperationsService/GetStatus", "").await;
        owners(&status, consumer).len() == processes
    })
    .await;
}

fn owners(status: &Value, consumer: &str) -> BTreeSet<String> {
    let consumers = status["consumers"].as_array().unwrap().iter();
    let partitions = consumers
        .filter(|one| one["consumer"] == consumer)
        .flat_map(|one| one["partitions"].as_array().unwrap());
    let owners = partitions.map(|partition| text(&partition["owner"]));
    owners.filter(|owner| !owner.is_empty()).collect()
}
