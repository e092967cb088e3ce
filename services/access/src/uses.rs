//! When keys were last used: noted in memory by the gate, written down now and then.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgPool;
use tierline_domain::OrgId;
use tierline_rpc::auth::{ApiKeys, Uses};
use tokio_util::sync::CancellationToken;

/// Pause between two writes; what a killed process had noted since the last one is lost.
const PAUSE: Duration = Duration::from_secs(10);

/// Writes down what the gate has noted, until it is told to stop, and then once more.
pub async fn note_uses(api_keys: ApiKeys, pool: PgPool, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
        let uses = api_keys.take_uses();
        if let Err(error) = write(&pool, &uses).await {
            tracing::warn!(%error, "uses of API keys were not written down: {error}");
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

async fn write(pool: &PgPool, uses: &Uses) -> Result<(), sqlx::Error> {
    if uses.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<_> = uses.iter().collect();
    // In one order everywhere, so that two processes never wait for each other.
    rows.sort();
    let orgs: Vec<&str> = rows.iter().map(|((org, _), _)| org.as_str()).collect();
    let keys: Vec<&str> = rows.iter().map(|((_, key), _)| key.as_str()).collect();
    let micros: Vec<i64> = rows.iter().map(|(_, at)| at.as_microsecond()).collect();
    sqlx::query("SELECT access.note_key_uses($1::text[], $2::text[], $3::bigint[])")
        .bind(orgs)
        .bind(keys)
        .bind(micros)
        .execute(pool)
        .await?;
    Ok(())
}

/// When the keys of an org were last used.
pub(crate) async fn last_uses(
    pool: &PgPool,
    org: &OrgId,
) -> Result<HashMap<String, Timestamp>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT key_id, (extract(epoch FROM used_at) * 1000000)::bigint
         FROM access.key_uses WHERE org_id = $1",
    )
    .bind(org.as_str())
    .fetch_all(pool)
    .await?;
    let read = |(key, micros)| Some((key, Timestamp::from_microsecond(micros).ok()?));
    Ok(rows.into_iter().filter_map(read).collect())
}
