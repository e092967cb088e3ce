//! Orgs and programs: created, checked, published in versions, put away.

use serde_json::Value;

use crate::topology::Topology;
use crate::world::{PROGRAM, each, text};

const SERVICE: &str = "program.v1.ProgramService";

pub async fn flow(topology: &Topology, org: &str) {
    let client = topology.client(org);
    let create = [
        "org",
        "create",
        org,
        "--currency",
        "EUR",
        "--sandbox",
        "2026-01-01",
    ];
    let created = topology.json(org, &create).await;
    assert_eq!(created["today_date"], "2026-01-01", "{created}");
    assert_eq!(created["base_currency_code"], "EUR", "{created}");
    let moved = ["org", "clock", "--advance", "10d"];
    topology.command(org, &moved).await;
    let shown = client.ok("program.v1.OrgService/GetOrg", "").await;
    assert_eq!(shown["today_date"], "2026-01-11", "{shown}");
    let advance = "program.v1.OrgService/AdvanceClock";
    let back = client.refused(advance, "to_date: \"2026-01-10\"").await;
    assert_eq!(back.code, "FAILED_PRECONDITION", "{}", back.text);

    let file = topology.folder().join(format!("{org}-program.yaml"));
    std::fs::write(&file, PROGRAM).unwrap();
    let file = file.display().to_string();
    topology.command(org, &["program", "validate", &file]).await;
    let apply = ["program", "apply", &file, "--effective", "2026-01-01"];
    let applied = topology.json(org, &apply).await;
    assert_eq!(applied["version"], 1, "{applied}");
    let again = topology.json(org, &apply).await;
    assert_eq!(
        (&again["version"], &again["published"]),
        (&1.into(), &false.into()),
        "{again}"
    );

    let published = drafted(topology, org).await;
    segments(topology, org).await;
    benefits(topology, org).await;

    let names = client
        .read("query.v1.ProgramQueryService/ListPrograms", "", &published)
        .await;
    let enrolled = client.enrolled("nova", "sell").await;
    let listed = client
        .read("query.v1.ProgramQueryService/ListPrograms", "", &enrolled)
        .await;
    assert_eq!(
        names["programs"].as_array().map(Vec::len),
        Some(1),
        "{names}"
    );
    assert_eq!(each(&listed["programs"], "name"), ["Tiers, second edition"]);
    let tiers = listed["programs"][0]["tiers"].as_array().unwrap();
    let bronze =
        |tier: &&serde_json::Value| tier["track_id"] == "sell" && tier["tier_id"] == "bronze";
    assert_eq!(tiers.iter().find(bronze).unwrap()["count"], 1, "{listed}");
    let archived = client
        .ok(
            &format!("{SERVICE}/ArchiveProgram"),
            "program_id: \"flows\"",
        )
        .await;
    assert_eq!(archived["program"]["archived"], true, "{archived}");
    client.create_partner("late").await;
    let late = "partner_id: \"late\" program_id: \"flows\" track_id: \"sell\"";
    let late = client
        .refused("enrollment.v1.EnrollmentService/EnrollPartner", late)
        .await;
    assert_eq!(late.code, "FAILED_PRECONDITION", "{}", late.text);
}

/// A second version, by way of a draft.
async fn drafted(topology: &Topology, org: &str) -> Value {
    let client = topology.client(org);
    let second = PROGRAM.replace("Tiers of the flows", "Tiers, second edition");
    let save = format!("yaml: {second:?}");
    let saved = client.ok(&format!("{SERVICE}/SaveDraft"), &save).await;
    assert_eq!(
        saved["program"]["draft"]["name"], "Tiers, second edition",
        "{saved}"
    );
    let publish = "program_id: \"flows\" effective_date: \"2026-01-11\" note: \"a new name\"";
    let published = client.ok(&format!("{SERVICE}/PublishDraft"), publish).await;
    assert_eq!(published["version"], 2, "{published}");
    let list = format!("{SERVICE}/ListProgramVersions");
    let versions = client.ok(&list, "program_id: \"flows\"").await;
    let mut effective = each(&versions["versions"], "effective_date");
    effective.sort();
    assert_eq!(effective, ["2026-01-01", "2026-01-11"], "{versions}");
    let old = "program_id: \"flows\" as_of_date: \"2026-01-10\"";
    let old = client
        .ok(&format!("{SERVICE}/GetProgramVersion"), old)
        .await;
    assert_eq!(old["definition"]["name"], "Tiers of the flows", "{old}");
    let shown = topology
        .command(org, &["program", "show", "flows", "--yaml"])
        .await;
    assert!(shown.contains("Tiers, second edition"), "{shown}");

    let wrong = PROGRAM.replace("gte: 10000 ", "gte: many ");
    let wrong = format!("yaml: {wrong:?}");
    let validate = format!("{SERVICE}/ValidateProgram");
    let checked = client.ok(&validate, &wrong).await;
    assert!(
        !checked["violations"].as_array().unwrap().is_empty(),
        "{checked}"
    );
    let apply = format!("{SERVICE}/ApplyProgram");
    let refused = client.refused(&apply, &wrong).await;
    assert_eq!(refused.code, "INVALID_ARGUMENT", "{}", refused.text);
    assert_eq!(
        text(&client.ok("program.v1.OrgService/GetOrg", "").await["org_id"]),
        org
    );
    published
}

/// The default segments, seeded once.
async fn segments(topology: &Topology, org: &str) {
    let seeded = topology.command(org, &["segment", "seed"]).await;
    assert!(seeded.contains("isv"), "{seeded}");
    let again = topology.command(org, &["segment", "seed"]).await;
    assert!(again.contains("9 segments"), "{again}");
    let shown = topology.command(org, &["segment", "show", "isv"]).await;
    assert!(shown.contains("technology"), "{shown}");
}

/// The default benefits, seeded once.
async fn benefits(topology: &Topology, org: &str) {
    let seeded = topology.command(org, &["benefit", "seed"]).await;
    assert!(seeded.contains("deal-protection"), "{seeded}");
    let again = topology.command(org, &["benefit", "seed"]).await;
    assert!(again.contains("7 benefits"), "{again}");
    let shown = topology.command(org, &["benefit", "show", "mdf"]).await;
    assert!(shown.contains("type: amount"), "{shown}");
}
