//! Comparing read models with the log: every row is folded afresh in memory and compared with the
//! stored one, columns and positions included.
//!
//! Works partition by partition, since all events of a row are in one: so memory holds one
//! partition, and a sample of whole partitions misses neither surplus nor missing rows in it. Rows
//! and checkpoint are read in one snapshot, so live consumers may go on meanwhile; only one
//! connection is held at a time.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde_json::{Map, Value, json};
use sqlx::{Acquire, PgPool, Row};
use tierline_eventstore::{Codec, LogReader, MAX_READ, ReadError};

use crate::fold::{Fold, Line};
use crate::handler::read;
use crate::model::{Keeps, Model};
use crate::models::with_model;
use crate::table::{column_types, live_name, script};

/// Lines whose columns are computed in one statement.
const CHUNK: usize = 1_000;

/// How much is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sample {
    /// Everything.
    All,
    /// All rows of these partitions; each holds a sixteenth of the partners, chosen by hash.
    Partitions(Vec<u8>),
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The read model.
    pub model: &'static str,
    /// Events read.
    pub events: u64,
    /// Rows compared.
    pub rows: u64,
    /// Rows that differ, are missing or should not be there.
    pub differences: u64,
    /// The first of them.
    pub first: Option<Difference>,
    /// Events that are set aside or cannot be read, and so are in no row.
    pub set_aside: u64,
}

/// A difference between the log and a stored row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The org.
    pub org: String,
    /// Key of the row; of a table that keeps every state with the sequence: `key/sequence`.
    pub key: String,
    /// The field, such as `state.profile.name`; empty when the row as a whole is missing or should
    /// not be there.
    pub path: String,
    /// What follows from the log, as JSON; `nothing` when there should be none.
    pub expected: String,
    /// What is stored, as JSON; `nothing` when there is none.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            org,
            key,
            path,
            expected,
            found,
        } = self;
        write!(
            f,
            "row {org}/{key}, field \"{path}\": the log says {expected}, stored is {found}"
        )
    }
}

/// Why a read model could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no read model of this name.
    #[error("there is no read model \"{0}\"; there are {names}", names = crate::NAMES.join(", "))]
    NoSuchModel(String),
    /// The table was built by another version of the code.
    #[error(
        "the read model {model} was built by version {built} of its code, this is version {ours}"
    )]
    OtherVersion {
        /// The read model.
        model: &'static str,
        /// The version that built the table.
        built: i32,
        /// The version of this release.
        ours: i32,
    },
    /// A row could not be written as JSON.
    #[error("a row could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] ReadError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Verifies the read model of the given name, or all of them for `all`; see [`crate::NAMES`].
///
/// # Errors
/// See [`VerifyError`]. A difference is no error but part of the report.
pub async fn verify(
    pool: &PgPool,
    name: &str,
    sample: &Sample,
) -> Result<Vec<VerifyReport>, VerifyError> {
    let names = if name == "all" {
        crate::NAMES.to_vec()
    } else {
        vec![name]
    };
    let mut reports = Vec::with_capacity(names.len());
    for name in names {
        let report = with_model!(name, M => verify_model::<M>(pool, sample).await);
        let report = report.unwrap_or_else(|| Err(VerifyError::NoSuchModel(name.to_owned())));
        reports.push(report?);
    }
    Ok(reports)
}

async fn verify_model<M: Model>(
    pool: &PgPool,
    sample: &Sample,
) -> Result<VerifyReport, VerifyError> {
    let built = crate::run::built_version::<M>(pool).await?;
    if built != M::CONSUMER.version {
        let (model, ours) = (M::NAME, M::CONSUMER.version);
        return Err(VerifyError::OtherVersion { model, built, ours });
    }
    let mut report = VerifyReport {
        model: M::NAME,
        events: 0,
        rows: 0,
        differences: 0,
        first: None,
        set_aside: 0,
    };
    for partition in M::partitions() {
        let wanted = match sample {
            Sample::All => true,
            Sample::Partitions(partitions) => partitions.contains(&partition),
        };
        if wanted {
            let stored = Stored::read::<M>(pool, partition).await?;
            let expected = expect::<M>(pool, partition, &stored, &mut report).await?;
            compare(expected, stored.rows, &mut report);
        }
    }
    Ok(report)
}

