//! The evaluator's tables: read and written set by set, never row by row.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use tierline_domain::partner::Partner;
use tierline_domain::rules::Fact;
use tierline_domain::standing::{Standing, Terms};
use tierline_domain::surroundings::Surroundings;
use tierline_domain::{EnrollmentId, PartnerId};

use crate::org::OrgView;
use crate::partner::{Enrolled, PartnerState};

// Reads by key join laterally with OFFSET 0: one look into the index per key, whatever the planner
// believes about a table that was empty when it was last analysed.

/// A partner of an org.
pub(crate) type PartnerKey = (String, PartnerId);
/// A fact: org, partner, aggregate type, id.
pub(crate) type FactKey = (String, PartnerId, String, String);

/// Dates travel as text: the driver has no type for them that the domain knows.
fn day_text(day: Date) -> String {
    day.to_string()
}

fn smallints(partitions: impl Iterator<Item = u8>) -> Vec<i16> {
    partitions.map(i16::from).collect()
}

fn day_of(text: Option<String>) -> Result<Option<Date>, sqlx::Error> {
    text.map(|text| {
        text.parse()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))
    })
    .transpose()
}

pub(crate) fn partner_id(text: String) -> Result<PartnerId, sqlx::Error> {
    PartnerId::parse(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The orgs as seen in the given partitions.
pub(crate) async fn load_orgs(
    connection: &mut PgConnection,
    partitions: &[u8],
) -> Result<Vec<(u8, String, OrgView)>, sqlx::Error> {
    let sql = "SELECT partition, org_id, state FROM eval.orgs WHERE partition = ANY ($1)";
    let rows = sqlx::query(sql)
        .bind(smallints(partitions.iter().copied()))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let partition: i16 = row.try_get(0)?;
            let Json(view): Json<OrgView> = row.try_get(2)?;
            Ok((
                u8::try_from(partition).unwrap_or_default(),
                row.try_get(1)?,
                view,
            ))
        })
        .collect()
}

/// The clock of the database.
pub(crate) async fn clock(connection: &mut PgConnection) -> Result<Timestamp, sqlx::Error> {
    let micros: i64 =
        sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
            .fetch_one(connection)
            .await?;
    Timestamp::from_microsecond(micros).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// How far the evaluator is in each partition.
pub(crate) async fn reached(connection: &mut PgConnection) -> Result<Vec<(u8, i64)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT partition, number FROM bus.checkpoints WHERE consumer = $1 AND version = $2",
    )
    .bind(tierline_bus::TIER_EVALUATOR.name)
    .bind(tierline_bus::TIER_EVALUATOR.version)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let partition: i16 = row.try_get(0)?;
            Ok((u8::try_from(partition).unwrap_or_default(), row.try_get(1)?))
        })
        .collect()
}

pub(crate) async fn save_org(
    connection: &mut PgConnection,
    partition: u8,
    org: &str,
    view: &OrgView,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO eval.orgs (partition, org_id, state) VALUES ($1, $2, $3)
         ON CONFLICT (partition, org_id) DO UPDATE SET state = EXCLUDED.state",
    )
    .bind(i16::from(partition))
    .bind(org)
    .bind(Json(view))
    .execute(connection)
    .await?;
    Ok(())
}

fn split(keys: &[PartnerKey]) -> (Vec<&str>, Vec<&str>) {
    keys.iter()
        .map(|(org, partner)| (org.as_str(), partner.as_str()))
        .unzip()
}

