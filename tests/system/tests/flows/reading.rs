//! Lists: what was just written is there, filtered, ordered, counted, page by page.

use serde_json::Value;

use crate::topology::Topology;
use crate::world::{each, found, text};

const PARTNERS: &str = "query.v1.PartnerQueryService/ListPartners";
const STANDINGS: &str = "query.v1.StandingQueryService/ListStandings";
/// Partners of the org.
const MANY: usize = 25;

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-01").await;
    let row = |number: usize| {
        let region = ["EMEA", "APAC"][number % 2];
        format!(
            "rows {{ row: {number} partner {{ partner_id: \"p-{number:02}\" \
             name: \"Partner {number:02}\" domain: \"p-{number}.example\" regions: \"{region}\" \
             partner_type: PARTNER_TYPE_RESELLER status: PARTNER_STATUS_ACTIVE }} \
             primary_contact {{ first_name: \"A\" last_name: \"B\" email: \"a@p-{number}.example\" \
             }} }}"
        )
    };
    let rows: String = (0..MANY).map(row).collect();
    let written = client
        .ok("partner.v1.PartnerService/RecordPartners", &rows)
        .await;
    assert_eq!(
        written["results"].as_array().map(Vec::len),
        Some(MANY),
        "{written}"
    );
    pages(topology, org, &written).await;

    let request = "group_by: \"region\"";
    let counted = client.read(PARTNERS, request, &written).await;
    let mut groups: Vec<(String, u64)> = counted["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (text(&group["group"]), group["count"].as_u64().unwrap()))
        .collect();
    groups.sort();
    assert_eq!(
        groups,
        [("APAC".to_owned(), 12), ("EMEA".to_owned(), 13)],
        "{counted}"
    );
    let both = "filter: 'region = \"APAC\" AND name : \"1\" AND NOT partner_id = \"p-21\"' \
                order_by: \"name desc\"";
    let found = client.read(PARTNERS, both, &written).await;
    let wanted = ["p-19", "p-17", "p-15", "p-13", "p-11", "p-01"];
    assert_eq!(each(&found["partners"], "partner_id"), wanted, "{found}");
    let wrong = client.refused(PARTNERS, "filter: \"colour = red\"").await;
    assert_eq!(wrong.code, "INVALID_ARGUMENT", "{}", wrong.text);
    assert!(wrong.text.contains("colour"), "{}", wrong.text);

    // Whoever wrote sees it at once, however often, whichever process answers.
    for round in 0..8 {
        let tag = format!("partner_id: \"p-0{round}\" tags: \"round-{round}\"");
        let tagged = client
            .ok("partner.v1.PartnerService/TagPartner", &tag)
            .await;
        let request = format!("filter: 'tag = \"round-{round}\"'");
        let seen = client.read(PARTNERS, &request, &tagged).await;
        assert_eq!(
            each(&seen["partners"], "partner_id"),
            [format!("p-0{round}")]
        );
    }
    standings(topology, org).await;
}

/// Three pages, each partner once and in order.
async fn pages(topology: &Topology, org: &str, written: &Value) {
    let client = topology.client(org);
    let (mut seen, mut token, mut sizes) = (Vec::new(), String::new(), Vec::new());
    while sizes.is_empty() || !token.is_empty() {
        let request = format!("order_by: \"name\" page_size: 10 page_token: {token:?}");
        let page = client.read(PARTNERS, &request, written).await;
        assert_eq!(page["total_size"], MANY, "{page}");
        let names = each(&page["partners"], "partner_id");
        sizes.push(names.len());
        seen.extend(names);
        token = text(&page["next_page_token"]);
    }
    assert_eq!(sizes, [10, 10, 5]);
    let wanted: Vec<String> = (0..MANY).map(|number| format!("p-{number:02}")).collect();
    assert_eq!(seen, wanted);
    let page = client
        .ok(PARTNERS, "order_by: \"name\" page_size: 10")
        .await;
    let token = text(&page["next_page_token"]);
    let other = format!("order_by: \"name desc\" page_size: 10 page_token: {token:?}");
    let refused = client.refused(PARTNERS, &other).await;
    assert_eq!(refused.code, "INVALID_ARGUMENT", "{}", refused.text);
}

async fn standings(topology: &Topology, org: &str) {
    let client = topology.client(org);
    let mut last = Value::Null;
    for number in 0..6 {
        let partner = format!("p-{number:02}");
        client.enroll(&partner, "sell").await;
        let amount = ["10.00 EUR", "1000.00 EUR", "10000.00 EUR"][number % 3];
        last = client.won(&partner, &partner, amount).await;
        // A token is about one event: each partner is read with its own.
        let tier = ["bronze", "silver", "gold"][number % 3];
        assert_eq!(client.tier(&format!("{partner}-sell"), &last).await, tier);
        let request = format!("filter: 'partner_id = {partner:?} AND tier = {tier}'");
        let listed = client.read(PARTNERS, &request, &last).await;
        assert_eq!(each(&listed["partners"], "partner_id"), [partner]);
    }
    let request = "filter: \"tier_rank <= 1\" order_by: \"tier_rank, partner_id\"";
    let listed = client.read(STANDINGS, request, &last).await;
    let wanted = ["p-02", "p-05", "p-01", "p-04"];
    assert_eq!(each(&listed["standings"], "partner_id"), wanted, "{listed}");
    let gold = "filter: \"tier = gold\" order_by: \"name\"";
    let by_tier = client.ok(PARTNERS, gold).await;
    assert_eq!(each(&by_tier["partners"], "partner_id"), ["p-02", "p-05"]);
    let view = "query.v1.PartnerQueryService/GetPartnerView";
    let view = client.read(view, "partner_id: \"p-05\"", &last).await;
    assert_eq!(view["standings"][0]["tier_id"], "gold", "{view}");
    assert_eq!(
        view["recent_decisions"].as_array().map(Vec::len),
        Some(2),
        "{view}"
    );
}
