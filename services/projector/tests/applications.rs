//! Forms and submissions over a real log, and their folds by themselves.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::World;
use common::applications::{decision, defined, published, received};
use jiff::Timestamp;
use serde_json::{Value, json};
use tierline_domain::any_event::AnyEvent;
use tierline_domain::application::{FormEvent, SubmissionEvent, SubmissionState};
use tierline_eventstore::LogEvent;
use tierline_projector::{Effect, Forms, Model, Sample, Submissions, verify};
use uuid::Uuid;

/// Two orgs with the same identifiers.
async fn fill(world: &mut World) {
    let approved = SubmissionEvent::SubmissionApproved(decision());
    world.applications("acme", approved).await;
    let rejected = SubmissionEvent::SubmissionRejected(decision());
    world.applications("globex", rejected).await;
}

async fn differences(world: &World) -> u64 {
    let reports = verify(&world.pool, "all", &Sample::All).await.unwrap();
    reports.iter().map(|report| report.differences).sum()
}

fn of<'r>(rows: &'r [Value], org: &str, key: &str) -> &'r Value {
    rows.iter()
        .find(|row| row["org_id"] == org && row["key"] == key)
        .unwrap()
}

#[tokio::test]
async fn the_tables_say_what_the_log_says_and_nothing_that_an_applicant_wrote() {
    let mut world = World::start().await;
    fill(&mut world).await;
    world.project().await;

    let forms = world.rows("read.forms").await;
    assert_eq!(forms.len(), 2);
    let form = of(&forms, "acme", "resellers");
    assert_eq!(form["title"], "Two", "the draft is not shown yet");
    assert_eq!(form["state"]["newest_version"], 2);
    assert_eq!(
        (&form["published"], &form["has_draft"]),
        (&json!(true), &json!(true))
    );

    let submissions = world.rows("read.submissions").await;
    assert_eq!(submissions.len(), 4);
    for (org, state) in [("acme", "approved"), ("globex", "rejected")] {
        let decided = of(&submissions, org, "s-1");
        assert_eq!(decided["review"], state);
        assert_eq!(decided["decided_by"], "user:ada");
        assert_eq!(decided["form_version"], 2);
        let open = of(&submissions, org, "s-2");
        assert_eq!(
            (&open["review"], &open["decided_by"]),
            (&json!("pending"), &Value::Null)
        );
    }
    let text = json!([forms, submissions]).to_string();
    assert!(!text.contains("Secretname"), "{text}");
    assert_eq!(differences(&world).await, 0);
}

#[tokio::test]
async fn every_event_once_more_and_a_table_built_afresh_change_nothing() {
    let mut world = World::start().await;
    fill(&mut world).await;
    world.project().await;
    let before = [
        world.rows("read.forms").await,
        world.rows("read.submissions").await,
    ];
    sqlx::query("UPDATE bus.checkpoints SET number = 0")
        .execute(&world.pool)
        .await
        .unwrap();
    world.project().await;
    assert_eq!(world.rows("read.forms").await, before[0]);
    assert_eq!(world.rows("read.submissions").await, before[1]);
    let cancel = tokio_util::sync::CancellationToken::new();
    for name in ["forms", "submissions"] {
        tierline_projector::rebuild(&world.pool, name, &|_| {}, &cancel)
            .await
            .unwrap();
    }
    assert_eq!(world.rows("read.forms").await, before[0]);
    assert_eq!(world.rows("read.submissions").await, before[1]);
}

fn event(number: i64) -> LogEvent {
    LogEvent {
        position: number,
        partition: 3,
        partition_number: number,
        org_id: "acme".to_owned(),
        routing_key: "acme/form:resellers".to_owned(),
        aggregate_type: "Any".to_owned(),
        aggregate_id: "acme/resellers".to_owned(),
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

fn fold<M: Model>(contents: &[AnyEvent]) -> (Option<M::Row>, Vec<Effect>) {
    let mut row = None;
    let effects = (1..)
        .zip(contents)
        .map(|(number, content)| M::fold(&mut row, &event(number), content))
        .collect();
    (row, effects)
}

#[test]
fn events_out_of_turn_are_skipped_and_never_fail() {
    let unknown = || FormEvent::Unknown {
        event_type: "tierline.application.v1.FormPainted".to_owned(),
        payload: Value::Null,
    };
    let events = [
        published(1, "One"),
        unknown(),
        defined("One"),
        published(2, "Two"),
        published(2, "Again"),
    ];
    let (row, effects) = fold::<Forms>(&events.map(AnyEvent::Form));
    assert_eq!(row.unwrap().title, "Two");
    let expected = [
        Effect::Skipped("form_unknown"),
        Effect::Skipped("event_unknown"),
        Effect::Changed,
        Effect::Changed,
        Effect::Skipped("version_published_twice"),
    ];
    assert_eq!(effects, expected);

    let unknown = SubmissionEvent::Unknown {
        event_type: "tierline.application.v1.SubmissionErased".to_owned(),
        payload: Value::Null,
    };
    let events = [
        SubmissionEvent::SubmissionApproved(decision()),
        unknown,
        received("s-1", 60),
        received("s-1", 61),
        SubmissionEvent::SubmissionRejected(decision()),
    ];
    let (row, effects) = fold::<Submissions>(&events.map(AnyEvent::Submission));
    assert_eq!(row.unwrap().state, SubmissionState::Rejected);
    let expected = [
        Effect::Skipped("submission_unknown"),
        Effect::Skipped("event_unknown"),
        Effect::Changed,
        Effect::Skipped("submission_received_twice"),
        Effect::Changed,
    ];
    assert_eq!(effects, expected);
}
