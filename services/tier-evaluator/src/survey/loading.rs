//! What a survey reads: the org, its partners, its enrollments.

use std::collections::{BTreeMap, HashMap};

use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use tierline_domain::PartnerId;
use tierline_domain::partner::Partner;
use tierline_domain::standing::{Standing, Terms};
use tierline_domain::surroundings::Surroundings;

use crate::org::OrgView;
use crate::store::partner_id;

/// Takes the right to survey an org until the transaction ends. False: somebody else has it.
pub(super) async fn lock(connection: &mut PgConnection, org: &str) -> Result<bool, sqlx::Error> {
    sqlx::query("INSERT INTO eval.surveys (org_id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(org)
        .execute(&mut *connection)
        .await?;
    let sql = "SELECT 1 FROM eval.surveys WHERE org_id = $1 FOR UPDATE SKIP LOCKED";
    let row = sqlx::query(sql).bind(org).fetch_optional(connection);
    Ok(row.await?.is_some())
}

/// The org as the partition knows it that is furthest.
pub(super) async fn org(
    connection: &mut PgConnection,
    org: &str,
) -> Result<Option<OrgView>, sqlx::Error> {
    let rows: Vec<Json<OrgView>> =
        sqlx::query_scalar("SELECT state FROM eval.orgs WHERE org_id = $1")
            .bind(org)
            .fetch_all(connection)
            .await?;
    let views = rows.into_iter().map(|Json(view)| view);
    Ok(views.max_by_key(|view| {
        let versions: usize = view.versions.values().map(Vec::len).sum();
        (view.clock, versions, view.rates_seen)
    }))
}

/// The partners of an org, without their contacts.
pub(super) async fn partners(
    connection: &mut PgConnection,
    org: &str,
) -> Result<BTreeMap<PartnerId, Partner>, sqlx::Error> {
    let sql = "SELECT partner_id, state FROM eval.partners WHERE org_id = $1";
    let rows = sqlx::query(sql).bind(org).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let Json(partner) = row.try_get(1)?;
            Ok((partner_id(row.try_get(0)?)?, partner))
        })
        .collect()
}

/// An enrollment as the evaluator has it.
pub(super) struct Enrolled {
    pub(super) terms: Terms,
    pub(super) standing: Standing,
    pub(super) known: Surroundings,
}

/// The enrollments of an org that have not ended.
pub(super) async fn enrollments(
    connection: &mut PgConnection,
    org: &str,
) -> Result<Vec<Enrolled>, sqlx::Error> {
    let sql = "SELECT terms, standing, surroundings FROM eval.enrollments
               WHERE org_id = $1 ORDER BY partner_id, enrollment_id";
    let rows = sqlx::query(sql).bind(org).fetch_all(connection).await?;
    let all = rows.iter().map(|row| {
        let Json(terms) = row.try_get(0)?;
        let Json(standing) = row.try_get(1)?;
        let known: Option<Json<Surroundings>> = row.try_get(2)?;
        Ok(Enrolled {
            terms,
            standing,
            known: known.map(|Json(known)| known).unwrap_or_default(),
        })
    });
    let open = |enrolled: &Result<Enrolled, _>| {
        enrolled
            .as_ref()
            .map_or(true, |enrolled| enrolled.standing.closed.is_none())
    };
    all.filter(open).collect()
}

/// How much was observed around each of these streams, as the log has it.
pub(super) async fn observations(
    connection: &mut PgConnection,
    streams: &[String],
) -> Result<HashMap<String, u64>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT k.id, e.sequence FROM unnest($1::text[]) AS k(id)
         CROSS JOIN LATERAL (
             SELECT sequence FROM events x
             WHERE x.aggregate_type = 'Surroundings' AND x.aggregate_id = k.id
             ORDER BY sequence DESC LIMIT 1) e",
    )
    .bind(streams)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let sequence: i64 = row.try_get(1)?;
            Ok((row.try_get(0)?, u64::try_from(sequence).unwrap_or_default()))
        })
        .collect()
}
