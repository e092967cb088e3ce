//! Why an append did not happen, told apart by the constraint that stopped it.

use std::collections::HashMap;

use sqlx::{PgConnection, Row};
use tierline_domain::{Claim, StreamId};
use tierline_telemetry::metrics::AppendOutcome;

use super::item::{AppendItem, stored};

/// A receipt found in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// SHA-256 of the request that was carried out.
    pub request_hash: Vec<u8>,
    /// What was answered to it.
    pub response: Vec<u8>,
}

/// Why one item was not appended, or that nobody knows whether it was.
#[derive(Debug, thiserror::Error)]
pub enum AppendFailure {
    /// Somebody else wrote the next version of the stream.
    #[error("another writer was first")]
    LostRace,
    /// A request with this id was carried out before.
    #[error("the request was carried out before")]
    DuplicateRequest(StoredReceipt),
    /// Another stream holds this name.
    #[error("{} \"{}\" is taken", .0.scope, .0.key)]
    ClaimTaken(Claim),
    /// Nothing was sent, or the server said that nothing was done for a passing reason.
    #[error("the log cannot be written at the moment")]
    Unavailable(#[source] Option<crate::DbError>),
    /// The server refused the statement for good.
    #[error("the database refused the append")]
    Refused(#[source] sqlx::Error),
    /// It was sent and no answer came: it may have happened.
    #[error("it is not known whether the append happened")]
    Unknown,
}

/// What the store said, as it is counted.
pub(crate) fn counted(outcome: &Result<(), AppendFailure>) -> AppendOutcome {
    match outcome {
        Ok(()) => AppendOutcome::Stored,
        Err(AppendFailure::LostRace) => AppendOutcome::LostRace,
        Err(AppendFailure::DuplicateRequest(_)) => AppendOutcome::DuplicateRequest,
        Err(AppendFailure::ClaimTaken(_)) => AppendOutcome::ClaimTaken,
        Err(AppendFailure::Unavailable(_)) => AppendOutcome::Unavailable,
        Err(AppendFailure::Refused(_)) => AppendOutcome::Refused,
        Err(AppendFailure::Unknown) => AppendOutcome::Unknown,
    }
}

/// What an error of the append statement says about the whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Stream,
    Receipt,
    Claim,
    /// Deadlock or serialization failure: nothing happened, the same may succeed again.
    Passing,
    /// The server is out of something or shutting down, and nothing happened.
    Busy,
    /// Nothing happened and nothing would the next time.
    Refused,
    /// The connection failed, or the server went away while it worked.
    Unknown,
}

pub(crate) fn classify(error: &sqlx::Error) -> Broken {
    let sqlx::Error::Database(database) = error else {
        return match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Broken::Busy,
            sqlx::Error::Encode(_) => Broken::Refused,
            _ => Broken::Unknown,
        };
    };
    match (database.constraint(), database.code().as_deref()) {
        (Some("receipts_pkey"), Some("23505")) => Broken::Receipt,
        (Some("claims_pkey"), Some("23505")) => Broken::Claim,
        (Some(name), Some("23505")) if name.starts_with("events_") => Broken::Stream,
        (_, Some("40001" | "40P01" | "55P03")) => Broken::Passing,
        // Statement completion unknown; a server that goes away may have committed before.
        (_, Some("40003" | "57P01" | "57P02" | "57P05")) => Broken::Unknown,
        (_, Some("57014" | "57P03")) => Broken::Busy,
        (_, Some(code)) if code.starts_with("08") => Broken::Unknown,
        (_, Some(code)) if code.starts_with("53") => Broken::Busy,
        // The disk or the server itself failed, such as a flush of the write-ahead log: what was
        // written before may be there after the recovery.
        (_, Some(code)) if code.starts_with("58") || code.starts_with("XX") => Broken::Unknown,
        _ => Broken::Refused,
    }
}

/// Finds the items of a failed batch that the constraint stopped, each with its own failure.
pub(crate) async fn culprits(
    connection: &mut PgConnection,
    broken: Broken,
    items: &[&AppendItem],
) -> Result<Vec<(usize, AppendFailure)>, sqlx::Error> {
    match broken {
        Broken::Stream => overtaken(connection, items).await,
        Broken::Receipt => repeated(connection, items).await,
        Broken::Claim => unlucky(connection, items).await,
        _ => Ok(Vec::new()),
    }
}

async fn overtaken(
    connection: &mut PgConnection,
    items: &[&AppendItem],
) -> Result<Vec<(usize, AppendFailure)>, sqlx::Error> {
    let types: Vec<&str> = items.iter().map(|item| item.aggregate_type).collect();
    let ids: Vec<&str> = items.iter().map(|item| item.stream.as_str()).collect();
    let next: Vec<i64> = items
        .iter()
        .map(|item| stored(item.expected_version) + 1)
        .collect();
    let rows = sqlx::query(
        "SELECT q.ord FROM unnest($1::text[], $2::text[], $3::bigint[])
             WITH ORDINALITY AS q(t, id, seq, ord)
         WHERE EXISTS (SELECT 1 FROM events e WHERE e.aggregate_type = q.t
             AND e.aggregate_id = q.id AND e.sequence = q.seq)",
    )
    .bind(types)
    .bind(ids)
    .bind(next)
    .fetch_all(connection)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let index = ordinal(row.try_get(0)?);
        // An item without events cannot lose a race for its stream.
        if items.get(index).is_some_and(|item| !item.rows.is_empty()) {
            found.push((index, AppendFailure::LostRace));
        }
    }
    Ok(found)
}

