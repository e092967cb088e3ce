//! Chance that comes out the same every time, on every machine: whole numbers only, from a seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A source of chance for one purpose; others do not disturb it.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of a purpose.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(purpose);
        Self(chance)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i32, high: i32) -> i32 {
        let span = u64::from(high.abs_diff(low)) + 1;
        // Below the span, which came from an i32.
        let above = i32::try_from(self.0.next_u64() % span).unwrap_or_default();
        low.min(high).saturating_add(above)
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, chance: i32) -> bool {
        self.between(1, 100) <= chance
    }

    /// A whole number around so many thousandths: 1400 gives 1, and 2 in four of ten cases.
    pub(super) fn around(&mut self, thousandths: i32) -> i32 {
        let extra = self.between(1, 1000) <= thousandths % 1000;
        thousandths / 1000 + i32::from(extra)
    }

    /// One of several; they must not be empty.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let last = i32::try_from(from.len()).unwrap_or(i32::MAX) - 1;
        let at = usize::try_from(self.between(0, last)).unwrap_or_default();
        &from[at]
    }

    /// One of several words; there must be one.
    pub(super) fn word(&mut self, from: &[&'static str]) -> &'static str {
        self.pick::<&'static str>(from)
    }
}
