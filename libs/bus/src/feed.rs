//! Where a consumer's events come from.

use std::time::Duration;

use async_trait::async_trait;
use tierline_eventstore::{Heads, LogEvent, LogReader, ReadError};
use tokio::sync::watch;

/// How far a consumer is: for each of its partitions the number of the last event it applied.
pub type Positions = Vec<(u8, i64)>;

/// A source of events in the order of their partitions.
#[async_trait]
pub trait Feed: Send {
    /// At most `limit` events after the given positions: dense and in order within each
    /// partition. Empty when there are none yet.
    async fn read(&mut self, after: &Positions, limit: u32) -> Result<Vec<LogEvent>, ReadError>;

    /// Returns when there may be events after the given positions, or after `patience`.
    async fn wait(&mut self, after: &Positions, patience: Duration);
}

/// The log itself, polled, and woken by the sequencer where it runs in the same process.
pub struct LogFeed {
    reader: LogReader,
    heads: Option<watch::Receiver<Heads>>,
}

impl LogFeed {
    /// A feed over the log; `heads` are the sequencer's, if it runs in this process.
    pub fn new(reader: LogReader, heads: Option<watch::Receiver<Heads>>) -> Self {
        Self { reader, heads }
    }
}

#[async_trait]
impl Feed for LogFeed {
    async fn read(&mut self, after: &Positions, limit: u32) -> Result<Vec<LogEvent>, ReadError> {
        self.reader.read(after, limit, limit).await
    }

    async fn wait(&mut self, after: &Positions, patience: Duration) {
        let Some(heads) = &mut self.heads else {
            tokio::time::sleep(patience).await;
            return;
        };
        let news = async {
            heads
                .wait_for(|heads| {
                    after.iter().any(|(partition, number)| {
                        heads
                            .partitions
                            .get(usize::from(*partition))
                            .is_some_and(|h| h > number)
                    })
                })
                .await
                .is_ok()
        };
        // A closed channel means that the sequencer has gone; then only the clock wakes.
        if let Ok(false) = tokio::time::timeout(patience, news).await {
            tokio::time::sleep(patience).await;
        }
    }
}
