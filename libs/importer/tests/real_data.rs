//! The shipped mappings on the published data sets they are made for, with control totals counted
//! by other means. `TIERLINE_REAL_DATA` names the folder of the sets; where it is not set, these
//! tests say so and do nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "all of this is test code"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use rust_decimal::Decimal;
use tierline_domain::activity::DealState;
use tierline_importer::{ImportError, ImportPlan, Options, Outcome, Record};

mod common;
use common::{Read, Seen, read_with, shipped};

fn data(file: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("TIERLINE_REAL_DATA").filter(|folder| !folder.is_empty())
    else {
        println!("TIERLINE_REAL_DATA is not set: {file} is not read");
        return None;
    };
    let path = PathBuf::from(folder).join(file);
    assert!(
        path.exists(),
        "TIERLINE_REAL_DATA is set, but {} is not there",
        path.display()
    );
    Some(path)
}

fn run(mapping: &str, file: &str) -> Option<Read> {
    let path = data(file)?;
    let read = read_with(shipped(mapping), &path, Options::default());
    Some(read.unwrap_or_else(|error| panic!("{error}")))
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn the_reseller_file_gives_701_partners() {
    let Some(read) = run("reseller-partners.yaml", "reseller-sales/Resellers.csv") else {
        return;
    };
    let summary = read.plan.summary();
    assert_eq!((summary.rows, summary.ok, summary.records), (701, 701, 701));
    let mut types = BTreeMap::<&str, u32>::new();
    let mut countries = BTreeMap::<&str, u32>::new();
    for partner in read.partners() {
        *types
            .entry(partner.profile.subtype.as_deref().unwrap())
            .or_default() += 1;
        *countries
            .entry(partner.profile.country.as_deref().unwrap())
            .or_default() += 1;
    }
    assert_eq!(
        types["Warehouse"], 232,
        "the five Ware Houses are Warehouses"
    );
    assert_eq!(types.len(), 3);
    assert_eq!(countries["US"], 427);
    assert_eq!(countries["CA"], 114);
    for (name, keys) in [
        ("Sports Products Store", ["reseller-211", "reseller-649"]),
        ("Friendly Bike Shop", ["reseller-290", "reseller-643"]),
    ] {
        let found: Vec<_> = read
            .partners()
            .filter(|p| p.profile.name == name)
            .map(|p| p.partner.as_str())
            .collect();
        assert_eq!(found, keys, "a name is no key");
    }
    let one = read.partners().find(|p| p.external_id == "176").unwrap();
    assert_eq!(one.profile.domain, "reseller-176.example");
    assert_eq!(one.primary_contact.email, "desk@reseller-176.example");
    assert_eq!(one.profile.region.as_deref(), Some("Europe"));
}

#[test]
fn the_order_lines_give_3616_won_deals_with_the_control_totals() {
    let file = "reseller-sales/FactResellerSales.csv.gz";
    let Some(read) = run("reseller-deals.yaml", file) else {
        return;
    };
    let summary = read.plan.summary();
    assert_eq!((summary.rows, summary.ok), (57_851, 57_851));
    assert_eq!((summary.rejected, summary.records), (0, 3_616));
    let mut by_country = BTreeMap::<String, Decimal>::new();
    let mut by_currency = BTreeMap::<String, Decimal>::new();
    let mut last_year = BTreeMap::<&str, Decimal>::new();
    let mut lifetime = BTreeMap::<&str, Decimal>::new();
    let since = jiff::civil::date(2019, 6, 1);
    for row in read.deal_rows() {
        let deal = &row.record;
        assert_eq!(deal.state, DealState::Won);
        let money = deal.amount.unwrap();
        let country = deal.attributes["country"].to_string();
        *by_country.entry(country).or_default() += money.amount;
        *by_currency.entry(money.currency.to_string()).or_default() += money.amount;
        *lifetime.entry(row.partner.as_str()).or_default() += money.amount;
        if deal.closed_date.unwrap() >= since {
            *last_year.entry(row.partner.as_str()).or_default() += money.amount;
        }
    }
    let expected = [
        ("AU", "1391024.85"),
        ("CA", "13875632.96"),
        ("DE", "1877743.39"),
        ("FR", "4527839.69"),
        ("GB", "3883042.96"),
        ("US", "51993286.35"),
    ];
    let expected: BTreeMap<String, Decimal> = expected
        .iter()
        .map(|(country, sum)| ((*country).to_owned(), decimal(sum)))
        .collect();
    assert_eq!(by_country, expected);
    assert_eq!(by_country.values().sum::<Decimal>(), decimal("77548570.20"));
    assert_eq!(
        by_currency["EUR"],
        decimal("1877743.39") + decimal("4527839.69")
    );
    assert_eq!(lifetime.len(), 632);
    assert_eq!(last_year.len(), 513);
    let reach = |totals: &BTreeMap<&str, Decimal>, sum: u32| {
        totals
            .values()
            .filter(|total| **total >= Decimal::from(sum))
            .count()
    };
    assert_eq!(
        (reach(&last_year, 100_000), reach(&last_year, 500_000)),
        (159, 1)
    );
    assert_eq!(
        (reach(&lifetime, 100_000), reach(&lifetime, 500_000)),
        (231, 29)
    );
    assert_eq!(lifetime["reseller-216"], decimal("99674.35"));
    assert_eq!(lifetime["reseller-264"], decimal("100403.75"));
    let rows: usize = read.items.iter().map(|item| item.rows.len()).sum();
    assert_eq!(rows, 57_851);
}

#[test]
fn the_copy_that_a_spreadsheet_mangled_is_refused() {
    let file = "reseller-sales/FactResellerSales.excel-mangled.csv.gz";
    let Some(path) = data(file) else { return };
    let mut seen = Seen::default();
    let error = ImportPlan::open(shipped("reseller-deals.yaml"), &path, Options::default())
        .unwrap()
        .check(&mut seen)
        .unwrap_err();
    let ImportError::Refused { summary, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (summary.rows, summary.rejected, summary.ok),
        (60_855, 60_855, 0)
    );
    assert_eq!(
        summary.rejected_fields[""], 60_268,
        "rows of nothing but commas"
    );
    assert_eq!(seen.rows.len(), 60_855);
    let Outcome::Rejected {
        field,
        text,
        allowed,
    } = &seen.rows[0].outcome
    else {
        panic!()
    };
    assert_eq!(field, "amount");
    assert_eq!(text, "\"2,024,994\" is no number in the declared notation");
    assert_eq!(allowed, "a number like 1250.00");
}

#[test]
fn the_accounts_give_85_partners_with_their_parents() {
    let Some(read) = run("crm-accounts.yaml", "crm-opportunities/accounts.csv") else {
        return;
    };
    assert_eq!(read.plan.summary().records, 85);
    let ids: std::collections::BTreeSet<_> = read.partners().map(|p| &p.partner).collect();
    let parents: Vec<_> = read
        .partners()
        .filter_map(|p| p.profile.parent.as_ref())
        .collect();
    assert_eq!(parents.len(), 15);
    assert!(
        parents.iter().all(|parent| ids.contains(parent)),
        "every parent is a partner"
    );
    let technology = read
        .partners()
        .filter(|p| p.profile.industry.as_deref() == Some("technology"))
        .count();
    assert_eq!(technology, 12);
    assert!(
        read.partners()
            .any(|p| p.profile.country.as_deref() == Some("Philippines"))
    );
    let acme = read
        .partners()
        .find(|p| p.profile.name == "Acme Corporation")
        .unwrap();
    assert_eq!(
        acme.profile.annual_revenue.unwrap().amount,
        decimal("1100040000")
    );
    assert_eq!(acme.profile.employee_count, Some(2_822));
}

#[test]
fn the_opportunities_give_a_result_for_each_of_8800_rows() {
    let file = "crm-opportunities/sales_pipeline.csv";
    let Some(read) = run("crm-deals.yaml", file) else {
        return;
    };
    let summary = read.plan.summary();
    assert_eq!(
        (summary.rows, summary.ok, summary.skipped),
        (8_800, 7_375, 1_425)
    );
    assert_eq!(summary.rejected, 0);
    assert_eq!(
        summary.skip_reasons["no account yet, so no partner (Engaging)"],
        1_088
    );
    assert_eq!(
        summary.skip_reasons["no account yet, so no partner (Prospecting)"],
        337
    );
    let count = |state| read.deals().filter(|deal| deal.state == state).count();
    assert_eq!(count(DealState::Won), 4_238);
    assert_eq!(count(DealState::Lost), 2_473);
    assert_eq!(count(DealState::Approved), 1_589 - 1_088);
    assert_eq!(count(DealState::Registered), 500 - 337);
    let mut by_partner = BTreeMap::<&str, Decimal>::new();
    for row in read
        .deal_rows()
        .filter(|row| row.record.state == DealState::Won)
    {
        let amount = row.record.amount.unwrap().amount;
        *by_partner.entry(row.partner.as_str()).or_default() += amount;
    }
    assert_eq!(by_partner.values().sum::<Decimal>(), decimal("10005534"));
    assert_eq!(by_partner.len(), 85);
    let reach = |total: &&Decimal| **total >= Decimal::from(100_000);
    assert_eq!(by_partner.values().filter(reach).count(), 51);
    let pro = read
        .deals()
        .filter(|deal| deal.attributes["product"].to_string() == "GTX Pro")
        .inspect(|deal| assert_eq!(deal.product_lines, ["GTX"]))
        .count();
    assert!(pro > 1_000, "GTXPro is found as GTX Pro: {pro}");
    let lost = read
        .deals()
        .find(|deal| deal.state == DealState::Lost)
        .unwrap();
    assert_eq!(lost.amount.unwrap().amount, Decimal::ZERO);
}

#[test]
fn the_copy_with_us_dates_gives_the_same_records_and_hashes() {
    let iso = run("crm-deals.yaml", "crm-opportunities/sales_pipeline.csv");
    let us = run(
        "crm-deals-us-dates.yaml",
        "crm-opportunities/sales_pipeline_us_dates.csv",
    );
    let (Some(iso), Some(us)) = (iso, us) else {
        return;
    };
    assert_eq!(iso.items.len(), us.items.len());
    for (one, other) in iso.items.iter().zip(&us.items) {
        assert_eq!(
            (&one.key, one.content_hash),
            (&other.key, other.content_hash)
        );
        assert_eq!(one.record, other.record);
    }
}

#[test]
fn us_dates_are_not_guessed_by_the_mapping_for_iso_dates() {
    let Some(path) = data("crm-opportunities/sales_pipeline_us_dates.csv") else {
        return;
    };
    let plan = ImportPlan::open(shipped("crm-deals.yaml"), &path, Options::default()).unwrap();
    let error = plan.check(&mut ()).unwrap_err();
    let ImportError::Refused { summary, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(summary.ok, 163, "only prospects have no date at all");
    assert_eq!(summary.skipped, 1_425);
    assert!(error.to_string().contains("a date as %Y-%m-%d"), "{error}");
}

#[test]
fn the_rate_history_gives_7126_days_with_their_gaps() {
    let Some(read) = run("ecb-rates.yaml", "fx/eurofxref-hist.csv.gz") else {
        return;
    };
    assert_eq!(read.plan.summary().records, 7_126);
    let days: Vec<_> = read
        .items
        .iter()
        .map(|item| match &item.record {
            Record::Rates(day) => day,
            other => panic!("{other:?}"),
        })
        .collect();
    let with = |code: &str| {
        let currency = tierline_domain::Currency::parse(code).unwrap();
        days.iter()
            .filter(move |day| day.rates.contains_key(&currency))
            .collect::<Vec<_>>()
    };
    assert_eq!(with("USD").len(), 7_126);
    let dates = |code: &str| {
        let days = with(code);
        (
            days.last().unwrap().date.to_string(),
            days[0].date.to_string(),
        )
    };
    assert_eq!(dates("SIT").1, "2006-12-29");
    assert_eq!(dates("RON"), ("2005-07-01".into(), "2026-10-30".into()));
    assert_eq!(dates("ROL").1, "2005-06-30");
    assert_eq!(dates("BGN"), ("2000-07-19".into(), "2025-12-31".into()));
    let hole: Vec<_> = days
        .iter()
        .filter(|day| {
            (jiff::civil::date(2008, 12, 10)..=jiff::civil::date(2018, 1, 31)).contains(&day.date)
        })
        .collect();
    assert_eq!(hole.len(), 2_341);
    let krona = tierline_domain::Currency::parse("ISK").unwrap();
    assert!(
        hole.iter().all(|day| !day.rates.contains_key(&krona)),
        "ISK has a hole"
    );
    let usd = tierline_domain::Currency::USD;
    assert_eq!(days[0].rates[&usd], decimal("1.1172"));
}

#[test]
fn the_company_list_gives_one_partner_per_company() {
    let file = "partners/cncf-organizations.csv";
    let Some(read) = run("cncf-organizations.yaml", file) else {
        return;
    };
    let summary = read.plan.summary();
    assert_eq!(
        (summary.rows, summary.ok, summary.skipped),
        (2_413, 967, 1_446)
    );
    assert_eq!((summary.rejected, summary.records), (0, 752));
    let partner = |key: &str| read.partners().find(|p| p.external_id == key).unwrap();
    let tagged = |tag: &str| {
        read.partners()
            .filter(|p| p.tags.iter().flatten().any(|t| t == tag))
            .count()
    };
    assert!(tagged("kcsp") > 150 && tagged("kcntp") > 30 && tagged("member") > 600);
    // One domain is one company, and the results say which name is kept.
    assert_eq!(
        partner("sap.com").tags.as_deref().unwrap(),
        ["end-user", "kcsp", "member"]
    );
    let sap = read
        .items
        .iter()
        .find(|item| item.key == "sap.com")
        .unwrap();
    let notes: Vec<_> = sap
        .rows
        .iter()
        .filter_map(|row| row.note.as_deref())
        .collect();
    assert!(
        notes
            .iter()
            .any(|note| note.contains("\"SAP Labs\" is not kept")),
        "{notes:?}"
    );
    // A shared host is no company.
    for name in ["Liquid Reply", "Storm Reply"] {
        assert_eq!(
            partner(name).tags.as_deref().unwrap(),
            ["kcntp", "kcsp", "member"]
        );
    }
    assert_eq!(
        partner("Liquid Reply").profile.domain,
        "liquid-reply.example"
    );
    let hidden = read
        .partners()
        .filter(|p| p.profile.name.starts_with("Non-Public Organization"))
        .count();
    assert_eq!(hidden, 15);
    // Suffixes, double blanks, no-break spaces, paths, plain http, letters beyond ASCII.
    assert!(
        read.partners()
            .all(|p| !p.profile.name.contains("(member)") && !p.profile.name.contains("  "))
    );
    assert_eq!(
        partner("truefullstaq.com").profile.domain,
        "truefullstaq.com"
    );
    let gaia = read
        .items
        .iter()
        .find(|item| item.key == "gaia.net")
        .unwrap();
    let note = gaia
        .rows
        .iter()
        .filter_map(|row| row.note.as_deref())
        .next_back()
        .unwrap();
    assert!(
        note.contains("\"Gaia Information Technology\" is not kept"),
        "{note}"
    );
    assert!(
        read.partners()
            .all(|p| !p.profile.domain.contains(['/', '\u{a0}', ':']))
    );
    let joined = read
        .partners()
        .filter(|p| p.profile.attributes.contains_key("joined"))
        .count();
    assert!(joined > 650, "{joined}");
}
