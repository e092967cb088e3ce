//! The relay: numbers committed events into the log, as long as it runs.
//!
//! It owns the sequencer and nothing else: no read model, no business rule. Several relays may
//! run; one does the work and the others find nothing to do.

use tierline_eventstore::Sequencer;
use tokio_util::sync::CancellationToken;

/// Numbers events until `stop`. The batch in hand is finished first; then what was committed
/// until now is numbered once more, so that a clean stop leaves nothing behind.
pub async fn run(sequencer: &Sequencer, stop: CancellationToken) {
    tracing::info!("the sequencer is at work");
    sequencer.run(stop).await;
    match sequencer.drain().await {
        Ok(rest) => tracing::info!(rest, "the sequencer has stopped"),
        Err(error) => {
            tracing::warn!(%error, "the sequencer has stopped before the last events: {error}");
        }
    }
}
