//! Building read models afresh, beside live projections and without them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::sync::Mutex;
use std::time::Duration;

use common::applications::decision;
use common::{World, created};
use tierline_bus::Checkpoints;
use tierline_domain::Routing;
use tierline_domain::application::SubmissionEvent;
use tierline_domain::benefit::{BenefitEvent, default_benefits};
use tierline_domain::partner::PartnerEvent;
use tierline_domain::segment::{SegmentEvent, default_segments};
use tierline_projector::{NAMES, RebuildError, RebuildProgress, Sample, rebuild, verify};
use tierline_testkit::eventually;
use tokio_util::sync::CancellationToken;

async fn assert_equal_to_the_log(world: &World) {
    for report in verify(&world.pool, "all", &Sample::All).await.unwrap() {
        assert_eq!(report.first, None, "{}", report.model);
        assert!(report.rows > 0, "{}", report.model);
    }
}

/// No table is left empty.
async fn the_rest(world: &mut World) {
    let approved = SubmissionEvent::SubmissionApproved(decision());
    world.applications("acme", approved).await;
    let new = default_segments().unwrap().remove(0);
    let id = new.segment.to_string();
    let routing = Routing::Alone {
        kind: "segment",
        id: id.clone(),
    };
    let created = SegmentEvent::SegmentCreated {
        segment: new.segment,
        content: Box::new(new.content),
    };
    world
        .append("Segment", "acme", &id, routing, &[created])
        .await;
    let new = default_benefits().unwrap().remove(0);
    let id = new.benefit.to_string();
    let routing = Routing::Alone {
        kind: "benefit",
        id: id.clone(),
    };
    let created = BenefitEvent::BenefitCreated {
        benefit: new.benefit,
        content: Box::new(new.content),
    };
    world
        .append("Benefit", "acme", &id, routing, &[created])
        .await;
}

