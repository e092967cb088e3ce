//! Memory that a process at rest does not keep.
//!
//! The allocator hands pages that are free back to the system a second later, but only when it
//! frees some page by then. A process that has just let go of everything and does nothing more
//! would keep all of it.

use std::hint::black_box;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How often the allocator is given the occasion.
const EVERY: Duration = Duration::from_secs(5);
/// Large enough to be a page of its own, which is freed at once.
const PAGE: usize = 1 << 20;

/// Lets free pages go, until `stop`.
pub async fn hand_back(stop: CancellationToken) {
    let again = async {
        loop {
            tokio::time::sleep(EVERY).await;
            // Never written to, so that it takes no memory itself.
            drop(black_box(Vec::<u8>::with_capacity(PAGE)));
        }
    };
    stop.run_until_cancelled(again).await;
}
