//! The history of tiers, explanations, replay, and the state of the system.

use std::time::Duration;

use jiff::civil::date;
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::list_tier_history_request::Scope;
use tierline_proto::query::v1::replay_decisions_request::Scope as Replayed;
use tierline_proto::query::v1::replay_decisions_response::Kind;
use tierline_proto::standing::v1::{Cause, Decision, DecisionKind, Direction, Explanation};
use tierline_rpc::status::reason_of;
use tierline_testkit::eventually;
use tonic::Code;

use crate::tables::standing;
use crate::world::{PROGRAM_ID, World};

/// An org in which `p-1` has risen to silver by one deal of three.
async fn risen() -> (World, String) {
    let world = World::start().await;
    world.org("acme", date(2018, 1, 1)).await;
    for id in ["p-1", "p-2"] {
        world.partner("acme", id, |_| {}).await;
        world.enroll("acme", id, date(2018, 1, 1)).await;
    }
    world
        .deal("acme", "p-1", "d-old", date(2010, 2, 10), "900000")
        .await;
    world
        .deal("acme", "p-1", "d-1", date(2018, 2, 10), "120000")
        .await;
    world
        .deal("acme", "p-1", "d-late", date(2019, 2, 10), "500")
        .await;
    let token = world.clock_to("acme", date(2018, 7, 1)).await;
    (world, token)
}

async fn history(world: &World, request: pb::ListTierHistoryRequest) -> Vec<Decision> {
    world
        .audit("acme")
        .list_tier_history(request)
        .await
        .unwrap()
        .into_inner()
        .decisions
}

#[tokio::test]
async fn the_history_is_newest_first_and_can_be_narrowed() {
    let (world, token) = risen().await;
    let all = history(
        &world,
        pb::ListTierHistoryRequest {
            consistency_token: token,
            ..Default::default()
        },
    )
    .await;
    assert_eq!(all.len(), 3);
    // Partners are evaluated side by side; the order is that of each one's own history.
    let kinds: Vec<DecisionKind> = all
        .iter()
        .filter(|d| d.partner_id == "p-1")
        .map(Decision::kind)
        .collect();
    assert_eq!(kinds, [DecisionKind::TierChanged, DecisionKind::Opened]);
    let rise = all
        .iter()
        .find(|d| d.kind() == DecisionKind::TierChanged)
        .unwrap();
    assert_eq!(
        (rise.direction(), rise.cause()),
        (Direction::Promotion, Cause::Qualified)
    );
    assert_eq!(
        (rise.from_tier_id.as_str(), rise.to_tier_id.as_str()),
        ("bronze", "silver")
    );
    assert_eq!(rise.as_of_date, "2018-07-01");
    assert_eq!(
        (rise.partner_id.as_str(), rise.program_id.as_str()),
        ("p-1", PROGRAM_ID)
    );
    assert!(!rise.sentence.is_empty());
    for (request, expected) in [
        (
            pb::ListTierHistoryRequest {
                tier_changes_only: true,
                ..Default::default()
            },
            1,
        ),
        (
            pb::ListTierHistoryRequest {
                scope: Some(Scope::PartnerId("p-2".to_owned())),
                ..Default::default()
            },
            1,
        ),
        (
            pb::ListTierHistoryRequest {
                filter: "cause = qualified AND as_of_date >= 2018-07-01".to_owned(),
                ..Default::default()
            },
            1,
        ),
        (
            pb::ListTierHistoryRequest {
                scope: Some(Scope::ProgramId("other".to_owned())),
                ..Default::default()
            },
            0,
        ),
    ] {
        assert_eq!(
            history(&world, request.clone()).await.len(),
            expected,
            "{request:?}"
        );
    }
    let mut audit = world.audit("acme");
    let page = pb::ListTierHistoryRequest {
        page_size: 2,
        ..Default::default()
    };
    let first = audit
        .list_tier_history(page.clone())
        .await
        .unwrap()
        .into_inner();
    let page = pb::ListTierHistoryRequest {
        page_token: first.next_page_token,
        ..page
    };
    let second = audit.list_tier_history(page).await.unwrap().into_inner();
    assert_eq!((first.decisions.len(), second.decisions.len()), (2, 1));
    assert!(second.next_page_token.is_empty());
    let mut other = world.audit("globex");
    let answer = other
        .list_tier_history(pb::ListTierHistoryRequest::default())
        .await
        .unwrap();
    assert!(answer.into_inner().decisions.is_empty());
}

fn criteria<'t>(node: &'t Explanation, found: &mut Vec<&'t Explanation>) {
    if node.kind == "criterion" {
        found.push(node);
    }
    node.children
        .iter()
        .for_each(|child| criteria(child, found));
}

