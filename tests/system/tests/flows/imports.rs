//! Files of another system: partners and deals that become tiers, rows that are wrong, a second
//! run that changes nothing.

use std::fmt::Write as _;

use serde_json::Value;

use crate::topology::Topology;
use crate::world::found;

const PARTNERS: &str = "\
kind: partners
fields:
  external_id: {column: key}
  partner_id: {template: \"p-{key}\"}
  name: {column: name}
  domain: {template: \"p-{key}.example\"}
  primary_contact.first_name: {constant: Partner}
  primary_contact.last_name: {constant: Desk}
  primary_contact.email: {template: \"desk@p-{key}.example\"}
  type: {constant: reseller}
  status: {constant: active}
";
const DEALS: &str = "\
kind: deals
formats: {decimal: comma, thousands: point, date: \"%d.%m.%Y\"}
file: {delimiter: semicolon}
fields:
  external_id: {column: order}
  partner_id: {template: \"p-{partner}\"}
  name: {column: title}
  amount: {column: value}
  currency: {constant: EUR}
  source: {constant: partner_sourced}
  state: {constant: won}
  registered_date: {column: date}
  closed_date: {column: date}
";
/// Partners of the file.
const MANY: usize = 24;

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-06-30").await;
    let folder = topology.folder().join(format!("{org}-files"));
    std::fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut partners = String::from("\u{feff}key,name\r\n");
    // An amount that is no number, quoted texts, an unknown partner; three orders a partner.
    let mut deals = String::from("order;partner;title;value;date\n");
    for partner in 0..MANY {
        write!(partners, "{partner},\"Partner, No. {partner}\"\r\n").unwrap();
        for (order, value) in ["100,00", "1.200,50", "12.000,00"].iter().enumerate() {
            // A third of the partners have all three orders, a third two, a third one.
            if order <= partner % 3 {
                let row = format!(
                    "{partner}-{order};{partner};\"a; b\";{value};0{}.03.2026\n",
                    1 + order
                );
                deals.push_str(&row);
            }
        }
    }
    let (partners, by) = (
        write("partners.csv", &partners),
        write("partners.yaml", PARTNERS),
    );
    let import = ["import", "partners", &partners, "--mapping", &by];
    let first = topology.json(org, &import).await;
    assert_eq!(records(&first, "created"), MANY, "{first}");
    let again = topology.json(org, &import).await;
    assert_eq!(
        (records(&again, "created"), records(&again, "unchanged")),
        (0, MANY),
        "{again}"
    );

    let everybody = ["enroll", "--all", "--program", "flows", "--track", "sell"];
    topology
        .command(org, &[&everybody[..], &["--start", "2026-01-01"]].concat())
        .await;

    let bad = "odd-1;999;no such partner;1,00;01.03.2026\nodd-2;1;no number;much;01.03.2026\n";
    let (deals, by) = (
        write("deals.csv", &(deals + bad)),
        write("deals.yaml", DEALS),
    );
    let results = folder.join("deals.results.csv").display().to_string();
    let import = [
        "import",
        "deals",
        &deals,
        "--mapping",
        &by,
        "--results",
        &results,
    ];
    let import = [
        &import[..],
        &["--limit-rejected", "10%", "--output", "json"],
    ]
    .concat();
    for run in ["created", "unchanged"] {
        let output = topology.output(org, &import).await;
        assert_eq!(
            output.status.code(),
            Some(1),
            "rows were rejected: {output:?}"
        );
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(records(&summary, run), 2 * MANY, "{summary}");
        assert_eq!(summary["rejected"]["rows"], 2, "{summary}");
        let lines = std::fs::read_to_string(&results).unwrap();
        let rejected = lines
            .lines()
            .filter(|line| line.contains(",rejected,"))
            .count();
        assert_eq!(rejected, 2, "{lines}");
    }

    let name = "query.v1.StandingQueryService/ListStandings";
    let patience = std::time::Duration::from_secs(30);
    tierline_testkit::eventually(patience, "every deal is decided about", async || {
        let risen = client.ok(name, "filter: \"tier != bronze\"").await;
        risen["total_size"] == 2 * MANY / 3
    })
    .await;
    let standings = topology.json(org, &["standing", "list"]).await;
    let standings = standings.as_array().unwrap();
    assert_eq!(standings.len(), MANY, "{standings:?}");
    for standing in standings {
        let partner = standing["partner_id"].as_str().unwrap();
        let number: usize = partner.trim_start_matches("p-").parse().unwrap();
        let tier = ["bronze", "silver", "gold"][number % 3];
        assert_eq!(standing["tier_id"], tier, "{standing}");
    }
    let gold = client.ok(name, "filter: \"tier = gold\"").await;
    assert_eq!(gold["total_size"], MANY / 3, "{gold}");
}

fn records(summary: &Value, outcome: &str) -> usize {
    let records = summary[outcome]["records"].as_u64();
    records.map_or(0, |records| usize::try_from(records).unwrap())
}
