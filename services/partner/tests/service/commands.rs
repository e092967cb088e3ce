use tierline_proto::common::v1::{Money, Value, value};
use tierline_proto::partner::v1 as pb;
use tierline_proto::partner::v1::partner_service_client::PartnerServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{TestServer, assert_refused};
use tonic::{Code, Status};

use super::{Partners, contact, described, partners, start};

fn create(domain: &str) -> pb::CreatePartnerRequest {
    pb::CreatePartnerRequest {
        partner: Some(described("Nova", domain)),
        primary_contact: Some(contact("Ada@Nova.example")),
        tags: vec!["emea".to_owned()],
        ..Default::default()
    }
}

async fn nova(server: &TestServer) -> Partners {
    let mut partners = partners(server);
    partners
        .create_partner(create("nova.example"))
        .await
        .unwrap();
    partners
}

fn id() -> String {
    "nova.example".to_owned()
}

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask {
        paths: paths.iter().map(|p| (*p).to_owned()).collect(),
    })
}

fn partner(answer: Result<tonic::Response<pb::PartnerResponse>, Status>) -> pb::Partner {
    answer.unwrap().into_inner().partner.unwrap()
}

#[tokio::test]
async fn a_partner_is_created_under_its_domain_and_read_back() {
    let server = start().await;
    let mut partners = partners(&server);
    let mut request = create("https://WWW.Nova.example/about");
    let described = request.partner.as_mut().unwrap();
    described.annual_revenue = Some(Money {
        amount: "1000000".to_owned(),
        currency_code: "USD".to_owned(),
    });
    let score = Value {
        kind: Some(value::Kind::Number("4.5".to_owned())),
    };
    described.attributes.insert("score".to_owned(), score);
    let answer = partners.create_partner(request).await.unwrap().into_inner();
    let created = answer.partner.unwrap();
    assert_eq!(
        (created.partner_id.as_str(), created.domain.as_str()),
        ("nova.example", "nova.example")
    );
    assert_eq!(created.status(), pb::PartnerStatus::Active);
    assert_eq!(created.contacts[0].email, "ada@nova.example");
    assert_eq!(
        (created.primary_contact_id.as_str(), created.etag.as_str()),
        ("c1", "\"v1\"")
    );
    assert!(!answer.consistency_token.is_empty());
    let get = pb::GetPartnerRequest { partner_id: id() };
    assert_eq!(
        partners.get_partner(get).await.unwrap().into_inner(),
        created
    );
}

#[tokio::test]
async fn every_wrong_field_of_a_new_partner_is_named_at_once() {
    let server = start().await;
    let mut partners = partners(&server);
    let empty = partners
        .create_partner(pb::CreatePartnerRequest::default())
        .await;
    let mut fields = assert_refused(empty, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    let expected = [
        "partner.domain",
        "partner.name",
        "partner.partner_type",
        "primary_contact.email",
        "primary_contact.first_name",
        "primary_contact.last_name",
    ];
    assert_eq!(fields, expected);
    let mut request = create("nova.example");
    request.partner_id = "Not An Id".to_owned();
    let partner = request.partner.as_mut().unwrap();
    partner.parent_id = "ALSO NOT".to_owned();
    partner.status = pb::PartnerStatus::Suspended.into();
    partner.annual_revenue = Some(Money {
        amount: "x".to_owned(),
        ..Default::default()
    });
    let refused = partners.create_partner(request).await;
    let mut fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    let expected = [
        "partner.annual_revenue.currency_code",
        "partner.parent_id",
        "partner.status",
        "partner_id",
    ];
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn a_domain_belongs_to_one_partner_of_an_org() {
    let server = start().await;
    let mut partners = nova(&server).await;
    for validate_only in [false, true] {
        let request = pb::CreatePartnerRequest {
            partner_id: "other".to_owned(),
            validate_only,
            ..create("nova.example")
        };
        let refused = partners.create_partner(request).await;
        assert_refused(refused, Code::AlreadyExists, "PARTNER_DOMAIN_TAKEN");
    }
    let again = partners.create_partner(create("nova.example")).await;
    assert_refused(again, Code::AlreadyExists, "PARTNER_EXISTS");
}

#[tokio::test]
async fn an_update_changes_what_the_mask_names_and_nothing_else() {
    let server = start().await;
    let mut partners = nova(&server).await;
    let update = |partner: pb::Partner, paths: &[&str]| pb::UpdatePartnerRequest {
        partner: Some(pb::Partner {
            partner_id: id(),
            ..partner
        }),
        update_mask: mask(paths),
        ..Default::default()
    };
    let region = pb::Partner {
        region: "EMEA".to_owned(),
        ..Default::default()
    };
    let changed = partner(partners.update_partner(update(region.clone(), &[])).await);
    assert_eq!(
        (changed.region.as_str(), changed.name.as_str()),
        ("EMEA", "Nova")
    );
    let emptied = partner(
        partners
            .update_partner(update(Default::default(), &["region"]))
            .await,
    );
    assert_eq!(emptied.region, "");
    let refused = partners
        .update_partner(update(region, &["status", "tags"]))
        .await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["update_mask", "update_mask"]);
    let nameless = partners
        .update_partner(update(Default::default(), &["name"]))
        .await;
    let fields = assert_refused(nameless, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["partner.name"]);
    let orphan = pb::Partner {
        parent_id: "ghost".to_owned(),
        ..Default::default()
    };
    let refused = partners.update_partner(update(orphan, &[])).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["partner.parent_id"]);
    let stale = pb::UpdatePartnerRequest {
        etag: "\"v1\"".to_owned(),
        ..update(
            pb::Partner {
                name: "Nova 2".to_owned(),
                ..Default::default()
            },
            &[],
        )
    };
    let refused = partners.update_partner(stale).await;
    assert_refused(refused, Code::Aborted, "CONCURRENT_CHANGE");
}

