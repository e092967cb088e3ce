//! Copies, archives, the history of versions, and what only admins see.

use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::diff_program_versions_request::To;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{apply_program_request, copy_program_request::Source};
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TestServer, assert_refused};
use tonic::Code;

use super::start;

fn programs(server: &TestServer) -> ProgramServiceClient<Connection> {
    ProgramServiceClient::new(server.caller(Role::Admin))
}

fn apply(minimum: u32, effective_date: &str) -> pb::ApplyProgramRequest {
    let yaml = format!(
        "
slug: resale
name: Resale
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
            note: between us {minimum}
      - {{id: member, name: Member}}
"
    );
    pb::ApplyProgramRequest {
        content: Some(apply_program_request::Content::Yaml(yaml)),
        effective_date: effective_date.to_owned(),
        note: "as agreed".to_owned(),
        ..Default::default()
    }
}

fn diff(from_version: u32, to: Option<To>) -> pb::DiffProgramVersionsRequest {
    pb::DiffProgramVersionsRequest {
        program_id: "resale".to_owned(),
        from_version,
        to,
    }
}

fn copy(source: Option<Source>) -> pb::CopyProgramRequest {
    pb::CopyProgramRequest {
        source_program_id: "resale".to_owned(),
        source,
        name: "Referral & more".to_owned(),
        ..Default::default()
    }
}

/// A program with two versions, of which the second asks for more.
async fn two_versions(server: &TestServer) {
    let mut programs = programs(server);
    programs
        .apply_program(apply(10, "2020-01-01"))
        .await
        .unwrap();
    programs.apply_program(apply(12, "")).await.unwrap();
}

#[tokio::test]
async fn a_version_tells_who_published_it_when_and_how_much_it_changed() {
    let server = start().await;
    two_versions(&server).await;
    let list = pb::ListProgramVersionsRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    let listed = programs(&server).list_program_versions(list).await;
    let versions = listed.unwrap().into_inner().versions;
    assert!(
        versions
            .iter()
            .all(|version| version.author.starts_with("user:"))
    );
    assert!(
        versions
            .iter()
            .all(|version| version.publish_time.is_some())
    );
    let counts: Vec<_> = versions
        .iter()
        .map(|version| version.change_count)
        .collect();
    assert_eq!(counts, [Some(2), None]);
}

