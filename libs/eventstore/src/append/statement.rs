//! The one statement of the append, in the variants that leave out what is not needed.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Connection, Encode, PgConnection, Postgres, Type};
use uuid::Uuid;

use super::copy;
use super::item::AppendItem;

/// JSON text that goes to the server unchanged, as type `json`.
struct JsonText<'a>(&'a str);

impl Type<Postgres> for JsonText<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(114))
    }
}

impl PgHasArrayType for JsonText<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(199))
    }
}

impl Encode<'_, Postgres> for JsonText<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

const EVENTS: usize = 1;
const RECEIPTS: usize = 2;
const TAKEN: usize = 4;
const RELEASED: usize = 8;

/// One statement text per combination of parts.
static STATEMENTS: LazyLock<[String; 16]> = LazyLock::new(|| std::array::from_fn(statement));

fn statement(parts: usize) -> String {
    let mut sql = String::from("WITH ");
    let mut first = 1;
    if parts & EVENTS != 0 {
        sql.push_str(
            "e AS (INSERT INTO events (aggregate_type, aggregate_id, sequence, org_id, event_id, \
               event_type, event_version, payload, metadata, routing_key) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::uuid[], \
               $6::text[], $7::text[], $8::json[], $9::json[], $10::text[])), \
             o AS (INSERT INTO outbox (aggregate_type, aggregate_id, sequence, org_id, event_id, \
               routing_hash, partition, leaf_hash) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::uuid[], \
               $11::bigint[], $12::smallint[], $13::bytea[])), ",
        );
        first += 13;
    }
    let fragments = [
        (
            RECEIPTS,
            "r AS (INSERT INTO receipts (org_id, request_id, request_hash, response) \
             SELECT * FROM unnest(",
            &["text[]", "text[]", "bytea[]", "bytea[]"][..],
            ")), ",
        ),
        (
            TAKEN,
            "c AS (INSERT INTO claims (org_id, scope, key, owner_type, owner_id) \
             SELECT * FROM unnest(",
            &["text[]", "text[]", "text[]", "text[]", "text[]"],
            ")), ",
        ),
        (
            RELEASED,
            "d AS (DELETE FROM claims c USING unnest(",
            &["text[]", "text[]", "text[]", "text[]", "text[]"],
            ") AS f(org_id, scope, key, owner_type, owner_id) WHERE c.org_id = f.org_id \
             AND c.scope = f.scope AND c.key = f.key AND c.owner_type = f.owner_type \
             AND c.owner_id = f.owner_id), ",
        ),
    ];
    for (part, head, types, tail) in fragments {
        if parts & part == 0 {
            continue;
        }
        sql.push_str(head);
        for (index, kind) in types.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(sql, "{comma}${}::{kind}", first + index);
        }
        first += types.len();
        sql.push_str(tail);
    }
    let end = sql.trim_end_matches(", ").len();
    sql.truncate(end);
    sql.push_str(" SELECT 1");
    sql
}

#[derive(Default)]
struct EventColumns<'a> {
    aggregate_type: Vec<&'a str>,
    aggregate_id: Vec<&'a str>,
    sequence: Vec<i64>,
    org: Vec<&'a str>,
    event_id: Vec<Uuid>,
    event_type: Vec<&'a str>,
    event_version: Vec<&'a str>,
    payload: Vec<JsonText<'a>>,
    metadata: Vec<JsonText<'a>>,
    routing_key: Vec<&'a str>,
    routing_hash: Vec<i64>,
    partition: Vec<i16>,
    leaf_hash: Vec<&'a [u8]>,
}

impl<'a> EventColumns<'a> {
    fn push(&mut self, item: &'a AppendItem) {
        for row in &item.rows {
            self.aggregate_type.push(item.aggregate_type);
            self.aggregate_id.push(item.stream.as_str());
            self.sequence.push(row.sequence);
            self.org.push(item.org.as_str());
            self.event_id.push(row.event_id);
            self.event_type.push(&row.event.event_type);
            self.event_version.push(&row.event.event_version);
            self.payload.push(JsonText(&row.event.payload));
            self.metadata.push(JsonText(&row.event.metadata));
            self.routing_key.push(&item.routing_key);
            self.routing_hash.push(item.routing_hash);
            self.partition.push(item.partition);
            self.leaf_hash.push(&row.leaf_hash);
        }
    }
}

#[derive(Default)]
struct ClaimColumns<'a> {
    org: Vec<&'a str>,
    scope: Vec<&'a str>,
    key: Vec<&'a str>,
    owner_type: Vec<&'a str>,
    owner_id: Vec<&'a str>,
}