async fn repeated(
    connection: &mut PgConnection,
    items: &[&AppendItem],
) -> Result<Vec<(usize, AppendFailure)>, sqlx::Error> {
    let asked: Vec<(i64, &str, &str)> = (0i64..)
        .zip(items)
        .flat_map(|(index, item)| {
            let receipts = item.receipts.iter();
            receipts.map(move |r| (index, item.org.as_str(), r.request_id.as_str()))
        })
        .collect();
    let rows = sqlx::query(
        "SELECT q.i, r.request_hash, r.response
         FROM unnest($1::text[], $2::text[], $3::bigint[]) AS q(org, id, i)
         JOIN receipts r ON r.org_id = q.org AND r.request_id = q.id",
    )
    .bind(asked.iter().map(|(_, org, _)| *org).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, _, id)| *id).collect::<Vec<_>>())
    .bind(asked.iter().map(|(index, _, _)| *index).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let receipt = StoredReceipt {
                request_hash: row.try_get(1)?,
                response: row.try_get(2)?,
            };
            let index = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
            Ok((index, AppendFailure::DuplicateRequest(receipt)))
        })
        .collect()
}

async fn unlucky(
    connection: &mut PgConnection,
    items: &[&AppendItem],
) -> Result<Vec<(usize, AppendFailure)>, sqlx::Error> {
    let wanted: Vec<(usize, &AppendItem, &Claim)> = items
        .iter()
        .enumerate()
        .flat_map(|(index, item)| item.taken.iter().map(move |claim| (index, *item, claim)))
        .collect();
    let rows = sqlx::query(
        "SELECT q.ord, c.owner_type, c.owner_id
         FROM unnest($1::text[], $2::text[], $3::text[])
             WITH ORDINALITY AS q(org, scope, key, ord)
         JOIN claims c ON c.org_id = q.org AND c.scope = q.scope AND c.key = q.key",
    )
    .bind(
        wanted
            .iter()
            .map(|(_, item, _)| item.org.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        wanted
            .iter()
            .map(|(_, _, claim)| claim.scope)
            .collect::<Vec<_>>(),
    )
    .bind(
        wanted
            .iter()
            .map(|(_, _, claim)| claim.key.as_str())
            .collect::<Vec<_>>(),
    )
    .fetch_all(connection)
    .await?;
    let mut found = Vec::<(usize, AppendFailure)>::new();
    for row in rows {
        let Some((index, item, claim)) = wanted.get(ordinal(row.try_get(0)?)) else {
            continue;
        };
        let own = row.try_get::<&str, _>(1)? == item.aggregate_type
            && row.try_get::<&str, _>(2)? == item.stream.as_str();
        // A name that the stream holds already: it was decided on an old state.
        let failure = if own {
            AppendFailure::LostRace
        } else {
            AppendFailure::ClaimTaken((*claim).clone())
        };
        if found.iter().all(|(known, _)| known != index) {
            found.push((*index, failure));
        }
    }
    Ok(found)
}

/// The receipts of those requests that were carried out, by request id.
pub(crate) async fn read_receipts(
    connection: &mut PgConnection,
    org: &str,
    request_ids: &[String],
) -> Result<HashMap<String, StoredReceipt>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT request_id, request_hash, response FROM receipts
         WHERE org_id = $1 AND request_id = ANY($2::text[])",
    )
    .bind(org)
    .bind(request_ids)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let receipt = StoredReceipt {
                request_hash: row.try_get(1)?,
                response: row.try_get(2)?,
            };
            Ok((row.try_get(0)?, receipt))
        })
        .collect()
}

/// The streams that hold the names, in their order.
pub(crate) async fn read_holders(
    connection: &mut PgConnection,
    org: &str,
    claims: &[Claim],
) -> Result<Vec<Option<StreamId>>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT q.ord, c.owner_id FROM unnest($2::text[], $3::text[])
             WITH ORDINALITY AS q(scope, key, ord)
         JOIN claims c ON c.org_id = $1 AND c.scope = q.scope AND c.key = q.key",
    )
    .bind(org)
    .bind(claims.iter().map(|claim| claim.scope).collect::<Vec<_>>())
    .bind(
        claims
            .iter()
            .map(|claim| claim.key.as_str())
            .collect::<Vec<_>>(),
    )
    .fetch_all(connection)
    .await?;
    let mut holders = vec![None; claims.len()];
    for row in rows {
        if let Some(holder) = holders.get_mut(ordinal(row.try_get(0)?)) {
            *holder = Some(StreamId::from(row.try_get::<String, _>(1)?));
        }
    }
    Ok(holders)
}

/// The index that belongs to an ordinality, which counts from 1.
fn ordinal(number: i64) -> usize {
    usize::try_from(number - 1).unwrap_or(usize::MAX)
}
