use tierline_proto::common::v1::{RowOutcome, RowResult, TextList};
use tierline_proto::partner::v1 as pb;
use tierline_rpc_testkit::TestServer;
use tokio_stream::StreamExt as _;

use super::{contact, described, partners, start};

fn row(row: u64, id: &str) -> pb::PartnerRow {
    pb::PartnerRow {
        row,
        partner: Some(pb::Partner {
            partner_id: id.to_owned(),
            ..described(id, &format!("{id}.example"))
        }),
        primary_contact: Some(contact(&format!("ada@{id}.example"))),
        tags: None,
    }
}

async fn send(server: &TestServer, rows: Vec<pb::PartnerRow>) -> Vec<RowResult> {
    let request = pb::RecordPartnersRequest {
        rows,
        ..Default::default()
    };
    let answers = partners(server)
        .record_partners(tokio_stream::iter([request]))
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
async fn described_partners_are_created_updated_or_left_each_by_itself() {
    use RowOutcome::{Created, Rejected, Unchanged, Updated};
    let server = start().await;
    let results = send(&server, vec![row(1, "nova"), row(2, "orion")]).await;
    assert_eq!(outcomes(&results), [Created, Created]);
    let mut tagged = row(2, "orion");
    tagged.tags = Some(TextList {
        items: vec!["gold".to_owned()],
    });
    let mut stolen = row(3, "thief");
    stolen.partner.as_mut().unwrap().domain = "nova.example".to_owned();
    let mut wrong = row(4, "wrong");
    wrong.partner.as_mut().unwrap().partner_type = 0;
    wrong.primary_contact = None;
    let results = send(&server, vec![row(1, "nova"), tagged, stolen, wrong]).await;
    assert_eq!(outcomes(&results), [Unchanged, Updated, Rejected, Rejected]);
    assert_eq!(
        results[2].error.as_ref().unwrap().reason,
        "PARTNER_DOMAIN_TAKEN"
    );
    let violations = &results[3].error.as_ref().unwrap().violations;
    let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields[0], "partner.partner_type");
    assert_eq!(fields.len(), 4);
}

#[tokio::test]
async fn a_parent_may_stand_anywhere_in_the_batch_but_has_to_be_there() {
    let server = start().await;
    let child = |n, id: &str, parent: &str| {
        let mut row = row(n, id);
        row.partner.as_mut().unwrap().parent_id = parent.to_owned();
        row
    };
    let rows = vec![
        child(1, "child", "mother"),
        row(2, "mother"),
        child(3, "orphan", "ghost"),
    ];
    let results = send(&server, rows).await;
    use RowOutcome::{Created, Rejected};
    assert_eq!(outcomes(&results), [Created, Created, Rejected]);
    let violations = &results[2].error.as_ref().unwrap().violations;
    assert_eq!(violations[0].field, "partner.parent_id");
}
