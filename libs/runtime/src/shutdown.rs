//! An orderly end: the first signal asks for it, the second one does not wait for it.

use std::io;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The two wishes of whoever stops the process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    orderly: CancellationToken,
    at_once: CancellationToken,
}

impl Shutdown {
    /// Listens for Ctrl-C and SIGTERM from now on.
    ///
    /// # Errors
    /// When the system refuses to deliver signals.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::default();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        tokio::spawn(follow(shutdown.clone(), interrupt, terminate));
        Ok(shutdown)
    }

    /// Cancelled when the process should come to an end.
    pub fn token(&self) -> &CancellationToken {
        &self.orderly
    }

    /// Cancelled when it should end without waiting for anything.
    pub fn at_once(&self) -> &CancellationToken {
        &self.at_once
    }

    /// Asks for the end from within, for instance because the database is gone.
    pub fn request(&self) {
        self.orderly.cancel();
    }
}

async fn follow(shutdown: Shutdown, mut interrupt: Signal, mut terminate: Signal) {
    for token in [&shutdown.orderly, &shutdown.at_once] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        token.cancel();
    }
}

type Work = BoxFuture<'static, Result<(), String>>;

/// What has to happen at the end, one after the other, each with a deadline of its own.
#[derive(Default)]
pub struct Steps {
    steps: Vec<(&'static str, Duration, Work)>,
}

/// How an end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every step was done in time.
    Orderly,
    /// A step failed or was too slow; the others were done.
    WithTrouble,
    /// A second signal cut the rest off.
    AtOnce,
}

impl Steps {
    /// Nothing to do yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step. Nothing of it runs before the steps that were added earlier are over.
    #[must_use]
    pub fn then<F>(mut self, name: &'static str, deadline: Duration, work: F) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.steps.push((name, deadline, Box::pin(work)));
        self
    }

    /// Runs the steps. One that fails or takes too long does not keep the others from running.
    /// When `at_once` is cancelled, the step in hand and all later ones are dropped.
    pub async fn run(self, at_once: &CancellationToken) -> Ended {
        let mut ended = Ended::Orderly;
        for (name, deadline, work) in self.steps {
            let begin = Instant::now();
            let result = tokio::select! {
                biased;
                () = at_once.cancelled() => {
                    warn!("second signal: not waiting for {name}");
                    return Ended::AtOnce;
                }
                result = tokio::time::timeout(deadline, work) => result,
            };
            match result {
                Ok(Ok(())) => info!("{name}: done in {} ms", begin.elapsed().as_millis()),
                Ok(Err(reason)) => {
                    warn!("{name}: {reason}");
                    ended = Ended::WithTrouble;
                }
                Err(_) => {
                    warn!("{name}: not done within {} s", deadline.as_secs());
                    ended = Ended::WithTrouble;
                }
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rustix::process::{Signal as Send, getpid, kill_process};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn steps_run_in_order_and_a_slow_or_failing_one_does_not_stop_the_rest() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str| {
            let order = Arc::clone(&order);
            async move {
                order.lock().unwrap().push(name);
                Ok(())
            }
        };
        let steps = Steps::new()
            .then("drain", MINUTE, note("drain"))
            .then("hang", MINUTE, std::future::pending())
            .then("fail", MINUTE, async { Err("disk".to_owned()) })
            .then("flush", MINUTE, note("flush"));
        assert_eq!(
            steps.run(&CancellationToken::new()).await,
            Ended::WithTrouble
        );
        assert_eq!(*order.lock().unwrap(), ["drain", "flush"]);
    }

    #[tokio::test]
    async fn the_second_wish_cuts_the_rest_off() {
        let at_once = CancellationToken::new();
        let cut = at_once.clone();
        let steps = Steps::new()
            .then("drain", MINUTE, async move {
                cut.cancel();
                std::future::pending().await
            })
            .then("flush", MINUTE, async { panic!("must not run") });
        assert_eq!(steps.run(&at_once).await, Ended::AtOnce);
    }

    #[tokio::test]
    async fn the_first_signal_asks_and_the_second_insists() {
        let shutdown = Shutdown::on_signals().unwrap();
        assert!(!shutdown.token().is_cancelled());
        kill_process(getpid(), Send::TERM).unwrap();
        tokio::time::timeout(MINUTE, shutdown.token().cancelled())
            .await
            .unwrap();
        assert!(!shutdown.at_once().is_cancelled());
        kill_process(getpid(), Send::INT).unwrap();
        tokio::time::timeout(MINUTE, shutdown.at_once().cancelled())
            .await
            .unwrap();
    }
}
