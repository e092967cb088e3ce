//! Segments and their members.

use jiff::civil::date;
use tierline_domain::partner::CreatePartner;
use tierline_domain::segment::{Segment, SegmentChanges, SegmentCommand, default_segments};
use tierline_proto::query::v1 as pb;
use tierline_proto::standing::v1::Outcome;
use tierline_rpc::status::{reason_of, violations};
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

fn listed(filter: &str, group_by: &str, consistency_token: &str) -> pb::ListPartnersRequest {
    pb::ListPartnersRequest {
        filter: filter.to_owned(),
        group_by: group_by.to_owned(),
        order_by: "partner_id".to_owned(),
        consistency_token: consistency_token.to_owned(),
        ..Default::default()
    }
}

fn listed_ids(answer: &pb::ListPartnersResponse) -> String {
    let ids: Vec<_> = answer.partners.iter().map(|one| &*one.partner_id).collect();
    assert_eq!(answer.total_size, ids.len() as u64);
    ids.join(" ")
}

#[tokio::test]
async fn the_partners_table_is_filtered_and_counted_by_segment() {
    let world = filled().await;
    let mut client = world.partners("acme");
    for (filter, expected) in [
        ("segment = enterprise-resellers", "p-1 p-4"),
        ("segment : \"enterprise-resellers\"", "p-1 p-4"),
        // Of p-3 it is not known.
        ("segment != enterprise-resellers", "p-2 p-3"),
        ("NOT segment = enterprise-resellers", "p-2 p-3"),
        ("segment = isv", ""),
        ("segment = isv OR partner_id = p-2", "p-2"),
        (
            "segment = enterprise-resellers AND partner_id != p-1",
            "p-4",
        ),
        (
            "segment = enterprise-resellers AND segment != isv",
            "p-1 p-4",
        ),
    ] {
        let answer = client.list_partners(listed(filter, "", "")).await.unwrap();
        assert_eq!(listed_ids(&answer.into_inner()), expected, "{filter}");
    }
    let counted = |answer: pb::ListPartnersResponse| -> Vec<(String, u64)> {
        let groups = answer.groups.into_iter();
        groups.map(|one| (one.group, one.count)).collect()
    };
    let all = client
        .list_partners(listed("", "segment", ""))
        .await
        .unwrap();
    let expected = [(String::new(), 2), ("enterprise-resellers".to_owned(), 2)];
    assert_eq!(counted(all.into_inner()), expected);
    let some = listed("partner_id != p-1", "segment", "");
    let some = client.list_partners(some).await.unwrap().into_inner();
    let expected = [(String::new(), 2), ("enterprise-resellers".to_owned(), 1)];
    assert_eq!(counted(some), expected);
}

#[tokio::test]
async fn a_filter_by_segment_follows_a_changed_segment_and_a_changed_partner() {
    let world = filled().await;
    let mut client = world.partners("acme");
    let changes = SegmentChanges {
        filter: Some(
            serde_json::from_value(serde_json::json!({
                "field": {"name": "employee_count", "is": {"lt": 100}}
            }))
            .unwrap(),
        ),
        ..Default::default()
    };
    let edit = SegmentCommand::Edit(Box::new(changes));
    let token = world
        .run::<Segment>("acme", "enterprise-resellers", edit)
        .await;
    let request = listed("segment = enterprise-resellers", "", &token);
    let answer = client.list_partners(request).await.unwrap().into_inner();
    assert_eq!(listed_ids(&answer), "p-2");
    let small = |create: &mut CreatePartner| create.profile.employee_count = Some(7);
    let token = world.partner("acme", "p-5", small).await;
    let request = listed("segment = enterprise-resellers", "", &token);
    let answer = client.list_partners(request).await.unwrap().into_inner();
    assert_eq!(listed_ids(&answer), "p-2 p-5");
}

#[tokio::test]
async fn segments_in_a_filter_are_those_of_the_org_and_not_for_contacts() {
    let world = filled().await;
    world
        .partner("globex", "g-1", |create| {
            create.profile.employee_count = Some(5_000)
        })
        .await;
    let (mut contact, _) = world.contact_of("acme", "p-1");
    for (mut client, filter, group_by, field) in [
        (
            world.partners("acme"),
            "name:a AND segment = nowhere",
            "",
            "filter",
        ),
        (
            world.partners("globex"),
            "segment = enterprise-resellers",
            "",
            "filter",
        ),
        (world.partners("acme"), "segment:*", "", "filter"),
        (world.partners("acme"), "segment > isv", "", "filter"),
        (
            world.partners("acme"),
            "segment = \"not / one\"",
            "",
            "filter",
        ),
    ] {
        let refused = client.list_partners(listed(filter, group_by, "")).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{filter}");
        let fields: Vec<_> = violations(&refused)
            .into_iter()
            .map(|(field, _)| field)
            .collect();
        assert_eq!(fields, [field], "{filter}");
    }
    for (filter, group_by) in [("segment = enterprise-resellers", ""), ("", "segment")] {
        let refused = contact.list_partners(listed(filter, group_by, "")).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    let many: Vec<_> = (0..11).map(|n| format!("segment = s-{n}")).collect();
    let many = listed(&many.join(" OR "), "", "");
    let refused = world
        .partners("acme")
        .list_partners(many)
        .await
        .unwrap_err();
    assert!(violations(&refused)[0].1.contains("at most 10 segments"));
}
