use tierline_proto::activity::v1 as pb;
use tierline_proto::activity::v1::certification_service_client::CertificationServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{TODAY, assert_refused};
use tonic::Code;

use super::{certifications, start};

fn award(id: &str) -> pb::AwardCertificationRequest {
    pb::AwardCertificationRequest {
        certification_id: id.to_owned(),
        partner_id: "nova".to_owned(),
        holder: Some(pb::Holder {
            person: "p-7".to_owned(),
            name: "Ada".to_owned(),
            email: "Ada@Nova.example".to_owned(),
        }),
        name: "Architect".to_owned(),
        level: "advanced".to_owned(),
        expires_date: "2027-03-31".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_certification_is_awarded_renewed_and_taken_away() {
    let server = start().await;
    let mut service = certifications(&server);
    let answer = service
        .award_certification(award("c-1"))
        .await
        .unwrap()
        .into_inner();
    let record = answer.certification.unwrap().record.unwrap();
    assert_eq!(record.awarded_date, TODAY);
    assert_eq!(record.holder.unwrap().email, "ada@nova.example");
    assert!(!answer.consistency_token.is_empty());

    let renew = pb::RenewCertificationRequest {
        certification_id: "c-1".to_owned(),
        expires_date: "2028-03-31".to_owned(),
        etag: "\"v1\"".to_owned(),
        ..Default::default()
    };
    let renewed = service
        .renew_certification(renew.clone())
        .await
        .unwrap()
        .into_inner();
    let record = renewed.certification.unwrap().record.unwrap();
    assert_eq!(record.expires_date, "2028-03-31");
    let stale = service.renew_certification(renew).await;
    assert_refused(stale, Code::Aborted, "CONCURRENT_CHANGE");

    let left = pb::MarkHolderLeftRequest {
        certification_id: "c-1".to_owned(),
        date: "2026-04-15".to_owned(),
        ..Default::default()
    };
    service.mark_holder_left(left).await.unwrap();
    let revoke = |reason: &str| pb::RevokeCertificationRequest {
        certification_id: "c-1".to_owned(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    let refused = service.revoke_certification(revoke("")).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["reason"]
    );
    service
        .revoke_certification(revoke("cheated"))
        .await
        .unwrap();
    let get = pb::GetCertificationRequest {
        certification_id: "c-1".to_owned(),
    };
    let found = service.get_certification(get).await.unwrap().into_inner();
    let record = found.record.unwrap();
    assert_eq!(
        (record.revoked_date.as_str(), record.revoked_reason.as_str()),
        (TODAY, "cheated")
    );
}

#[tokio::test]
async fn every_wrong_field_of_an_award_is_named_at_once() {
    let server = start().await;
    let wrong = pb::AwardCertificationRequest {
        holder: None,
        name: String::new(),
        expires_date: "soon".to_owned(),
        ..award("c-1")
    };
    let refused = certifications(&server).award_certification(wrong).await;
    let mut fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    assert_eq!(fields, ["expires_date", "holder.person", "name"]);
}

#[tokio::test]
async fn an_award_needs_a_partner_a_token_and_a_role() {
    let server = start().await;
    let unknown = pb::AwardCertificationRequest {
        partner_id: "ghost".to_owned(),
        ..award("c-1")
    };
    let refused = certifications(&server).award_certification(unknown).await;
    assert_refused(refused, Code::NotFound, "PARTNER_NOT_FOUND");
    let mut stranger = CertificationServiceClient::new(server.stranger());
    let refused = stranger.award_certification(award("c-1")).await;
    assert_refused(refused, Code::Unauthenticated, "UNAUTHENTICATED");
    let mut auditor = CertificationServiceClient::new(server.caller(Role::Auditor));
    let refused = auditor.award_certification(award("c-1")).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    let get = pb::GetCertificationRequest {
        certification_id: "c-1".to_owned(),
    };
    let missing = auditor.get_certification(get).await;
    assert_refused(missing, Code::NotFound, "CERTIFICATION_NOT_FOUND");
}

#[tokio::test]
async fn a_repeated_award_gets_the_first_answer() {
    let server = start().await;
    let mut service = certifications(&server);
    let request = pb::AwardCertificationRequest {
        request_id: "r-1".to_owned(),
        ..award("")
    };
    let first = service
        .award_certification(request.clone())
        .await
        .unwrap()
        .into_inner();
    let events = server.events().await;
    let second = service
        .award_certification(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first, events), (second, server.events().await));
    let other = pb::AwardCertificationRequest {
        level: "basic".to_owned(),
        ..request
    };
    let refused = service.award_certification(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
}
