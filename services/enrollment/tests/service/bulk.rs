use tierline_proto::common::v1::{RowOutcome, RowResult};
use tierline_proto::enrollment::v1 as pb;
use tierline_rpc_testkit::TestServer;
use tokio_stream::StreamExt as _;

use super::{NOVA, enroll, enrollments, start};

fn row(row: u64, partner: &str) -> pb::EnrollmentRow {
    pb::EnrollmentRow {
        row,
        partner_id: partner.to_owned(),
        program_id: "resale".to_owned(),
        start_date: "2025-01-01".to_owned(),
        ..Default::default()
    }
}

async fn send(server: &TestServer, rows: Vec<pb::EnrollmentRow>) -> Vec<RowResult> {
    let request = pb::EnrollPartnersRequest {
        rows,
        ..Default::default()
    };
    let answers = enrollments(server)
        .enroll_partners(tokio_stream::iter([request]))
        .await;
    let answers = answers
        .unwrap()
        .into_inner()
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap();
    answers
        .into_iter()
        .flat_map(|answer| answer.results)
        .collect()
}

fn outcomes(results: &[RowResult]) -> Vec<RowOutcome> {
    results.iter().map(RowResult::outcome).collect()
}

#[tokio::test]
async fn many_are_enrolled_and_who_is_enrolled_already_is_left() {
    use RowOutcome::{Created, Rejected, Unchanged};
    let server = start().await;
    enrollments(&server)
        .enroll_partner(enroll("orion"))
        .await
        .unwrap();
    let side = pb::EnrollmentRow {
        track_id: "side".to_owned(),
        ..row(4, "nova")
    };
    let wrong = pb::EnrollmentRow {
        start_date: "x".to_owned(),
        ..row(5, "nova")
    };
    let other = pb::EnrollmentRow {
        enrollment_id: "other".to_owned(),
        ..row(6, "orion")
    };
    let rows = vec![
        row(1, "nova"),
        row(2, "orion"),
        row(3, "ghost"),
        side,
        wrong,
        other,
        row(7, "nova"),
    ];
    let results = send(&server, rows).await;
    assert_eq!(
        outcomes(&results),
        [
            Created, Unchanged, Rejected, Rejected, Rejected, Unchanged, Unchanged
        ]
    );
    assert_eq!(results[0].id, NOVA);
    let reason = |at: usize| results[at].error.as_ref().unwrap().reason.as_str();
    assert_eq!(reason(2), "PARTNER_NOT_FOUND");
    assert_eq!(reason(3), "TRACK_NOT_PUBLISHED");
    assert_eq!(
        results[4].error.as_ref().unwrap().violations[0].field,
        "start_date"
    );
    let events = server.events().await;
    assert_eq!(
        outcomes(&send(&server, vec![row(1, "nova")]).await),
        [Unchanged]
    );
    assert_eq!(server.events().await, events);
}
