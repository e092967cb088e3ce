//! Certifications and records of other activities, one by one and in bulk, and the tier that they
//! make together.

use crate::topology::Topology;
use crate::world::{each, found};

const CERTIFICATIONS: &str = "activity.v1.CertificationService";
const RECORDS: &str = "activity.v1.RecordService";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    client.enrolled("nova", "skill").await;
    let award = |id: &str, person: &str| {
        format!(
            "certification_id: \"{id}\" partner_id: \"nova\" name: \"Cloud\" level: \"Advanced\" \
             holder {{ person: \"{person}\" name: \"P\" }} awarded_date: \"2026-01-01\" \
             expires_date: \"2026-12-31\""
        )
    };
    let name = format!("{CERTIFICATIONS}/AwardCertification");
    client.ok(&name, &award("c-1", "p-1")).await;
    // The same person twice is one person.
    let same = client.ok(&name, &award("c-2", "p-1")).await;
    assert_eq!(client.tier("nova-skill", &same).await, "beginner");
    let rows = "rows { row: 1 certification_id: \"c-3\" partner_id: \"nova\" record { \
                name: \"Cloud\" holder { person: \"p-2\" } awarded_date: \"2026-01-01\" } } \
                rows { row: 2 certification_id: \"c-4\" partner_id: \"nobody\" record { \
                name: \"Cloud\" holder { person: \"p-3\" } awarded_date: \"2026-01-01\" } }";
    let bulk = client
        .ok(&format!("{CERTIFICATIONS}/RecordCertifications"), rows)
        .await;
    assert_eq!(
        each(&bulk["results"], "outcome"),
        ["ROW_OUTCOME_CREATED", "ROW_OUTCOME_REJECTED"],
        "{bulk}"
    );
    let standing = client.standing("nova-skill", &bulk).await;
    assert_eq!(standing["tier_id"], "beginner", "{standing}");
    let criteria = &standing["progress"][0]["criteria"];
    assert_eq!(each(criteria, "measured"), ["2 persons", "0"], "{standing}");

    let record = "record_id: \"r-1\" partner_id: \"nova\" activity { kind: \"reference\" \
                  title: \"Globex\" held_date: \"2026-01-01\" quantity: \"1\" }";
    let recorded = client
        .ok(&format!("{RECORDS}/RecordActivity"), record)
        .await;
    assert_eq!(client.tier("nova-skill", &recorded).await, "expert");
    let amend = "record_id: \"r-1\" activity { title: \"Globex Inc.\" } \
                 update_mask { paths: \"title\" }";
    let amended = client.ok(&format!("{RECORDS}/AmendRecord"), amend).await;
    assert_eq!(amended["record"]["activity"]["title"], "Globex Inc.");
    assert_eq!(client.tier("nova-skill", &amended).await, "expert");

    // Somebody leaves: one certified person is too few. A renewal brings nobody back.
    let left = "certification_id: \"c-3\" date: \"2026-01-01\"";
    let left = client
        .ok(&format!("{CERTIFICATIONS}/MarkHolderLeft"), left)
        .await;
    assert_eq!(left["certification"]["record"]["left_date"], "2026-01-01");
    assert_eq!(client.tier("nova-skill", &left).await, "beginner");
    let other = client.ok(&name, &award("c-5", "p-5")).await;
    assert_eq!(client.tier("nova-skill", &other).await, "expert");
    let renew = "certification_id: \"c-5\" expires_date: \"2027-06-30\"";
    client
        .ok(&format!("{CERTIFICATIONS}/RenewCertification"), renew)
        .await;
    // The last valid day of c-1 is the last day of the tier.
    let last = client.advance("2026-12-31").await;
    assert_eq!(client.tier("nova-skill", &last).await, "expert");
    let after = client.advance("2027-01-01").await;
    assert_eq!(client.tier("nova-skill", &after).await, "beginner");
    retracted(topology, org).await;
}

/// What was retracted or revoked does not count.
async fn retracted(topology: &Topology, org: &str) {
    let client = topology.client(org);
    client.enrolled("orbit", "skill").await;
    for person in ["p-1", "p-2"] {
        let award = format!(
            "certification_id: \"orbit-{person}\" partner_id: \"orbit\" name: \"Cloud\" \
             holder {{ person: \"{person}\" }} awarded_date: \"2026-06-01\""
        );
        client
            .ok(&format!("{CERTIFICATIONS}/AwardCertification"), &award)
            .await;
    }
    let rows = "rows { row: 7 record_id: \"orbit-r\" partner_id: \"orbit\" activity { \
                kind: \"reference\" title: \"Initech\" held_date: \"2026-06-01\" } }";
    let bulk = client
        .ok(&format!("{RECORDS}/RecordActivities"), rows)
        .await;
    assert_eq!(bulk["results"][0]["row"], 7, "{bulk}");
    assert_eq!(client.tier("orbit-skill", &bulk).await, "expert");
    let retract = "record_id: \"orbit-r\" reason: \"twice\"";
    let retracted = client
        .ok(&format!("{RECORDS}/RetractRecord"), retract)
        .await;
    assert_eq!(retracted["record"]["retracted"], true, "{retracted}");
    assert_eq!(client.tier("orbit-skill", &retracted).await, "beginner");
    let again = "record_id: \"orbit-s\" partner_id: \"orbit\" activity { kind: \"reference\" \
                 title: \"Initech\" held_date: \"2026-06-01\" }";
    let again = client.ok(&format!("{RECORDS}/RecordActivity"), again).await;
    assert_eq!(client.tier("orbit-skill", &again).await, "expert");
    let revoke = "certification_id: \"orbit-p-1\" reason: \"fraud\"";
    let revoked = client
        .ok(&format!("{CERTIFICATIONS}/RevokeCertification"), revoke)
        .await;
    assert_eq!(client.tier("orbit-skill", &revoked).await, "beginner");
}
