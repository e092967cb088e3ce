//! The whole loop on real data: from the files of a vendor to tiers with their proof, through the
//! program that users run.

#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

mod independent;
mod program;
mod readme;

use std::collections::BTreeMap;

use independent::{Sales, rolling_total};
use program::Program;
use rust_decimal::Decimal;
use serde_json::Value;
use tierline_testkit::real_data;

/// A second program whose numbers are published control totals of the data set: sales in local
/// money over the last twelve months, without any conversion.
const CONTROL: &str = r#"
slug: last-twelve-months
name: Last twelve months in local money
currency: USD
tracks:
  - id: control
    name: Control
    demotion: {notice_days: 0, remediation_days: 0}
    tiers:
      - id: half-million
        name: Half a million
        qualification:
          criterion:
            id: sales
            name: Sales
            measure:
              sum:
                of: {field: amount}
                facts:
                  kind: deal
                  where: {field: {name: state, is: {equals: won}}}
                  date: closed
                  window: {rolling_months: 12}
            needs: {gte: 500000}
      - id: hundred-thousand
        name: A hundred thousand
        qualification:
          criterion:
            id: sales
            name: Sales
            measure:
              sum:
                of: {field: amount}
                facts:
                  kind: deal
                  where: {field: {name: state, is: {equals: won}}}
                  date: closed
                  window: {rolling_months: 12}
            needs: {gte: 100000}
      - id: active
        name: Active
        qualification:
          criterion:
            id: orders
            name: Orders
            measure:
              count:
                facts: {kind: deal, date: closed, window: {rolling_months: 12}}
            needs: {gte: 1}
      - id: dormant
        name: Dormant
"#;

fn number(value: &Value, field: &str) -> i64 {
    value[field]
        .as_i64()
        .unwrap_or_else(|| panic!("no number {field} in {value}"))
}

fn records(summary: &Value, outcome: &str) -> i64 {
    number(&summary[outcome], "records")
}

/// What was imported, by currency, against the published sums by country.
fn sums(summary: &Value) {
    let mut found = BTreeMap::new();
    for total in summary["totals"]["deals"].as_array().unwrap() {
        let currency = total["currency"].as_str().unwrap().to_owned();
        found.insert(
            currency,
            total["amount"]
                .as_str()
                .unwrap()
                .parse::<Decimal>()
                .unwrap(),
        );
    }
    let published = [
        ("AUD", "1391024.85"),
        ("CAD", "13875632.96"),
        // France and Germany.
        ("EUR", "6405583.08"),
        ("GBP", "3883042.96"),
        ("USD", "51993286.35"),
    ];
    let published = published.map(|(code, sum)| (code.to_owned(), sum.parse().unwrap()));
    assert_eq!(found, BTreeMap::from(published));
}

fn count_tiers(standings: &[Value], program: &str) -> BTreeMap<String, usize> {
    let mut tiers = BTreeMap::new();
    for standing in standings
        .iter()
        .filter(|standing| standing["program_id"] == program)
    {
        let tier = standing["tier_id"].as_str().unwrap().to_owned();
        *tiers.entry(tier).or_default() += 1;
    }
    tiers
}

#[test]
fn reseller_sales_become_tiers_that_rise_and_fall_and_replay_finds_no_difference() {
    let Some(data) = real_data() else { return };
    let sales = data.join("reseller-sales");
    let program = Program::start();
    let root = Program::root();
    let mapping = |name: &str| root.join("mappings").join(name).display().to_string();
    let file = |name: &str| sales.join(name).display().to_string();

    program.run(&[
        "org",
        "create",
        "resellers",
        "--name",
        "Resellers",
        "--time-zone",
        "UTC",
        "--currency",
        "USD",
        "--sandbox",
        "2017-07-01",
    ]);
    let program = program.in_org("resellers");

    let rates = data.join("fx/eurofxref-hist.csv.gz").display().to_string();
    let rates = program.json(&[
        "import",
        "rates",
        &rates,
        "--mapping",
        &mapping("ecb-rates.yaml"),
    ]);
    assert_eq!(number(&rates, "rows"), 7126, "{rates}");

    let (resellers, how) = (file("Resellers.csv"), mapping("reseller-partners.yaml"));
    let partners = ["import", "partners", &resellers, "--mapping", &how];
    let first = program.json(&partners);
    assert_eq!(
        (number(&first, "rows"), records(&first, "created")),
        (701, 701),
        "{first}"
    );
    let again = program.json(&partners);
    assert_eq!(
        (records(&again, "created"), records(&again, "unchanged")),
        (0, 701),
        "{again}"
    );

    let three_tier = root
        .join("programs/three-tier-revenue.yaml")
        .display()
        .to_string();
    program.run(&["program", "apply", &three_tier, "--effective", "2017-01-01"]);
    program.run(&[
        "enroll",
        "--all",
        "--program",
        "three-tier-revenue",
        "--track",
        "resell",
        "--start",
        "2017-07-01",
    ]);

    let (orders, how) = (
        file("FactResellerSales.csv.gz"),
        mapping("reseller-deals.yaml"),
    );
    let deals = [
        "import",
        "deals",
        &orders,
        "--mapping",
        &how,
        "--advance-clock",
        "month",
    ];
    let first = program.json(&deals);
    assert_eq!(number(&first, "rows"), 57_851, "{first}");
    assert_eq!(records(&first, "created"), 3_616, "{first}");
    let again = program.json(&deals);
    assert_eq!(
        (records(&again, "created"), records(&again, "unchanged")),
        (0, 3_616),
        "{again}"
    );
    sums(&first);

    let mangled = file("FactResellerSales.excel-mangled.csv.gz");
    let refused = program.output(&["import", "deals", &mangled, "--mapping", &how]);
    assert_eq!(
        refused.status.code(),
        Some(2),
        "a damaged copy is refused as a whole"
    );

    program.run(&["clock", "advance", "--to", "2020-05-31"]);
    controls(&program);
    verdicts(&program, &data);
    movements(&program);

    let replay = program.json(&["audit", "replay", "--org"]);
    let replay = &replay["summary"];
    assert_eq!(number(replay, "differences"), 0, "{replay}");
    assert!(number(replay, "decisions") > 1_000, "{replay}");
    assert!(number(replay, "progress_records") > 5_000, "{replay}");
    let verified = program.output(&["verify", "projections"]);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}

