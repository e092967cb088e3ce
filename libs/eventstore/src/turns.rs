//! Callers of one process that want the same stream take turns, instead of racing each other to
//! its next version and losing. Other processes are not asked: between them the append decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tierline_domain::StreamId;
use tokio::sync::OwnedMutexGuard;

type Key = (&'static str, StreamId);
type Gate = Arc<tokio::sync::Mutex<()>>;

/// The streams that somebody works on or waits for.
#[derive(Default)]
pub(crate) struct Turns {
    gates: Mutex<HashMap<Key, (Gate, usize)>>,
}

/// A turn; ends when dropped.
pub(crate) struct Turn<'a> {
    // Dropped in this order: the next in line may go before the place is given up.
    _guard: OwnedMutexGuard<()>,
    _place: Place<'a>,
}

struct Place<'a> {
    turns: &'a Turns,
    key: Key,
}

impl Turns {
    /// Waits for the turn on a stream.
    pub(crate) async fn wait(&self, aggregate_type: &'static str, stream: &StreamId) -> Turn<'_> {
        let key = (aggregate_type, stream.clone());
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            let (gate, users) = gates.entry(key.clone()).or_default();
            *users += 1;
            Arc::clone(gate)
        };
        // Made before the wait, so that a caller who gives up is counted out as well.
        let place = Place { turns: self, key };
        Turn {
            _guard: gate.lock_owned().await,
            _place: place,
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.gates.lock().unwrap().len()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut gates = self
            .turns
            .gates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, users)) = gates.get_mut(&self.key) {
            *users -= 1;
            if *users == 0 {
                gates.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_caller_that_gives_up_leaves_nothing_behind() {
        let turns = Turns::default();
        let stream = StreamId::from("acme/x".to_owned());
        let first = turns.wait("T", &stream).await;
        let waiting = tokio::time::timeout(Duration::from_millis(5), turns.wait("T", &stream));
        assert!(waiting.await.is_err());
        assert_eq!(turns.len(), 1);
        drop(first);
        assert_eq!(turns.len(), 0);
        drop(turns.wait("T", &stream).await);
        assert_eq!(turns.len(), 0);
    }
}
