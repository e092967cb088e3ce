use tierline_proto::common::v1::{Value, value};
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::segment_service_client::SegmentServiceClient;
use tierline_rpc::Role;
use tierline_rpc::status::violations;
use tierline_rpc_testkit::{Connection, TestServer, assert_refused};
use tonic::Code;

use super::start;

fn segments(server: &TestServer) -> SegmentServiceClient<Connection> {
    SegmentServiceClient::new(server.caller(Role::Admin))
}

fn in_region(region: &str) -> pb::Condition {
    let equals = Value {
        kind: Some(value::Kind::Text(region.to_owned())),
    };
    let test = pb::Test {
        kind: Some(pb::test::Kind::Equals(equals)),
    };
    pb::Condition {
        kind: Some(pb::condition::Kind::Field(pb::FieldCondition {
            name: "region".to_owned(),
            test: Some(test),
        })),
    }
}

fn emea() -> pb::Segment {
    pb::Segment {
        segment_id: "emea".to_owned(),
        name: "EMEA".to_owned(),
        family: pb::SegmentFamily::Market.into(),
        filter: Some(in_region("EMEA")),
        ..Default::default()
    }
}

fn create() -> pb::CreateSegmentRequest {
    pb::CreateSegmentRequest {
        segment: Some(emea()),
        ..Default::default()
    }
}

fn update(segment: pb::Segment, paths: &[&str]) -> pb::UpdateSegmentRequest {
    pb::UpdateSegmentRequest {
        segment: Some(segment),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        ..Default::default()
    }
}

fn get(id: &str) -> pb::GetSegmentRequest {
    pb::GetSegmentRequest {
        segment_id: id.to_owned(),
    }
}

#[tokio::test]
async fn a_segment_is_created_found_and_changed_by_its_fields() {
    let server = start().await;
    let mut client = segments(&server);
    let created = client.create_segment(create()).await.unwrap().into_inner();
    assert!(!created.consistency_token.is_empty());
    let segment = created.segment.unwrap();
    assert_eq!(
        segment,
        pb::Segment {
            etag: "\"v1\"".to_owned(),
            ..emea()
        }
    );
    let found = client.get_segment(get("emea")).await.unwrap().into_inner();
    assert_eq!(found, segment);
    let twice = client.create_segment(create()).await;
    assert_refused(twice, Code::AlreadyExists, "SEGMENT_EXISTS");

    let changed = pb::Segment {
        segment_id: "emea".to_owned(),
        description: "Europe and more".to_owned(),
        filter: Some(in_region("DACH")),
        ..Default::default()
    };
    let unmasked = pb::UpdateSegmentRequest {
        etag: segment.etag,
        ..update(changed, &[])
    };
    let answer = client.update_segment(unmasked.clone()).await.unwrap();
    let segment = answer.into_inner().segment.unwrap();
    assert_eq!(segment.name, "EMEA");
    assert_eq!(segment.filter, Some(in_region("DACH")));
    let outdated = client.update_segment(unmasked).await;
    assert_refused(outdated, Code::Aborted, "CONCURRENT_CHANGE");
    let emptied = pb::Segment {
        segment_id: "emea".to_owned(),
        ..Default::default()
    };
    let answer = client
        .update_segment(update(emptied, &["description"]))
        .await;
    let segment = answer.unwrap().into_inner().segment.unwrap();
    assert_eq!(
        (segment.description.as_str(), segment.name.as_str()),
        ("", "EMEA")
    );
}

