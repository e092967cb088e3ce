//! Partners: created, changed, suspended and back, with their contacts.

use tierline_testkit::eventually;

use crate::topology::Topology;
use crate::world::{each, found, text};

const SERVICE: &str = "partner.v1.PartnerService";
const LIST: &str = "query.v1.PartnerQueryService/ListPartners";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    let created = client.create_partner("nova").await;
    assert_eq!(created["partner"]["primary_contact_id"], "c1", "{created}");
    let listed = client.read(LIST, "", &created).await;
    assert_eq!(each(&listed["partners"], "name"), ["Partner nova"]);

    let taken = "partner_id: \"other\" partner { name: \"O\" domain: \"nova.example\" \
                 partner_type: PARTNER_TYPE_CHANNEL } primary_contact { first_name: \"A\" \
                 last_name: \"B\" email: \"a@nova.example\" }";
    let refused = client
        .refused(&format!("{SERVICE}/CreatePartner"), taken)
        .await;
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        ("ALREADY_EXISTS", "PARTNER_DOMAIN_TAKEN"),
        "{}",
        refused.text
    );

    let stale = text(&created["partner"]["etag"]);
    let update = "partner { partner_id: \"nova\" region: \"EMEA\" industry: \"Retail\" } \
                  update_mask { paths: \"region\" paths: \"industry\" }";
    let update = format!("{update} etag: {stale:?}");
    let name = format!("{SERVICE}/UpdatePartner");
    let updated = client.ok(&name, &update).await;
    assert_eq!(updated["partner"]["region"], "EMEA", "{updated}");
    assert_eq!(updated["partner"]["name"], "Partner nova", "{updated}");
    let refused = client.refused(&name, &update).await;
    assert_eq!(refused.code, "ABORTED", "{}", refused.text);
    let listed = client
        .read(
            LIST,
            "filter: 'region = \"EMEA\" AND industry = \"Retail\"'",
            &updated,
        )
        .await;
    assert_eq!(each(&listed["partners"], "partner_id"), ["nova"]);

    contacts(topology, org).await;

    let suspend = "partner_id: \"nova\" reason: \"unpaid\"";
    let suspended = client
        .ok(&format!("{SERVICE}/SuspendPartner"), suspend)
        .await;
    assert_eq!(suspended["partner"]["status"], "PARTNER_STATUS_SUSPENDED");
    let listed = client
        .read(LIST, "filter: \"status = suspended\"", &suspended)
        .await;
    assert_eq!(each(&listed["partners"], "partner_id"), ["nova"]);
    let activate = "partner_id: \"nova\" reason: \"paid\"";
    let active = client
        .ok(&format!("{SERVICE}/ActivatePartner"), activate)
        .await;
    let listed = client
        .read(LIST, "filter: \"status = suspended\"", &active)
        .await;
    assert_eq!(listed["total_size"], 0, "{listed}");
    shown_on_the_command_line(topology, org).await;
}

async fn contacts(topology: &Topology, org: &str) {
    let client = topology.client(org);
    let add = "partner_id: \"nova\" contact { first_name: \"Bob\" last_name: \"Hope\" \
               email: \"bob@nova.example\" }";
    let added = client.ok(&format!("{SERVICE}/AddContact"), add).await;
    assert_eq!(
        each(&added["partner"]["contacts"], "contact_id"),
        ["c1", "c2"]
    );
    let primary = "partner_id: \"nova\" contact_id: \"c2\"";
    let changed = client
        .ok(&format!("{SERVICE}/SetPrimaryContact"), primary)
        .await;
    assert_eq!(changed["partner"]["primary_contact_id"], "c2");
    let refused = client
        .refused(&format!("{SERVICE}/RemoveContact"), primary)
        .await;
    assert_eq!(refused.code, "FAILED_PRECONDITION", "{}", refused.text);
    let first = "partner_id: \"nova\" contact_id: \"c1\"";
    let removed = client.ok(&format!("{SERVICE}/RemoveContact"), first).await;
    assert_eq!(each(&removed["partner"]["contacts"], "first_name"), ["Bob"]);
}

async fn shown_on_the_command_line(topology: &Topology, org: &str) {
    let what = "the command line shows the partner as active";
    eventually(std::time::Duration::from_secs(30), what, async || {
        let listed = topology.json(org, &["partners", "list"]).await;
        let listed = listed["partners"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0]["partner_id"], "nova", "{listed:?}");
        listed[0]["status"] == "active"
    })
    .await;
    let shown = topology.json(org, &["partners", "show", "nova"]).await;
    assert!(shown.to_string().contains("bob@nova.example"), "{shown}");
}
