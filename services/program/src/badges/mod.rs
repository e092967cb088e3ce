//! The service of badge images.

mod image;
mod store;

use sqlx::PgPool;
use tierline_domain::program::{BadgeName, ProgramDefinition};
use tierline_domain::rejection::Violations;
use tierline_domain::{Kind, OrgId, Rejection};
use tierline_proto::program::v1 as pb;
use tierline_proto::program::v1::badge_service_server::{BadgeService as Rpc, BadgeServiceServer};
use tierline_rpc::{Caller, from_rejection, limits, status};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};

use image::Image;

/// Most images of an org.
pub const MAX_BADGES: i64 = 1_000;

/// Keeps the images of badges.
#[derive(Clone)]
pub struct BadgeService {
    pool: PgPool,
}

/// The server of badge images, on the pool of the commands.
pub fn badge_server(pool: PgPool) -> BadgeServiceServer<BadgeService> {
    BadgeServiceServer::new(BadgeService { pool })
        .max_decoding_message_size(limits::MAX_REQUEST_BYTES)
        .accept_compressed(Gzip)
}

fn failed(error: &sqlx::Error) -> Status {
    match error {
        sqlx::Error::PoolTimedOut => status::overloaded(),
        sqlx::Error::Io(_) => {
            status::unavailable("DATABASE_UNAVAILABLE", "the database does not answer")
        }
        other => status::internal(other),
    }
}

#[tonic::async_trait]
impl Rpc for BadgeService {
    async fn upload_badge(
        &self,
        request: Request<pb::UploadBadgeRequest>,
    ) -> Result<Response<pb::Badge>, Status> {
        let org = Caller::of(&request)?.org.clone();
        let request = request.into_inner();
        let image = Image::of(&request.image).map_err(|refused| from_rejection(&refused))?;
        if !request.validate_only {
            let kept = store::keep(&self.pool, &org, &image, MAX_BADGES).await;
            if !kept.map_err(|error| failed(&error))? {
                let text = format!("an org keeps at most {MAX_BADGES} images of badges");
                let refused = Rejection::precondition("TOO_MANY_BADGES", text);
                return Err(from_rejection(&refused));
            }
        }
        Ok(Response::new(image.message()))
    }

    async fn get_badge(
        &self,
        request: Request<pb::GetBadgeRequest>,
    ) -> Result<Response<pb::GetBadgeResponse>, Status> {
        let org = Caller::of(&request)?.org.clone();
        let name = BadgeName::parse(request.into_inner().badge);
        let name = name.map_err(|refused| from_rejection(&refused))?;
        let found = store::find(&self.pool, &org, &name).await;
        let found = found.map_err(|error| failed(&error))?;
        let found = found.ok_or_else(|| from_rejection(&Rejection::not_found("badge", &name)))?;
        Ok(Response::new(found))
    }

    async fn list_badges(
        &self,
        request: Request<pb::ListBadgesRequest>,
    ) -> Result<Response<pb::ListBadgesResponse>, Status> {
        let org = Caller::of(&request)?.org.clone();
        let badges = store::list(&self.pool, &org, MAX_BADGES).await;
        let badges = badges.map_err(|error| failed(&error))?;
        Ok(Response::new(pb::ListBadgesResponse { badges }))
    }
}

/// Which badges of a definition nobody has uploaded, as violations below `definition`. An image
/// once uploaded stays, so that what is found here is found when the version is published.
pub(crate) async fn missing(
    pool: &PgPool,
    org: &OrgId,
    definition: &ProgramDefinition,
) -> Result<Violations, Status> {
    let mut named: Vec<(String, &BadgeName)> = Vec::new();
    for (at, track) in definition.tracks.iter().enumerate() {
        for (rank, tier) in track.tiers.iter().enumerate() {
            let path = format!("tracks[{at}].tiers[{rank}].badge");
            named.extend(tier.badge.as_ref().map(|badge| (path, badge)));
        }
    }
    let mut violations = Violations::default();
    if named.is_empty() {
        return Ok(violations);
    }
    let names: Vec<&str> = named.iter().map(|(_, badge)| badge.as_str()).collect();
    let known = store::known(pool, org, &names).await;
    let known = known.map_err(|error| failed(&error))?;
    for (path, badge) in named {
        if !known.contains(badge.as_str()) {
            violations.add(path, "no such image was uploaded; upload it first");
        }
    }
    Ok(violations)
}

/// Refuses a definition with badges that nobody has uploaded.
pub(crate) async fn must_exist(
    pool: &PgPool,
    org: &OrgId,
    definition: &ProgramDefinition,
) -> Result<(), Status> {
    let mut below = Violations::default();
    below.take("definition", missing(pool, org, definition).await?.check());
    let checked = below.check();
    checked.map_err(|refused| {
        debug_assert_eq!(refused.kind, Kind::Invalid);
        from_rejection(&refused)
    })
}
