//! API keys: made in one process and good in all of them, given a new text, ended.

use std::time::Duration;

use tierline_testkit::eventually;

use crate::client::Client;
use crate::topology::Topology;
use crate::world::{each, found, text};

const SERVICE: &str = "access.v1.ApiKeyService";
/// Longest time until every process knows what became of a key.
const KNOWN: Duration = Duration::from_secs(10);
/// Methods of four targets.
const CALLS: [(&str, &str); 4] = [
    ("program.v1.OrgService/GetOrg", ""),
    (
        "partner.v1.PartnerService/GetPartner",
        "partner_id: \"nova\"",
    ),
    ("activity.v1.DealService/GetDeal", "deal_id: \"first\""),
    ("query.v1.PartnerQueryService/ListPartners", ""),
];

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    client.enrolled("nova", "sell").await;
    let first = client.register("first", "nova", "500.00 EUR").await;
    let create = format!("{SERVICE}/CreateApiKey");
    let made = client
        .ok(&create, "name: \"crm\" roles: \"integration\"")
        .await;
    let key = text(&made["api_key"]["key_id"]);
    let integration = client.with(&text(&made["secret"]));
    good_at_once(&integration).await;
    let won = integration
        .ok("activity.v1.DealService/WinDeal", "deal_id: \"first\"")
        .await;
    assert_ne!(won["deal"]["etag"], first["deal"]["etag"]);
    let create_org = integration
        .refused(&create, "name: \"more\" roles: \"viewer\"")
        .await;
    assert_eq!(create_org.code, "PERMISSION_DENIED", "{}", create_org.text);

    let viewer = topology
        .json(org, &["key", "create", "dashboard", "--role", "viewer"])
        .await;
    let viewer = client.with(&text(&viewer["secret"]));
    let win = viewer
        .refused("activity.v1.DealService/WinDeal", "deal_id: \"first\"")
        .await;
    assert_eq!(win.code, "PERMISSION_DENIED", "{}", win.text);
    good_at_once(&viewer).await;

    // A new text, and no time for the old one.
    let rotate = format!("key_id: {key:?} grace {{ seconds: 0 }}");
    let rotated = client.ok(&format!("{SERVICE}/RotateApiKey"), &rotate).await;
    assert_eq!(rotated["api_key"]["rotations"], 1, "{rotated}");
    everywhere(&integration, false).await;
    let renewed = client.with(&text(&rotated["secret"]));
    good_at_once(&renewed).await;

    topology
        .command(org, &["key", "revoke", &key, "--reason", "lost"])
        .await;
    everywhere(&renewed, false).await;
    everywhere(&viewer, true).await;
    let listed = client.ok(&format!("{SERVICE}/ListApiKeys"), "").await;
    let mut named = each(&listed["api_keys"], "name");
    named.sort();
    assert_eq!(named, ["crm", "dashboard"], "{listed}");
    let shown = client
        .ok(&format!("{SERVICE}/GetApiKey"), &format!("key_id: {key:?}"))
        .await;
    assert_eq!(shown["state"], "API_KEY_STATE_REVOKED", "{shown}");
    assert_eq!(shown["revoke_reason"], "lost", "{shown}");
}

/// What was made or changed a moment ago in one process is good in all of them.
async fn good_at_once(holder: &Client) {
    for (name, request) in CALLS {
        holder.all(name, request).await;
    }
}

/// Waits until every target lets the holder of a key in, or out.
async fn everywhere(holder: &Client, good: bool) {
    for (name, request) in CALLS {
        eventually(
            KNOWN,
            &format!("{name} knows the key: {good}"),
            async || {
                let answer = holder.ask(name, request).await;
                match answer.code() {
                    "OK" => good,
                    "UNAUTHENTICATED" => !good,
                    _ => panic!("{name}: {}", answer.text()),
                }
            },
        )
        .await;
    }
}
