//! The latency that a given share of requests usually exceeds.

use crate::bytes::{DecodeError, Reader, Writer};

/// How far it moves, as a logarithm, in a second in which every request lies on one side.
const GAIN: f64 = 0.01;
/// A second with fewer requests moves it less.
const REQUESTS_FULL: f64 = 20.0;
const VERSION: u8 = 1;

/// Follows a quantile by stochastic approximation (Robbins and Monro, *A stochastic approximation method*,
/// 1951), in its logarithm: two numbers instead of a sketch of the past.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsualQuantile {
    log: f64,
    above: f64,
}

impl UsualQuantile {
    /// Begins at the quantile of what is known so far, in seconds; more than 0.
    #[must_use]
    pub fn new(quantile: f64, seconds: f64) -> Self {
        Self { log: seconds.max(1e-9).ln(), above: 1.0 - quantile }
    }

    /// The latency in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.log.exp()
    }

    /// Learns from one second: how many requests there were, and how many of them were slower than
    /// [`Self::seconds`].
    pub fn learn(&mut self, slower: f64, total: f64) {
        if total > 0.0 {
            let trust = (total / REQUESTS_FULL).min(1.0);
            self.log += GAIN * trust * (slower / total - self.above);
        }
    }

    /// Appends this to `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let mut writer = Writer(bytes);
        writer.byte(VERSION);
        writer.number(self.log);
        writer.number(self.above);
    }

    /// Takes what [`Self::encode`] wrote off the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        reader.version(VERSION)?;
        Ok(Self { log: reader.number(-30.0)?, above: reader.number(0.0)? })
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn it_finds_the_latency_that_one_in_twenty_exceeds() {
        let (mut random, mut usual) = (StdRng::seed_from_u64(5), UsualQuantile::new(0.95, 1.0));
        let exponential = |random: &mut StdRng| -0.1 * random.random_range(f64::MIN_POSITIVE..1.0).ln();
        for _ in 0..20_000 {
            let slower = (0..50).filter(|_| exponential(&mut random) > usual.seconds()).count();
            usual.learn(slower as f64, 50.0);
        }
        let exact = 0.1 * 20_f64.ln();
        assert!((usual.seconds() / exact - 1.0).abs() < 0.1, "{} {exact}", usual.seconds());
        let mut bytes = Vec::new();
        usual.encode(&mut bytes);
        let read = UsualQuantile::decode(&mut bytes.as_slice()).expect("readable");
        assert!((read.seconds() / usual.seconds() - 1.0).abs() < 1e-5);
    }
}
