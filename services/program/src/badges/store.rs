//! The table of images.

use std::collections::HashSet;

use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use tierline_domain::OrgId;
use tierline_domain::program::BadgeName;
use tierline_proto::program::v1 as pb;

use super::image::Image;

/// Keeps an image that is not there yet. False: the org has too many.
pub(super) async fn keep(
    pool: &PgPool,
    org: &OrgId,
    image: &Image<'_>,
    most: i64,
) -> Result<bool, sqlx::Error> {
    let side = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
    let kept: bool = sqlx::query_scalar(
        "WITH known AS (
             SELECT count(*) AS images, coalesce(bool_or(badge = $2), false) AS has_it
             FROM badges.images WHERE org_id = $1),
         added AS (
             INSERT INTO badges.images (org_id, badge, media_type, width, height, image)
             SELECT $1, $2, $3, $4, $5, $6 FROM known WHERE images < $7 AND NOT has_it
             ON CONFLICT DO NOTHING)
         SELECT has_it OR images < $7 FROM known",
    )
    .bind(org.as_str())
    .bind(image.name.as_str())
    .bind(image.media_type)
    .bind(side(image.width))
    .bind(side(image.height))
    .bind(image.bytes)
    .bind(most)
    .fetch_one(pool)
    .await?;
    Ok(kept)
}

/// An image with its bytes.
pub(super) async fn find(
    pool: &PgPool,
    org: &OrgId,
    name: &BadgeName,
) -> Result<Option<pb::GetBadgeResponse>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT badge, media_type, octet_length(image), width, height, image
         FROM badges.images WHERE org_id = $1 AND badge = $2",
    )
    .bind(org.as_str())
    .bind(name.as_str())
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(pb::GetBadgeResponse {
            badge: Some(message(&row)?),
            image: row.try_get(5)?,
        })
    })
    .transpose()
}

/// All images without their bytes, the newest first.
pub(super) async fn list(
    pool: &PgPool,
    org: &OrgId,
    most: i64,
) -> Result<Vec<pb::Badge>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT badge, media_type, octet_length(image), width, height
         FROM badges.images WHERE org_id = $1 ORDER BY uploaded_at DESC, badge LIMIT $2",
    )
    .bind(org.as_str())
    .bind(most)
    .fetch_all(pool)
    .await?;
    rows.iter().map(message).collect()
}

/// Those of the names that are there.
pub(super) async fn known(
    pool: &PgPool,
    org: &OrgId,
    names: &[&str],
) -> Result<HashSet<String>, sqlx::Error> {
    let known: Vec<String> = sqlx::query_scalar(
        "SELECT badge FROM badges.images WHERE org_id = $1 AND badge = ANY ($2)",
    )
    .bind(org.as_str())
    .bind(names)
    .fetch_all(pool)
    .await?;
    Ok(known.into_iter().collect())
}

fn message(row: &PgRow) -> Result<pb::Badge, sqlx::Error> {
    let number = |at: usize| -> Result<u32, sqlx::Error> {
        let number: i32 = row.try_get(at)?;
        Ok(u32::try_from(number).unwrap_or_default())
    };
    Ok(pb::Badge {
        badge: row.try_get(0)?,
        media_type: row.try_get(1)?,
        size_bytes: number(2)?,
        width: number(3)?,
        height: number(4)?,
    })
}