/// What is known of the given partners, with their enrollments; a partner without rows comes back
/// empty.
pub(crate) async fn load_partners(
    connection: &mut PgConnection,
    keys: &[PartnerKey],
) -> Result<BTreeMap<PartnerKey, PartnerState>, sqlx::Error> {
    let mut found: BTreeMap<PartnerKey, PartnerState> = keys
        .iter()
        .map(|key| (key.clone(), PartnerState::default()))
        .collect();
    let (orgs, partners) = split(keys);
    let rows = sqlx::query(
        "SELECT p.org_id, p.partner_id, p.state
         FROM unnest($1::text[], $2::text[]) AS k(org, partner)
         CROSS JOIN LATERAL (
             SELECT * FROM eval.partners x WHERE x.org_id = k.org AND x.partner_id = k.partner
             OFFSET 0) p",
    )
    .bind(&orgs)
    .bind(&partners)
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let Json(partner): Json<Partner> = row.try_get(2)?;
        if let Some(state) = found.get_mut(&(row.try_get(0)?, partner_id(row.try_get(1)?)?)) {
            state.partner = partner;
        }
    }
    let rows = sqlx::query(
        "SELECT e.org_id, e.partner_id, e.enrollment_id, e.terms, e.standing, e.version,
                e.next_change::text, e.surroundings
         FROM unnest($1::text[], $2::text[]) AS k(org, partner)
         CROSS JOIN LATERAL (
             SELECT * FROM eval.enrollments x WHERE x.org_id = k.org AND x.partner_id = k.partner
             OFFSET 0) e",
    )
    .bind(&orgs)
    .bind(&partners)
    .fetch_all(connection)
    .await?;
    for row in &rows {
        let enrollment = EnrollmentId::parse(row.try_get::<String, _>(2)?)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let Json(terms): Json<Terms> = row.try_get(3)?;
        let Json(standing): Json<Standing> = row.try_get(4)?;
        let version: i64 = row.try_get(5)?;
        let known: Option<Json<Surroundings>> = row.try_get(7)?;
        let enrolled = Enrolled {
            terms,
            standing,
            known: known.map(|Json(known)| known).unwrap_or_default(),
            version: u64::try_from(version).unwrap_or_default(),
            next_change: day_of(row.try_get(6)?)?,
            changed: false,
        };
        let key = (row.try_get(0)?, partner_id(row.try_get(1)?)?);
        if let Some(state) = found.get_mut(&key) {
            state.enrollments.insert(enrollment, enrolled);
        }
    }
    Ok(found)
}

/// The stored versions of the given facts.
pub(crate) async fn load_facts(
    connection: &mut PgConnection,
    keys: &[FactKey],
) -> Result<Vec<(FactKey, Fact)>, sqlx::Error> {
    let orgs: Vec<&str> = keys.iter().map(|key| key.0.as_str()).collect();
    let partners: Vec<&str> = keys.iter().map(|key| key.1.as_str()).collect();
    let types: Vec<&str> = keys.iter().map(|key| key.2.as_str()).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.3.as_str()).collect();
    let rows = sqlx::query(
        "SELECT f.org_id, f.partner_id, f.aggregate_type, f.fact_id, f.fact
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k(org, partner, kind, id)
         CROSS JOIN LATERAL (
             SELECT * FROM eval.facts x WHERE x.org_id = k.org AND x.partner_id = k.partner
                 AND x.aggregate_type = k.kind AND x.fact_id = k.id OFFSET 0) f",
    )
    .bind(orgs)
    .bind(partners)
    .bind(types)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let key = (
                row.try_get(0)?,
                partner_id(row.try_get(1)?)?,
                row.try_get(2)?,
                row.try_get(3)?,
            );
            let Json(fact): Json<Fact> = row.try_get(4)?;
            Ok((key, fact))
        })
        .collect()
}

/// All facts of the given partners.
pub(crate) async fn load_all_facts(
    connection: &mut PgConnection,
    keys: &[PartnerKey],
) -> Result<Vec<(PartnerKey, Fact)>, sqlx::Error> {
    let (orgs, partners) = split(keys);
    let rows = sqlx::query(
        "SELECT f.org_id, f.partner_id, f.fact
         FROM unnest($1::text[], $2::text[]) AS k(org, partner)
         CROSS JOIN LATERAL (
             SELECT * FROM eval.facts x WHERE x.org_id = k.org AND x.partner_id = k.partner
             OFFSET 0) f",
    )
    .bind(orgs)
    .bind(partners)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let Json(fact): Json<Fact> = row.try_get(2)?;
            Ok(((row.try_get(0)?, partner_id(row.try_get(1)?)?), fact))
        })
        .collect()
}

