//! Drafts that are edited part by part.

use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_rpc::Role;
use tierline_rpc_testkit::{Connection, TestServer, assert_refused};
use tonic::Code;

use super::start;

fn programs(server: &TestServer) -> ProgramServiceClient<Connection> {
    ProgramServiceClient::new(server.caller(Role::Admin))
}

/// A program with five tiers in its draft.
async fn seeded(server: &TestServer) -> pb::Program {
    let mut programs = programs(server);
    let create = pb::CreateProgramRequest {
        name: "Resale".to_owned(),
        ..Default::default()
    };
    programs.create_program(create).await.unwrap();
    let seed = pb::SeedTracksRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    let seeded = programs.seed_tracks(seed).await.unwrap().into_inner();
    seeded.program.unwrap()
}

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    })
}

fn tiers(program: &pb::Program) -> Vec<&str> {
    let tiers = &program.draft.as_ref().unwrap().tracks[0].tiers;
    tiers.iter().map(|tier| tier.id.as_str()).collect()
}

fn add_tier(name: &str, position: u32) -> pb::AddTierRequest {
    pb::AddTierRequest {
        program_id: "resale".to_owned(),
        track_id: "partners".to_owned(),
        tier: Some(pb::Tier {
            name: name.to_owned(),
            ..Default::default()
        }),
        position: Some(position),
        ..Default::default()
    }
}

fn reorder_tiers(ids: &[&str]) -> pb::ReorderTiersRequest {
    pb::ReorderTiersRequest {
        program_id: "resale".to_owned(),
        track_id: "partners".to_owned(),
        tier_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Default::default()
    }
}