#[tokio::test]
async fn contacts_come_change_and_go_but_the_primary_one_stays() {
    let server = start().await;
    let mut partners = nova(&server).await;
    let add = pb::AddContactRequest {
        partner_id: id(),
        contact: Some(contact("bob@nova.example")),
        ..Default::default()
    };
    let added = partner(partners.add_contact(add.clone()).await);
    assert_eq!(added.contacts[1].contact_id, "c2");
    let again = partners.add_contact(add).await;
    assert_refused(again, Code::AlreadyExists, "CONTACT_EXISTS");
    let nobody = pb::AddContactRequest {
        partner_id: id(),
        ..Default::default()
    };
    let fields = assert_refused(
        partners.add_contact(nobody).await,
        Code::InvalidArgument,
        "INVALID_REQUEST",
    );
    assert_eq!(
        fields,
        ["contact.first_name", "contact.last_name", "contact.email"]
    );
    let edit = |id_of: &str| pb::UpdateContactRequest {
        partner_id: id(),
        contact: Some(pb::Contact {
            contact_id: id_of.to_owned(),
            title: "CTO".to_owned(),
            ..contact("bob@nova.example")
        }),
        ..Default::default()
    };
    let edited = partner(partners.update_contact(edit("c2")).await);
    assert_eq!(edited.contacts[1].title, "CTO");
    let unknown = partners.update_contact(edit("c9")).await;
    assert_refused(unknown, Code::NotFound, "CONTACT_NOT_FOUND");
    let unnamed = partners.update_contact(edit("")).await;
    let fields = assert_refused(unnamed, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["contact.contact_id"]);
    let primary = pb::SetPrimaryContactRequest {
        partner_id: id(),
        contact_id: "c2".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        partner(partners.set_primary_contact(primary).await).primary_contact_id,
        "c2"
    );
    let remove = |contact: &str| pb::RemoveContactRequest {
        partner_id: id(),
        contact_id: contact.to_owned(),
        ..Default::default()
    };
    let refused = partners.remove_contact(remove("c2")).await;
    assert_refused(
        refused,
        Code::FailedPrecondition,
        "PRIMARY_CONTACT_REQUIRED",
    );
    assert_eq!(
        partner(partners.remove_contact(remove("c1")).await)
            .contacts
            .len(),
        1
    );
}

