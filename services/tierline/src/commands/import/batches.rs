//! Reading a checked file on a thread of its own, in batches for the connection.

use std::thread::JoinHandle;

use jiff::civil::Date;
use tierline_importer::{ImportError, Item, Items, RowResult, Step};
use tokio::sync::mpsc;

use super::clock::{ClockSteps, attained};
use super::wire::Wire;

/// Bytes of a batch; a server takes four times as much.
const MAX_BYTES: usize = 4 << 20;
/// Most rows without a record that are kept in a batch.
const MAX_ENTRIES: usize = 10_000;
/// Batches that wait to be sent.
const AHEAD: usize = 3;

/// A step of the file: a record, or a row that is in none.
pub(super) enum Entry {
    Item(Box<Item>),
    Row(RowResult),
}

/// What is sent together.
pub(super) struct Batch<R> {
    /// The clock of the org has to be moved to this day first.
    pub(super) advance_to: Option<Date>,
    /// In the order of the file.
    pub(super) entries: Vec<Entry>,
    /// The records among the entries, in the form of the contract.
    pub(super) rows: Vec<R>,
    bytes: usize,
}

impl<R> Batch<R> {
    fn new() -> Self {
        Self {
            advance_to: None,
            entries: Vec::new(),
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// The ordinal of the first record; those of the others follow without gaps.
    pub(super) fn first_ordinal(&self) -> Option<u64> {
        self.items().next().map(|item| item.ordinal)
    }

    /// The records.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Item(item) => Some(&**item),
            Entry::Row(_) => None,
        })
    }
}

/// What the reading thread sends.
pub(super) type Batches<R> = mpsc::Receiver<Result<Batch<R>, ImportError>>;

/// The reading thread; at the end of the file it tells the day on which the clock is to be left.
pub(super) type Reading = JoinHandle<Option<Date>>;

/// Starts reading. The thread ends by itself when nobody takes batches any more.
pub(super) fn read<W: Wire>(
    items: Items,
    clock: Option<ClockSteps>,
) -> std::io::Result<(Batches<W::Row>, Reading)> {
    let (out, batches) = mpsc::channel(AHEAD);
    let thread = std::thread::Builder::new().name("import-reader".to_owned());
    let handle = thread.spawn(move || {
        let reader = Reader::<W> {
            clock,
            batch: Batch::new(),
            out,
        };
        reader.run(items)
    })?;
    Ok((batches, handle))
}

struct Reader<W: Wire> {
    clock: Option<ClockSteps>,
    batch: Batch<W::Row>,
    out: mpsc::Sender<Result<Batch<W::Row>, ImportError>>,
}

/// Nobody takes batches any more.
struct Gone;

impl<W: Wire> Reader<W> {
    fn run(mut self, items: Items) -> Option<Date> {
        for step in items {
            let taken = match step {
                Ok(Step::Item(item)) => self.item(item),
                Ok(Step::Row(row)) => self.row(row),
                Err(error) => {
                    // The records before the error are sent; they are good.
                    if self.flush().is_ok() {
                        self.out.blocking_send(Err(error)).ok();
                    }
                    return None;
                }
            };
            if taken.is_err() {
                return None;
            }
        }
        self.flush().ok()?;
        self.clock.and_then(|clock| clock.end())
    }

    fn item(&mut self, item: Box<Item>) -> Result<(), Gone> {
        // A mapping makes records of one kind, for which the wire was chosen.
        let Some(row) = W::row(&item) else {
            return Ok(());
        };
        let clock = self.clock.as_mut();
        let advance_to = clock.and_then(|clock| clock.before(attained(&item.record)));
        let size = W::size(&row);
        if advance_to.is_some() || self.is_full(&row, size) {
            self.flush()?;
            self.batch.advance_to = advance_to;
        }
        self.batch.bytes += size;
        self.batch.rows.push(row);
        self.batch.entries.push(Entry::Item(item));
        Ok(())
    }

    fn is_full(&self, next: &W::Row, size: usize) -> bool {
        let full = self.batch.rows.len() >= W::FULL || self.batch.bytes + size > MAX_BYTES;
        full && !self
            .batch
            .rows
            .last()
            .is_some_and(|last| W::joins(last, next))
    }

    fn row(&mut self, row: RowResult) -> Result<(), Gone> {
        if self.batch.entries.len() >= MAX_ENTRIES {
            self.flush()?;
        }
        self.batch.entries.push(Entry::Row(row));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Gone> {
        if self.batch.entries.is_empty() {
            return Ok(());
        }
        let batch = std::mem::replace(&mut self.batch, Batch::new());
        self.out.blocking_send(Ok(batch)).map_err(|_| Gone)
    }
}