/// Org, key and sequence; the sequence is 0 in a table that keeps the latest state only.
type Place = (String, String, i64);

/// A partition of a table at one moment.
struct Stored {
    checkpoint: i64,
    set_aside: HashSet<i64>,
    rows: BTreeMap<Place, Value>,
}

impl Stored {
    async fn read<M: Model>(pool: &PgPool, partition: u8) -> Result<Self, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let mut snapshot = connection.begin().await?;
        script(
            &mut snapshot,
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        )
        .await?;
        let checkpoint: Option<i64> = sqlx::query_scalar(
            "SELECT number FROM bus.checkpoints
             WHERE consumer = $1 AND version = $2 AND partition = $3",
        )
        .bind(M::CONSUMER.name)
        .bind(M::CONSUMER.version)
        .bind(i16::from(partition))
        .fetch_optional(&mut *snapshot)
        .await?;
        let set_aside: Vec<i64> = sqlx::query_scalar(
            "SELECT partition_number FROM bus.parked
             WHERE consumer = $1 AND version = $2 AND partition = $3
             UNION SELECT partition_number FROM bus.given_up
             WHERE consumer = $1 AND version = $2 AND partition = $3",
        )
        .bind(M::CONSUMER.name)
        .bind(M::CONSUMER.version)
        .bind(i16::from(partition))
        .fetch_all(&mut *snapshot)
        .await?;
        let sequence = if M::KEEPS == Keeps::Every {
            "sequence"
        } else {
            "0::bigint"
        };
        let found = sqlx::query(&format!(
            "SELECT org_id, key, {sequence}, to_jsonb(t) FROM {} t WHERE partition = $1",
            live_name::<M>()
        ))
        .bind(i16::from(partition))
        .fetch_all(&mut *snapshot)
        .await?;
        let mut rows = BTreeMap::new();
        for row in found {
            rows.insert(
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?),
                row.try_get(3)?,
            );
        }
        snapshot.commit().await?;
        let checkpoint = checkpoint.unwrap_or_default();
        Ok(Self {
            checkpoint,
            set_aside: set_aside.into_iter().collect(),
            rows,
        })
    }
}

/// What the table should hold, folded from the log.
async fn expect<M: Model>(
    pool: &PgPool,
    partition: u8,
    stored: &Stored,
    report: &mut VerifyReport,
) -> Result<BTreeMap<Place, Value>, VerifyError> {
    let (reader, codec) = (LogReader::new(pool.clone()), Codec::default());
    let mut fold = Fold::<M>::default();
    let mut number = 0;
    while number < stored.checkpoint {
        let rest = u32::try_from(stored.checkpoint - number)
            .unwrap_or(MAX_READ)
            .min(MAX_READ);
        let events = reader.read(&[(partition, number)], rest, rest).await?;
        let Some(last) = events.last() else { break };
        number = last.partition_number;
        report.events += events.len() as u64;
        for event in &events {
            if stored.set_aside.contains(&event.partition_number) {
                report.set_aside += 1;
                continue;
            }
            match read::<M>(&codec, event) {
                Ok(Some((key, content))) => {
                    fold.take(key, event, &content);
                }
                Ok(None) => {}
                // Before it was given up, such an event was parked.
                Err(_) => report.set_aside += 1,
            }
        }
    }
    let lines = fold.changed();
    let mut expected = BTreeMap::new();
    for chunk in lines.chunks(CHUNK) {
        expected.extend(as_stored::<M>(pool, chunk).await?);
    }
    Ok(expected)
}

