//! Exchange rates: published, converted with, and deals in other currencies that count by them.

use crate::topology::Topology;
use crate::world::found;

const SERVICE: &str = "program.v1.RateService";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-05").await;
    let rates = "date,USD,GBP\n2026-01-01,1.10,0.80\n2026-01-02,1.20,0.85\n";
    let mapping = "kind: rates\nrates: {source: Desk, base: EUR, columns: all}\n\
                   fields:\n  date: {column: date}\n";
    let folder = topology.folder();
    let (file, how) = (format!("{org}-rates.csv"), format!("{org}-rates.yaml"));
    std::fs::write(folder.join(&file), rates).unwrap();
    std::fs::write(folder.join(&how), mapping).unwrap();
    let import = ["import", "rates", &file, "--mapping", &how];
    let imported = topology.json(org, &import).await;
    assert_eq!(imported["rows"], 2, "{imported}");

    let convert = "money { amount: \"110.00\" currency_code: \"USD\" } to_currency_code: \"EUR\"";
    let day = |date: &str| format!("{convert} rate_date: \"{date}\"");
    let name = format!("{SERVICE}/ConvertMoney");
    let converted = client.ok(&name, &day("2026-01-01")).await;
    assert_eq!(converted["money"]["amount"], "100.00", "{converted}");
    // A day without rates has those of the last day before.
    let converted = client.ok(&name, &day("2026-01-04")).await;
    assert_eq!(converted["rate_date"], "2026-01-02", "{converted}");
    assert_eq!(converted["money"]["amount"], "91.67", "{converted}");

    // Exactly what silver takes, a cent less, and a currency that nobody knows the rate of.
    client.enrolled("exact", "sell").await;
    let exact = client.won("exact", "exact", "1200.00 USD").await;
    assert_eq!(client.tier("exact-sell", &exact).await, "silver");
    client.enrolled("short", "sell").await;
    let short = client.won("short", "short", "1199.98 USD").await;
    assert_eq!(client.tier("short-sell", &short).await, "bronze");
    client.enrolled("swiss", "sell").await;
    let swiss = client.won("swiss", "swiss", "20000.00 CHF").await;
    let standing = client.standing("swiss-sell", &swiss).await;
    assert_eq!(standing["tier_id"], "bronze", "{standing}");
    let gold = &standing["progress"][0];
    assert_eq!(gold["outcome"], "OUTCOME_UNKNOWN", "{standing}");

    // A rate that becomes known later makes the deal count.
    let publish = "source: \"Desk\" base_currency_code: \"EUR\" days { rate_date: \"2026-01-03\" \
                   rates { key: \"CHF\" value: \"0.95\" } rates { key: \"USD\" value: \"1.20\" } }";
    let published = client.ok(&format!("{SERVICE}/PublishRates"), publish).await;
    assert_eq!(published["published_days"], 1, "{published}");
    assert_eq!(client.tier("swiss-sell", &published).await, "gold");
    let again = client.ok(&format!("{SERVICE}/PublishRates"), publish).await;
    assert_eq!(again["unchanged_days"], 1, "{again}");
    let rates = client
        .ok(&format!("{SERVICE}/GetRates"), "rate_date: \"2026-01-03\"")
        .await;
    assert_eq!(rates["day"]["rates"]["CHF"], "0.95", "{rates}");
}
