//! The table of a read model: reading the rows that a batch concerns, writing what changed.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::query::Query;
use sqlx::{Executor, PgConnection, Row};

use crate::fold::{Line, RowKey, Slot};
use crate::model::{Keeps, Model};

/// A table with the statements on it.
pub(crate) struct Table<M> {
    select: String,
    write: String,
    model: std::marker::PhantomData<fn() -> M>,
}

/// Why rows could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A stored row does not have the shape that this release gives it.
    #[error("the stored row {key} of {table} cannot be read ({reason}); rebuild the read model")]
    Row {
        /// The table.
        table: &'static str,
        /// Org and key of the row.
        key: String,
        /// What is wrong.
        reason: serde_json::Error,
    },
}

impl<M: Model> Table<M> {
    /// The table that serves.
    pub(crate) fn live() -> Self {
        Self::named(&live_name::<M>())
    }

    /// The table that is being built.
    pub(crate) fn under_construction() -> Self {
        Self::named(&build_name::<M>())
    }

    fn named(name: &str) -> Self {
        let select = match M::KEEPS {
            Keeps::Latest => format!(
                "SELECT t.org_id, t.key, t.position, t.state::text
                 FROM unnest($1::text[], $2::text[]) AS k(org_id, key)
                 JOIN {name} t ON t.org_id = k.org_id AND t.key = k.key"
            ),
            Keeps::Every => format!(
                "SELECT t.org_id, t.key, t.position, t.state::text
                 FROM unnest($1::text[], $2::text[]) AS k(org_id, key)
                 CROSS JOIN LATERAL (
                     SELECT * FROM {name} e WHERE e.org_id = k.org_id AND e.key = k.key
                     ORDER BY e.sequence DESC LIMIT 1) t"
            ),
        };
        Self {
            select,
            write: write::<M>(name),
            model: std::marker::PhantomData,
        }
    }

    /// The rows of the given keys; the newest state of each.
    pub(crate) async fn read(
        &self,
        connection: &mut PgConnection,
        keys: &[RowKey],
    ) -> Result<HashMap<RowKey, Slot<M::Row>>, TableError> {
        let (orgs, names): (Vec<&str>, Vec<&str>) = keys
            .iter()
            .map(|(org, key)| (org.as_str(), key.as_str()))
            .unzip();
        let rows = sqlx::query(&self.select)
            .bind(orgs)
            .bind(names)
            .fetch_all(connection)
            .await?;
        let mut slots = HashMap::with_capacity(rows.len());
        for row in rows {
            let key: RowKey = (row.try_get(0)?, row.try_get(1)?);
            let state: &str = row.try_get(3)?;
            let state = serde_json::from_str(state).map_err(|reason| TableError::Row {
                table: M::NAME,
                key: format!("{}/{}", key.0, key.1),
                reason,
            })?;
            slots.insert(key, Slot::stored(state, row.try_get(2)?));
        }
        Ok(slots)
    }

    /// Writes rows, all in one statement.
    pub(crate) async fn write(
        &self,
        connection: &mut PgConnection,
        lines: &[Line<'_, M::Row>],
    ) -> Result<(), TableError> {
        if lines.is_empty() {
            return Ok(());
        }
        let unwritable = |error| TableError::Database(sqlx::Error::Encode(Box::new(error)));
        let mut states = Vec::with_capacity(lines.len());
        let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); M::COLUMNS.len()];
        for line in lines {
            states.push(serde_json::to_string(line.row).map_err(unwritable)?);
            let mut values = serde_json::to_value(M::columns(line.row)).map_err(unwritable)?;
            for ((name, _), column) in M::COLUMNS.iter().zip(&mut columns) {
                column.push(column_text(values[*name].take()));
            }
        }
        let orgs: Vec<&str> = lines.iter().map(|line| line.key.0.as_str()).collect();
        let keys: Vec<&str> = lines.iter().map(|line| line.key.1.as_str()).collect();
        let partitions: Vec<i16> = lines.iter().map(|line| i16::from(line.partition)).collect();
        let sequences: Vec<i64> = lines.iter().map(|line| line.sequence).collect();
        let positions: Vec<i64> = lines.iter().map(|line| line.position).collect();
        let statement = sqlx::query(&self.write)
            .bind(orgs)
            .bind(keys)
            .bind(partitions)
            .bind(sequences)
            .bind(positions)
            .bind(states);
        let statement = columns.into_iter().fold(statement, Query::bind);
        statement.execute(connection).await?;
        Ok(())
    }
}