/// Writes the present versions of facts.
pub(crate) async fn save_facts(
    connection: &mut PgConnection,
    partitions: &[u8],
    facts: &[(&FactKey, &Fact)],
) -> Result<(), sqlx::Error> {
    if facts.is_empty() {
        return Ok(());
    }
    let orgs: Vec<&str> = facts.iter().map(|(key, _)| key.0.as_str()).collect();
    let partners: Vec<&str> = facts.iter().map(|(key, _)| key.1.as_str()).collect();
    let types: Vec<&str> = facts.iter().map(|(key, _)| key.2.as_str()).collect();
    let ids: Vec<&str> = facts.iter().map(|(key, _)| key.3.as_str()).collect();
    let currencies: Vec<Option<String>> = facts
        .iter()
        .map(|(_, fact)| fact.amount.map(|money| money.currency.to_string()))
        .collect();
    let days: Vec<Option<String>> = facts
        .iter()
        .map(|(_, fact)| fact.dates.values().max().copied().map(day_text))
        .collect();
    let bodies: Vec<Json<&Fact>> = facts.iter().map(|(_, fact)| Json(*fact)).collect();
    sqlx::query(
        "INSERT INTO eval.facts (org_id, partner_id, aggregate_type, fact_id, partition, currency,
                                 last_day, fact)
         SELECT k.org, k.partner, k.kind, k.id, k.partition, k.currency, k.day::date, k.fact
         FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::json[])
              AS k(partition, org, partner, kind, id, currency, day, fact)
         ON CONFLICT (org_id, partner_id, aggregate_type, fact_id) DO UPDATE
         SET currency = EXCLUDED.currency, last_day = EXCLUDED.last_day, fact = EXCLUDED.fact",
    )
    .bind(smallints(partitions.iter().copied()))
    .bind(orgs)
    .bind(partners)
    .bind(types)
    .bind(ids)
    .bind(currencies)
    .bind(days)
    .bind(bodies)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes what is known of partners.
pub(crate) async fn save_partners(
    connection: &mut PgConnection,
    partners: &[(&PartnerKey, &PartnerState)],
) -> Result<(), sqlx::Error> {
    if partners.is_empty() {
        return Ok(());
    }
    let orgs: Vec<&str> = partners.iter().map(|(key, _)| key.0.as_str()).collect();
    let ids: Vec<&str> = partners.iter().map(|(key, _)| key.1.as_str()).collect();
    let states: Vec<Json<&Partner>> = partners
        .iter()
        .map(|(_, state)| Json(&state.partner))
        .collect();
    sqlx::query(
        "INSERT INTO eval.partners (org_id, partner_id, partition, state)
         SELECT k.org, k.id, k.partition, k.state
         FROM unnest($1::smallint[], $2::text[], $3::text[], $4::json[])
              AS k(partition, org, id, state)
         ON CONFLICT (org_id, partner_id) DO UPDATE SET state = EXCLUDED.state",
    )
    .bind(smallints(partners.iter().map(|(_, state)| state.partition)))
    .bind(orgs)
    .bind(ids)
    .bind(states)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes enrollments, given with their partitions, with their standings and timers.
pub(crate) async fn save_enrollments(
    connection: &mut PgConnection,
    enrollments: &[(&PartnerKey, u8, &Enrolled)],
) -> Result<(), sqlx::Error> {
    if enrollments.is_empty() {
        return Ok(());
    }
    let orgs: Vec<&str> = enrollments.iter().map(|(key, ..)| key.0.as_str()).collect();
    let partners: Vec<&str> = enrollments.iter().map(|(key, ..)| key.1.as_str()).collect();
    let terms = || enrollments.iter().map(|(_, _, enrolled)| &enrolled.terms);
    let ids: Vec<&str> = terms().map(|terms| terms.enrollment.as_str()).collect();
    let programs: Vec<&str> = terms().map(|terms| terms.program.as_str()).collect();
    let bodies: Vec<Json<&Terms>> = terms().map(Json).collect();
    let standings: Vec<Json<&Standing>> = enrollments
        .iter()
        .map(|(_, _, enrolled)| Json(&enrolled.standing))
        .collect();
    let versions: Vec<i64> = enrollments
        .iter()
        .map(|(_, _, enrolled)| i64::try_from(enrolled.version).unwrap_or(i64::MAX))
        .collect();
    let days: Vec<Option<String>> = enrollments
        .iter()
        .map(|(_, _, enrolled)| enrolled.next_change.map(day_text))
        .collect();
    let known: Vec<Option<Json<&Surroundings>>> = enrollments
        .iter()
        .map(|(_, _, enrolled)| Some(&enrolled.known).filter(|known| !known.is_empty()))
        .map(|known| known.map(Json))
        .collect();
    sqlx::query(
        "INSERT INTO eval.enrollments (org_id, partner_id, enrollment_id, partition, program_id,
                                       terms, standing, version, next_change,
                                       surroundings)
         SELECT k.org, k.partner, k.id, k.partition, k.program, k.terms, k.standing, k.version,
                k.day::date, k.known
         FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::json[],
                     $7::json[], $8::bigint[], $9::text[], $10::json[])
              AS k(partition, org, partner, id, program, terms, standing, version, day, known)
         ON CONFLICT (org_id, partner_id, enrollment_id) DO UPDATE
         SET terms = EXCLUDED.terms, standing = EXCLUDED.standing, version = EXCLUDED.version,
             next_change = EXCLUDED.next_change, surroundings = EXCLUDED.surroundings",
    )
    .bind(smallints(enrollments.iter().map(|(_, at, _)| *at)))
    .bind(orgs)
    .bind(partners)
    .bind(ids)
    .bind(programs)
    .bind(bodies)
    .bind(standings)
    .bind(versions)
    .bind(days)
    .bind(known)
    .execute(connection)
    .await?;
    Ok(())
}