impl<'a> ClaimColumns<'a> {
    fn push(&mut self, item: &'a AppendItem, claim: &'a tierline_domain::Claim) {
        self.org.push(item.org.as_str());
        self.scope.push(claim.scope);
        self.key.push(&claim.key);
        self.owner_type.push(item.aggregate_type);
        self.owner_id.push(item.stream.as_str());
    }
}

/// Writes all items: all of them or none. One statement, or one transaction where the rows are so
/// many that copying them is worth it.
pub(super) async fn write(
    connection: &mut PgConnection,
    items: &[&AppendItem],
) -> Result<(), sqlx::Error> {
    if items.iter().map(|item| item.rows.len()).sum::<usize>() < copy::MIN_ROWS {
        return insert(connection, items, true).await;
    }
    let mut transaction = connection.begin().await?;
    let written = write_in(&mut transaction, items).await;
    match written {
        Ok(()) => transaction.commit().await,
        Err(error) => {
            // The connection is needed in a clean state to find out who is to blame. If this
            // fails, so does the next statement; the answer stays what it is.
            if let Err(rollback) = transaction.rollback().await {
                tracing::debug!(%rollback, "rollback failed: {rollback}");
            }
            Err(error)
        }
    }
}

/// Writes all items in the transaction that is open.
pub(super) async fn write_in(
    connection: &mut PgConnection,
    items: &[&AppendItem],
) -> Result<(), sqlx::Error> {
    if items.iter().map(|item| item.rows.len()).sum::<usize>() < copy::MIN_ROWS {
        return insert(connection, items, true).await;
    }
    copy::copy(connection, items).await?;
    insert(connection, items, false).await
}

/// Writes all items in one statement; without their events if those are written already.
async fn insert(
    connection: &mut PgConnection,
    items: &[&AppendItem],
    with_events: bool,
) -> Result<(), sqlx::Error> {
    let mut events = EventColumns::default();
    let mut taken = ClaimColumns::default();
    let mut released = ClaimColumns::default();
    let (mut org, mut id) = (Vec::new(), Vec::new());
    let (mut hash, mut response) = (Vec::<&[u8]>::new(), Vec::<&[u8]>::new());
    for item in items {
        if with_events {
            events.push(item);
        }
        for receipt in &item.receipts {
            org.push(item.org.as_str());
            id.push(receipt.request_id.as_str());
            hash.push(&receipt.request_hash);
            response.push(&receipt.response);
        }
        item.taken.iter().for_each(|claim| taken.push(item, claim));
        item.released
            .iter()
            .for_each(|claim| released.push(item, claim));
    }
    let parts = [
        (EVENTS, events.sequence.is_empty()),
        (RECEIPTS, org.is_empty()),
        (TAKEN, taken.key.is_empty()),
        (RELEASED, released.key.is_empty()),
    ];
    let parts: usize = parts
        .iter()
        .filter(|(_, none)| !none)
        .map(|(part, _)| part)
        .sum();
    if parts == 0 {
        return Ok(());
    }
    let mut query = sqlx::query(&STATEMENTS[parts]);
    if parts & EVENTS != 0 {
        query = query
            .bind(events.aggregate_type)
            .bind(events.aggregate_id)
            .bind(events.sequence)
            .bind(events.org)
            .bind(events.event_id)
            .bind(events.event_type)
            .bind(events.event_version)
            .bind(events.payload)
            .bind(events.metadata)
            .bind(events.routing_key)
            .bind(events.routing_hash)
            .bind(events.partition)
            .bind(events.leaf_hash);
    }
    if parts & RECEIPTS != 0 {
        query = query.bind(org).bind(id).bind(hash).bind(response);
    }
    for (part, claims) in [(TAKEN, taken), (RELEASED, released)] {
        if parts & part != 0 {
            query = query
                .bind(claims.org)
                .bind(claims.scope)
                .bind(claims.key)
                .bind(claims.owner_type)
                .bind(claims.owner_id);
        }
    }
    query.execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_numbers_its_parameters_from_one_without_gaps() {
        for (parts, sql) in STATEMENTS.iter().enumerate().skip(1) {
            let expected = [(EVENTS, 13), (RECEIPTS, 4), (TAKEN, 5), (RELEASED, 5)];
            let expected: usize = expected
                .iter()
                .filter(|(part, _)| parts & part != 0)
                .map(|(_, n)| n)
                .sum();
            for number in 1..=expected {
                assert!(sql.contains(&format!("${number}::")), "{number} in {sql}");
            }
            assert!(!sql.contains(&format!("${}::", expected + 1)), "{sql}");
            assert!(!sql.contains(", SELECT") && !sql.contains(",  "), "{sql}");
        }
    }
}
