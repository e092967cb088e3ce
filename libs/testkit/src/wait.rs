//! Waiting for a condition with a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Pause between two looks at a condition; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold within `deadline`; the text names `what` was awaited.
pub async fn eventually(deadline: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually_some(deadline, what, async || condition().await.then_some(())).await;
}

/// Waits until `look` finds something, and gives it.
///
/// # Panics
/// When nothing is found within `deadline`; the text names `what` was awaited.
pub async fn eventually_some<T>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let until = Instant::now() + deadline;
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < until,
            "waited {deadline:?} in vain for: {what}"
        );
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        eventually(Duration::from_secs(5), "three looks", async || {
            looks += 1;
            looks == 3
        })
        .await;
        assert_eq!(looks, 3);
        assert_eq!(
            eventually_some(Duration::ZERO, "a value", async || Some(7)).await,
            7
        );
    }

    #[tokio::test]
    #[should_panic(expected = "in vain for: the end of time")]
    async fn a_condition_that_stays_false_fails_with_its_name() {
        eventually(Duration::from_millis(5), "the end of time", async || false).await;
    }
}
