//! Waiting for a condition with a deadline, as an error that says what was awaited.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(40);

/// Looks until there is something, and tells how long that took.
///
/// # Errors
/// When nothing is found within `deadline`; the text names `what` was awaited.
pub async fn until_some<T>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<(T, Duration)> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok((found, begin.elapsed()));
        }
        if begin.elapsed() > deadline {
            bail!("waited {} s in vain for: {what}", deadline.as_secs());
        }
        sleep(PAUSE).await;
    }
}

/// Looks until the condition holds, and tells how long that took.
///
/// # Errors
/// As [`until_some`].
pub async fn until(
    deadline: Duration,
    what: &str,
    mut holds: impl AsyncFnMut() -> bool,
) -> anyhow::Result<Duration> {
    let found = until_some(deadline, what, async || holds().await.then_some(())).await?;
    Ok(found.1)
}

/// Lets time pass: for faults that last, where the time itself is the condition.
pub async fn last(time: Duration) {
    sleep(time).await;
}