#[tokio::test]
async fn a_rebuilt_table_equals_the_live_one() {
    let mut world = World::start().await;
    world.program("acme").await;
    the_rest(&mut world).await;
    for n in 0..10 {
        world.silver_partner("acme", &format!("p-{n}")).await;
    }
    world.project().await;
    for name in NAMES {
        let table = format!("read.{name}");
        let before = world.rows(&table).await;
        let indexes = "SELECT array_agg(indexdef ORDER BY indexdef) FROM pg_indexes
                       WHERE schemaname = 'read'";
        let had: Vec<String> = sqlx::query_scalar(indexes)
            .fetch_one(&world.pool)
            .await
            .unwrap();
        let steps = Mutex::new(Vec::new());
        let note = |step: RebuildProgress| steps.lock().unwrap().push(step);
        rebuild(&world.pool, name, &note, &CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(world.rows(&table).await, before, "{name}");
        let has: Vec<String> = sqlx::query_scalar(indexes)
            .fetch_one(&world.pool)
            .await
            .unwrap();
        assert_eq!(has, had, "{name}");
        let last = steps.lock().unwrap().last().copied().unwrap();
        assert_eq!(last.applied, last.total, "{name}");
    }
    let lags = Checkpoints::lags(&world.pool).await.unwrap();
    assert_eq!(
        lags.len(),
        NAMES.len(),
        "the builders leave nothing behind: {lags:?}"
    );
    // The live consumers go on from the swapped tables.
    world.silver_partner("acme", "p-late").await;
    world.project().await;
    assert_equal_to_the_log(&world).await;
}

#[tokio::test]
async fn live_projections_go_on_through_a_rebuild() {
    let mut world = World::start().await;
    world.program("acme").await;
    the_rest(&mut world).await;
    let cancel = CancellationToken::new();
    let running = world.spawn(&cancel);
    for n in 0..5 {
        world.silver_partner("acme", &format!("p-{n}")).await;
    }
    let pool = world.pool.clone();
    let rebuilding = tokio::spawn(async move {
        for name in NAMES {
            rebuild(&pool, name, &|_| {}, &CancellationToken::new())
                .await
                .unwrap();
        }
    });
    for n in 5..40 {
        world.silver_partner("acme", &format!("p-{n}")).await;
    }
    rebuilding.await.unwrap();
    world.silver_partner("acme", "p-late").await;
    world.caught_up().await;
    cancel.cancel();
    for projection in running {
        projection.await.unwrap();
    }
    assert_eq!(world.rows("read.partners").await.len(), 41);
    assert_equal_to_the_log(&world).await;
}

#[tokio::test]
async fn an_interrupted_rebuild_leaves_the_old_table_and_goes_on_later() {
    let mut world = World::start().await;
    for n in 0..20 {
        world
            .partner_events("acme", &format!("p-{n}"), &[created(&format!("p-{n}"))])
            .await;
    }
    world.project().await;
    let before = world.rows("read.partners").await;
    let cancel = CancellationToken::new();
    let stop = |step: RebuildProgress| {
        if step.applied > 0 {
            cancel.cancel();
        }
    };
    let interrupted = rebuild(&world.pool, "partners", &stop, &cancel).await;
    assert!(
        matches!(interrupted, Err(RebuildError::Cancelled) | Ok(())),
        "{interrupted:?}"
    );
    assert_eq!(world.rows("read.partners").await, before);
    rebuild(&world.pool, "partners", &|_| {}, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(world.rows("read.partners").await, before);
}

#[tokio::test]
async fn a_table_of_an_older_release_is_built_afresh_before_its_projection_goes_on() {
    let mut world = World::start().await;
    world.program("acme").await;
    the_rest(&mut world).await;
    world.silver_partner("acme", "p-1").await;
    world.project().await;
    sqlx::raw_sql(
        "UPDATE read.models SET version = 0;
         UPDATE bus.checkpoints SET version = 0;
         UPDATE bus.leases SET version = 0;
         UPDATE read.partners SET name = 'as the old release saw it';",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    world.silver_partner("acme", "p-2").await;
    world.project().await;
    assert_equal_to_the_log(&world).await;
    let versions: Vec<i32> = sqlx::query_scalar("SELECT version FROM read.models")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    assert_eq!(versions, [1; NAMES.len()]);
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_known_ones() {
    let world = World::start().await;
    let error = rebuild(&world.pool, "orders", &|_| {}, &CancellationToken::new()).await;
    assert!(error.unwrap_err().to_string().contains(
        "partners, standings, tier_history, programs, forms, submissions, \
                       segments, benefits"
    ));
}

async fn rollbacks(world: &World) -> i64 {
    sqlx::query_scalar(
        "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn rows_in_memory_are_forgotten_when_a_commit_fails() {
    let mut world = World::start().await;
    world.program("acme").await;
    the_rest(&mut world).await;
    let cancel = CancellationToken::new();
    let running = world.spawn(&cancel);
    world.silver_partner("acme", "p-1").await;
    world.caught_up().await;
    let before = rollbacks(&world).await;
    // The rows are written; it is the commit that is refused.
    sqlx::raw_sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE 'not now'; END $$;
         CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON read.partners
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let tagged = PartnerEvent::PartnerTagged {
        tags: vec!["watched".to_owned()],
    };
    world.partner_events("acme", "p-1", &[tagged]).await;
    let failed = async || rollbacks(&world).await > before;
    eventually(Duration::from_secs(20), "a batch fails", failed).await;
    sqlx::raw_sql("DROP TRIGGER refuse ON read.partners")
        .execute(&world.pool)
        .await
        .unwrap();
    world.caught_up().await;
    cancel.cancel();
    for projection in running {
        projection.await.unwrap();
    }
    assert_equal_to_the_log(&world).await;
    let row = &world.rows("read.partners").await[0];
    assert_eq!(row["tags"], serde_json::json!(["strategic", "watched"]));
}