#[tokio::test]
async fn a_decision_names_every_fact_that_counted_and_why_others_did_not() {
    let (world, token) = risen().await;
    let silver = standing(&world, "acme", "p-1", token.clone()).await;
    let request = pb::ListTierHistoryRequest {
        consistency_token: token,
        ..Default::default()
    };
    history(&world, request).await;
    let explain = |id: &str| pb::ExplainDecisionRequest {
        decision_id: id.to_owned(),
    };
    let mut audit = world.audit("acme");
    let answer = audit
        .explain_decision(explain(&silver.decision_id))
        .await
        .unwrap()
        .into_inner();
    let decision = answer.decision.unwrap();
    assert_eq!(decision.to_tier_id, "silver");
    let tree = answer.explanation.unwrap();
    let mut leaves = Vec::new();
    criteria(&tree, &mut leaves);
    let leaf = leaves.iter().find(|leaf| leaf.counted_facts > 0).unwrap();
    assert!(!leaf.facts_digest.is_empty());
    let fact = |id: &str| leaf.facts.iter().find(|fact| fact.fact_id == id).unwrap();
    assert!(fact("d-1").counted);
    assert_eq!(fact("d-1").contribution, "120000");
    assert!(!fact("d-old").counted);
    assert!(
        fact("d-old").reason.contains("before the window"),
        "{}",
        fact("d-old").reason
    );
    assert!(
        fact("d-late").reason.contains("after the window"),
        "{}",
        fact("d-late").reason
    );
    assert_eq!((leaf.counted_facts, leaf.excluded_facts), (1, 2));
    assert_eq!(answer.triggers, [], "the passing of time alone");

    let token = world
        .deal("acme", "p-1", "d-2", date(2018, 3, 1), "400000")
        .await;
    let gold = standing(&world, "acme", "p-1", token).await;
    eventually(
        Duration::from_secs(10),
        "the decision in the history",
        async || {
            let mut audit = world.audit("acme");
            audit
                .explain_decision(explain(&gold.decision_id))
                .await
                .is_ok()
        },
    )
    .await;
    let by_deal = audit
        .explain_decision(explain(&gold.decision_id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(by_deal.decision.unwrap().to_tier_id, "gold");
    assert_eq!(by_deal.triggers[0].subject, "Deal/d-2");
    assert_eq!(by_deal.triggers[0].actor, "user:ada");

    let by_place = format!("e-p-1/{}", decision.sequence);
    let again = audit
        .explain_decision(explain(&by_place))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.decision.unwrap().decision_id, silver.decision_id);
    let foreign = world
        .audit("globex")
        .explain_decision(explain(&silver.decision_id))
        .await;
    assert_eq!(foreign.unwrap_err().code(), Code::NotFound);
    let nonsense = audit.explain_decision(explain("first")).await.unwrap_err();
    assert_eq!(nonsense.code(), Code::InvalidArgument);
}

async fn replay(
    world: &World,
    scope: Option<Replayed>,
) -> (Vec<pb::ReplayDifference>, pb::ReplaySummary) {
    let request = pb::ReplayDecisionsRequest { scope };
    let mut stream = world
        .audit("acme")
        .replay_decisions(request)
        .await
        .unwrap()
        .into_inner();
    let mut differences = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        match message.kind.unwrap() {
            Kind::Progress(progress) => {
                assert!(progress.done_enrollments <= progress.total_enrollments)
            }
            Kind::Difference(difference) => differences.push(difference),
            Kind::Summary(summary) => return (differences, summary),
        }
    }
    panic!("the stream ended without a summary");
}

