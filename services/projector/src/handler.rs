//! A read model as the handler of a consumer.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use sqlx::PgConnection;
use tierline_bus::{Handler, HandlerError, decode};
use tierline_domain::any_event::AnyEvent;
use tierline_eventstore::{Codec, LogEvent};
use tierline_telemetry::metrics;

use crate::fold::{Fold, RowKey, Slot};
use crate::model::{Effect, Model};
use crate::table::{Table, TableError};

/// Rows that are kept between batches.
const MAX_ROWS: usize = 8_192;

/// Applies batches to one table. Nobody else writes to the table while the consumer holds its
/// leases, so rows that were read or written once are kept. After a failure, and when the leases
/// were lost, for instance because the table was swapped, all of them are forgotten.
pub(crate) struct ModelHandler<M: Model> {
    table: Table<M>,
    codec: Codec,
    rows: HashMap<RowKey, Slot<M::Row>>,
    /// Partition and number of the events that an operator gave up: they are in no row, not even
    /// in those of a table that is built afresh.
    given_up: HashSet<(u8, i64)>,
}

impl<M: Model> ModelHandler<M> {
    /// The rows of these keys, those that are kept and those that the table has.
    async fn rows(
        &mut self,
        connection: &mut PgConnection,
        keys: HashSet<&RowKey>,
    ) -> Result<HashMap<RowKey, Slot<M::Row>>, TableError> {
        let mut found = HashMap::with_capacity(keys.len());
        let mut missing = Vec::new();
        for key in keys {
            match self.rows.remove_entry(key) {
                Some((key, slot)) => {
                    found.insert(key, slot);
                }
                None => missing.push(key.clone()),
            }
        }
        if !missing.is_empty() {
            found.extend(self.table.read(connection, &missing).await?);
        }
        Ok(found)
    }

    fn keep(&mut self, rows: impl ExactSizeIterator<Item = (RowKey, Slot<M::Row>)>) {
        if self.rows.len() + rows.len() > MAX_ROWS {
            // What this batch did not need goes.
            self.rows.clear();
        }
        self.rows.extend(rows);
    }

    pub(crate) fn new(table: Table<M>) -> Self {
        Self {
            table,
            codec: Codec::default(),
            rows: HashMap::new(),
            given_up: HashSet::new(),
        }
    }
}

/// An event that concerns a row: its index in the batch, the row, the content.
struct Concern {
    index: usize,
    key: RowKey,
    content: AnyEvent,
}

/// Reads the events that concern the model.
///
/// # Errors
/// The index of the first one that cannot be read, and why.
fn concerns<M: Model>(
    codec: &Codec,
    given_up: &HashSet<(u8, i64)>,
    batch: &[LogEvent],
) -> Result<Vec<Concern>, (usize, String)> {
    let mut concerns = Vec::new();
    for (index, event) in batch.iter().enumerate() {
        if given_up.contains(&(event.partition, event.partition_number)) {
            continue;
        }
        if let Some((key, content)) = read::<M>(codec, event).map_err(|reason| (index, reason))? {
            concerns.push(Concern {
                index,
                key,
                content,
            });
        }
    }
    Ok(concerns)
}

/// Whether an event may concern some row of the model.
fn concerns_any<M: Model>(event: &LogEvent) -> bool {
    M::READS.contains(&event.aggregate_type.as_str())
        && !M::PASSES_OVER.contains(&event.event_type.as_str())
}

/// Reads an event, if it concerns the model, and names its row.
pub(crate) fn read<M: Model>(
    codec: &Codec,
    event: &LogEvent,
) -> Result<Option<(RowKey, AnyEvent)>, String> {
    if !concerns_any::<M>(event) {
        return Ok(None);
    }
    let content = decode(codec, event).map_err(|rejection| rejection.message)?;
    let key = M::key(event, &content);
    Ok(key.map(|key| ((event.org_id.clone(), key), content)))
}

#[async_trait]
impl<M: Model> Handler for ModelHandler<M> {
    fn wants(&self, event: &LogEvent) -> bool {
        concerns_any::<M>(event)
    }

    fn is_leisurely(&self) -> bool {
        M::SELDOM
    }

    async fn start(&mut self, connection: &mut PgConnection, _: &[u8]) -> Result<(), HandlerError> {
        let rows: Vec<(i16, i64)> = sqlx::query_as(
            "SELECT partition, partition_number FROM bus.given_up
             WHERE consumer = $1 AND version = $2",
        )
        .bind(M::CONSUMER.name)
        .bind(M::CONSUMER.version)
        .fetch_all(connection)
        .await?;
        let place = |(partition, number)| Some((u8::try_from(partition).ok()?, number));
        self.rows.clear();
        self.given_up = rows.into_iter().filter_map(place).collect();
        Ok(())
    }

    async fn apply(
        &mut self,
        connection: &mut PgConnection,
        batch: &[LogEvent],
    ) -> Result<(), HandlerError> {
        let concerns = concerns::<M>(&self.codec, &self.given_up, batch)
            .map_err(|(index, reason)| HandlerError::Poison { index, reason })?;
        let Some(first) = concerns.first().map(|concern| concern.index) else {
            return Ok(());
        };
        let keys: HashSet<&RowKey> = concerns.iter().map(|concern| &concern.key).collect();
        let rows = self
            .rows(connection, keys)
            .await
            .map_err(|error| failure(error, &concerns, first))?;
        let mut fold = Fold::<M>::from(rows);
        for Concern {
            index,
            key,
            content,
        } in concerns
        {
            if let Effect::Skipped(reason) = fold.take(key, &batch[index], &content) {
                metrics::projection_skipped(M::CONSUMER.name, reason);
            }
        }
        self.table
            .write(connection, &fold.changed())
            .await
            .map_err(|error| failure(error, &[], first))?;
        self.keep(fold.written());
        Ok(())
    }

    fn rest(&mut self) {
        self.rows = HashMap::new();
    }
}

/// A row that cannot be read sets its own events aside and no others.
fn failure(error: TableError, concerns: &[Concern], first: usize) -> HandlerError {
    match error {
        TableError::Database(error) => HandlerError::Database(error),
        TableError::Row { ref key, .. } => {
            let of_row =
                |concern: &&Concern| format!("{}/{}", concern.key.0, concern.key.1) == *key;
            let index = concerns
                .iter()
                .find(of_row)
                .map_or(first, |concern| concern.index);
            HandlerError::Poison {
                index,
                reason: error.to_string(),
            }
        }
    }
}
