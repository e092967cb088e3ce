//! The read models over a real log.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{World, closed, created, notice, to};
use serde_json::{Value, json};
use tierline_bus::parked::{GivenUp, GivingUp, give_up};
use tierline_domain::partner::{PartnerEvent, PartnerStatus};
use tierline_eventstore::NewEvent;
use tierline_projector::{Sample, verify};

/// Verifies all read models; gives the number of differences and the first one.
async fn differences(world: &World) -> (u64, Option<tierline_projector::Difference>) {
    let reports = verify(&world.pool, "all", &Sample::All).await.unwrap();
    assert_eq!(reports.len(), tierline_projector::NAMES.len());
    let count = reports.iter().map(|report| report.differences).sum();
    (count, reports.into_iter().find_map(|report| report.first))
}

#[tokio::test]
async fn the_tables_say_what_the_log_says() {
    let mut world = World::start().await;
    world.program("acme").await;
    world.silver_partner("acme", "p-1").await;
    world
        .standing_events("acme", "p-1", "e-p-1", &[notice("2026-04-01")])
        .await;
    world.project().await;

    let partners = world.rows("read.partners").await;
    assert_eq!(partners.len(), 1);
    let partner = &partners[0];
    assert_eq!(partner["key"], "p-1");
    assert_eq!(partner["tier"], "silver");
    assert_eq!(partner["tier_rank"], 1);
    assert_eq!(partner["tags"], json!(["strategic"]));
    assert_eq!(partner["programs"], json!(["cloud"]));
    assert_eq!(partner["name_search"], "partner p-1");
    assert!(
        !partner.to_string().contains("Secretname"),
        "contacts stay out of the read models"
    );

    let standings = world.rows("read.standings").await;
    assert_eq!(standings[0]["partner_id"], "p-1");
    assert_eq!(standings[0]["tier_since"], "2025-04-01");
    assert_eq!(standings[0]["at_risk"], true);
    assert_eq!(standings[0]["version"], 4);
    assert_eq!(
        standings[0]["state"]["standing"]["progress"]["tiers"][0]["tier"],
        "silver"
    );

    let history = world.rows("read.tier_history").await;
    let kinds: Vec<&Value> = history.iter().map(|row| &row["kind"]).collect();
    assert_eq!(history.len(), 3, "{kinds:?}");
    let change = history
        .iter()
        .find(|row| row["kind"] == "tier_changed")
        .unwrap();
    assert_eq!(change["from_tier"], "base");
    assert_eq!(change["cause"], "qualified");
    assert_eq!(change["program"], "cloud");
    assert_eq!(change["sequence"], 3);

    let programs = world.rows("read.programs").await;
    assert_eq!(
        programs.len(),
        1,
        "an event of every partition makes one row"
    );
    assert_eq!(programs[0]["name"], "Cloud Partners");
    assert_eq!(programs[0]["state"]["versions"][0]["actor"], "user:ada");
    assert_eq!(differences(&world).await, (0, None));
}

#[tokio::test]
async fn every_event_delivered_once_more_changes_nothing() {
    let mut world = World::start().await;
    world.program("acme").await;
    for n in 0..5 {
        world.silver_partner("acme", &format!("p-{n}")).await;
    }
    world.project().await;
    let tables = [
        "read.partners",
        "read.standings",
        "read.tier_history",
        "read.programs",
    ];
    let mut before = Vec::new();
    for table in tables {
        before.push(world.rows(table).await);
    }
    // As if the checkpoints had been lost with the tail of the database.
    sqlx::query("UPDATE bus.checkpoints SET number = 0")
        .execute(&world.pool)
        .await
        .unwrap();
    world.project().await;
    for (table, before) in tables.iter().zip(before) {
        assert_eq!(world.rows(table).await, before, "{table}");
    }
}

#[tokio::test]
async fn orgs_with_the_same_identifiers_do_not_touch_each_other() {
    let mut world = World::start().await;
    for org in ["acme", "globex"] {
        world.program(org).await;
        world.silver_partner(org, "p-1").await;
    }
    world
        .standing_events("globex", "p-1", "e-p-1", &[closed("2026-01-01")])
        .await;
    let suspended = PartnerEvent::PartnerStatusChanged {
        from: PartnerStatus::Active,
        to: PartnerStatus::Suspended,
        reason: String::new(),
    };
    world.partner_events("globex", "p-1", &[suspended]).await;
    world.project().await;
    for (org, status, tier, decisions) in [
        ("acme", "active", json!("silver"), 2),
        ("globex", "suspended", Value::Null, 3),
    ] {
        let partners = world.rows("read.partners").await;
        let partner = partners.iter().find(|row| row["org_id"] == org).unwrap();
        assert_eq!(
            (&partner["status"], &partner["tier"]),
            (&json!(status), &tier),
            "{org}"
        );
        let history = world.rows("read.tier_history").await;
        assert_eq!(
            history.iter().filter(|row| row["org_id"] == org).count(),
            decisions,
            "{org}"
        );
    }
    assert_eq!(differences(&world).await, (0, None));
}

