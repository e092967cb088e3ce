//! Enrollments: begun, pinned, recommended for, extended and ended.

use crate::topology::Topology;
use crate::world::found;

const SERVICE: &str = "enrollment.v1.EnrollmentService";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    client.create_partner("nova").await;
    let enroll = ["enroll", "nova", "--program", "flows", "--track", "sell"];
    topology
        .command(org, &[&enroll[..], &["--start", "2026-01-01"]].concat())
        .await;
    let listed = topology.json(org, &["standing", "list"]).await;
    let enrollment = listed[0]["enrollment_id"].as_str().unwrap().to_owned();
    assert_eq!(listed[0]["tier_id"], "bronze", "{listed}");
    let twice = format!("{SERVICE}/EnrollPartner");
    let again = "partner_id: \"nova\" program_id: \"flows\" track_id: \"sell\"";
    let refused = client.refused(&twice, again).await;
    assert_eq!(refused.code, "ALREADY_EXISTS", "{}", refused.text);

    let pin = format!(
        "enrollment_id: {enrollment:?} tier_id: \"gold\" reason: \"strategic\" \
         until_date: \"2026-03-31\""
    );
    let pinned = client.ok(&format!("{SERVICE}/PinTier"), &pin).await;
    let standing = client.standing(&enrollment, &pinned).await;
    assert_eq!(standing["tier_id"], "gold", "{standing}");
    assert_eq!(standing["tier_source"], "TIER_SOURCE_PIN", "{standing}");
    // The pin is over with its last day, and what the facts say holds again.
    let last = client.advance("2026-03-31").await;
    assert_eq!(client.tier(&enrollment, &last).await, "gold");
    let after = client.advance("2026-04-01").await;
    assert_eq!(client.tier(&enrollment, &after).await, "bronze");
    let cleared = format!("enrollment_id: {enrollment:?} tier_id: \"silver\" reason: \"again\"");
    let pinned = client.ok(&format!("{SERVICE}/PinTier"), &cleared).await;
    assert_eq!(client.tier(&enrollment, &pinned).await, "silver");
    let clear = format!("enrollment_id: {enrollment:?} reason: \"no more\"");
    let cleared = client.ok(&format!("{SERVICE}/ClearPin"), &clear).await;
    assert_eq!(client.tier(&enrollment, &cleared).await, "bronze");

    recommended(topology, org).await;

    let end = format!("enrollment_id: {enrollment:?} reason: \"left\"");
    let ended = client
        .ok(&format!("{SERVICE}/TerminateEnrollment"), &end)
        .await;
    assert_eq!(ended["enrollment"]["state"], "ENROLLMENT_STATE_TERMINATED");
    let standing = client.standing(&enrollment, &ended).await;
    assert_eq!(standing["closed"], true, "{standing}");
    expires_by_its_date(topology, org).await;
}

/// A tier that a person has to agree to.
async fn recommended(topology: &Topology, org: &str) {
    let client = topology.client(org);
    client.enrolled("orbit", "word").await;
    let won = client.won("orbit-1", "orbit", "1500.00 EUR").await;
    let standing = client.standing("orbit-word", &won).await;
    assert_eq!(standing["tier_id"], "bronze", "{standing}");
    assert_eq!(
        standing["recommendation"]["tier_id"], "silver",
        "{standing}"
    );
    let number = &standing["recommendation"]["recommendation"];
    let approve = format!(
        "enrollment_id: \"orbit-word\" recommendation: {number} tier_id: \"silver\" note: \"yes\""
    );
    let name = format!("{SERVICE}/ApproveRecommendation");
    let approved = client.ok(&name, &approve).await;
    let standing = client.standing("orbit-word", &approved).await;
    assert_eq!(standing["tier_id"], "silver", "{standing}");
    assert_eq!(
        standing["tier_source"], "TIER_SOURCE_APPROVED",
        "{standing}"
    );
}

/// An enrollment with an end ends by itself on the day after, which one process decides and
/// another carries out.
async fn expires_by_its_date(topology: &Topology, org: &str) {
    let client = topology.client(org);
    client.create_partner("brief").await;
    let enroll = "enrollment_id: \"brief\" partner_id: \"brief\" program_id: \"flows\" \
                  track_id: \"sell\" end_date: \"2026-04-30\"";
    client.ok(&format!("{SERVICE}/EnrollPartner"), enroll).await;
    let extend = "enrollment_id: \"brief\" end_date: \"2026-05-31\"";
    client
        .ok(&format!("{SERVICE}/ExtendEnrollment"), extend)
        .await;
    let before = client.advance("2026-05-31").await;
    let standing = client.standing("brief", &before).await;
    assert_eq!(standing["closed"], false, "{standing}");
    client.advance("2026-06-01").await;
    let get = format!("{SERVICE}/GetEnrollment");
    let patience = std::time::Duration::from_secs(30);
    tierline_testkit::eventually(patience, "the enrollment expires", async || {
        let now = client.ok(&get, "enrollment_id: \"brief\"").await;
        now["state"] == "ENROLLMENT_STATE_EXPIRED"
    })
    .await;
}
