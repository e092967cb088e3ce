//! The partners table, programs and standings.

use std::time::Duration;

use jiff::civil::date;
use tierline_domain::partner::PartnerType;
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::get_standing_request::Subject;
use tierline_proto::standing::v1::{Standing, TierSource};
use tierline_rpc::consistency;
use tierline_rpc::status::reason_of;
use tierline_testkit::eventually;
use tonic::Code;

use crate::world::{PROGRAM_ID, World};

fn list(filter: &str, order_by: &str) -> pb::ListPartnersRequest {
    pb::ListPartnersRequest {
        filter: filter.to_owned(),
        order_by: order_by.to_owned(),
        ..Default::default()
    }
}

/// The standings of a partner once everything that the token stands for was evaluated.
pub async fn standing(world: &World, org: &str, partner: &str, token: String) -> Standing {
    let request = pb::GetStandingRequest {
        subject: Some(Subject::PartnerId(partner.to_owned())),
        consistency_token: token,
        ..Default::default()
    };
    let answer = world
        .standings(org)
        .get_standing(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.standings.len(), 1);
    answer.standings.into_iter().next().unwrap()
}

#[tokio::test]
async fn partners_are_filtered_ordered_paged_and_counted() {
    let world = World::start().await;
    world.org("acme", date(2026, 1, 1)).await;
    let mut token = String::new();
    for (id, region, kind) in [
        ("alpha", "EMEA", PartnerType::Reseller),
        ("beta", "APAC", PartnerType::Technology),
        ("gamma", "EMEA", PartnerType::Reseller),
        ("delta", "AMER", PartnerType::Reseller),
    ] {
        token = world
            .partner("acme", id, |create| {
                create.profile.region = Some(region.to_owned());
                create.profile.partner_type = kind;
                create.tags = vec![format!("tag-{}", region.to_lowercase())];
            })
            .await;
    }
    world.partner("globex", "alpha", |_| {}).await;
    let mut client = world.partners("acme");
    // The token covers the last write only; the others are in other partitions.
    let request = pb::ListPartnersRequest {
        consistency_token: token,
        ..list("", "")
    };
    client.list_partners(request).await.unwrap();
    eventually(Duration::from_secs(10), "all four partners", async || {
        let mut client = world.partners("acme");
        client
            .list_partners(list("", ""))
            .await
            .unwrap()
            .into_inner()
            .total_size
            == 4
    })
    .await;
    let request = pb::ListPartnersRequest {
        group_by: "region".to_owned(),
        ..list("", "name desc")
    };
    let answer = client.list_partners(request).await.unwrap().into_inner();
    let names: Vec<&str> = answer
        .partners
        .iter()
        .map(|p| p.partner_id.as_str())
        .collect();
    assert_eq!(names, ["gamma", "delta", "beta", "alpha"]);
    let groups: Vec<_> = answer
        .groups
        .iter()
        .map(|g| (g.group.as_str(), g.count))
        .collect();
    assert_eq!(groups, [("EMEA", 2), ("AMER", 1), ("APAC", 1)]);

    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListPartnersRequest {
            page_size: 1,
            page_token,
            ..list("type = reseller", "")
        };
        let page = client.list_partners(request).await.unwrap().into_inner();
        assert_eq!(page.total_size, 3);
        found.extend(page.partners.into_iter().map(|partner| partner.partner_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, ["alpha", "delta", "gamma"]);
    for (filter, expected) in [
        ("region:EMEA AND NOT name:gam", 1),
        ("domain:beta OR tag:tag-amer", 2),
        ("tier:*", 0),
        ("create_time > 2020-01-01", 4),
        ("status = active AND type = technology", 1),
    ] {
        let answer = client
            .list_partners(list(filter, ""))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.total_size, expected, "{filter}");
    }
}

