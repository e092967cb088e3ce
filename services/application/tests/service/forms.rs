use tierline_proto::application::v1 as pb;
use tierline_proto::application::v1::define_form_request::Source;
use tierline_proto::application::v1::form_service_client::FormServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::assert_refused;
use tonic::Code;

use super::{RESELLERS, define, forms, publish, start, with_form};

fn get(version: u32) -> pb::GetFormRequest {
    pb::GetFormRequest {
        form_id: "resellers".to_owned(),
        version,
    }
}

#[tokio::test]
async fn a_form_is_defined_published_and_read_in_every_version() {
    let server = start().await;
    let mut service = forms(&server);
    let answer = service
        .define_form(define(RESELLERS))
        .await
        .unwrap()
        .into_inner();
    let form = answer.form.unwrap();
    assert_eq!(
        (form.form_id.as_str(), form.newest_version),
        ("resellers", 0)
    );
    assert!(form.draft.is_some() && form.content.is_none());
    assert!(!answer.consistency_token.is_empty());

    let answer = service.publish_form(publish()).await.unwrap().into_inner();
    let form = answer.form.unwrap();
    assert_eq!((form.newest_version, form.version), (1, 1));
    assert!(form.draft.is_none());
    let mut content = form.content.unwrap();
    assert_eq!(content.submit_label, "Submit");
    assert_eq!(content.sections[0].fields[1].id, "staff");

    "Join us".clone_into(&mut content.title);
    let request = pb::DefineFormRequest {
        source: Some(Source::Content(content)),
        etag: form.etag,
        ..Default::default()
    };
    service.define_form(request).await.unwrap();
    service.publish_form(publish()).await.unwrap();
    for (asked, version, title) in [(0, 2, "Join us"), (1, 1, "Become a reseller")] {
        let form = service.get_form(get(asked)).await.unwrap().into_inner();
        assert_eq!((form.newest_version, form.version), (2, version));
        assert_eq!(form.content.unwrap().title, title);
        assert!(form.yaml.contains(title), "{}", form.yaml);
    }
    let missing = service.get_form(get(3)).await;
    assert_refused(missing, Code::NotFound, "FORM_VERSION_NOT_FOUND");
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_named_at_once() {
    let server = start().await;
    let mut service = forms(&server);
    let refused = service.define_form(pb::DefineFormRequest::default()).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["content"]);
    let refused = service.define_form(define("form: [")).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["yaml"]);
    let nameless = pb::FormContent {
        sections: vec![pb::FormSection {
            fields: vec![pb::FormField::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let request = pb::DefineFormRequest {
        source: Some(Source::Content(nameless)),
        ..Default::default()
    };
    let refused = service.define_form(request).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        fields,
        ["content.form", "content.sections[0].fields[0].type"]
    );

    let unfinished = "{form: resellers, title: '', sections: [{id: a, title: A}]}";
    service.define_form(define(unfinished)).await.unwrap();
    let refused = service.publish_form(publish()).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(
        fields,
        ["draft.title", "draft.sections", "draft.sections[0]"]
    );
}

#[tokio::test]
async fn a_repeated_request_and_an_old_etag_change_nothing() {
    let server = start().await;
    let mut service = forms(&server);
    let request = pb::DefineFormRequest {
        request_id: "r-1".to_owned(),
        ..define(RESELLERS)
    };
    let first = service.define_form(request.clone()).await.unwrap();
    let again = service.define_form(request).await.unwrap();
    assert_eq!(first.into_inner(), again.into_inner());
    let publication = pb::PublishFormRequest {
        request_id: "r-2".to_owned(),
        ..publish()
    };
    let first = service.publish_form(publication.clone()).await.unwrap();
    let again = service.publish_form(publication).await.unwrap();
    assert_eq!(first.into_inner(), again.into_inner());
    let stale = pb::DefineFormRequest {
        etag: "\"v1\"".to_owned(),
        ..define("{form: resellers, title: Other}")
    };
    let refused = service.define_form(stale).await;
    assert_refused(refused, Code::Aborted, "CONCURRENT_CHANGE");
    let dry = pb::DefineFormRequest {
        validate_only: true,
        ..define("{form: resellers, title: Other}")
    };
    let events = server.events().await;
    let answer = service.define_form(dry).await.unwrap().into_inner();
    assert_eq!(answer.form.unwrap().draft.unwrap().title, "Other");
    assert_eq!(server.events().await, events);
}

#[tokio::test]
async fn there_is_no_form_of_another_org_and_nothing_to_publish_twice() {
    let server = with_form().await;
    let mut service = forms(&server);
    let refused = service.publish_form(publish()).await;
    assert_refused(refused, Code::FailedPrecondition, "FORM_HAS_NO_DRAFT");
    let other = pb::PublishFormRequest {
        form_id: "others".to_owned(),
        ..Default::default()
    };
    let refused = service.publish_form(other).await;
    assert_refused(refused, Code::NotFound, "FORM_NOT_FOUND");
    let mut foreign = FormServiceClient::new(server.caller_of("globex", Role::Admin));
    let refused = foreign.get_form(get(0)).await;
    assert_refused(refused, Code::NotFound, "FORM_NOT_FOUND");
}

#[tokio::test]
async fn only_admins_change_forms_and_readers_see_them() {
    let server = with_form().await;
    let mut stranger = FormServiceClient::new(server.stranger());
    let refused = stranger.get_form(get(0)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    for role in [
        Role::PartnerManager,
        Role::Integration,
        Role::Viewer,
        Role::Auditor,
    ] {
        let mut service = FormServiceClient::new(server.caller(role));
        service.get_form(get(0)).await.unwrap();
        let refused = service.define_form(define(RESELLERS)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role:?}");
        let refused = service.publish_form(publish()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role:?}");
    }
}
