//! One seat for the best: what others do is observed, decides the tier, and is found by replay.

use std::time::Duration;

use tierline_testkit::eventually;

use crate::audit::summary_of;
use crate::client::Client;
use crate::topology::Topology;
use crate::world::{found, text};

const PROGRAM: &str = r"
slug: seats
name: One seat
currency: EUR
tracks:
  - id: best
    name: Best
    demotion: { notice_days: 0, remediation_days: 0 }
    tiers:
      - id: first
        name: First
        qualification:
          criterion:
            id: seat
            name: The first in line by revenue
            measure:
              line:
                id: seat
                by:
                  sum:
                    of: amount
                    facts: { kind: deal, date: closed, window: { rolling_months: 12 },
                             where: { field: { name: state, is: { equals: won } } } }
            needs: { lte: 1 }
      - { id: other, name: Other }
";

const PATIENCE: Duration = Duration::from_secs(30);

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-10").await;
    let apply = format!("yaml: {PROGRAM:?} effective_date: \"2026-01-01\"");
    client
        .ok("program.v1.ProgramService/ApplyProgram", &apply)
        .await;
    for (partner, amount) in [("nova", "200.00 EUR"), ("luna", "100.00 EUR")] {
        client.create_partner(partner).await;
        let enroll = format!(
            "enrollment_id: \"{partner}-best\" partner_id: \"{partner}\" program_id: \"seats\" \
             track_id: \"best\""
        );
        let name = "enrollment.v1.EnrollmentService/EnrollPartner";
        client.ok(name, &enroll).await;
        client
            .won(&format!("{partner}-deal"), partner, amount)
            .await;
    }
    seated(&client, "nova", "luna").await;
    client.won("second", "luna", "150.00 EUR").await;
    seated(&client, "luna", "nova").await;

    // The decision says who stood where, and by which observation.
    let history = "partner_id: \"nova\" tier_changes_only: true";
    let history = client.ok("query.v1.AuditService/ListTierHistory", history);
    let lost = &history.await["decisions"][0];
    let explain = format!("decision_id: {:?}", text(&lost["decision_id"]));
    let explained = client.ok("query.v1.AuditService/ExplainDecision", &explain);
    let explained = explained.await;
    let criterion = &explained["explanation"];
    assert_eq!(criterion["measured_value"], "2", "{explained}");
    assert_eq!(
        criterion["inputs"][1]["note"], "2 of 2 in line",
        "{explained}"
    );
    assert_eq!(
        criterion["beyond"]["from_date"], "2026-01-10",
        "{explained}"
    );
    let observation = text(&criterion["beyond"]["observation"]);
    assert!(observation.starts_with("observation "), "{observation}");

    let replay = client
        .all(
            "query.v1.AuditService/ReplayDecisions",
            "program_id: \"seats\"",
        )
        .await;
    let summary = summary_of(&replay);
    assert_eq!(summary["differences"], 0, "{replay:?}");
}

/// Waits until one partner has the seat and the other has not.
async fn seated(client: &Client, first: &str, other: &str) {
    let tier = async |partner: &str| {
        let request = format!("enrollment_id: \"{partner}-best\"");
        let name = "query.v1.StandingQueryService/GetStanding";
        let shown = client.ok(name, &request).await;
        let tier = shown["standings"][0]["tier_id"].as_str();
        tier.unwrap_or_default().to_owned()
    };
    let what = format!("{first} to have the seat, and {other} not");
    eventually(PATIENCE, &what, async || {
        tier(first).await == "first" && tier(other).await == "other"
    })
    .await;
}
