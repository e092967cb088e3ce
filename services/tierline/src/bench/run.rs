//! One round of measurements, and what its figures share.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::load::Window;
use super::report::{Sample, progress};
use super::server::Server;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// A trial: every figure with a fraction of its work.
    pub quick: bool,
}

impl Plan {
    /// How long callers run.
    pub fn window(self) -> Window {
        let (warm_up, count) = if self.quick {
            (100, 400)
        } else {
            (1_000, 5_000)
        };
        Window {
            warm_up: Duration::from_millis(warm_up),
            count: Duration::from_millis(count),
        }
    }

    /// A number of things, or a fiftieth of it in a trial.
    pub fn many(self, full: u64) -> u64 {
        if self.quick { (full / 50).max(1) } else { full }
    }
}

/// What the figures of one round share. Raw limits are taken when the first figure asks for them,
/// so that they and the figure see the same state of the machine.
pub struct Run<'a> {
    /// The server that is measured.
    pub server: &'a Server,
    /// How much is measured.
    pub plan: Plan,
    pub(super) single_row: OnceCell<f64>,
    pub(super) many_rows: OnceCell<f64>,
    pub(super) upsert: OnceCell<f64>,
    pub(super) stock: OnceCell<f64>,
    samples: &'a Mutex<Vec<Sample>>,
}

impl<'a> Run<'a> {
    /// A round whose samples are added to `samples`, where they stay when the round is broken off.
    pub fn new(server: &'a Server, plan: Plan, samples: &'a Mutex<Vec<Sample>>) -> Self {
        Self {
            server,
            plan,
            single_row: OnceCell::new(),
            many_rows: OnceCell::new(),
            upsert: OnceCell::new(),
            stock: OnceCell::new(),
            samples,
        }
    }

    /// Notes a value and tells whoever waits.
    pub fn report(&self, sample: Sample) {
        progress(format!("  {}", sample.line()));
        let mut samples = self
            .samples
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        samples.push(sample);
    }
}
