//! Segments and their members.

use jiff::civil::date;
use tierline_domain::partner::CreatePartner;
use tierline_domain::segment::{Segment, SegmentCommand, default_segments};
use tierline_proto::query::v1 as pb;
use tierline_proto::standing::v1::Outcome;
use tierline_rpc::status::reason_of;
use tonic::Code;

use crate::world::World;

/// The default segments, and four resellers: two enterprises, a small one, and one of which the
/// number of employees is not known.
async fn filled() -> World {
    let world = World::start().await;
    world.org("acme", date(2026, 1, 1)).await;
    world.org("globex", date(2026, 1, 1)).await;
    let mut tokens = Vec::new();
    for new in default_segments().unwrap() {
        let id = new.segment.to_string();
        let command = SegmentCommand::Seed(Box::new(new));
        tokens.push(world.run::<Segment>("acme", &id, command).await);
    }
    for (id, employees) in [
        ("p-1", Some(5_000)),
        ("p-2", Some(5)),
        ("p-3", None),
        ("p-4", Some(1_000)),
    ] {
        let change = |create: &mut CreatePartner| {
            create.profile.employee_count = employees;
        };
        tokens.push(world.partner("acme", id, change).await);
    }
    for consistency_token in tokens {
        let request = pb::ExplainSegmentsRequest {
            partner_id: "p-1".to_owned(),
            consistency_token,
            ..Default::default()
        };
        // What was written last may still be missing; the wait for it comes last.
        if let Err(status) = world.segments("acme").explain_segments(request).await {
            assert_eq!(reason_of(&status).as_deref(), Some("PARTNER_NOT_FOUND"));
        }
    }
    world
}

fn members(segment: &str, page_size: i32, page_token: &str) -> pb::ListSegmentMembersRequest {
    pb::ListSegmentMembersRequest {
        segment_id: segment.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        ..Default::default()
    }
}

fn ids(answer: &pb::ListSegmentMembersResponse) -> Vec<&str> {
    let partners = answer.partners.iter();
    partners.map(|one| one.partner_id.as_str()).collect()
}

#[tokio::test]
async fn members_follow_from_the_attributes_and_come_in_pages() {
    let world = filled().await;
    let mut client = world.segments("acme");
    let all = members("enterprise-resellers", 0, "");
    let answer = client.list_segment_members(all).await.unwrap().into_inner();
    assert_eq!(ids(&answer), ["p-1", "p-4"]);
    assert_eq!(
        (answer.partners_considered, answer.partners_unknown),
        (4, 1)
    );
    assert_eq!(answer.next_page_token, "");

    let first = members("enterprise-resellers", 1, "");
    let first = client
        .list_segment_members(first)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ids(&first), ["p-1"]);
    let second = members("enterprise-resellers", 1, &first.next_page_token);
    let second = client.list_segment_members(second).await.unwrap();
    let second = second.into_inner();
    assert_eq!(ids(&second), ["p-4"]);
    assert_eq!(second.next_page_token, "");

    let other = members("isv", 1, &first.next_page_token);
    let refused = client.list_segment_members(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let foreign = members("enterprise-resellers", 0, "");
    let refused = world.segments("globex").list_segment_members(foreign).await;
    let refused = refused.unwrap_err();
    assert_eq!(reason_of(&refused).as_deref(), Some("SEGMENT_NOT_FOUND"));
}

#[tokio::test]
async fn a_partner_is_told_which_segments_it_is_in_and_why() {
    let world = filled().await;
    let token = world
        .run::<Segment>("acme", "isv", SegmentCommand::Archive)
        .await;
    let mut client = world.segments("acme");
    let request = pb::ExplainSegmentsRequest {
        partner_id: "p-4".to_owned(),
        consistency_token: token,
        ..Default::default()
    };
    let answer = client.explain_segments(request.clone()).await.unwrap();
    let found = answer.into_inner().memberships;
    assert_eq!(found.len(), 8, "an archived segment is not in use");
    let of = |id: &str| found.iter().find(|one| one.segment_id == id).unwrap();
    let enterprise = of("enterprise-resellers");
    assert_eq!(enterprise.outcome(), Outcome::Met);
    let looked_at: Vec<_> = enterprise.attributes.keys().collect();
    assert_eq!(looked_at, ["employee_count", "type"]);
    let node = enterprise.explanation.as_ref().unwrap();
    assert_eq!(
        (node.kind.as_str(), node.outcome()),
        ("partner", Outcome::Met)
    );
    assert_eq!(of("mid-market-resellers").outcome(), Outcome::Unmet);
    assert_eq!(of("public-sector").outcome(), Outcome::Unknown);

    let paged = pb::ExplainSegmentsRequest {
        page_size: 5,
        ..request.clone()
    };
    let first = client.explain_segments(paged.clone()).await.unwrap();
    let first = first.into_inner();
    let second = pb::ExplainSegmentsRequest {
        page_token: first.next_page_token,
        ..paged
    };
    let second = client.explain_segments(second).await.unwrap().into_inner();
    assert_eq!((first.memberships.len(), second.memberships.len()), (5, 3));
    let stranger = world.segments("globex").explain_segments(request).await;
    assert!(stranger.is_err(), "a token and a partner of another org");
}

#[tokio::test]
async fn segments_are_listed_filtered_and_ordered() {
    let world = filled().await;
    let mut client = world.segments("acme");
    for (filter, order_by, first, size) in [
        ("", "", "consulting", 9),
        ("family = services", "name desc", "system-integrators", 3),
        ("archived = true", "", "", 0),
    ] {
        let request = pb::ListSegmentsRequest {
            filter: filter.to_owned(),
            order_by: order_by.to_owned(),
            ..Default::default()
        };
        let answer = client.list_segments(request).await.unwrap().into_inner();
        assert_eq!(answer.total_size, size, "{filter}");
        let found = answer.segments.first().map(|one| one.segment_id.as_str());
        assert_eq!(found.unwrap_or_default(), first, "{filter}");
    }
}