fn remove_tier(id: &str) -> pb::RemoveTierRequest {
    pb::RemoveTierRequest {
        program_id: "resale".to_owned(),
        track_id: "partners".to_owned(),
        tier_id: id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn tiers_are_seeded_added_changed_reordered_and_removed() {
    let server = start().await;
    let program = seeded(&server).await;
    let all = ["platinum", "gold", "silver", "bronze", "registered"];
    assert_eq!(tiers(&program), all);
    let draft = program.draft.unwrap();
    assert_eq!(draft.tracks[0].tiers[1].color(), pb::Color::Amber);
    assert_eq!(draft.currency_code, "EUR");
    let mut programs = programs(&server);
    let added = programs.add_tier(add_tier("Elite Plus", 0)).await.unwrap();
    let added = added.into_inner().program.unwrap();
    assert_eq!(tiers(&added)[0], "elite-plus");
    let update = pb::UpdateTierRequest {
        program_id: "resale".to_owned(),
        track_id: "partners".to_owned(),
        tier_id: "elite-plus".to_owned(),
        tier: Some(pb::Tier {
            name: "ignored".to_owned(),
            color: pb::Color::Red.into(),
            benefits: vec![pb::Benefit {
                name: "Rebate".to_owned(),
                value: "15 %".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        update_mask: mask(&["color", "benefits"]),
        ..Default::default()
    };
    let updated = programs.update_tier(update).await.unwrap().into_inner();
    let tier = updated.program.unwrap().draft.unwrap().tracks[0].tiers[0].clone();
    assert_eq!(
        (tier.name.as_str(), tier.color()),
        ("Elite Plus", pb::Color::Red)
    );
    assert_eq!(tier.benefits[0].name, "Rebate");
    let removed = programs.remove_tier(remove_tier("silver")).await.unwrap();
    let removed = removed.into_inner().program.unwrap();
    assert_eq!(tiers(&removed).len(), 5);
    let order = ["platinum", "elite-plus", "gold", "bronze", "registered"];
    let ordered = programs.reorder_tiers(reorder_tiers(&order)).await.unwrap();
    assert_eq!(tiers(&ordered.into_inner().program.unwrap()), order);
}

#[tokio::test]
async fn what_a_draft_does_not_have_is_refused_with_what_it_has() {
    let server = start().await;
    seeded(&server).await;
    let mut programs = programs(&server);
    let refused = programs.remove_tier(remove_tier("lead")).await;
    let message = refused.as_ref().unwrap_err().message().to_owned();
    assert!(message.contains("\"registered\""), "{message}");
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["tier_id"]);
    let refused = programs.reorder_tiers(reorder_tiers(&["gold"])).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["tier_ids"]);
    let refused = programs.add_tier(add_tier("Gold", 9)).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["tier.id", "position"]);
    let nameless = programs.add_tier(add_tier("", 0)).await;
    let fields = assert_refused(nameless, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["tier.id"]);
    let update = pb::UpdateTrackRequest {
        program_id: "resale".to_owned(),
        track_id: "partners".to_owned(),
        track: Some(pb::Track::default()),
        update_mask: mask(&["tiers"]),
        ..Default::default()
    };
    let refused = programs.update_track(update).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["update_mask"]);
    let ghost = pb::SeedTracksRequest {
        program_id: "ghost".to_owned(),
        ..Default::default()
    };
    let refused = programs.seed_tracks(ghost).await;
    assert_refused(refused, Code::NotFound, "PROGRAM_NOT_FOUND");
}

#[tokio::test]
async fn fields_of_program_and_tracks_are_changed_by_mask() {
    let server = start().await;
    seeded(&server).await;
    let mut programs = programs(&server);
    let update = |currency: &str, paths| pb::UpdateProgramRequest {
        program_id: "resale".to_owned(),
        program: Some(pb::ProgramDefinition {
            description: "For resellers".to_owned(),
            currency_code: currency.to_owned(),
            program_year_start: Some(4),
            ..Default::default()
        }),
        update_mask: paths,
        ..Default::default()
    };
    let changed = programs.update_program(update("", None)).await.unwrap();
    let draft = changed.into_inner().program.unwrap().draft.unwrap();
    assert_eq!(
        (
            draft.name.as_str(),
            draft.description.as_str(),
            draft.currency_code.as_str()
        ),
        ("Resale", "For resellers", "EUR")
    );
    assert_eq!((draft.program_year_start, draft.tracks.len()), (Some(4), 1));
    let dates = |end: &str, paths: &[&str]| pb::UpdateProgramRequest {
        program_id: "resale".to_owned(),
        program: Some(pb::ProgramDefinition {
            start_date: "2026-01-01".to_owned(),
            end_date: end.to_owned(),
            ..Default::default()
        }),
        update_mask: mask(paths),
        ..Default::default()
    };
    for (end, paths) in [
        ("2026-12-31", &["start_date", "end_date"][..]),
        ("", &["end_date"][..]),
    ] {
        let changed = programs.update_program(dates(end, paths)).await.unwrap();
        let draft = changed.into_inner().program.unwrap().draft.unwrap();
        assert_eq!((&*draft.start_date, &*draft.end_date), ("2026-01-01", end));
    }
    let refused = programs.update_program(dates("soon", &["end_date"])).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["program.end_date"]);
    let wrong = update("euro", mask(&["currency_code", "name"]));
    let refused = programs.update_program(wrong).await;
    let fields = assert_refused(refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["program.currency_code"]);

    let track = |name: &str| pb::Track {
        name: name.to_owned(),
        demotion: Some(pb::DemotionPolicy {
            mode: pb::DemotionMode::Never.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let add = pb::AddTrackRequest {
        program_id: "resale".to_owned(),
        track: Some(track("Services")),
        position: Some(0),
        ..Default::default()
    };
    programs.add_track(add).await.unwrap();
    let update = pb::UpdateTrackRequest {
        program_id: "resale".to_owned(),
        track_id: "services".to_owned(),
        track: Some(track("Service partners")),
        update_mask: mask(&["name"]),
        ..Default::default()
    };
    programs.update_track(update).await.unwrap();
    let order = pb::ReorderTracksRequest {
        program_id: "resale".to_owned(),
        track_ids: vec!["partners".to_owned(), "services".to_owned()],
        ..Default::default()
    };
    let ordered = programs.reorder_tracks(order).await.unwrap().into_inner();
    let tracks = ordered.program.unwrap().draft.unwrap().tracks;
    assert_eq!(tracks[1].name, "Service partners");
    let demotion = tracks[1].demotion.unwrap();
    assert_eq!(demotion.mode(), pb::DemotionMode::Never);
    let remove = pb::RemoveTrackRequest {
        program_id: "resale".to_owned(),
        track_id: "services".to_owned(),
        ..Default::default()
    };
    let left = programs.remove_track(remove).await.unwrap().into_inner();
    assert_eq!(left.program.unwrap().draft.unwrap().tracks.len(), 1);
}

#[tokio::test]
async fn an_edit_is_tried_repeated_and_refused_as_any_command() {
    let server = start().await;
    let program = seeded(&server).await;
    let before = server.events().await;
    let mut programs = programs(&server);
    let dry = pb::AddTierRequest {
        validate_only: true,
        ..add_tier("Elite", 0)
    };
    let tried = programs.add_tier(dry).await.unwrap().into_inner();
    assert_eq!(tiers(&tried.program.unwrap())[0], "elite");
    assert_eq!(server.events().await, before);
    let once = pb::AddTierRequest {
        request_id: "r-1".to_owned(),
        etag: program.etag.clone(),
        ..add_tier("Elite", 0)
    };
    let first = programs.add_tier(once.clone()).await.unwrap().into_inner();
    let again = programs.add_tier(once).await.unwrap().into_inner();
    assert_eq!(first, again);
    let stale = pb::RemoveTierRequest {
        etag: program.etag,
        ..remove_tier("gold")
    };
    let refused = programs.remove_tier(stale).await;
    assert_refused(refused, Code::Aborted, "CONCURRENT_CHANGE");
    let discard = pb::DiscardDraftRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    let without = programs.discard_draft(discard).await.unwrap().into_inner();
    assert_eq!(without.program.unwrap().draft, None);
    let mut manager = ProgramServiceClient::new(server.caller(Role::PartnerManager));
    let refused = manager.remove_tier(remove_tier("gold")).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
}
