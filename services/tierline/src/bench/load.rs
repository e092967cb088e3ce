//! Callers that keep a system busy: each asks again as soon as it has its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long to run before counting, and how long to count.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Not counted: connections, caches and plans come about.
    pub warm_up: Duration,
    /// Counted.
    pub count: Duration,
}

/// Answers per second that `callers` get from `ask`, which is given a number that no other call
/// has.
///
/// # Errors
/// The first call that fails.
pub async fn closed_loop<A, F>(callers: u32, window: Window, ask: A) -> anyhow::Result<f64>
where
    A: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let stop = CancellationToken::new();
    // Numbers are given out by one counter and answers counted by another, so that a call that is
    // under way at the end is not counted.
    let (asked, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let (ask, stop) = (ask.clone(), stop.clone());
        let (asked, answered) = (Arc::clone(&asked), Arc::clone(&answered));
        running.spawn(async move {
            while !stop.is_cancelled() {
                ask(asked.fetch_add(1, Ordering::Relaxed)).await?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    let counted = async {
        sleep(window.warm_up).await;
        let (before, begin) = (answered.load(Ordering::Relaxed), Instant::now());
        sleep(window.count).await;
        let counted = answered.load(Ordering::Relaxed) - before;
        counted as f64 / begin.elapsed().as_secs_f64()
    };
    tokio::pin!(counted);
    let rate = loop {
        tokio::select! {
            rate = &mut counted => break rate,
            Some(ended) = running.join_next() => ended.context("a caller panicked")??,
        }
    };
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended.context("a caller panicked")??;
    }
    Ok(rate)
}

/// Seconds that `callers` need for calls 0 to `calls` - 1.
///
/// # Errors
/// The first call that fails.
pub async fn fixed_work<A, F>(callers: u32, calls: u64, ask: A) -> anyhow::Result<f64>
where
    A: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let (ask, next) = (ask.clone(), Arc::clone(&next));
        running.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return anyhow::Ok(());
                }
                ask(number).await?;
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.context("a caller panicked")??;
    }
    Ok(begin.elapsed().as_secs_f64())
}