/// Runs statements without parameters.
pub(crate) async fn script(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    connection.execute(sql).await.map(|_| ())
}

/// The table that serves.
pub(crate) fn live_name<M: Model>() -> String {
    format!("read.{}", M::NAME)
}

/// The table that is being built.
pub(crate) fn build_name<M: Model>() -> String {
    format!("read_build.{}_v{}", M::NAME, M::BUILDER.version)
}

/// The columns of a model as `name type, …`, for `json_to_record`.
pub(crate) fn column_types<M: Model>() -> String {
    let columns: Vec<_> = M::COLUMNS
        .iter()
        .map(|(name, kind)| format!("{name} {kind}"))
        .collect();
    columns.join(", ")
}

fn write<M: Model>(name: &str) -> String {
    let (sequence, conflict) = match M::KEEPS {
        Keeps::Latest => ("", ""),
        Keeps::Every => ("sequence, ", "(org_id, key, sequence) DO NOTHING"),
    };
    let names: Vec<&str> = M::COLUMNS.iter().map(|(name, _)| *name).collect();
    let sets: Vec<_> = ["partition", "position", "state"]
        .iter()
        .chain(&names)
        .map(|column| format!("{column} = EXCLUDED.{column}"))
        .collect();
    // The guard on the position makes an older state harmless, whoever should write it.
    let update = format!(
        "(org_id, key) DO UPDATE SET {} WHERE t.position < EXCLUDED.position",
        sets.join(", ")
    );
    let conflict = if conflict.is_empty() {
        &update
    } else {
        conflict
    };
    let columns = names.join(", ");
    // Columns travel as texts; each is cast to the type of its column.
    let arrays: Vec<_> = (7..7 + names.len())
        .map(|n| format!("${n}::text[]"))
        .collect();
    let values: Vec<_> = M::COLUMNS
        .iter()
        .map(|(name, kind)| format!("u.{name}::{kind}"))
        .collect();
    format!(
        "INSERT INTO {name} AS t (org_id, key, {sequence}partition, position, state, {columns})
         SELECT u.org_id, u.key, {sequence}u.partition, u.position, u.state::json, {values}
         FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[],
                     $6::text[], {arrays})
              AS u(org_id, key, partition, sequence, position, state, {columns})
         ON CONFLICT {conflict}",
        values = values.join(", "),
        arrays = arrays.join(", "),
    )
}

/// A value in the form in which PostgreSQL reads a text, number, truth value, time or array of
/// texts.
fn column_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Array(items) => {
            let quoted: Vec<String> = items
                .iter()
                .map(|item| {
                    let text = item.as_str().unwrap_or_default();
                    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
                })
                .collect();
            Some(format!("{{{}}}", quoted.join(",")))
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_written_as_postgresql_reads_them() {
        assert_eq!(column_text(Value::Null), None);
        assert_eq!(column_text(json!("a, \"b\"")).unwrap(), "a, \"b\"");
        assert_eq!(column_text(json!(65535)).unwrap(), "65535");
        assert_eq!(column_text(json!(true)).unwrap(), "true");
        assert_eq!(column_text(json!([])).unwrap(), "{}");
        let awkward = json!(["NULL", "a,b", "{c}", "d\"e", "f\\g", ""]);
        let written = r#"{"NULL","a,b","{c}","d\"e","f\\g",""}"#;
        assert_eq!(column_text(awkward).unwrap(), written);
    }
}