/// The rows in the very form in which the database shows stored ones: the columns go through its
/// types.
async fn as_stored<M: Model>(
    pool: &PgPool,
    lines: &[Line<'_, M::Row>],
) -> Result<Vec<(Place, Value)>, VerifyError> {
    let columns: Vec<String> = lines
        .iter()
        .map(|line| serde_json::to_string(&M::columns(line.row)))
        .collect::<Result<_, _>>()?;
    let shown: Vec<Value> = sqlx::query_scalar(&format!(
        "SELECT to_jsonb(c) FROM unnest($1::text[]) WITH ORDINALITY AS u(more, place)
         CROSS JOIN LATERAL json_to_record(u.more::json) AS c({}) ORDER BY u.place",
        column_types::<M>()
    ))
    .bind(columns)
    .fetch_all(pool)
    .await?;
    let mut rows = Vec::with_capacity(lines.len());
    for (line, columns) in lines.iter().zip(shown) {
        let mut row = match columns {
            Value::Object(row) => row,
            _ => Map::new(),
        };
        row.insert("org_id".to_owned(), json!(line.key.0));
        row.insert("key".to_owned(), json!(line.key.1));
        row.insert("partition".to_owned(), json!(line.partition));
        row.insert("position".to_owned(), json!(line.position));
        row.insert("state".to_owned(), serde_json::to_value(line.row)?);
        let mut sequence = 0;
        if M::KEEPS == Keeps::Every {
            sequence = line.sequence;
            row.insert("sequence".to_owned(), json!(sequence));
        }
        let place = (line.key.0.clone(), line.key.1.clone(), sequence);
        rows.push((place, Value::Object(row)));
    }
    Ok(rows)
}

fn compare(
    expected: BTreeMap<Place, Value>,
    mut found: BTreeMap<Place, Value>,
    report: &mut VerifyReport,
) {
    for (place, wanted) in expected {
        report.rows += 1;
        let difference = match found.remove(&place) {
            None => Some((String::new(), wanted.to_string(), "nothing".to_owned())),
            Some(stored) => first_difference("", &wanted, &stored),
        };
        if let Some(difference) = difference {
            note(report, &place, difference);
        }
    }
    for (place, stored) in found {
        report.rows += 1;
        note(
            report,
            &place,
            (String::new(), "nothing".to_owned(), stored.to_string()),
        );
    }
}

fn note(report: &mut VerifyReport, place: &Place, difference: (String, String, String)) {
    report.differences += 1;
    let (path, expected, found) = difference;
    let (org, key, sequence) = place;
    let key = if *sequence == 0 {
        key.clone()
    } else {
        format!("{key}/{sequence}")
    };
    report.first.get_or_insert(Difference {
        org: org.clone(),
        key,
        path,
        expected,
        found,
    });
}

/// Path, expected and found value of the first difference between two JSON values.
fn first_difference(
    path: &str,
    expected: &Value,
    found: &Value,
) -> Option<(String, String, String)> {
    match (expected, found) {
        _ if expected == found => None,
        (Value::Object(wanted), Value::Object(stored)) => {
            let names: std::collections::BTreeSet<&String> =
                wanted.keys().chain(stored.keys()).collect();
            names.into_iter().find_map(|name| {
                let inner = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                let missing = Value::Null;
                let wanted = wanted.get(name).unwrap_or(&missing);
                let stored = stored.get(name).unwrap_or(&missing);
                first_difference(&inner, wanted, stored)
            })
        }
        (Value::Array(wanted), Value::Array(stored)) if wanted.len() == stored.len() => wanted
            .iter()
            .zip(stored)
            .enumerate()
            .find_map(|(index, (wanted, stored))| {
                first_difference(&format!("{path}[{index}]"), wanted, stored)
            }),
        _ => Some((path.to_owned(), expected.to_string(), found.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_by_its_path() {
        let wanted = json!({"state": {"tags": ["a", "b"], "name": "x"}, "name": "x"});
        let stored = json!({"state": {"tags": ["a", "c"], "name": "x"}, "name": "x"});
        assert_eq!(
            first_difference("", &wanted, &stored),
            Some((
                "state.tags[1]".to_owned(),
                "\"b\"".to_owned(),
                "\"c\"".to_owned()
            ))
        );
        assert_eq!(first_difference("", &wanted, &wanted.clone()), None);
    }
}
