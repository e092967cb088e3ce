//! Deals: registered, approved, won, and a tier that follows; lost, corrected, taken back.

use serde_json::json;

use crate::topology::Topology;
use crate::world::{found, text};

const SERVICE: &str = "activity.v1.DealService";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-15").await;
    let enrolled = client.enrolled("nova", "sell").await;
    let standing = client.standing("nova-sell", &enrolled).await;
    assert_eq!(standing["tier_id"], "bronze", "{standing}");
    assert_eq!(standing["tier_source"], "TIER_SOURCE_ENTRY", "{standing}");

    let registered = client.register("first", "nova", "12000.00 EUR").await;
    let record = &registered["deal"]["record"];
    assert_eq!(record["state"], "DEAL_STATE_REGISTERED", "{registered}");
    assert_eq!(record["registered_date"], "2026-01-15", "{registered}");
    let first = "deal_id: \"first\"";
    let approved = client.ok(&format!("{SERVICE}/ApproveDeal"), first).await;
    assert_eq!(approved["deal"]["record"]["approved_date"], "2026-01-15");
    assert_eq!(client.tier("nova-sell", &approved).await, "bronze");

    // A repeated command is one command, and a late one knows that it is late.
    let stale = text(&approved["deal"]["etag"]);
    let win = format!("{first} etag: {stale:?} request_id: \"win-once\"");
    let name = format!("{SERVICE}/WinDeal");
    let won = client.ok(&name, &win).await;
    let again = client.ok(&name, &win).await;
    assert_eq!(won["deal"], again["deal"]);
    let late = format!("{first} etag: {stale:?}");
    let refused = client.refused(&name, &late).await;
    assert_eq!(refused.code, "ABORTED", "{}", refused.text);

    let standing = client.standing("nova-sell", &won).await;
    assert_eq!(standing["tier_name"], "Gold", "{standing}");
    assert_eq!(
        standing["tier_source"], "TIER_SOURCE_AUTOMATIC",
        "{standing}"
    );
    assert_eq!(standing["tier_since_date"], "2026-01-15", "{standing}");

    let registered = client.register("second", "nova", "900.00 EUR").await;
    assert_eq!(registered["deal"]["deal_id"], "second");
    let lose = "deal_id: \"second\" reason: \"price\"";
    let lost = client.ok(&format!("{SERVICE}/LoseDeal"), lose).await;
    assert_eq!(lost["deal"]["record"]["state"], "DEAL_STATE_LOST");
    assert_eq!(client.tier("nova-sell", &lost).await, "gold");

    // What was won was less: silver. What was won came back: bronze.
    let amend = "deal_id: \"first\" record { amount { amount: \"2500.00\" \
                 currency_code: \"EUR\" } } update_mask { paths: \"amount\" }";
    let amended = client.ok(&format!("{SERVICE}/AmendDeal"), amend).await;
    assert_eq!(
        amended["deal"]["record"]["amount"],
        json!({"amount": "2500.00", "currency_code": "EUR"})
    );
    assert_eq!(client.tier("nova-sell", &amended).await, "silver");
    let reverse = "deal_id: \"first\" reason: \"returned\"";
    let reversed = client.ok(&format!("{SERVICE}/ReverseDeal"), reverse).await;
    assert_eq!(reversed["deal"]["record"]["state"], "DEAL_STATE_REVERSED");
    let standing = client.standing("nova-sell", &reversed).await;
    assert_eq!(standing["tier_id"], "bronze", "{standing}");
    assert_eq!(standing["tier_rank"], 2, "{standing}");
    the_command_line_says_the_same(topology, org).await;
}

async fn the_command_line_says_the_same(topology: &Topology, org: &str) {
    let shown = topology.json(org, &["standing", "show", "nova"]).await;
    assert_eq!(shown["standings"][0]["tier_id"], "bronze", "{shown}");
    let listed = topology.json(org, &["standing", "list"]).await;
    assert_eq!(listed[0]["enrollment_id"], "nova-sell", "{listed}");
    let history = ["audit", "history", "nova", "--changes", "--limit", "0"];
    let history = topology.command(org, &history).await;
    for change in ["bronze", "silver", "gold"] {
        assert!(history.to_lowercase().contains(change), "{history}");
    }
}
