//! Folding events into rows in memory: the one piece of code behind live, rebuilt and verified
//! rows.

use std::collections::HashMap;

use tierline_domain::any_event::AnyEvent;
use tierline_eventstore::LogEvent;

use crate::model::{Effect, Keeps, Model};

/// Org and key of a row.
pub(crate) type RowKey = (String, String);

/// A row and the event that last changed it.
#[derive(Debug, Clone)]
pub(crate) struct Slot<R> {
    pub(crate) row: Option<R>,
    pub(crate) position: i64,
    pub(crate) sequence: i64,
    pub(crate) partition: u8,
    changed: bool,
}

impl<R> Default for Slot<R> {
    fn default() -> Self {
        Self {
            row: None,
            position: 0,
            sequence: 0,
            partition: 0,
            changed: false,
        }
    }
}

impl<R> Slot<R> {
    /// A row as the table has it.
    pub(crate) fn stored(row: R, position: i64) -> Self {
        Self {
            row: Some(row),
            position,
            ..Self::default()
        }
    }
}

/// A row to be written.
#[derive(Debug)]
pub(crate) struct Line<'f, R> {
    pub(crate) key: &'f RowKey,
    pub(crate) row: &'f R,
    pub(crate) position: i64,
    pub(crate) sequence: i64,
    pub(crate) partition: u8,
}

/// Rows under change.
pub(crate) struct Fold<M: Model> {
    slots: HashMap<RowKey, Slot<M::Row>>,
    /// The states on the way, of a model that keeps every one.
    past: Vec<(RowKey, Slot<M::Row>)>,
}

impl<M: Model> Default for Fold<M> {
    fn default() -> Self {
        Self {
            slots: HashMap::new(),
            past: Vec::new(),
        }
    }
}

impl<M: Model> Fold<M> {
    /// Starts from rows of the table.
    pub(crate) fn from(slots: HashMap<RowKey, Slot<M::Row>>) -> Self {
        Self {
            slots,
            past: Vec::new(),
        }
    }

    /// Takes an event into its row. Events that the row has seen are passed over: all events of a
    /// row come from one partition, where positions only grow.
    pub(crate) fn take(&mut self, key: RowKey, event: &LogEvent, content: &AnyEvent) -> Effect {
        let slot = self.slots.entry(key.clone()).or_default();
        if event.position <= slot.position {
            return Effect::Unchanged;
        }
        let effect = M::fold(&mut slot.row, event, content);
        if effect != Effect::Changed {
            return effect;
        }
        slot.position = event.position;
        slot.sequence = event.sequence;
        slot.partition = event.partition;
        slot.changed = true;
        if M::KEEPS == Keeps::Every {
            self.past.push((key, slot.clone()));
        }
        effect
    }

    /// What the events changed.
    pub(crate) fn changed(&self) -> Vec<Line<'_, M::Row>> {
        fn line<'f, R>((key, slot): (&'f RowKey, &'f Slot<R>)) -> Option<Line<'f, R>> {
            Some(Line {
                key,
                row: slot.row.as_ref()?,
                position: slot.position,
                sequence: slot.sequence,
                partition: slot.partition,
            })
        }
        match M::KEEPS {
            Keeps::Every => self
                .past
                .iter()
                .map(|(key, slot)| (key, slot))
                .filter_map(line)
                .collect(),
            Keeps::Latest => {
                let changed = self.slots.iter().filter(|(_, slot)| slot.changed);
                changed.filter_map(line).collect()
            }
        }
    }

    /// The rows as they are once the changes are written.
    pub(crate) fn written(self) -> impl ExactSizeIterator<Item = (RowKey, Slot<M::Row>)> {
        self.slots.into_iter().map(|(key, slot)| {
            let written = Slot {
                changed: false,
                ..slot
            };
            (key, written)
        })
    }
}
