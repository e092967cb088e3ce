//! What a read model is.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tierline_bus::ConsumerId;
use tierline_domain::any_event::AnyEvent;
use tierline_eventstore::{LogEvent, PARTITIONS};

/// A read model. To add one: a row type in `tierline-readmodel`, a table in `migrations/`, an
/// implementation in `models/`, and a line in `models/mod.rs`.
pub trait Model: Send + Sync + 'static {
    /// A row.
    type Row: Serialize + DeserializeOwned + PartialEq + Clone + Send + Sync + 'static;
    /// The columns that repeat parts of a row.
    type Columns<'a>: Serialize;

    /// Name of the table in schema `read`.
    const NAME: &'static str;
    /// The consumer that keeps the table. A changed fold or row gets a new version: the table is
    /// then built afresh and swapped before the consumer goes on.
    const CONSUMER: ConsumerId;
    /// The consumer that builds the table afresh; has the version of [`Self::CONSUMER`].
    const BUILDER: ConsumerId;
    /// Aggregate types whose events concern the model; others are not even decoded.
    const READS: &'static [&'static str];
    /// Event types of these aggregates that say nothing the model shows; not decoded either.
    const PASSES_OVER: &'static [&'static str] = &[];
    /// What the table keeps of a row's past.
    const KEEPS: Keeps = Keeps::Latest;
    /// Most events are of no interest to it, so that it may rest after a batch without any.
    const SELDOM: bool = false;
    /// Names and types of the columns that [`Self::columns`] fills.
    const COLUMNS: &'static [(&'static str, &'static str)];

    /// The partitions that carry what the model shows. A model of programs needs one only, since
    /// their events are in all.
    fn partitions() -> Vec<u8> {
        (0..PARTITIONS).collect()
    }

    /// The key, within its org, of the row that the event concerns.
    fn key(event: &LogEvent, content: &AnyEvent) -> Option<String>;

    /// Takes the event into the row. Pure; never fails.
    fn fold(row: &mut Option<Self::Row>, event: &LogEvent, content: &AnyEvent) -> Effect;

    /// What stands in the columns.
    fn columns(row: &Self::Row) -> Self::Columns<'_>;
}

/// What a table keeps of a row's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// The row as it is now.
    Latest,
    /// Every state of the row, each under the sequence of the event that led to it. Nothing is
    /// ever overwritten.
    Every,
}

/// What an event did to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The row is another one now.
    Changed,
    /// The event says nothing that the model shows.
    Unchanged,
    /// The event cannot be shown, for this reason. Counted.
    Skipped(&'static str),
}

/// The most frequent event of all, and the one that few models show anything of.
pub(crate) const PROGRESS: &str = "tierline.standing.v1.ProgressRecomputed";

/// The partner that an event belongs to, out of its routing key `{org}/{partner}`.
pub(crate) fn partner_of(event: &LogEvent) -> Option<&str> {
    event
        .routing_key
        .split_once('/')
        .map(|(_, partner)| partner)
        .filter(|partner| *partner != "*")
}

/// The id of the thing that an event is about, out of its stream `{org}/{id}`.
pub(crate) fn subject_of(event: &LogEvent) -> Option<&str> {
    event.aggregate_id.split_once('/').map(|(_, id)| id)
}
