use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::badge_service_client::BadgeServiceClient;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{
    apply_program_request, save_draft_request, validate_program_request,
};
use tierline_rpc::Role;
use tierline_rpc::status::violations;
use tierline_rpc_testkit::{Connection, TestServer, assert_refused};
use tonic::{Code, Status};

use super::start;

fn badges(server: &TestServer) -> BadgeServiceClient<Connection> {
    BadgeServiceClient::new(server.caller(Role::Admin))
}

/// The beginning of a PNG of this size, with `rest` behind it.
fn png(width: u32, height: u32, rest: &[u8]) -> Vec<u8> {
    let mut image = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    image.extend(width.to_be_bytes());
    image.extend(height.to_be_bytes());
    image.extend([8, 6, 0, 0, 0]);
    image.extend(rest);
    image
}

fn upload(image: Vec<u8>) -> pb::UploadBadgeRequest {
    pb::UploadBadgeRequest {
        image,
        ..Default::default()
    }
}

fn wrong(refused: &Status) -> (String, String) {
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    violations(refused).remove(0)
}

#[tokio::test]
async fn an_image_is_kept_once_under_the_hash_of_its_bytes_in_its_own_org() {
    let server = start().await;
    let mut client = badges(&server);
    let image = png(64, 48, b"gold");
    let check = pb::UploadBadgeRequest {
        validate_only: true,
        ..upload(image.clone())
    };
    let checked = client.upload_badge(check).await.unwrap().into_inner();
    let listed = client.list_badges(pb::ListBadgesRequest {});
    assert_eq!(listed.await.unwrap().into_inner().badges, []);
    let badge = client.upload_badge(upload(image.clone())).await;
    let badge = badge.unwrap().into_inner();
    assert_eq!(badge, checked);
    assert_eq!(
        (badge.media_type.as_str(), badge.width, badge.height),
        ("image/png", 64, 48)
    );
    let again = client.upload_badge(upload(image.clone())).await.unwrap();
    assert_eq!(again.into_inner(), badge);
    let listed = client.list_badges(pb::ListBadgesRequest {});
    assert_eq!(
        listed.await.unwrap().into_inner().badges,
        std::slice::from_ref(&badge)
    );

    let get = pb::GetBadgeRequest {
        badge: badge.badge.clone(),
    };
    let found = client.get_badge(get.clone()).await.unwrap().into_inner();
    assert_eq!((found.badge, found.image), (Some(badge), image));
    let mut viewer = BadgeServiceClient::new(server.caller(Role::Viewer));
    viewer.get_badge(get.clone()).await.unwrap();
    let refused = viewer.upload_badge(upload(png(64, 64, b""))).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_REQUIRED");
    let mut other = BadgeServiceClient::new(server.caller_of("other", Role::Admin));
    let refused = other.get_badge(get).await;
    assert_refused(refused, Code::NotFound, "BADGE_NOT_FOUND");
}

#[tokio::test]
async fn what_is_no_small_picture_is_refused_with_what_is_allowed() {
    let server = start().await;
    let mut client = badges(&server);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"64\" height=\"64\"/>".to_vec();
    let large = png(64, 64, &vec![0; 262_144]);
    for (image, part) in [
        (Vec::new(), "1 to 262144 bytes, and has 0"),
        (large, "and has 262173"),
        (svg, "PNG, JPEG or WebP"),
        (b"GIF89a\x40\0\x40\0".to_vec(), "PNG, JPEG or WebP"),
        (
            png(15, 64, b""),
            "16 to 2048 pixels wide and high, and is 15 by 64",
        ),
        (png(64, 4_000_000, b""), "and is 64 by 4000000"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0".to_vec(), "ends before"),
    ] {
        let refused = client.upload_badge(upload(image)).await.unwrap_err();
        let (field, text) = wrong(&refused);
        assert_eq!(field, "image");
        assert!(text.contains(part), "{text}");
    }
    let get = |badge: &str| pb::GetBadgeRequest {
        badge: badge.to_owned(),
    };
    let refused = client.get_badge(get("gold.png")).await.unwrap_err();
    assert_eq!(wrong(&refused).0, "badge");
}

fn program(badge: &str) -> String {
    format!(
        "
slug: resale
name: Resale
currency: EUR
tracks:
  - id: main
    name: Main
    tiers:
      - id: member
        name: Member
        badge: {badge}
"
    )
}

#[tokio::test]
async fn a_version_names_only_images_that_were_uploaded() {
    let server = start().await;
    let mut programs = ProgramServiceClient::new(server.caller(Role::Admin));
    let image = png(64, 64, b"member");
    let check = pb::UploadBadgeRequest {
        validate_only: true,
        ..upload(image.clone())
    };
    let badge = badges(&server).upload_badge(check).await.unwrap();
    let badge = badge.into_inner().badge;
    let yaml = program(&badge);
    let path = "definition.tracks[0].tiers[0].badge";
    let apply = pb::ApplyProgramRequest {
        content: Some(apply_program_request::Content::Yaml(yaml.clone())),
        ..Default::default()
    };
    let refused = programs.apply_program(apply.clone()).await.unwrap_err();
    let unknown = "no such image was uploaded; upload it first";
    assert_eq!(wrong(&refused), (path.to_owned(), unknown.to_owned()));
    let validate = pb::ValidateProgramRequest {
        content: Some(validate_program_request::Content::Yaml(yaml.clone())),
    };
    let answer = programs.validate_program(validate).await.unwrap();
    assert_eq!(answer.into_inner().violations[0].field, path);

    // A draft may name it before; what is published may not.
    let create = pb::CreateProgramRequest {
        name: "Draft".to_owned(),
        ..Default::default()
    };
    programs.create_program(create).await.unwrap();
    let save = pb::SaveDraftRequest {
        content: Some(save_draft_request::Content::Yaml(
            yaml.replace("resale", "draft"),
        )),
        ..Default::default()
    };
    programs.save_draft(save).await.unwrap();
    let publish = pb::PublishDraftRequest {
        program_id: "draft".to_owned(),
        ..Default::default()
    };
    let refused = programs.publish_draft(publish.clone()).await.unwrap_err();
    assert_eq!(wrong(&refused).0, path);

    badges(&server).upload_badge(upload(image)).await.unwrap();
    programs.publish_draft(publish).await.unwrap();
    programs.apply_program(apply).await.unwrap();
    let get = pb::GetProgramVersionRequest {
        program_id: "resale".to_owned(),
        ..Default::default()
    };
    let shown = programs.get_program_version(get).await.unwrap();
    let definition = shown.into_inner().definition.unwrap();
    assert_eq!(definition.tracks[0].tiers[0].badge, badge);
    let wrong_name = pb::ApplyProgramRequest {
        content: Some(apply_program_request::Content::Yaml(program("gold.png"))),
        ..Default::default()
    };
    let refused = programs.apply_program(wrong_name).await.unwrap_err();
    assert!(refused.message().contains("sha256:"), "{refused:?}");
}