#[tokio::test]
async fn every_mistake_of_a_request_is_named() {
    let server = start().await;
    let mut client = segments(&server);
    let wrong = pb::CreateSegmentRequest {
        segment: Some(pb::Segment {
            segment_id: "No Label".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = client.create_segment(wrong).await.unwrap_err();
    let mut fields: Vec<_> = violations(&refused).into_iter().map(|(f, _)| f).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "segment.family",
            "segment.filter",
            "segment.name",
            "segment.segment_id"
        ]
    );
    let mut blank = create();
    blank.segment.as_mut().unwrap().filter = Some(in_region(""));
    let refused = client.create_segment(blank).await.unwrap_err();
    assert_eq!(violations(&refused)[0].0, "segment.filter.field.is.equals");
    client.create_segment(create()).await.unwrap();
    let refused = client
        .update_segment(update(emea(), &["archived"]))
        .await
        .unwrap_err();
    assert_eq!(violations(&refused)[0].0, "update_mask");
    let unknown = client.get_segment(get("apac")).await;
    assert_refused(unknown, Code::NotFound, "SEGMENT_NOT_FOUND");
}

#[tokio::test]
async fn an_archived_segment_is_restored_before_it_changes() {
    let server = start().await;
    let mut client = segments(&server);
    client.create_segment(create()).await.unwrap();
    let archive = pb::ArchiveSegmentRequest {
        segment_id: "emea".to_owned(),
        ..Default::default()
    };
    let restore = pb::RestoreSegmentRequest {
        segment_id: "emea".to_owned(),
        ..Default::default()
    };
    let answer = client.archive_segment(archive.clone()).await.unwrap();
    assert!(answer.into_inner().segment.unwrap().archived);
    let named = pb::Segment {
        name: "Europe".to_owned(),
        ..emea()
    };
    let refused = client
        .update_segment(update(named.clone(), &["name"]))
        .await;
    assert_refused(refused, Code::FailedPrecondition, "SEGMENT_ARCHIVED");
    let answer = client.restore_segment(restore).await.unwrap();
    assert!(!answer.into_inner().segment.unwrap().archived);
    client
        .update_segment(update(named, &["name"]))
        .await
        .unwrap();
    let missing = pb::ArchiveSegmentRequest {
        segment_id: "apac".to_owned(),
        ..archive
    };
    let refused = client.archive_segment(missing).await;
    assert_refused(refused, Code::NotFound, "SEGMENT_NOT_FOUND");
}

#[tokio::test]
async fn a_repeated_request_is_answered_alike_and_a_dry_run_stores_nothing() {
    let server = start().await;
    let mut client = segments(&server);
    let dry = pb::CreateSegmentRequest {
        validate_only: true,
        ..create()
    };
    client.create_segment(dry).await.unwrap();
    let unknown = client.get_segment(get("emea")).await;
    assert_refused(unknown, Code::NotFound, "SEGMENT_NOT_FOUND");
    let named = pb::CreateSegmentRequest {
        request_id: "r-1".to_owned(),
        ..create()
    };
    let first = client.create_segment(named.clone()).await.unwrap();
    let again = client.create_segment(named).await.unwrap();
    assert_eq!(first.into_inner(), again.into_inner());
}

#[tokio::test]
async fn seeding_creates_what_is_missing_and_nothing_twice() {
    let server = start().await;
    let mut client = segments(&server);
    let isv = pb::CreateSegmentRequest {
        segment: Some(pb::Segment {
            segment_id: "isv".to_owned(),
            ..emea()
        }),
        ..Default::default()
    };
    client.create_segment(isv).await.unwrap();
    let request = pb::SeedSegmentsRequest {
        request_id: "r-1".to_owned(),
        ..Default::default()
    };
    let dry = pb::SeedSegmentsRequest {
        validate_only: true,
        ..Default::default()
    };
    for request in [dry, request.clone()] {
        let answer = client.seed_segments(request).await.unwrap().into_inner();
        assert_eq!(answer.created_segment_ids.len(), 8);
        assert_eq!(answer.unchanged_segment_ids, ["isv"]);
    }
    let found = client.get_segment(get("isv")).await.unwrap().into_inner();
    assert_eq!(found.name, "EMEA", "what was there stays as it was");
    let answer = client.seed_segments(request).await.unwrap().into_inner();
    assert_eq!(answer.created_segment_ids.len(), 0);
    assert_eq!(answer.unchanged_segment_ids.len(), 9);
    assert!(!answer.consistency_token.is_empty());
}

#[tokio::test]
async fn segments_are_for_admins_to_change_and_for_readers_to_see() {
    let server = start().await;
    segments(&server).create_segment(create()).await.unwrap();
    let mut viewer = SegmentServiceClient::new(server.caller(Role::Viewer));
    viewer.get_segment(get("emea")).await.unwrap();
    let refused = viewer.create_segment(create()).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    let refused = viewer
        .seed_segments(pb::SeedSegmentsRequest::default())
        .await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
}

#[tokio::test]
async fn an_org_has_a_bounded_number_of_segments() {
    let server = start().await;
    let mut client = segments(&server);
    let numbered = |n: usize| pb::CreateSegmentRequest {
        segment: Some(pb::Segment {
            segment_id: format!("s-{n}"),
            ..emea()
        }),
        request_id: format!("create-{n}"),
        ..Default::default()
    };
    let most = tierline_domain::limits::SEGMENTS;
    for n in 0..most {
        client.create_segment(numbered(n)).await.unwrap();
    }
    let refused = client.create_segment(numbered(most)).await;
    assert_refused(refused, Code::FailedPrecondition, "TOO_MANY_SEGMENTS");
    // The last one again gets its first answer, and a change is no new segment.
    client.create_segment(numbered(most - 1)).await.unwrap();
    let changed = pb::Segment {
        segment_id: "s-0".to_owned(),
        name: "Other".to_owned(),
        ..Default::default()
    };
    client
        .update_segment(update(changed, &["name"]))
        .await
        .unwrap();
    let refused = client
        .seed_segments(pb::SeedSegmentsRequest::default())
        .await;
    assert_refused(refused, Code::FailedPrecondition, "TOO_MANY_SEGMENTS");
}
