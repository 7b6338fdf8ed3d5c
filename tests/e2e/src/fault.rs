//! Random instants that can be drawn again.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Draws the instants at which something is killed.
pub struct Dice(StdRng);

impl Dice {
    /// Takes `GOLDENTIME_SEED`, else a new seed, and prints it.
    #[must_use]
    pub fn roll(test: &str) -> Self {
        let given = std::env::var("GOLDENTIME_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = given.unwrap_or_else(|| rand::rng().random());
        println!("{test}: GOLDENTIME_SEED={seed}");
        Self(StdRng::seed_from_u64(seed))
    }

    /// A length of time between the two.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        self.0.random_range(least..=most)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    /// As many random bytes as the range allows.
    pub fn bytes(&mut self, count: RangeInclusive<usize>) -> Vec<u8> {
        let mut bytes = vec![0; self.0.random_range(count)];
        self.0.fill(&mut bytes[..]);
        bytes
    }
}
