//! A table is built afresh beside the one that serves, and goes on from there.

use serde_json::Value;

use crate::topology::Topology;
use crate::world::{each, found};

const LIST: &str = "query.v1.PartnerQueryService/ListPartners";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    for partner in ["nova", "orbit"] {
        client.enrolled(partner, "sell").await;
    }
    let won = client.won("first", "nova", "1000.00 EUR").await;
    assert_eq!(client.tier("nova-sell", &won).await, "silver");
    let rebuilt = topology.json(org, &["rebuild", "all"]).await;
    let rebuilt = rebuilt["rebuilt"].as_array().unwrap().clone();
    let mut names: Vec<&str> = rebuilt
        .iter()
        .filter_map(|one| one["projection"].as_str())
        .collect();
    names.sort_unstable();
    let wanted = [
        "benefits",
        "forms",
        "partners",
        "programs",
        "segments",
        "standings",
        "submissions",
        "tier_history",
    ];
    assert_eq!(names, wanted, "{rebuilt:?}");
    for one in &rebuilt {
        assert!(one["events"].as_u64() > Some(0), "{one}");
    }
    // What serves now is the new table, and it follows.
    let won = client.won("second", "orbit", "10000.00 EUR").await;
    let listed = client.read(LIST, "order_by: \"tier\"", &won).await;
    assert_eq!(
        each(&listed["partners"], "partner_id"),
        ["orbit", "nova"],
        "{listed}"
    );
    let tiers: Vec<&Value> = listed["partners"].as_array().unwrap().iter().collect();
    let tiers = tiers
        .iter()
        .map(|partner| partner["enrollments"][0]["tier_id"].as_str().unwrap());
    assert_eq!(tiers.collect::<Vec<_>>(), ["gold", "silver"], "{listed}");
}
