//! A year passes in a sandbox: notice, remediation, and the loss of a tier or its rescue.

use crate::client::Client;
use crate::topology::Topology;
use crate::world::{each, found};

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    for partner in ["falls", "stays"] {
        client.enrolled(partner, "keep").await;
        let won = client.won(partner, partner, "1500.00 EUR").await;
        assert_eq!(
            client.tier(&format!("{partner}-keep"), &won).await,
            "silver"
        );
    }
    // A deal of the first of January counts until the end of the year.
    let last = client.advance("2026-12-31").await;
    let standing = client.standing("falls-keep", &last).await;
    assert!(standing.get("demotion_process").is_none(), "{standing}");
    assert_eq!(standing["next_change_date"], "2027-01-01", "{standing}");

    topology
        .command(org, &["clock", "advance", "--to", "2027-01-02"])
        .await;
    let shown = topology.json(org, &["standing", "show", "falls"]).await;
    let process = &shown["standings"][0]["demotion_process"];
    assert_eq!(process["notice_date"], "2027-01-01", "{shown}");
    assert_eq!(process["remediation_start_date"], "2027-01-11", "{shown}");
    assert_eq!(process["demotion_date"], "2027-01-31", "{shown}");
    let at_risk = "query.v1.StandingQueryService/ListStandings";
    let listed = client.ok(at_risk, "filter: \"at_risk = true\"").await;
    assert_eq!(listed["total_size"], 2, "{listed}");

    for (day, in_remediation) in [("2027-01-10", false), ("2027-01-11", true)] {
        let moved = client.advance(day).await;
        let standing = client.standing("falls-keep", &moved).await;
        let process = &standing["demotion_process"];
        assert_eq!(
            process["in_remediation"], in_remediation,
            "{day}: {standing}"
        );
        assert_eq!(standing["tier_id"], "silver", "{day}: {standing}");
    }
    client.advance("2027-01-30").await;
    let rescue = client.won("rescue", "stays", "1000.00 EUR").await;
    let standing = client.standing("stays-keep", &rescue).await;
    assert!(standing.get("demotion_process").is_none(), "{standing}");

    let moved = client.advance("2027-01-31").await;
    let standing = client.standing("falls-keep", &moved).await;
    assert_eq!(standing["tier_id"], "bronze", "{standing}");
    assert_eq!(standing["tier_since_date"], "2027-01-31", "{standing}");
    assert_eq!(
        standing["requalification"]["tier_id"], "silver",
        "{standing}"
    );
    assert_eq!(
        standing["requalification"]["until_date"], "2027-07-31",
        "{standing}"
    );
    assert_eq!(client.tier("stays-keep", &moved).await, "silver");

    let common = [
        "OPENED",
        "TIER_CHANGED",
        "NOTICE_ISSUED",
        "REMEDIATION_STARTED",
    ];
    let falls = [&common[..], &["TIER_CHANGED", "REQUALIFICATION_OPENED"]].concat();
    assert_eq!(decisions(&client, "falls", &moved).await, falls);
    let stays = [&common[..], &["RECOVERY_RECORDED"]].concat();
    assert_eq!(decisions(&client, "stays", &moved).await, stays);
}

/// What was decided about a partner, the oldest first.
async fn decisions(client: &Client, partner: &str, after: &serde_json::Value) -> Vec<String> {
    let request = format!("partner_id: \"{partner}\"");
    let name = "query.v1.AuditService/ListTierHistory";
    let history = client.read(name, &request, after).await;
    let kinds = each(&history["decisions"], "kind").into_iter().rev();
    kinds
        .map(|kind| kind.replace("DECISION_KIND_", ""))
        .collect()
}
