use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::benefit_service_client::BenefitServiceClient;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{
    apply_program_request, save_draft_request, validate_program_request,
};
use tierline_rpc::Role;
use tierline_rpc::status::violations;
use tierline_rpc_testkit::{Connection, TestServer, assert_refused};
use tonic::Code;

use super::start;

fn benefits(server: &TestServer) -> BenefitServiceClient<Connection> {
    BenefitServiceClient::new(server.caller(Role::Admin))
}

fn mdf() -> pb::LibraryBenefit {
    pb::LibraryBenefit {
        benefit_id: "mdf".to_owned(),
        name: "Funds".to_owned(),
        r#type: pb::BenefitType::Amount.into(),
        ..Default::default()
    }
}

fn create() -> pb::CreateBenefitRequest {
    pb::CreateBenefitRequest {
        benefit: Some(mdf()),
        ..Default::default()
    }
}

fn update(benefit: pb::LibraryBenefit, paths: &[&str]) -> pb::UpdateBenefitRequest {
    pb::UpdateBenefitRequest {
        benefit: Some(benefit),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        ..Default::default()
    }
}

fn get(id: &str) -> pb::GetBenefitRequest {
    pb::GetBenefitRequest {
        benefit_id: id.to_owned(),
    }
}

fn archive() -> pb::ArchiveBenefitRequest {
    pb::ArchiveBenefitRequest {
        benefit_id: "mdf".to_owned(),
        ..Default::default()
    }
}