/// What the data's own description says of the last twelve months.
fn controls(program: &Program) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.yaml");
    std::fs::write(&path, CONTROL).unwrap();
    let path = path.display().to_string();
    program.run(&["program", "apply", &path, "--effective", "2017-01-01"]);
    program.run(&[
        "enroll",
        "--all",
        "--program",
        "last-twelve-months",
        "--track",
        "control",
        "--start",
        "2017-07-01",
    ]);
    let tiers = count_tiers(&program.standings(), "last-twelve-months");
    let expected = BTreeMap::from([
        ("half-million".to_owned(), 1),
        ("hundred-thousand".to_owned(), 158),
        ("active".to_owned(), 354),
        ("dormant".to_owned(), 188),
    ]);
    assert_eq!(tiers, expected);
    // The two nearest to the line.
    let tier = |partner: &str| {
        let shown = program.json(&[
            "standing",
            "show",
            partner,
            "--program",
            "last-twelve-months",
        ]);
        shown["standings"][0]["tier_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{shown}"))
            .to_owned()
    };
    assert_eq!(tier("reseller-216"), "active", "99,674.35");
    assert_eq!(tier("reseller-264"), "hundred-thousand", "100,403.75");
}

/// The measured values of every reseller against sums made here, straight from the files.
fn verdicts(program: &Program, data: &std::path::Path) {
    let sales = Sales::read(&data.join("reseller-sales"));
    let rates = independent::Rates::read(&data.join("fx/eurofxref-hist.csv.gz"));
    let standings = program.standings();
    let mut compared = 0;
    for standing in standings
        .iter()
        .filter(|s| s["program_id"] == "three-tier-revenue")
    {
        let partner = standing["partner_id"].as_str().unwrap();
        let key = partner.strip_prefix("reseller-").unwrap();
        for criterion in standing["progress"][1]["criteria"].as_array().unwrap() {
            let end = criterion["period_end_date"].as_str().unwrap();
            let expected = rolling_total(&sales, &rates, key, end.parse().unwrap());
            let met = criterion["outcome"] == "met";
            assert_eq!(
                met,
                expected >= Decimal::from(100_000),
                "{partner} at {end}: {expected}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 701);
}

/// Tiers rise and fall along the way.
fn movements(program: &Program) {
    let history = program.lines(&["audit", "history", "--org", "--changes", "--limit", "0"]);
    let count = |direction: &str| {
        history
            .iter()
            .filter(|row| row["program_id"] == "three-tier-revenue")
            .filter(|row| row["direction"] == direction)
            .count()
    };
    let (up, down) = (count("promotion"), count("demotion"));
    assert!(up > 100, "{up} promotions");
    assert!(down > 10, "{down} demotions");
}

#[test]
fn a_clean_start_is_quiet_and_a_second_one_works_on_the_kept_data() {
    let program = Program::start();
    let log = program.log();
    assert!(log.lines().count() < 30, "{log}");
    for word in ["WARN", "ERROR"] {
        assert!(!log.contains(word), "{log}");
    }
    for part in [
        "data ",
        "(kept when this stops)",
        "PostgreSQL",
        "events ",
        "gRPC",
        "telemetry",
    ] {
        assert!(log.contains(part), "no {part} in {log}");
    }
    program.run(&[
        "org",
        "create",
        "kept",
        "--name",
        "Kept",
        "--currency",
        "EUR",
    ]);
    let program = program.restarted();
    let shown = program.in_org("kept").json(&["org", "show"]);
    assert_eq!(shown["name"], "Kept", "{shown}");
    assert!(
        program.log().contains("Stopped. The data is kept in"),
        "{}",
        program.log()
    );
}
