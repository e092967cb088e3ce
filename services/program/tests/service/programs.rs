use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::get_program_version_request::Selector;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{
    apply_program_request, save_draft_request, validate_program_request,
};
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TODAY, TestServer, assert_refused};
use tonic::Code;

use super::start;

fn programs(server: &TestServer) -> ProgramServiceClient<Connection> {
    ProgramServiceClient::new(server.caller(Role::Admin))
}

fn yaml(name: &str, minimum: u32) -> String {
    format!(
        "
slug: resale
name: {name}
currency: EUR
tracks:
  - id: main
    name: Main
    tiers:
      - id: gold
        name: Gold
        qualification:
          criterion:
            id: deals
            name: Deals
            measure: {{count: {{facts: {{kind: deal, date: closed, window: all_time}}}}}}
            needs: {{gte: {minimum}}}
      - {{id: member, name: Member}}
"
    )
}

fn apply(name: &str) -> pb::ApplyProgramRequest {
    pb::ApplyProgramRequest {
        content: Some(apply_program_request::Content::Yaml(yaml(name, 10))),
        effective_date: "2020-01-01".to_owned(),
        note: "as agreed".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_definition_is_published_once_and_again_when_it_changes() {
    let server = start().await;
    let mut programs = programs(&server);
    let answer = programs
        .apply_program(apply("Resale"))
        .await
        .unwrap()
        .into_inner();
    assert!(answer.published && !answer.consistency_token.is_empty());
    let program = answer.program.unwrap();
    assert_eq!((answer.version, program.version_in_force), (1, 1));
    assert_eq!(program.versions[0].note, "as agreed");
    let same = programs
        .apply_program(apply("Resale"))
        .await
        .unwrap()
        .into_inner();
    assert!(!same.published);
    let today = |name: &str| pb::ApplyProgramRequest {
        effective_date: String::new(),
        ..apply(name)
    };
    let next = programs
        .apply_program(today("Resale 2"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((next.published, next.version), (true, 2));
    let past = programs.apply_program(apply("Resale 3")).await;
    assert_refused(
        past,
        Code::FailedPrecondition,
        "EFFECTIVE_DATE_BEFORE_PREVIOUS",
    );
    let get = pb::GetProgramRequest {
        program_id: "resale".to_owned(),
    };
    let program = programs.get_program(get).await.unwrap().into_inner();
    assert_eq!(
        (program.name.as_str(), program.newest_version),
        ("Resale 2", 2)
    );
    assert_eq!(program.versions[0].effective_date, TODAY);
}

#[tokio::test]
async fn versions_are_found_by_number_by_date_and_page_by_page() {
    let server = start().await;
    let mut programs = programs(&server);
    programs.apply_program(apply("One")).await.unwrap();
    for (name, date) in [("Two", "2026-04-01"), ("Three", "2026-05-01")] {
        let request = pb::ApplyProgramRequest {
            effective_date: date.to_owned(),
            ..apply(name)
        };
        programs.apply_program(request).await.unwrap();
    }
    let get = |selector| pb::GetProgramVersionRequest {
        program_id: "resale".to_owned(),
        selector,
    };
    for (selector, number) in [
        (None, 1),
        (Some(Selector::Version(2)), 2),
        (Some(Selector::AsOfDate("2026-04-30".to_owned())), 2),
        (Some(Selector::AsOfDate("2026-05-01".to_owned())), 3),
    ] {
        let found = programs
            .get_program_version(get(selector))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found.summary.unwrap().version, number);
        assert!(found.yaml.contains("slug: resale"), "{}", found.yaml);
        assert_eq!(found.definition.unwrap().slug, "resale");
    }
    for selector in [
        Selector::Version(9),
        Selector::AsOfDate("2019-12-31".to_owned()),
    ] {
        let missing = programs.get_program_version(get(Some(selector))).await;
        assert_refused(missing, Code::NotFound, "PROGRAM_VERSION_NOT_FOUND");
    }
    let list = |token: &str| pb::ListProgramVersionsRequest {
        program_id: "resale".to_owned(),
        page_size: 2,
        page_token: token.to_owned(),
    };
    let first = programs
        .list_program_versions(list(""))
        .await
        .unwrap()
        .into_inner();
    let numbers = |page: &pb::ListProgramVersionsResponse| {
        page.versions
            .iter()
            .map(|version| version.version)
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(&first), [3, 2]);
    let second = list(&first.next_page_token);
    let second = programs
        .list_program_versions(second)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (numbers(&second), second.next_page_token.as_str()),
        (vec![1], "")
    );
    let refused = programs.list_program_versions(list("nonsense")).await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["page_token"]
    );
}

#[tokio::test]
async fn a_draft_is_kept_and_published() {
    let server = start().await;
    let mut programs = programs(&server);
    let create = pb::CreateProgramRequest {
        name: "Resale!".to_owned(),
        ..Default::default()
    };
    let made = programs
        .create_program(create.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(made.program.unwrap().program_id, "resale");
    assert_refused(
        programs.create_program(create).await,
        Code::AlreadyExists,
        "PROGRAM_EXISTS",
    );
    let publish = pb::PublishDraftRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    let nothing = programs.publish_draft(publish.clone()).await;
    assert_refused(nothing, Code::FailedPrecondition, "PROGRAM_HAS_NO_DRAFT");
    let save = pb::SaveDraftRequest {
        content: Some(save_draft_request::Content::Yaml(yaml("Resale", 0))),
        ..Default::default()
    };
    let saved = programs
        .save_draft(save)
        .await
        .unwrap()
        .into_inner()
        .program
        .unwrap();
    assert_eq!(
        (saved.draft.unwrap().name.as_str(), saved.newest_version),
        ("Resale", 0)
    );
    let stale = pb::PublishDraftRequest {
        etag: "\"v1\"".to_owned(),
        ..publish.clone()
    };
    assert_refused(
        programs.publish_draft(stale).await,
        Code::Aborted,
        "CONCURRENT_CHANGE",
    );
    let published = programs.publish_draft(publish).await.unwrap().into_inner();
    assert_eq!((published.published, published.version), (true, 1));
    assert_eq!(published.program.unwrap().draft, None);
    let archive = pb::ArchiveProgramRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    let archived = programs
        .archive_program(archive)
        .await
        .unwrap()
        .into_inner()
        .program
        .unwrap();
    assert!(archived.archived);
    let refused = programs.apply_program(apply("Resale 2")).await;
    assert_refused(refused, Code::FailedPrecondition, "PROGRAM_ARCHIVED");
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_named_by_its_path() {
    let server = start().await;
    let mut programs = programs(&server);
    let refused = programs
        .apply_program(pb::ApplyProgramRequest::default())
        .await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["definition"]
    );
    let broken = apply_program_request::Content::Yaml("slug: [".to_owned());
    let refused = programs
        .apply_program(pb::ApplyProgramRequest {
            content: Some(broken),
            ..Default::default()
        })
        .await;
    assert_eq!(
        assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST"),
        ["yaml"]
    );
    let definition = pb::ProgramDefinition {
        slug: "resale".to_owned(),
        currency_code: "EUR".to_owned(),
        tracks: vec![pb::Track {
            id: "main".to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let message = apply_program_request::Content::Definition(definition.clone());
    let refused = programs
        .apply_program(pb::ApplyProgramRequest {
            content: Some(message),
            effective_date: "x".to_owned(),
            ..Default::default()
        })
        .await;
    let mut fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    fields.sort();
    let expected = [
        "definition.name",
        "definition.tracks[0].name",
        "definition.tracks[0].tiers",
        "effective_date",
    ];
    assert_eq!(fields, expected);

    let validate = |content| pb::ValidateProgramRequest {
        content: Some(content),
    };
    let checked = validate(validate_program_request::Content::Definition(definition));
    let checked = programs
        .validate_program(checked)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(checked.violations.len(), 3);
    assert!(checked.definition.is_some());
    let fine = validate(validate_program_request::Content::Yaml(yaml("Resale", 10)));
    let fine = programs.validate_program(fine).await.unwrap().into_inner();
    assert!(fine.violations.is_empty() && fine.findings.is_empty());
    assert_eq!(server.events().await, 1);
}

#[tokio::test]
async fn what_is_probably_not_meant_is_remarked() {
    let server = start().await;
    let endless =
        yaml("Resale", 10).replace("name: Main", "name: Main\n    demotion: {mode: never}");
    let request = pb::ApplyProgramRequest {
        content: Some(apply_program_request::Content::Yaml(endless)),
        ..Default::default()
    };
    let answer = programs(&server)
        .apply_program(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.findings[0].code, "TIERS_NEVER_LOST");
    assert_eq!(answer.findings[0].field, "tracks[0].demotion.mode");
    assert_eq!(answer.findings[0].severity(), pb::Severity::Warning);
    assert!(!answer.findings[0].why.is_empty() && !answer.findings[0].remedy.is_empty());
    assert_eq!(answer.findings[0].suppressed_reason, None);
}

#[tokio::test]
async fn a_repeated_publication_gets_the_first_answer_and_a_dry_run_stores_nothing() {
    let server = start().await;
    let mut programs = programs(&server);
    let dry = pb::ApplyProgramRequest {
        validate_only: true,
        ..apply("Resale")
    };
    assert!(
        programs
            .apply_program(dry)
            .await
            .unwrap()
            .into_inner()
            .published
    );
    assert_eq!(server.events().await, 1);
    let request = pb::ApplyProgramRequest {
        request_id: "r-1".to_owned(),
        ..apply("Resale")
    };
    let first = programs
        .apply_program(request.clone())
        .await
        .unwrap()
        .into_inner();
    let second = programs
        .apply_program(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(second.published);
    assert_eq!(first, second);
    let other = pb::ApplyProgramRequest {
        note: "other".to_owned(),
        ..request
    };
    let refused = programs.apply_program(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn only_an_admin_publishes_and_other_orgs_see_nothing() {
    let server = start().await;
    let mut stranger = ProgramServiceClient::new(server.stranger());
    let refused = stranger.apply_program(apply("Resale")).await;
    assert_refused(refused, Code::Unauthenticated, "UNAUTHENTICATED");
    let mut manager = ProgramServiceClient::new(server.caller(Role::PartnerManager));
    let refused = manager.apply_program(apply("Resale")).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    programs(&server)
        .apply_program(apply("Resale"))
        .await
        .unwrap();
    let mut others = ProgramServiceClient::new(server.caller_of("other", Role::Admin));
    let get = pb::GetProgramRequest {
        program_id: "resale".to_owned(),
    };
    let refused = others.get_program(get.clone()).await;
    assert_refused(refused, Code::FailedPrecondition, "ORG_NOT_FOUND");
    let ghost = pb::GetProgramRequest {
        program_id: "ghost".to_owned(),
    };
    assert_refused(
        manager.get_program(ghost).await,
        Code::NotFound,
        "PROGRAM_NOT_FOUND",
    );
    manager.get_program(get).await.unwrap();
}