/// Partners with an enrollment that is due by `to`, at most `limit` enrollments. A partner with a
/// parked event is under review: what is known of it is not complete, so nothing is decided.
pub(crate) async fn due_partners(
    connection: &mut PgConnection,
    partition: u8,
    org: &str,
    to: Date,
    limit: i64,
) -> Result<Vec<PartnerKey>, sqlx::Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT partner_id FROM eval.enrollments
         WHERE partition = $1 AND org_id = $2 AND next_change <= $3::text::date
           AND NOT EXISTS (SELECT 1 FROM bus.parked p
                           WHERE p.consumer = 'tier-evaluator' AND p.org_id = $2
                             AND p.routing_key IN ($2 || '/' || partner_id, $2 || '/*'))
         ORDER BY next_change, partner_id LIMIT $4",
    )
    .bind(i16::from(partition))
    .bind(org)
    .bind(day_text(to))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    keys_of(org, rows)
}

/// Partners enrolled in a program.
pub(crate) async fn enrolled_in(
    connection: &mut PgConnection,
    partition: u8,
    org: &str,
    program: &str,
) -> Result<Vec<PartnerKey>, sqlx::Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT partner_id FROM eval.enrollments
         WHERE partition = $1 AND org_id = $2 AND program_id = $3",
    )
    .bind(i16::from(partition))
    .bind(org)
    .bind(program)
    .fetch_all(connection)
    .await?;
    keys_of(org, rows)
}

/// Partners with money facts from `from` on, whose value may depend on new exchange rates.
pub(crate) async fn with_money_since(
    connection: &mut PgConnection,
    partition: u8,
    org: &str,
    from: Date,
) -> Result<Vec<PartnerKey>, sqlx::Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT f.partner_id FROM eval.facts f
         JOIN eval.enrollments e ON e.org_id = f.org_id AND e.partner_id = f.partner_id
         WHERE f.partition = $1 AND f.org_id = $2 AND f.currency IS NOT NULL
           AND f.last_day >= $3::text::date",
    )
    .bind(i16::from(partition))
    .bind(org)
    .bind(day_text(from))
    .fetch_all(connection)
    .await?;
    keys_of(org, rows)
}

/// Events of the rates stream of an org, in order, up to a version: their payloads.
pub(crate) async fn rates_stream(
    connection: &mut PgConnection,
    org: &str,
    after: u64,
    up_to: u64,
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT sequence, payload::text FROM events
         WHERE aggregate_type = 'Rates' AND aggregate_id = $1 AND sequence > $2 AND sequence <= $3
         ORDER BY sequence",
    )
    .bind(format!("{org}/rates"))
    .bind(i64::try_from(after).unwrap_or(i64::MAX))
    .bind(i64::try_from(up_to).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let sequence: i64 = row.try_get(0)?;
            Ok((u64::try_from(sequence).unwrap_or_default(), row.try_get(1)?))
        })
        .collect()
}

fn keys_of(org: &str, partners: Vec<String>) -> Result<Vec<PartnerKey>, sqlx::Error> {
    let mut keys = Vec::with_capacity(partners.len());
    for partner in partners {
        keys.push((org.to_owned(), partner_id(partner)?));
    }
    keys.dedup();
    Ok(keys)
}