#[tokio::test]
async fn what_a_list_does_not_know_is_refused_by_name() {
    let world = World::start().await;
    let mut client = world.partners("acme");
    for (request, field) in [
        (list("colour = red", ""), "filter"),
        (list("", "shoe_size"), "order_by"),
        (
            pb::ListPartnersRequest {
                group_by: "name".to_owned(),
                ..list("", "")
            },
            "group_by",
        ),
        (
            pb::ListPartnersRequest {
                page_token: "x".to_owned(),
                ..list("", "")
            },
            "page_token",
        ),
        (
            pb::ListPartnersRequest {
                page_size: -1,
                ..list("", "")
            },
            "page_size",
        ),
        (
            pb::ListPartnersRequest {
                consistency_token: "x".to_owned(),
                ..list("", "")
            },
            "consistency_token",
        ),
    ] {
        let status = client.list_partners(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert!(
            tierline_rpc::describe(&status).contains(field),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn a_caller_reads_its_own_writes_and_what_they_led_to() {
    let world = World::start().await;
    world.org("acme", date(2018, 1, 1)).await;
    for n in 0..10 {
        let id = format!("p-{n}");
        let token = world.partner("acme", &id, |_| {}).await;
        let request = pb::GetPartnerViewRequest {
            partner_id: id.clone(),
            consistency_token: token,
        };
        let view = world
            .partners("acme")
            .get_partner_view(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(view.partner.unwrap().partner_id, id);
    }
    let token = world.enroll("acme", "p-1", date(2018, 1, 1)).await;
    let entered = standing(&world, "acme", "p-1", token).await;
    assert_eq!(entered.tier_id, "bronze");
    assert_eq!(entered.tier_source(), TierSource::Entry);
    assert_eq!(entered.program_name, entered_program_name(&world).await);
    let token = world
        .deal("acme", "p-1", "d-1", date(2018, 1, 1), "120000")
        .await;
    let token = [token, world.clock_to("acme", date(2018, 7, 1)).await];
    let raised = standing(&world, "acme", "p-1", token[1].clone()).await;
    assert_eq!(raised.tier_id, "silver");
    assert_eq!(raised.tier_since_date, "2018-07-01");
    assert_eq!(raised.tier_source(), TierSource::Automatic);
    // The end of the next quarter is the first day on which time alone could do something.
    assert_eq!(raised.next_change_date, "2018-10-01");
    assert_ne!(raised.decision_id, entered.decision_id);
    let gold = &raised.progress[0];
    assert_eq!((gold.tier_id.as_str(), gold.tier_rank), ("gold", 0));
    assert!(
        gold.criteria
            .iter()
            .any(|criterion| !criterion.gap.is_empty())
    );
    assert!(raised.retention.is_some());
    assert!(!raised.under_review);
}

async fn entered_program_name(world: &World) -> String {
    let request = pb::ListProgramsRequest::default();
    let answer = world
        .programs("acme")
        .list_programs(request)
        .await
        .unwrap()
        .into_inner();
    answer.programs[0].name.clone()
}

#[tokio::test]
async fn programs_show_their_newest_version_and_who_holds_which_tier() {
    let world = World::start().await;
    let applied = world.org("acme", date(2018, 1, 1)).await;
    world.partner("acme", "p-1", |_| {}).await;
    let token = world.enroll("acme", "p-1", date(2018, 1, 1)).await;
    standing(&world, "acme", "p-1", token).await;
    let request = pb::ListProgramsRequest {
        consistency_token: applied,
        ..Default::default()
    };
    let answer = world
        .programs("acme")
        .list_programs(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.programs.len(), 1);
    let program = &answer.programs[0];
    assert_eq!(program.program_id, PROGRAM_ID);
    assert_eq!(program.newest_version, 1);
    assert_eq!(program.currency_code, "USD");
    assert_eq!(program.tiers.len(), 1);
    assert_eq!(
        (program.tiers[0].tier_id.as_str(), program.tiers[0].count),
        ("bronze", 1)
    );
    let other = world
        .programs("globex")
        .list_programs(pb::ListProgramsRequest::default())
        .await;
    assert!(other.unwrap().into_inner().programs.is_empty());
}

#[tokio::test]
async fn a_partner_contact_sees_its_own_partner_and_no_other() {
    let world = World::start().await;
    world.org("acme", date(2018, 1, 1)).await;
    for id in ["p-1", "p-2"] {
        world.partner("acme", id, |_| {}).await;
        let token = world.enroll("acme", id, date(2018, 1, 1)).await;
        standing(&world, "acme", id, token).await;
    }
    let (mut partners, mut standings) = world.contact_of("acme", "p-1");
    let view = |id: &str| pb::GetPartnerViewRequest {
        partner_id: id.to_owned(),
        ..Default::default()
    };
    partners.get_partner_view(view("p-1")).await.unwrap();
    let refused = partners.get_partner_view(view("p-2")).await.unwrap_err();
    let absent = partners.get_partner_view(view("p-9")).await.unwrap_err();
    assert_eq!(
        (refused.code(), absent.code()),
        (Code::NotFound, Code::NotFound)
    );
    assert_eq!(reason_of(&refused), reason_of(&absent));
    let of = |subject| pb::GetStandingRequest {
        subject: Some(subject),
        ..Default::default()
    };
    standings
        .get_standing(of(Subject::EnrollmentId("e-p-1".to_owned())))
        .await
        .unwrap();
    for subject in [
        Subject::EnrollmentId("e-p-2".to_owned()),
        Subject::PartnerId("p-2".to_owned()),
    ] {
        let status = standings.get_standing(of(subject)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    let denied = partners.list_partners(list("", "")).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    // The same ids in another org are another org's business.
    let status = world
        .partners("globex")
        .get_partner_view(view("p-1"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn standings_are_filtered_and_ordered() {
    let world = World::start().await;
    world.org("acme", date(2018, 1, 1)).await;
    for id in ["p-1", "p-2", "p-3"] {
        world.partner("acme", id, |_| {}).await;
        let token = world.enroll("acme", id, date(2018, 1, 1)).await;
        standing(&world, "acme", id, token).await;
    }
    world
        .deal("acme", "p-2", "d-1", date(2018, 1, 1), "120000")
        .await;
    let token = world.clock_to("acme", date(2018, 7, 1)).await;
    let request = pb::ListStandingsRequest {
        order_by: "tier_rank, partner_name desc".to_owned(),
        consistency_token: token,
        without_progress: true,
        ..Default::default()
    };
    let answer = world
        .standings("acme")
        .list_standings(request)
        .await
        .unwrap()
        .into_inner();
    let order: Vec<&str> = answer
        .standings
        .iter()
        .map(|s| s.partner_id.as_str())
        .collect();
    assert_eq!(order, ["p-2", "p-3", "p-1"]);
    assert!(
        answer
            .standings
            .iter()
            .all(|standing| standing.progress.is_empty())
    );
    for (filter, expected) in [
        ("tier = silver", 1),
        ("tier_rank >= 2 AND closed = false", 2),
        ("partner_name:P-", 3),
        ("tier_since_date >= 2018-07-01", 1),
        ("source = entry OR at_risk = true", 2),
        ("next_change_date > 2018-07-01", 3),
        ("next_change_date <= 2018-07-01", 0),
    ] {
        let request = pb::ListStandingsRequest {
            filter: filter.to_owned(),
            ..Default::default()
        };
        let answer = world
            .standings("acme")
            .list_standings(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.total_size, expected, "{filter}");
    }
}

#[tokio::test]
async fn a_token_that_the_read_model_never_reaches_ends_in_unavailable() {
    let world = World::start().await;
    let point = tierline_eventstore::ConsistencyPoint {
        org: tierline_domain::OrgId::parse("acme").unwrap(),
        event_id: tierline_eventstore::event_id("Partner", "acme/p-1", 99),
        partition: Some(3),
    };
    let request = pb::ListPartnersRequest {
        consistency_token: consistency::encode(&point),
        ..list("", "")
    };
    let status = world
        .partners("acme")
        .list_partners(request)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(reason_of(&status).as_deref(), Some("READ_MODEL_BEHIND"));
}
