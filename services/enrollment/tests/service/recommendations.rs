use jiff::civil::date;
use tierline_domain::standing::events::{Opened, Recommendation, Withdrawn};
use tierline_domain::standing::{Basis, Evidence, Standing, StandingEvent, TierSource};
use tierline_domain::{EnrollmentId, PartnerId, ProgramId, Routing, StreamId, TierId, TrackId};
use tierline_proto::enrollment::v1 as pb;
use tierline_rpc_testkit::{TestServer, acme, assert_refused};
use tonic::Code;

use super::{NOVA, enroll, enrollments, start};

/// nova is enrolled, and the evaluator recommends gold.
async fn recommended() -> TestServer {
    let server = start().await;
    enrollments(&server)
        .enroll_partner(enroll("nova"))
        .await
        .unwrap();
    let tier = |id: &str| TierId::parse(id).unwrap();
    let as_of = date(2026, 3, 31);
    let opened = StandingEvent::StandingOpened(Opened {
        as_of,
        basis: Basis::default(),
        enrollment: EnrollmentId::parse(NOVA).unwrap(),
        partner: PartnerId::parse("nova").unwrap(),
        program: ProgramId::parse("resale").unwrap(),
        track: TrackId::parse("main").unwrap(),
        tier: tier("member"),
        tier_name: "Member".to_owned(),
        rank: 1,
        since: as_of,
        source: TierSource::Entry,
    });
    let recommendation = StandingEvent::PromotionRecommended(Recommendation {
        as_of,
        basis: Basis::default(),
        number: 1,
        from: tier("member"),
        to: tier("gold"),
        evidence: Evidence {
            sentence: "Ten deals.".to_owned(),
            explanation: None,
        },
    });
    let routing = Routing::Partner(PartnerId::parse("nova").unwrap());
    let stream = StreamId::new(&acme(), NOVA);
    server
        .append::<Standing>(&stream, &routing, &[opened, recommendation])
        .await;
    server
}

fn approve(recommendation: u32, tier: &str) -> pb::ApproveRecommendationRequest {
    pb::ApproveRecommendationRequest {
        enrollment_id: NOVA.to_owned(),
        recommendation,
        tier_id: tier.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_open_recommendation_is_approved_once() {
    let server = recommended().await;
    let mut service = enrollments(&server);
    let request = pb::ApproveRecommendationRequest {
        request_id: "r-1".to_owned(),
        ..approve(1, "gold")
    };
    let first = service
        .approve_recommendation(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.enrollment.as_ref().unwrap().etag, "\"v2\"");
    let reject = pb::RejectRecommendationRequest {
        enrollment_id: NOVA.to_owned(),
        recommendation: 1,
        note: "no".to_owned(),
        ..Default::default()
    };
    let refused = service.reject_recommendation(reject).await;
    assert_refused(refused, Code::FailedPrecondition, "RECOMMENDATION_DECIDED");
    // The evaluator has obeyed, so that the recommendation is not open any more.
    let withdrawn = StandingEvent::RecommendationWithdrawn(Withdrawn {
        as_of: date(2026, 3, 31),
        basis: Basis::default(),
        to: TierId::parse("gold").unwrap(),
        refused: false,
    });
    let routing = Routing::Partner(PartnerId::parse("nova").unwrap());
    server
        .append::<Standing>(&StreamId::new(&acme(), NOVA), &routing, &[withdrawn])
        .await;
    let again = service
        .approve_recommendation(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, first);
    let late = service.approve_recommendation(approve(1, "")).await;
    assert_refused(late, Code::FailedPrecondition, "RECOMMENDATION_NOT_OPEN");
}

#[tokio::test]
async fn only_what_is_open_can_be_decided_and_a_refusal_needs_a_note() {
    let server = recommended().await;
    let mut service = enrollments(&server);
    for (number, tier) in [(2, ""), (1, "member")] {
        let refused = service.approve_recommendation(approve(number, tier)).await;
        assert_refused(refused, Code::FailedPrecondition, "RECOMMENDATION_NOT_OPEN");
    }
    let reject = |note: &str| pb::RejectRecommendationRequest {
        enrollment_id: NOVA.to_owned(),
        recommendation: 1,
        tier_id: "gold".to_owned(),
        note: note.to_owned(),
        ..Default::default()
    };
    let refused = service.reject_recommendation(reject(" ")).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["note"]
    );
    service
        .reject_recommendation(reject("too early"))
        .await
        .unwrap();
    let ghost = pb::ApproveRecommendationRequest {
        enrollment_id: "ghost".to_owned(),
        ..approve(1, "")
    };
    let refused = service.approve_recommendation(ghost).await;
    assert_refused(refused, Code::NotFound, "ENROLLMENT_NOT_FOUND");
}
