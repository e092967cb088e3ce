use std::collections::BTreeMap;

use tierline_proto::activity::v1 as pb;
use tierline_proto::activity::v1::deal_service_client::DealServiceClient;
use tierline_proto::common::v1::{RowOutcome, RowResult, RowResults};
use tierline_rpc::{Role, consistency};
use tierline_rpc_testkit::{TestServer, acme, assert_refused, refusal};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::{Deals, certifications, deals, euros, records, start};

fn row(row: u64, deal: &str, partner: &str) -> pb::DealRow {
    pb::DealRow {
        row,
        deal_id: deal.to_owned(),
        partner_id: partner.to_owned(),
        record: Some(pb::DealRecord {
            name: "Order".to_owned(),
            state: pb::DealState::Won.into(),
            amount: euros("99.90"),
            closed_date: "2026-02-01".to_owned(),
            ..Default::default()
        }),
    }
}

fn batch(rows: Vec<pb::DealRow>) -> pb::RecordDealsRequest {
    pb::RecordDealsRequest {
        rows,
        ..Default::default()
    }
}

async fn send(
    deals: &mut Deals,
    batches: Vec<pb::RecordDealsRequest>,
) -> Result<Vec<RowResults>, Status> {
    let answers = deals
        .record_deals(tokio_stream::iter(batches))
        .await?
        .into_inner();
    answers.collect::<Result<Vec<_>, _>>().await
}

fn by_row(answers: &[RowResults]) -> BTreeMap<u64, &RowResult> {
    let results = answers.iter().flat_map(|answer| &answer.results);
    results.map(|result| (result.row, result)).collect()
}

fn outcomes(answers: &[RowResults]) -> Vec<RowOutcome> {
    by_row(answers)
        .into_values()
        .map(RowResult::outcome)
        .collect()
}

