//! Benefits over a real log, and their fold by itself.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::World;
use jiff::Timestamp;
use serde_json::{Value, json};
use tierline_domain::Routing;
use tierline_domain::any_event::AnyEvent;
use tierline_domain::benefit::{BenefitChanges, BenefitEvent, default_benefits};
use tierline_eventstore::LogEvent;
use tierline_projector::{Benefits, Effect, Model, Sample, verify};
use uuid::Uuid;

fn created() -> BenefitEvent {
    let new = default_benefits().unwrap().remove(0);
    BenefitEvent::BenefitCreated {
        benefit: new.benefit,
        content: Box::new(new.content),
    }
}

fn renamed(name: &str) -> BenefitEvent {
    BenefitEvent::BenefitEdited {
        changes: Box::new(BenefitChanges {
            name: Some(name.to_owned()),
            ..BenefitChanges::default()
        }),
    }
}

#[tokio::test]
async fn the_table_says_what_the_log_says_also_once_more_and_built_afresh() {
    let mut world = World::start().await;
    for (org, name) in [("acme", "Large"), ("globex", "Huge")] {
        let id = "deal-protection";
        let routing = Routing::Alone {
            kind: "benefit",
            id: id.to_owned(),
        };
        let events = [created(), renamed(name), BenefitEvent::BenefitArchived {}];
        world.append("Benefit", org, id, routing, &events).await;
    }
    world.project().await;
    let before = world.rows("read.benefits").await;
    assert_eq!(before.len(), 2);
    let acme = before.iter().find(|row| row["org_id"] == "acme").unwrap();
    assert_eq!(
        (&acme["name"], &acme["type"]),
        (&json!("Large"), &json!("days"))
    );
    assert_eq!(acme["archived"], true);

    sqlx::query("UPDATE bus.checkpoints SET number = 0")
        .execute(&world.pool)
        .await
        .unwrap();
    world.project().await;
    assert_eq!(world.rows("read.benefits").await, before);
    let cancel = tokio_util::sync::CancellationToken::new();
    tierline_projector::rebuild(&world.pool, "benefits", &|_| {}, &cancel)
        .await
        .unwrap();
    assert_eq!(world.rows("read.benefits").await, before);
    let reports = verify(&world.pool, "all", &Sample::All).await.unwrap();
    assert_eq!(
        reports.iter().map(|report| report.differences).sum::<u64>(),
        0
    );
}

fn event(number: i64) -> LogEvent {
    LogEvent {
        position: number,
        partition: 3,
        partition_number: number,
        org_id: "acme".to_owned(),
        routing_key: "acme/benefit:mdf".to_owned(),
        aggregate_type: "Benefit".to_owned(),
        aggregate_id: "acme/mdf".to_owned(),
        sequence: number,
        event_type: String::new(),
        event_version: String::new(),
        payload: String::new(),
        metadata: String::new(),
        event_id: Uuid::nil(),
        recorded_at: Timestamp::from_second(number).unwrap(),
        leaf_hash: Vec::new(),
    }
}

#[test]
fn events_out_of_turn_are_skipped_and_never_fail() {
    let unknown = BenefitEvent::Unknown {
        event_type: "tierline.program.v1.BenefitPainted".to_owned(),
        payload: Value::Null,
    };
    let events = [
        BenefitEvent::BenefitArchived {},
        unknown,
        created(),
        created(),
        BenefitEvent::BenefitArchived {},
        BenefitEvent::BenefitRestored {},
    ];
    let mut row = None;
    let effects: Vec<Effect> = (1..)
        .zip(events.map(AnyEvent::Benefit))
        .map(|(number, content)| Benefits::fold(&mut row, &event(number), &content))
        .collect();
    let expected = [
        Effect::Skipped("benefit_unknown"),
        Effect::Skipped("event_unknown"),
        Effect::Changed,
        Effect::Skipped("benefit_created_twice"),
        Effect::Changed,
        Effect::Changed,
    ];
    assert_eq!(effects, expected);
    let row = row.unwrap();
    assert!(!row.archived);
    assert_eq!(row.update_time, Timestamp::from_second(6).unwrap());
}
