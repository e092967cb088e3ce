//! What was decided, why, and the same again from the log.

use serde_json::Value;

use crate::topology::Topology;
use crate::world::{each, found, text};

const SERVICE: &str = "query.v1.AuditService";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-10").await;
    client.enrolled("nova", "sell").await;
    client.won("small", "nova", "400.00 EUR").await;
    client.register("open", "nova", "5000.00 EUR").await;
    let won = client.won("large", "nova", "700.00 EUR").await;
    let history = format!("{SERVICE}/ListTierHistory");
    let changes = "partner_id: \"nova\" tier_changes_only: true";
    let listed = client.read(&history, changes, &won).await;
    let decision = &listed["decisions"][0];
    assert_eq!(decision["from_tier_id"], "bronze", "{listed}");
    assert_eq!(decision["to_tier_id"], "silver", "{listed}");
    assert_eq!(decision["direction"], "DIRECTION_PROMOTION", "{listed}");
    assert_eq!(decision["cause"], "CAUSE_QUALIFIED", "{listed}");
    assert_eq!(decision["as_of_date"], "2026-01-10", "{listed}");
    let sentence = text(&decision["sentence"]);
    assert!(sentence.starts_with("Qualifies for Silver: "), "{sentence}");

    let id = text(&decision["decision_id"]);
    let explained = client
        .ok(
            &format!("{SERVICE}/ExplainDecision"),
            &format!("decision_id: {id:?}"),
        )
        .await;
    let criterion = &explained["explanation"];
    assert_eq!(criterion["outcome"], "OUTCOME_MET", "{explained}");
    assert_eq!(criterion["measured_value"], "1100", "{explained}");
    let facts = criterion["facts"].as_array().unwrap().iter();
    let mut facts: Vec<(String, bool)> = facts
        .map(|fact| (text(&fact["fact_id"]), fact["counted"] == true))
        .collect();
    facts.sort();
    let wanted = [("large", true), ("open", false), ("small", true)];
    assert_eq!(
        facts,
        wanted.map(|(id, counted)| (id.to_owned(), counted)),
        "{explained}"
    );
    let won = |trigger: &&Value| text(&trigger["event_type"]).ends_with("DealWon");
    let triggers = explained["triggers"].as_array().unwrap();
    let won = triggers
        .iter()
        .find(won)
        .unwrap_or_else(|| panic!("{explained}"));
    assert_eq!(won["actor"], "service:ada", "{explained}");

    let shown = topology.command(org, &["audit", "explain", &id]).await;
    assert!(shown.contains("+ deal large@2"), "{shown}");
    assert!(shown.contains("- deal open@1"), "{shown}");
    let why = topology.command(org, &["explain", "partner", "nova"]).await;
    assert!(why.contains("Silver"), "{why}");

    let replay = client
        .all(
            &format!("{SERVICE}/ReplayDecisions"),
            "partner_id: \"nova\"",
        )
        .await;
    let summary = summary_of(&replay);
    assert_eq!(summary["enrollments"], 1, "{summary}");
    assert_eq!(summary["decisions"], 2, "{summary}");
    assert_eq!(summary["differences"], 0, "{summary}");
    let all = client.ok(&history, "program_id: \"flows\"").await;
    let kinds = ["DECISION_KIND_TIER_CHANGED", "DECISION_KIND_OPENED"];
    assert_eq!(each(&all["decisions"], "kind"), kinds);
}

/// The end of a replay.
pub fn summary_of(replay: &[Value]) -> &Value {
    let summary = replay.last().map(|last| &last["summary"]);
    summary
        .filter(|summary| summary.is_object())
        .unwrap_or_else(|| panic!("{replay:?}"))
}