fn restore() -> pb::RestoreBenefitRequest {
    pb::RestoreBenefitRequest {
        benefit_id: "mdf".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_benefit_is_created_found_and_changed_by_its_fields() {
    let server = start().await;
    let mut client = benefits(&server);
    let created = client.create_benefit(create()).await.unwrap().into_inner();
    assert!(!created.consistency_token.is_empty());
    let benefit = created.benefit.unwrap();
    assert_eq!(
        benefit,
        pb::LibraryBenefit {
            etag: "\"v1\"".to_owned(),
            ..mdf()
        }
    );
    let found = client.get_benefit(get("mdf")).await.unwrap().into_inner();
    assert_eq!(found, benefit);
    let twice = client.create_benefit(create()).await;
    assert_refused(twice, Code::AlreadyExists, "BENEFIT_EXISTS");

    let changed = pb::LibraryBenefit {
        benefit_id: "mdf".to_owned(),
        description: "In a year".to_owned(),
        ..Default::default()
    };
    let unmasked = pb::UpdateBenefitRequest {
        etag: benefit.etag,
        ..update(changed, &[])
    };
    let answer = client.update_benefit(unmasked.clone()).await.unwrap();
    let benefit = answer.into_inner().benefit.unwrap();
    assert_eq!(
        (benefit.name.as_str(), benefit.description.as_str()),
        ("Funds", "In a year")
    );
    let outdated = client.update_benefit(unmasked).await;
    assert_refused(outdated, Code::Aborted, "CONCURRENT_CHANGE");
}

#[tokio::test]
async fn every_mistake_of_a_request_is_named() {
    let server = start().await;
    let mut client = benefits(&server);
    let wrong = pb::CreateBenefitRequest {
        benefit: Some(pb::LibraryBenefit {
            benefit_id: "No Label".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = client.create_benefit(wrong).await.unwrap_err();
    let mut fields: Vec<_> = violations(&refused).into_iter().map(|(f, _)| f).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["benefit.benefit_id", "benefit.name", "benefit.type"]
    );
    client.create_benefit(create()).await.unwrap();
    for path in ["type", "archived"] {
        let refused = client.update_benefit(update(mdf(), &[path])).await;
        assert_eq!(violations(&refused.unwrap_err())[0].0, "update_mask");
    }
    let unknown = client.get_benefit(get("spiff")).await;
    assert_refused(unknown, Code::NotFound, "BENEFIT_NOT_FOUND");
}

#[tokio::test]
async fn two_benefits_have_two_names_also_while_one_is_archived() {
    let server = start().await;
    let mut client = benefits(&server);
    client.create_benefit(create()).await.unwrap();
    client.archive_benefit(archive()).await.unwrap();
    let twin = pb::LibraryBenefit {
        benefit_id: "funds".to_owned(),
        name: "FUNDS".to_owned(),
        ..mdf()
    };
    let request = |validate_only| pb::CreateBenefitRequest {
        benefit: Some(twin.clone()),
        validate_only,
        ..Default::default()
    };
    for validate_only in [true, false] {
        let refused = client.create_benefit(request(validate_only)).await;
        assert_refused(refused, Code::AlreadyExists, "BENEFIT_NAME_TAKEN");
    }
    client.restore_benefit(restore()).await.unwrap();
    let renamed = pb::LibraryBenefit {
        name: "Marketing funds".to_owned(),
        ..mdf()
    };
    client
        .update_benefit(update(renamed, &["name"]))
        .await
        .unwrap();
    client.create_benefit(request(false)).await.unwrap();
}

#[tokio::test]
async fn an_archived_benefit_is_restored_before_it_changes() {
    let server = start().await;
    let mut client = benefits(&server);
    client.create_benefit(create()).await.unwrap();
    let answer = client.archive_benefit(archive()).await.unwrap();
    assert!(answer.into_inner().benefit.unwrap().archived);
    let named = pb::LibraryBenefit {
        name: "Marketing funds".to_owned(),
        ..mdf()
    };
    let refused = client
        .update_benefit(update(named.clone(), &["name"]))
        .await;
    assert_refused(refused, Code::FailedPrecondition, "BENEFIT_ARCHIVED");
    let answer = client.restore_benefit(restore()).await.unwrap();
    assert!(!answer.into_inner().benefit.unwrap().archived);
    client
        .update_benefit(update(named, &["name"]))
        .await
        .unwrap();
    let missing = pb::ArchiveBenefitRequest {
        benefit_id: "spiff".to_owned(),
        ..archive()
    };
    let refused = client.archive_benefit(missing).await;
    assert_refused(refused, Code::NotFound, "BENEFIT_NOT_FOUND");
}

#[tokio::test]
async fn a_repeated_request_is_answered_alike_and_a_dry_run_stores_nothing() {
    let server = start().await;
    let mut client = benefits(&server);
    let dry = pb::CreateBenefitRequest {
        validate_only: true,
        ..create()
    };
    client.create_benefit(dry).await.unwrap();
    let unknown = client.get_benefit(get("mdf")).await;
    assert_refused(unknown, Code::NotFound, "BENEFIT_NOT_FOUND");
    let named = pb::CreateBenefitRequest {
        request_id: "r-1".to_owned(),
        ..create()
    };
    let first = client.create_benefit(named.clone()).await.unwrap();
    let again = client.create_benefit(named).await.unwrap();
    assert_eq!(first.into_inner(), again.into_inner());
}

#[tokio::test]
async fn seeding_creates_what_is_missing_and_leaves_out_a_name_that_is_taken() {
    let server = start().await;
    let mut client = benefits(&server);
    let own = pb::LibraryBenefit {
        benefit_id: "protection".to_owned(),
        name: "Deal Protection".to_owned(),
        ..mdf()
    };
    for benefit in [mdf(), own] {
        let request = pb::CreateBenefitRequest {
            benefit: Some(benefit),
            ..Default::default()
        };
        client.create_benefit(request).await.unwrap();
    }
    for validate_only in [true, false] {
        let request = pb::SeedBenefitsRequest {
            request_id: "r-1".to_owned(),
            validate_only,
        };
        let answer = client.seed_benefits(request).await.unwrap().into_inner();
        assert_eq!(answer.created_benefit_ids.len(), 5);
        assert_eq!(answer.unchanged_benefit_ids, ["deal-protection", "mdf"]);
    }
    let answer = client.seed_benefits(pb::SeedBenefitsRequest::default());
    let answer = answer.await.unwrap().into_inner();
    assert_eq!(answer.created_benefit_ids.len(), 0);
    assert_eq!(answer.unchanged_benefit_ids.len(), 7);
}

#[tokio::test]
async fn the_library_is_for_admins_to_change_and_for_readers_to_see() {
    let server = start().await;
    benefits(&server).create_benefit(create()).await.unwrap();
    let mut viewer = BenefitServiceClient::new(server.caller(Role::Viewer));
    viewer.get_benefit(get("mdf")).await.unwrap();
    let refused = viewer.create_benefit(create()).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
}

fn program(benefit: &str, value: &str) -> String {
    format!(
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
            needs: {{gte: 10}}
        benefits:
          - {{id: {benefit}, value: {value}, earned_by: deals}}
      - {{id: member, name: Member}}
"
    )
}

fn apply(yaml: String) -> pb::ApplyProgramRequest {
    pb::ApplyProgramRequest {
        content: Some(apply_program_request::Content::Yaml(yaml)),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_version_gives_what_the_library_has_with_values_of_its_types() {
    let server = start().await;
    benefits(&server).create_benefit(create()).await.unwrap();
    let mut client = ProgramServiceClient::new(server.caller(Role::Admin));
    let at = |field: &str| format!("definition.tracks[0].tiers[0].benefits[0].{field}");
    for (benefit, value, field) in [("spiff", "yes", "id"), ("mdf", "15 %", "value")] {
        let yaml = program(benefit, value);
        let refused = client.apply_program(apply(yaml.clone())).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(violations(&refused)[0].0, at(field));
        let validate = pb::ValidateProgramRequest {
            content: Some(validate_program_request::Content::Yaml(yaml)),
        };
        let answer = client.validate_program(validate).await.unwrap();
        assert_eq!(answer.into_inner().violations[0].field, at(field));
    }
    let applied = client.apply_program(apply(program("mdf", "5000 EUR")));
    let applied = applied.await.unwrap().into_inner();
    assert_eq!(applied.version, 1);

    benefits(&server).archive_benefit(archive()).await.unwrap();
    let same = client.apply_program(apply(program("mdf", "5000 EUR")));
    assert!(!same.await.unwrap().into_inner().published);
    let refused = client.apply_program(apply(program("mdf", "6000 EUR")));
    assert_eq!(violations(&refused.await.unwrap_err())[0].0, at("id"));
}

#[tokio::test]
async fn a_draft_takes_any_benefit_and_is_held_against_the_library_when_it_is_published() {
    let server = start().await;
    let mut client = ProgramServiceClient::new(server.caller(Role::Admin));
    let named = pb::CreateProgramRequest {
        program_id: "resale".to_owned(),
        name: "Resale".to_owned(),
        ..Default::default()
    };
    client.create_program(named).await.unwrap();
    let save = pb::SaveDraftRequest {
        content: Some(save_draft_request::Content::Yaml(program(
            "mdf", "5000 EUR",
        ))),
        ..Default::default()
    };
    client.save_draft(save).await.unwrap();
    let publish = pb::PublishDraftRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    let refused = client.publish_draft(publish.clone()).await.unwrap_err();
    assert_eq!(
        violations(&refused)[0].0,
        "definition.tracks[0].tiers[0].benefits[0].id"
    );
    benefits(&server).create_benefit(create()).await.unwrap();
    let answer = client.publish_draft(publish).await.unwrap().into_inner();
    let definition = answer.program.unwrap().versions.len();
    assert_eq!(definition, 1);
    let version = pb::GetProgramVersionRequest {
        program_id: "resale".to_owned(),
        selector: None,
    };
    let version = client.get_program_version(version).await.unwrap();
    let tiers = &version.into_inner().definition.unwrap().tracks[0].tiers;
    let given = &tiers[0].benefits[0];
    assert_eq!(
        (given.id.as_str(), given.value.as_str(), given.earned_by()),
        ("mdf", "5000 EUR", "deals")
    );
}
