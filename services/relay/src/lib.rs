//! The relay: numbers committed events into the log, as long as it runs.
//!
//! It owns the sequencer and nothing else: no read model, no business rule. Several relays may
//! run; one does the work and the others find nothing to do.

use std::time::Duration;

use tierline_eventstore::Sequencer;
use tokio_util::sync::CancellationToken;

/// How long a stopping relay goes on numbering.
const LAST_WORK: Duration = Duration::from_secs(10);

/// Numbers events until `stop`. The batch in hand is finished first; then what was committed
/// until now is numbered once more, within ten seconds, so that a clean stop leaves nothing
/// behind. What it leaves after all is numbered by the next relay.
pub async fn run(sequencer: &Sequencer, stop: CancellationToken) {
    tracing::info!("the sequencer is at work");
    sequencer.run(stop).await;
    match tokio::time::timeout(LAST_WORK, sequencer.drain()).await {
        Ok(Ok(rest)) => tracing::info!(rest, "the sequencer has stopped"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the sequencer has stopped before the last events: {error}");
        }
        Err(_) => tracing::warn!("the sequencer has stopped with events left to number"),
    }
}
