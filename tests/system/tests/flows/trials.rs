//! What a change of a program would do, before it is made, and where one partner would stand.

use serde_json::Value;

use crate::topology::Topology;
use crate::world::{PROGRAM, each, found, text};

const SERVICE: &str = "query.v1.WhatIfService";

pub async fn flow(topology: &Topology, org: &str) {
    let client = found(topology, org, "2026-01-10").await;
    client.enrolled("nova", "sell").await;
    client.enrolled("luna", "keep").await;
    let won = client.won("nova-deal", "nova", "1100.00 EUR").await;
    assert_eq!(client.tier("nova-sell", &won).await, "silver");
    client.won("luna-deal", "luna", "500.00 EUR").await;
    let moved = client.advance("2026-04-05").await;
    assert_eq!(client.tier("luna-keep", &moved).await, "bronze");

    let easier = PROGRAM.replacen("needs: { gte: 1000 }", "needs: { gte: 400 }", 1);
    let draft = format!("draft {{ yaml: {easier:?} }}");
    let preview = format!("{SERVICE}/PreviewProgram");
    let answers = client.all(&preview, &draft).await;
    let rows = rows(&answers);
    assert_eq!(names(&rows), ["luna"], "{answers:?}");
    assert_eq!(
        rows[0]["movement"], "TRIAL_MOVEMENT_PROMOTED",
        "{answers:?}"
    );
    assert_eq!(rows[0]["before"]["tier_id"], "bronze");
    assert_eq!(rows[0]["after"]["tier_id"], "silver");
    let deciding = &rows[0]["deciding"][0];
    assert_eq!(deciding["criterion_id"], "sales", "{deciding}");
    assert_eq!(deciding["measured"], "500.00 EUR", "{deciding}");
    assert_eq!(deciding["required"], "at least 1,000.00 EUR", "{deciding}");
    let summary = &answers.last().unwrap()["summary"];
    assert_eq!(summary["enrollments"], 2, "{summary}");

    // Broken off after the first progress message, the trial goes on with whoever is left.
    let first = answers.iter().find(|one| one.get("progress").is_some());
    let first = &first.unwrap()["progress"];
    let token = text(&first["resume_token"]);
    let rest = format!("{draft} resume_token: {token:?}");
    let rest = client.all(&preview, &rest).await;
    let again = self::rows(&rest).len() + usize::from(first["done_enrollments"] == 2);
    assert!(again <= 1, "{rest:?}");
    assert_eq!(
        rest.last().unwrap()["summary"]["enrollments"],
        2,
        "{rest:?}"
    );
    let other = format!("draft {{ yaml: {PROGRAM:?} }} resume_token: {token:?}");
    let refused = client.refused(&preview, &other).await;
    assert_eq!(refused.code, "INVALID_ARGUMENT", "{}", refused.text);
    assert!(refused.text.contains("resume_token"), "{}", refused.text);

    // What was in force leads to what was recorded.
    let backtest = format!("{SERVICE}/BacktestProgram");
    let live = format!("program_id: {PROGRAM_ID:?} periods: 2 include_unchanged: true");
    let live = client.all(&backtest, &live).await;
    let live = self::rows(&live);
    assert_eq!(live.len(), 2, "{live:?}");
    for row in &live {
        assert_eq!(row["date"], "2026-03-31", "{row}");
        assert_eq!(row["before"], row["after"], "{row}");
    }
    let harder = PROGRAM.replacen("needs: { gte: 1000 }", "needs: { gte: 2000 }", 1);
    let harder = format!("draft {{ yaml: {harder:?} }} periods: 1");
    let past = client.all(&backtest, &harder).await;
    let past = self::rows(&past);
    assert_eq!(names(&past), ["nova"], "{past:?}");
    assert_eq!(past[0]["movement"], "TRIAL_MOVEMENT_DEMOTED", "{past:?}");

    one_partner(topology, org).await;
    files(topology, org, &easier).await;
    let nothing_stored = client.ok(
        "program.v1.ProgramService/GetProgram",
        "program_id: \"flows\"",
    );
    assert_eq!(nothing_stored.await["newest_version"], 1);
}

const PROGRAM_ID: &str = "flows";

/// A deal that has not happened, through the contract and by the command line.
async fn one_partner(topology: &Topology, org: &str) {
    let client = topology.client(org);
    let suppose = "partner_id: \"luna\" facts { kind: \"deal\" \
                   amount { amount: \"600\" currency_code: \"EUR\" } \
                   dates { key: \"closed\" value: \"2026-05-01\" } } as_of_date: \"2026-05-02\"";
    let preview = format!("{SERVICE}/PreviewPartner");
    let answer = client.ok(&preview, suppose).await;
    let only = &answer["previews"][0];
    assert_eq!(
        only["comparison"]["before"]["tier_id"], "bronze",
        "{answer}"
    );
    assert_eq!(only["comparison"]["after"]["tier_id"], "silver", "{answer}");
    assert_eq!(
        only["progress"][1]["criteria"][0]["measured"],
        "1,100.00 EUR"
    );
    let what_if = ["what-if", "luna", "--deal", "499.99 EUR"];
    let shown = topology.command(org, &what_if).await;
    assert!(shown.contains("Bronze (unchanged)"), "{shown}");
    assert!(
        shown.contains("999.99 EUR of at least 1,000.00 EUR"),
        "{shown}"
    );
    let wrong = "partner_id: \"luna\" facts { kind: \"deal\" quantity: \"many\" }";
    let refused = client.refused(&preview, wrong).await;
    assert!(
        refused.text.contains("facts[0].quantity"),
        "{}",
        refused.text
    );
}

/// The same on the command line, with files.
async fn files(topology: &Topology, org: &str, easier: &str) {
    let file = topology.folder().join(format!("{org}-easier.yaml"));
    std::fs::write(&file, easier).unwrap();
    let file = file.display().to_string();
    let plan = topology.json(org, &["program", "plan", &file]).await;
    assert_eq!(each(&plan["comparisons"], "partner_id"), ["luna"], "{plan}");
    assert_eq!(plan["movements"]["promoted"], 1, "{plan}");
    let places = each(&plan["changes"], "place");
    let silver = "tracks[sell].tiers[silver].qualification.criterion.needs.gte";
    assert!(places.iter().any(|place| place == silver), "{places:?}");
    let shown = topology.command(org, &["program", "plan", &file]).await;
    assert!(shown.contains("2 enrollments: 1 promoted"), "{shown}");
    let same = topology.folder().join(format!("{org}-exported.yaml"));
    let same = same.display().to_string();
    let export = ["program", "export", "flows", "--file", &same];
    topology.command(org, &export).await;
    let diff = ["program", "diff", &same, "flows@1"];
    assert_eq!(topology.command(org, &diff).await.trim(), "No difference.");
    let csv = topology.folder().join(format!("{org}-rows.csv"));
    let written = csv.display().to_string();
    let backtest = [
        "program",
        "backtest",
        &file,
        "--periods",
        "1",
        "--csv",
        &written,
    ];
    topology.command(org, &backtest).await;
    let rows = std::fs::read_to_string(&csv).unwrap();
    assert!(rows.contains("2026-03-31,luna,"), "{rows}");
}

fn rows(answers: &[Value]) -> Vec<Value> {
    let lists = answers
        .iter()
        .filter_map(|one| one["rows"]["comparisons"].as_array());
    lists.flatten().cloned().collect()
}

fn names(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(&row["partner_id"])).collect()
}