#[tokio::test]
async fn every_decision_comes_out_the_same_from_the_log_and_a_forged_one_is_named() {
    let (world, token) = risen().await;
    standing(&world, "acme", "p-1", token.clone()).await;
    standing(&world, "acme", "p-2", token).await;
    let (differences, summary) = replay(&world, None).await;
    assert_eq!(differences, []);
    assert_eq!((summary.enrollments, summary.differences), (2, 0));
    assert!(summary.decisions >= 3 && summary.events > 5, "{summary:?}");
    let (_, one) = replay(&world, Some(Replayed::EnrollmentId("e-p-1".to_owned()))).await;
    assert_eq!(one.enrollments, 1);
    let (_, of_program) = replay(&world, Some(Replayed::ProgramId(PROGRAM_ID.to_owned()))).await;
    assert_eq!(of_program.decisions, summary.decisions);

    let mut forgery = "ALTER TABLE events DISABLE TRIGGER ALL;".to_owned();
    for table in 0..8 {
        forgery.push_str(&format!("ALTER TABLE events_{table} DISABLE TRIGGER ALL;"));
    }
    forgery.push_str(
        r#"UPDATE events
           SET payload = replace(payload::text, '"to":"silver"', '"to":"gold"')::json
           WHERE event_type LIKE '%.TierChanged';"#,
    );
    sqlx::raw_sql(&forgery).execute(&world.pool).await.unwrap();
    let (differences, summary) = replay(&world, Some(Replayed::PartnerId("p-1".to_owned()))).await;
    assert!(summary.differences >= 1);
    let first = &differences[0];
    assert_eq!(
        (first.enrollment_id.as_str(), first.partner_id.as_str()),
        ("e-p-1", "p-1")
    );
    assert!(
        first.recorded.contains("TierChanged.to: \"gold\""),
        "{first:?}"
    );
    assert!(first.recomputed.contains("\"silver\""), "{first:?}");
    assert!(!first.decision_id.is_empty());
    let absent = pb::ReplayDecisionsRequest {
        scope: Some(Replayed::PartnerId("p-9".to_owned())),
    };
    let status = world
        .audit("acme")
        .replay_decisions(absent)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn a_partner_with_unreadable_events_is_under_review_until_an_operator_gives_them_up() {
    let (world, token) = risen().await;
    assert!(!standing(&world, "acme", "p-1", token).await.under_review);
    world.break_partner("acme", "p-1", 1).await;
    let mut operations = world.operations();
    let list = pb::ListParkedRequest {
        consumer: "projector-partners-v1".to_owned(),
        ..Default::default()
    };
    eventually(Duration::from_secs(10), "the event set aside", async || {
        let mut operations = world.operations();
        !operations
            .list_parked(list.clone())
            .await
            .unwrap()
            .into_inner()
            .events
            .is_empty()
    })
    .await;
    assert!(
        standing(&world, "acme", "p-1", String::new())
            .await
            .under_review
    );
    assert!(
        !standing(&world, "acme", "p-2", String::new())
            .await
            .under_review
    );

    let everything = pb::ListParkedRequest::default();
    let parked = operations
        .list_parked(everything.clone())
        .await
        .unwrap()
        .into_inner()
        .events;
    assert!(parked.iter().all(|event| event.routing_key == "acme/p-1"));
    let retry = pb::RetryParkedRequest {
        consumer: "projector-partners-v1".to_owned(),
        routing_key: "acme/p-1".to_owned(),
    };
    let unreadable = pb::RetryParkedRequest {
        routing_key: "acme/p-1\0".to_owned(),
        ..retry.clone()
    };
    let status = operations.retry_parked(unreadable).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let answer = operations.retry_parked(retry).await.unwrap().into_inner();
    assert_eq!(answer.released_events, 1);
    for event in &parked {
        let skip = pb::SkipParkedRequest {
            consumer: event.consumer.clone(),
            partition: event.partition,
            number: event.number,
            reason: String::new(),
        };
        // PostgreSQL takes no text with the character zero.
        for reason in ["", "a\0b"] {
            let skip = pb::SkipParkedRequest {
                reason: reason.to_owned(),
                ..skip.clone()
            };
            let status = operations.skip_parked(skip).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
        }
        let skip = pb::SkipParkedRequest {
            reason: "written by a broken script".to_owned(),
            ..skip
        };
        operations.skip_parked(skip.clone()).await.unwrap();
        let status = operations.skip_parked(skip).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    assert!(
        operations
            .list_parked(everything)
            .await
            .unwrap()
            .into_inner()
            .events
            .is_empty()
    );
    assert!(
        !standing(&world, "acme", "p-1", String::new())
            .await
            .under_review
    );
}

#[tokio::test]
async fn operators_see_how_far_everything_is_and_nobody_else_does() {
    let (world, token) = risen().await;
    standing(&world, "acme", "p-1", token).await;
    let request = pb::GetStatusRequest::default();
    let status = world
        .operations()
        .get_status(request)
        .await
        .unwrap()
        .into_inner();
    assert!(status.log_head > 16);
    let names: Vec<&str> = status
        .consumers
        .iter()
        .map(|c| c.consumer.as_str())
        .collect();
    assert!(names.contains(&"projector-partners-v1") && names.contains(&"tier-evaluator-v1"));
    let partners = status
        .consumers
        .iter()
        .find(|c| c.consumer == "projector-partners-v1")
        .unwrap();
    assert_eq!(partners.partitions.len(), 16);
    assert!(
        partners
            .partitions
            .iter()
            .all(|partition| !partition.owner.is_empty())
    );
    let mut viewer = world.operations_as_viewer("acme");
    let denied = viewer
        .get_status(pb::GetStatusRequest::default())
        .await
        .unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let unknown = pb::ListParkedRequest {
        consumer: "nobody".to_owned(),
        ..Default::default()
    };
    let refused = world.operations().list_parked(unknown).await.unwrap_err();
    assert_eq!(reason_of(&refused).as_deref(), Some("INVALID_REQUEST"));
}