#[tokio::test]
async fn an_unreadable_event_sets_its_partner_aside_and_nobody_else() {
    let mut world = World::start().await;
    world.program("acme").await;
    world.silver_partner("acme", "p-1").await;
    let broken = NewEvent {
        event_type: "tierline.partner.v1.PartnerTagged".to_owned(),
        event_version: "1.0".to_owned(),
        payload: r#"{"PartnerTagged":{"tags":7}}"#.to_owned(),
        metadata: "{}".into(),
    };
    world
        .append_stored("Partner", "acme", "p-1", to("p-1"), vec![broken])
        .await;
    world
        .standing_events("acme", "p-1", "e-p-1", &[closed("2026-01-01")])
        .await;
    world.silver_partner("acme", "p-2").await;
    world.project().await;

    let partners = world.rows("read.partners").await;
    assert_eq!(partners.len(), 2);
    assert_eq!(
        partners[0]["tier"], "silver",
        "what came later for p-1 waits"
    );
    // The standings table does not read that event and is not held up by it.
    let standings = world.rows("read.standings").await;
    assert!(
        standings
            .iter()
            .any(|row| row["key"] == "e-p-1" && row["closed"] == true)
    );
    let parked = tierline_bus::parked::list(&world.pool, "acme", 10)
        .await
        .unwrap();
    assert_eq!(parked.len(), 2);
    assert!(parked.iter().all(|event| event.routing_key == "acme/p-1"));
    assert_eq!(differences(&world).await, (0, None));
}

#[tokio::test]
async fn a_corrupted_row_is_found_and_named() {
    let mut world = World::start().await;
    world.program("acme").await;
    for n in 0..3 {
        world.silver_partner("acme", &format!("p-{n}")).await;
    }
    world.project().await;
    let cases = [
        (
            "UPDATE read.partners
             SET state = jsonb_set(state::jsonb, '{profile,name}', '\"Forged\"')::json
             WHERE key = 'p-1'",
            "p-1",
            "state.profile.name",
            "\"Forged\"",
        ),
        (
            "UPDATE read.standings SET tier = 'gold' WHERE key = 'e-p-2'",
            "e-p-2",
            "tier",
            "\"gold\"",
        ),
        (
            "DELETE FROM read.tier_history WHERE key = 'e-p-0' AND sequence = 3",
            "e-p-0/3",
            "",
            "nothing",
        ),
    ];
    for (sql, key, path, found) in cases {
        assert_eq!(
            sqlx::query(sql)
                .execute(&world.pool)
                .await
                .unwrap()
                .rows_affected(),
            1
        );
        let (count, first) = differences(&world).await;
        let first = first.unwrap();
        assert_eq!(count, 1, "{sql}");
        assert_eq!(
            (first.key.as_str(), first.path.as_str()),
            (key, path),
            "{first}"
        );
        assert_eq!(first.found, found);
        assert_eq!(first.org, "acme");
        for name in tierline_projector::NAMES {
            tierline_projector::rebuild(&world.pool, name, &|_| {}, &Default::default())
                .await
                .unwrap();
        }
        assert_eq!(differences(&world).await, (0, None), "a rebuild mends it");
    }
}

#[tokio::test]
async fn a_sample_of_partitions_checks_only_their_rows() {
    let mut world = World::start().await;
    for n in 0..40 {
        world
            .partner_events("acme", &format!("p-{n}"), &[created(&format!("p-{n}"))])
            .await;
    }
    world.project().await;
    let sample = Sample::Partitions(vec![2, 9]);
    let report = verify(&world.pool, "partners", &sample)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(report.differences, 0);
    assert!(report.rows > 0 && report.rows < 40, "{report:?}");
}

#[tokio::test]
async fn what_an_operator_gave_up_stays_given_up_in_a_rebuilt_table() {
    let mut world = World::start().await;
    world.program("acme").await;
    world.silver_partner("acme", "p-1").await;
    let broken = NewEvent {
        event_type: "tierline.partner.v1.PartnerTagged".to_owned(),
        event_version: "1.0".to_owned(),
        payload: r#"{"PartnerTagged":{"tags":7}}"#.to_owned(),
        metadata: "{}".into(),
    };
    world
        .append_stored("Partner", "acme", "p-1", to("p-1"), vec![broken])
        .await;
    world
        .standing_events("acme", "p-1", "e-p-1", &[closed("2026-01-01")])
        .await;
    world.project().await;
    let parked = tierline_bus::parked::list(&world.pool, "acme", 10)
        .await
        .unwrap();
    let first = &parked[0];
    let why = GivingUp {
        actor: "user:ada",
        reason: "written by a broken script",
    };
    let later = (first.partition, parked[1].partition_number);
    let consumer = ("projector-partners", 1);
    let refused = give_up(&world.pool, consumer, later, why).await.unwrap();
    assert_eq!(refused, GivenUp::NotFirst(first.partition_number));
    let place = (first.partition, first.partition_number);
    assert_eq!(
        give_up(&world.pool, consumer, place, why).await.unwrap(),
        GivenUp::Done(1)
    );
    let cancel = tokio_util::sync::CancellationToken::new();
    let running = world.spawn(&cancel);
    tierline_testkit::eventually(
        std::time::Duration::from_secs(10),
        "the later event applied",
        async || {
            tierline_bus::parked::list(&world.pool, "acme", 10)
                .await
                .unwrap()
                .is_empty()
        },
    )
    .await;
    cancel.cancel();
    for projection in running {
        projection.await.unwrap();
    }
    let live = world.rows("read.partners").await;
    assert_eq!(
        live[0]["tier"],
        Value::Null,
        "the closing that waited was applied"
    );
    assert_eq!(differences(&world).await, (0, None));
    let fresh = tokio_util::sync::CancellationToken::new();
    tierline_projector::rebuild(&world.pool, "partners", &|_| {}, &fresh)
        .await
        .unwrap();
    assert_eq!(world.rows("read.partners").await, live);
    assert!(
        tierline_bus::parked::list(&world.pool, "acme", 10)
            .await
            .unwrap()
            .is_empty()
    );
}