#[tokio::test]
async fn tags_are_added_and_removed_as_often_as_one_likes() {
    let server = start().await;
    let mut partners = nova(&server).await;
    let tag = |tags: &[&str]| pb::TagPartnerRequest {
        partner_id: id(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..Default::default()
    };
    let tagged = partner(partners.tag_partner(tag(&["gold", "emea"])).await);
    assert_eq!(tagged.tags, ["emea", "gold"]);
    let untag = pb::UntagPartnerRequest {
        partner_id: id(),
        tags: vec!["gold".to_owned(), "never".to_owned()],
        ..Default::default()
    };
    assert_eq!(partner(partners.untag_partner(untag).await).tags, ["emea"]);
    let refused = partners.tag_partner(tag(&["fine", " "])).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["tags[1]"]
    );
}

#[tokio::test]
async fn a_partner_is_held_let_on_and_ended_for_a_reason() {
    let server = start().await;
    let mut partners = nova(&server).await;
    let suspend = |reason: &str| pb::SuspendPartnerRequest {
        partner_id: id(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    let refused = partners.suspend_partner(suspend("")).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["reason"]
    );
    let held = partner(partners.suspend_partner(suspend("unpaid")).await);
    assert_eq!(held.status(), pb::PartnerStatus::Suspended);
    let activate = pb::ActivatePartnerRequest {
        partner_id: id(),
        ..Default::default()
    };
    let back = partner(partners.activate_partner(activate).await);
    assert_eq!(back.status(), pb::PartnerStatus::Active);
    let end = pb::DeactivatePartnerRequest {
        partner_id: id(),
        reason: "sold".to_owned(),
        ..Default::default()
    };
    let ended = partner(partners.deactivate_partner(end).await);
    assert_eq!(ended.status(), pb::PartnerStatus::Inactive);
    let refused = partners.suspend_partner(suspend("again")).await;
    assert_refused(refused, Code::FailedPrecondition, "PARTNER_INACTIVE");
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_adds_nothing() {
    let server = start().await;
    let mut partners = partners(&server);
    let request = pb::CreatePartnerRequest {
        request_id: "r-1".to_owned(),
        ..create("nova.example")
    };
    let first = partners
        .create_partner(request.clone())
        .await
        .unwrap()
        .into_inner();
    let events = server.events().await;
    let second = partners
        .create_partner(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((&first, events), (&second, server.events().await));
    let other = pb::CreatePartnerRequest {
        tags: Vec::new(),
        ..request
    };
    let refused = partners.create_partner(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let tag = pb::TagPartnerRequest {
        partner_id: id(),
        tags: vec!["gold".to_owned()],
        request_id: "r-1".to_owned(),
        ..Default::default()
    };
    let refused = partners.tag_partner(tag).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let malformed = pb::CreatePartnerRequest {
        request_id: "a b".to_owned(),
        ..create("b.example")
    };
    let refused = partners.create_partner(malformed).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["request_id"]
    );
}

#[tokio::test]
async fn what_is_not_there_or_of_another_org_is_not_found() {
    let server = start().await;
    let mut partners = nova(&server).await;
    let tag = pb::TagPartnerRequest {
        partner_id: "ghost".to_owned(),
        ..Default::default()
    };
    assert_refused(
        partners.tag_partner(tag).await,
        Code::NotFound,
        "PARTNER_NOT_FOUND",
    );
    let mut others = PartnerServiceClient::new(server.caller_of("other", Role::Admin));
    let get = pb::GetPartnerRequest { partner_id: id() };
    assert_refused(
        others.get_partner(get).await,
        Code::NotFound,
        "PARTNER_NOT_FOUND",
    );
    let refused = others.create_partner(create("nova.example")).await;
    assert_refused(refused, Code::FailedPrecondition, "ORG_NOT_FOUND");
}

#[tokio::test]
async fn a_call_needs_a_token_and_a_role() {
    let server = start().await;
    let mut stranger = PartnerServiceClient::new(server.stranger());
    let refused = stranger.create_partner(create("nova.example")).await;
    assert_refused(refused, Code::Unauthenticated, "UNAUTHENTICATED");
    let mut viewer = PartnerServiceClient::new(server.caller(Role::Viewer));
    let refused = viewer.create_partner(create("nova.example")).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    nova(&server).await;
    let mut system = PartnerServiceClient::new(server.caller(Role::Integration));
    let suspend = pb::SuspendPartnerRequest {
        partner_id: id(),
        ..Default::default()
    };
    let refused = system.suspend_partner(suspend).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
}