#[tokio::test]
async fn rows_are_created_updated_left_or_refused_each_by_itself() {
    let server = start().await;
    let mut deals = deals(&server);
    send(
        &mut deals,
        vec![batch(vec![row(1, "d-1", "nova"), row(2, "d-2", "nova")])],
    )
    .await
    .unwrap();
    let mut changed = row(2, "d-2", "nova");
    changed.record.as_mut().unwrap().amount = euros("120");
    let mut wrong = row(3, "d-3", "nova");
    let record = wrong.record.as_mut().unwrap();
    record.amount = euros("1e5");
    record.state = 0;
    record.name = String::new();
    let rows = vec![
        row(1, "d-1", "nova"),
        changed,
        wrong,
        row(4, "d-4", "ghost"),
        row(5, "d-5", "nova"),
        row(6, "D 6", "nova"),
    ];
    let answers = send(&mut deals, vec![batch(rows)]).await.unwrap();
    use RowOutcome::{Created, Rejected, Unchanged, Updated};
    assert_eq!(
        outcomes(&answers),
        [Unchanged, Updated, Rejected, Rejected, Created, Rejected]
    );
    let rows = by_row(&answers);
    let error = rows[&3].error.as_ref().unwrap();
    let mut fields: Vec<_> = error.violations.iter().map(|v| v.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(error.reason, "INVALID_REQUEST");
    assert_eq!(
        fields,
        ["record.amount.amount", "record.name", "record.state"]
    );
    assert_eq!(rows[&4].error.as_ref().unwrap().reason, "PARTNER_NOT_FOUND");
    assert_eq!(rows[&5].id, "d-5");
    assert_eq!(
        rows[&6].error.as_ref().unwrap().violations[0].field,
        "deal_id"
    );
}

#[tokio::test]
async fn the_same_rows_again_change_nothing() {
    let server = start().await;
    let mut deals = deals(&server);
    let rows = |_| {
        (0..250)
            .map(|n| row(n, &format!("d-{n}"), "nova"))
            .collect::<Vec<_>>()
    };
    let batches: Vec<_> = (0..1).map(rows).map(batch).collect();
    let first = send(&mut deals, batches.clone()).await.unwrap();
    assert!(
        outcomes(&first)
            .iter()
            .all(|outcome| *outcome == RowOutcome::Created)
    );
    let events = server.events().await;
    let second = send(&mut deals, batches).await.unwrap();
    assert!(
        outcomes(&second)
            .iter()
            .all(|outcome| *outcome == RowOutcome::Unchanged)
    );
    assert_eq!(server.events().await, events);
}

#[tokio::test]
async fn rows_about_the_same_deal_take_effect_in_their_order_across_batches() {
    let server = start().await;
    let mut deals = deals(&server);
    let batches = (0..30).map(|n| {
        let mut same = row(n, "d-1", "nova");
        same.record.as_mut().unwrap().name = format!("Name {n}");
        batch(vec![same, row(1000 + n, &format!("other-{n}"), "nova")])
    });
    let answers = send(&mut deals, batches.collect()).await.unwrap();
    assert_eq!(by_row(&answers).len(), 60);
    let get = pb::GetDealRequest {
        deal_id: "d-1".to_owned(),
    };
    let deal = deals.get_deal(get).await.unwrap().into_inner();
    assert_eq!(deal.record.unwrap().name, "Name 29");
    assert_eq!(deal.etag, "\"v30\"");
}

#[tokio::test]
async fn one_token_covers_all_rows_of_an_answer() {
    let server = start().await;
    for partner in ["p-1", "p-2", "p-3"] {
        server.partner(partner).await;
    }
    let rows = ["p-1", "p-2", "p-3", "p-1"].into_iter().enumerate();
    let rows = rows.map(|(n, partner)| row(n as u64, &format!("d-{n}"), partner));
    let answers = send(&mut deals(&server), vec![batch(rows.collect())])
        .await
        .unwrap();
    let points = consistency::decode(&answers[0].consistency_token, &acme()).unwrap();
    let partitions: BTreeMap<_, _> = points.iter().map(|p| (p.partition, p.event_id)).collect();
    let of = |partner: &str| {
        Some(tierline_eventstore::partition_of(&format!(
            "acme/{partner}"
        )))
    };
    for partner in ["p-1", "p-2", "p-3"] {
        assert!(partitions.contains_key(&of(partner)), "{partner}");
    }
    // The later of two deals of one partition is the one to wait for.
    let last = tierline_eventstore::event_id("Deal", "acme/d-3", 1);
    assert_eq!(partitions[&of("p-1")], last);
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_stores_nothing() {
    let server = start().await;
    let mut deals = deals(&server);
    let mut rows = vec![
        row(1, "d-1", "nova"),
        row(2, "d-2", "nova"),
        row(3, "d-3", "ghost"),
    ];
    for row in &mut rows[..2] {
        row.record.as_mut().unwrap().external_id = "crm-1".to_owned();
    }
    let events = server.events().await;
    let dry = pb::RecordDealsRequest {
        validate_only: true,
        ..batch(rows)
    };
    let answers = send(&mut deals, vec![dry]).await.unwrap();
    use RowOutcome::{Created, Rejected};
    assert_eq!(outcomes(&answers), [Created, Rejected, Rejected]);
    let taken = by_row(&answers)[&2].error.as_ref().unwrap();
    assert_eq!(taken.reason, "DEAL_EXTERNAL_ID_TAKEN");
    assert_eq!(server.events().await, events);
}

#[tokio::test]
async fn a_row_that_takes_a_name_of_another_is_refused_alone() {
    let server = start().await;
    let mut rows: Vec<_> = (0..50).map(|n| row(n, &format!("d-{n}"), "nova")).collect();
    for row in &mut rows {
        row.record.as_mut().unwrap().external_id = format!("crm-{}", row.row.min(48));
    }
    let answers = send(&mut deals(&server), vec![batch(rows)]).await.unwrap();
    let found = outcomes(&answers);
    let refused = found
        .iter()
        .filter(|outcome| **outcome == RowOutcome::Rejected)
        .count();
    assert_eq!((found.len(), refused), (50, 1));
}

#[tokio::test]
async fn a_batch_that_is_too_large_ends_the_stream_with_a_reason() {
    let server = start().await;
    let rows = (0..1001)
        .map(|n| row(n, &format!("d-{n}"), "nova"))
        .collect();
    let refused = send(&mut deals(&server), vec![batch(rows)]).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["rows"]
    );
}

#[tokio::test]
async fn answers_come_while_rows_still_go_in() {
    let server = start().await;
    let mut deals = deals(&server);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut answers = deals
        .record_deals(ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();
    for n in 0..3 {
        sender
            .send(batch(vec![row(n, &format!("d-{n}"), "nova")]))
            .await
            .unwrap();
        let answer = answers.next().await.unwrap().unwrap();
        assert_eq!(answer.results[0].row, n);
    }
    drop(sender);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn a_broken_stream_leaves_whole_batches_and_resending_is_harmless() {
    let server = start().await;
    let mut deals = deals(&server);
    let whole = || {
        batch(
            (0..500)
                .map(|n| row(n, &format!("d-{n}"), "nova"))
                .collect(),
        )
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let answers = deals
        .record_deals(ReceiverStream::new(receiver))
        .await
        .unwrap();
    sender.send(whole()).await.unwrap();
    drop(answers);
    drop(sender);
    tierline_testkit::eventually(
        std::time::Duration::from_secs(20),
        "all of the batch or nothing of it",
        async || matches!(deal_events(&server).await, 0 | 500),
    )
    .await;
    let answers = send(&mut deals, vec![whole()]).await.unwrap();
    assert!(
        outcomes(&answers)
            .iter()
            .all(|outcome| *outcome != RowOutcome::Rejected)
    );
    assert_eq!(deal_events(&server).await, 500);
}

async fn deal_events(server: &TestServer) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type = 'Deal'")
        .fetch_one(server.commands.store().pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_bulk_call_needs_a_token_a_role_and_an_org() {
    let server = start().await;
    let rows = || vec![batch(vec![row(1, "d-1", "nova")])];
    let mut stranger = DealServiceClient::new(server.stranger());
    let refused = send(&mut stranger, rows()).await.unwrap_err();
    assert_eq!(refusal(&refused).0, Code::Unauthenticated);
    let mut viewer = DealServiceClient::new(server.caller(Role::Viewer));
    let refused = send(&mut viewer, rows()).await.unwrap_err();
    assert_eq!(refusal(&refused).0, Code::PermissionDenied);
    let mut orgless = DealServiceClient::new(server.caller_of("other", Role::Admin));
    let refused = send(&mut orgless, rows()).await;
    assert_refused(refused, Code::FailedPrecondition, "ORG_NOT_FOUND");
}

#[tokio::test]
async fn the_request_id_of_a_batch_ties_its_events_together() {
    let server = start().await;
    let named = pb::RecordDealsRequest {
        request_id: "import-7".to_owned(),
        ..batch(vec![row(1, "d-1", "nova")])
    };
    send(&mut deals(&server), vec![named]).await.unwrap();
    let correlation = server.last_metadata("correlation_id").await;
    assert_eq!(correlation.as_deref(), Some("import-7"));
}

#[tokio::test]
async fn described_certifications_and_activities_are_taken_the_same_way() {
    let server = start().await;
    let certification = |row, id: &str, name: &str| pb::CertificationRow {
        row,
        certification_id: id.to_owned(),
        partner_id: "nova".to_owned(),
        record: Some(pb::CertificationRecord {
            holder: Some(pb::Holder {
                person: "p-1".to_owned(),
                ..Default::default()
            }),
            name: name.to_owned(),
            awarded_date: "2025-05-01".to_owned(),
            ..Default::default()
        }),
    };
    let rows = vec![
        certification(1, "c-1", "Architect"),
        certification(2, "c-2", ""),
    ];
    let request = pb::RecordCertificationsRequest {
        rows,
        ..Default::default()
    };
    let answers = certifications(&server)
        .record_certifications(tokio_stream::iter([request]))
        .await
        .unwrap()
        .into_inner()
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap();
    assert_eq!(
        outcomes(&answers),
        [RowOutcome::Created, RowOutcome::Rejected]
    );
    let error = by_row(&answers)[&2].error.clone().unwrap();
    assert_eq!(error.violations[0].field, "record.name");

    let activity = |row, partner: &str| pb::ActivityRow {
        row,
        record_id: format!("a-{row}"),
        partner_id: partner.to_owned(),
        activity: Some(pb::ActivityRecord {
            kind: "training".to_owned(),
            title: "Basics".to_owned(),
            held_date: "2026-01-15".to_owned(),
            ..Default::default()
        }),
    };
    let rows = vec![activity(1, "nova"), activity(2, "ghost")];
    let request = pb::RecordActivitiesRequest {
        rows,
        ..Default::default()
    };
    let answers = records(&server)
        .record_activities(tokio_stream::iter([request]))
        .await
        .unwrap()
        .into_inner()
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap();
    assert_eq!(
        outcomes(&answers),
        [RowOutcome::Created, RowOutcome::Rejected]
    );
}