#[tokio::test]
async fn versions_and_the_draft_are_compared() {
    let server = start().await;
    two_versions(&server).await;
    let mut programs = programs(&server);
    let changed = programs.diff_program_versions(diff(1, None)).await.unwrap();
    let changes = changed.into_inner().changes;
    let place = "tracks[main].tiers[gold].qualification.criterion.needs.gte";
    let change = changes.iter().find(|change| change.place == place).unwrap();
    assert!(change.before.as_ref().unwrap().contains("10"), "{change:?}");
    assert!(change.after.as_ref().unwrap().contains("12"), "{change:?}");
    let same = programs
        .diff_program_versions(diff(2, Some(To::ToVersion(2))))
        .await;
    assert_eq!(same.unwrap().into_inner().changes, []);
    let draft = || diff(2, Some(To::Draft(true)));
    let refused = programs.diff_program_versions(draft()).await;
    assert_refused(refused, Code::FailedPrecondition, "PROGRAM_HAS_NO_DRAFT");
    let rename = pb::UpdateProgramRequest {
        program_id: "resale".to_owned(),
        program: Some(pb::ProgramDefinition {
            name: "Resale 2".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    programs.update_program(rename).await.unwrap();
    let changed = programs.diff_program_versions(draft()).await.unwrap();
    assert_eq!(changed.into_inner().changes[0].place, "name");
    let refused = programs.diff_program_versions(diff(9, None)).await;
    assert_refused(refused, Code::NotFound, "PROGRAM_VERSION_NOT_FOUND");
    let refused = programs.diff_program_versions(diff(0, None)).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["from_version"]);
}

#[tokio::test]
async fn a_copy_is_a_draft_under_another_name() {
    let server = start().await;
    two_versions(&server).await;
    let mut programs = programs(&server);
    let once = pb::CopyProgramRequest {
        request_id: "r-1".to_owned(),
        ..copy(Some(Source::Version(1)))
    };
    let copied = programs
        .copy_program(once.clone())
        .await
        .unwrap()
        .into_inner();
    let again = programs.copy_program(once).await.unwrap().into_inner();
    assert_eq!(copied, again);
    let program = copied.program.unwrap();
    assert_eq!(
        (program.program_id.as_str(), program.newest_version),
        ("referral-more", 0)
    );
    let draft = program.draft.unwrap();
    assert_eq!(
        (draft.slug.as_str(), draft.name.as_str()),
        ("referral-more", "Referral & more")
    );
    assert_eq!(draft.tracks[0].tiers.len(), 2);
    let refused = programs.copy_program(copy(None)).await;
    assert_refused(refused, Code::AlreadyExists, "PROGRAM_EXISTS");
    let refused = programs.copy_program(copy(Some(Source::Draft(true)))).await;
    assert_refused(refused, Code::FailedPrecondition, "PROGRAM_HAS_NO_DRAFT");
    let refused = programs.copy_program(copy(Some(Source::Version(7)))).await;
    assert_refused(refused, Code::NotFound, "PROGRAM_VERSION_NOT_FOUND");
    let ghost = pb::CopyProgramRequest {
        source_program_id: "ghost".to_owned(),
        ..copy(None)
    };
    let refused = programs.copy_program(ghost).await;
    assert_refused(refused, Code::NotFound, "PROGRAM_NOT_FOUND");
}

#[tokio::test]
async fn an_archived_program_is_restored() {
    let server = start().await;
    two_versions(&server).await;
    let mut programs = programs(&server);
    let archive = pb::ArchiveProgramRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    programs.archive_program(archive).await.unwrap();
    let refused = programs.apply_program(apply(14, "")).await;
    assert_refused(refused, Code::FailedPrecondition, "PROGRAM_ARCHIVED");
    let restore = pb::RestoreProgramRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    let restored = programs
        .restore_program(restore)
        .await
        .unwrap()
        .into_inner();
    assert!(!restored.program.unwrap().archived);
    programs.apply_program(apply(14, "")).await.unwrap();
}

#[tokio::test]
async fn a_structure_of_three_years_is_worth_a_second_look() {
    let server = start().await;
    let mut programs = programs(&server);
    programs
        .apply_program(apply(10, "2020-01-01"))
        .await
        .unwrap();
    let get = pb::GetProgramRequest {
        program_id: "resale".to_owned(),
    };
    let found = programs
        .get_program(get.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.unchanged_since_date, "2020-01-01");
    programs.apply_program(apply(12, "")).await.unwrap();
    let found = programs.get_program(get).await.unwrap().into_inner();
    assert_eq!(found.unchanged_since_date, "");
}

#[tokio::test]
async fn notes_of_criteria_are_for_admins_only() {
    let server = start().await;
    two_versions(&server).await;
    let save = pb::UpdateProgramRequest {
        program_id: "resale".to_owned(),
        program: Some(pb::ProgramDefinition {
            description: "More".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    programs(&server).update_program(save).await.unwrap();
    for (role, sees) in [
        (Role::Admin, true),
        (Role::PartnerManager, false),
        (Role::Auditor, false),
        (Role::Viewer, false),
        (Role::Integration, false),
    ] {
        let mut programs = ProgramServiceClient::new(server.caller(role));
        let get = pb::GetProgramRequest {
            program_id: "resale".to_owned(),
        };
        let program = programs.get_program(get).await.unwrap().into_inner();
        let get = pb::GetProgramVersionRequest {
            program_id: "resale".to_owned(),
            selector: None,
        };
        let version = programs
            .get_program_version(get)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(version.yaml.contains("between us"), sees, "{role:?}");
        let changed = programs.diff_program_versions(diff(1, None)).await.unwrap();
        for text in [
            format!("{program:?}"),
            format!("{version:?}"),
            format!("{changed:?}"),
        ] {
            assert_eq!(text.contains("between us"), sees, "{role:?}: {text}");
        }
    }
}
