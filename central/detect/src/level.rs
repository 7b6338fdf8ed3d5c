//! The usual share of bad requests, how high it goes by itself, and how much errors come in heaps.

use crate::Counts;
use crate::bytes::{DecodeError, Reader, Writer};
use crate::excursions::Excursions;

/// Stretches are learned from as whole blocks of this many seconds.
pub const BLOCK_S: i64 = 10;

/// What was learned loses half of its weight in so many blocks with requests: twenty minutes.
const HALF_LIFE_BLOCKS: f64 = 120.0;
/// How much errors come in heaps is remembered longer: three hours.
const HEAPS_HALF_LIFE_BLOCKS: f64 = 1080.0;
/// Requests that are held to be as usual before any were seen, against wild guesses of a few.
const PRIOR_REQUESTS: f64 = 20.0;
/// Variance, in requests, of which no heaps are assumed before any was seen.
const PRIOR_VARIANCE: f64 = 20.0;
/// Heaps beyond this are no usual state.
const DISPERSION_MAX: f64 = 20.0;
/// Heights are noted from so many blocks on: a service that is first seen in an incident has no usual state yet.
const HIGH_FROM_BLOCKS: f64 = 30.0;
/// A block's share counts as high as it surely is: so many standard deviations of a count below it.
const SURELY: f64 = 2.0;

/// The seconds of one block, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Block {
    counts: Counts,
    missing: f64,
    seconds: f64,
    bad_squares: f64,
    products: f64,
    total_squares: f64,
}

impl Block {
    /// Adds one second, of which `missing` requests are expected and were not seen.
    pub fn add(&mut self, counts: Counts, missing: f64) {
        let Counts { bad, total } = counts;
        self.counts = self.counts.plus(counts);
        self.missing += missing;
        self.seconds += 1.0;
        self.bad_squares += bad * bad;
        self.products += bad * total;
        self.total_squares += total * total;
    }

    /// Whether no more than `share` of it is missing.
    #[must_use]
    pub fn is_whole_to(&self, share: f64) -> bool {
        self.missing <= self.counts.total * share
    }

    /// Squared distances of its seconds from its own share, and what they were for independent requests.
    fn spread(&self) -> Option<(f64, f64)> {
        let share = self.counts.share().filter(|share| *share > 0.0 && self.seconds > 1.0)?;
        let squares = self.bad_squares - 2.0 * share * self.products + share * share * self.total_squares;
        let freedom = (self.seconds - 1.0) / self.seconds;
        Some((squares.max(0.0), freedom * share * (1.0 - share) * self.counts.total))
    }
}

/// Learned from blocks of ten seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Level {
    seen: Counts,
    squares: f64,
    variance: f64,
    blocks: f64,
    high: Excursions,
}

impl Level {
    /// Learns from one block that ended at `second` or before.
    pub fn learn(&mut self, second: i64, block: &Block) {
        let counts = block.counts;
        if counts.total <= 0.0 {
            return;
        }
        let fade = (-1.0 / HALF_LIFE_BLOCKS).exp2();
        self.seen.bad = self.seen.bad * fade + counts.bad;
        self.seen.total = self.seen.total * fade + counts.total;
        if let Some((squares, variance)) = block.spread() {
            let fade = (-1.0 / HEAPS_HALF_LIFE_BLOCKS).exp2();
            self.squares = self.squares * fade + squares;
            self.variance = self.variance * fade + variance;
        }
        self.blocks += 1.0;
        if self.blocks < HIGH_FROM_BLOCKS {
            return;
        }
        let surely = (counts.bad - SURELY * counts.bad.sqrt()).max(0.0);
        self.high.note(second, surely / counts.total);
    }

    /// Takes note that a share was this high and went down by itself.
    pub fn note_high(&mut self, second: i64, share: f64) {
        self.high.note(second, share);
    }

    /// The usual share, where `floor` is assumed before anything was seen.
    #[must_use]
    pub fn share(&self, floor: f64) -> f64 {
        let share = (self.seen.bad + PRIOR_REQUESTS * floor) / (self.seen.total + PRIOR_REQUESTS);
        share.clamp(floor * 1e-3, 1.0 - 1e-6)
    }

    /// Standard error of the usual share.
    #[must_use]
    pub fn error(&self, floor: f64) -> f64 {
        let share = self.share(floor);
        (self.dispersion() * share * (1.0 - share) / (self.seen.total + PRIOR_REQUESTS)).sqrt()
    }

    /// The highest share of a block in the last week.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.high.highest()
    }

    /// How many times the variance of seconds within their block is that of independent requests (Pearson's
    /// statistic over its degrees of freedom; McCullagh and Nelder, *Generalized Linear Models*, 1989, section
    /// 4.5); at least 1.
    #[must_use]
    pub fn dispersion(&self) -> f64 {
        let ratio = (self.squares + PRIOR_VARIANCE) / (self.variance + PRIOR_VARIANCE);
        ratio.clamp(1.0, DISPERSION_MAX)
    }

    /// Blocks with requests that were learned from.
    #[must_use]
    pub const fn blocks(&self) -> f64 {
        self.blocks
    }

    /// Requests that were learned from, the older ones counting less.
    #[must_use]
    pub const fn requests(&self) -> f64 {
        self.seen.total
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        for value in [self.seen.bad, self.seen.total, self.squares, self.variance, self.blocks] {
            writer.number(value);
        }
        self.high.encode(writer);
    }

    pub(crate) fn decode(reader: &mut Reader<'_, '_>) -> Result<Self, DecodeError> {
        let mut next = || reader.number(0.0);
        let seen = Counts { bad: next()?, total: next()? };
        let (squares, variance, blocks) = (next()?, next()?, next()?);
        Ok(Self { seen, squares, variance, blocks, high: Excursions::decode(reader)? })
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn learned(random: &mut StdRng, blocks: i64, share: impl Fn(&mut StdRng) -> f64) -> Level {
        let mut level = Level::default();
        for at in 0..blocks {
            let mut block = Block::default();
            for _ in 0..BLOCK_S {
                let share = share(random);
                let bad = (0..50).filter(|_| random.random_bool(share)).count();
                block.add(Counts::new(bad as u64, 50), 0.0);
            }
            level.learn(at * BLOCK_S, &block);
        }
        level
    }

    #[test]
    fn independent_requests_come_in_no_heaps_and_heaps_do() {
        let mut random = StdRng::seed_from_u64(3);
        let calm = learned(&mut random, 1000, |_| 0.02);
        assert!((calm.share(0.002) - 0.02).abs() < 0.004, "{}", calm.share(0.002));
        assert!(calm.dispersion() < 1.25, "{}", calm.dispersion());
        let heaps = learned(&mut random, 1000, |random| if random.random_bool(0.1) { 0.2 } else { 0.0 });
        assert!(heaps.dispersion() > 3.0, "{}", heaps.dispersion());
    }

    #[test]
    fn how_high_a_block_went_is_known_as_far_as_it_is_sure() {
        let mut random = StdRng::seed_from_u64(4);
        let calm = learned(&mut random, 500, |_| 0.02);
        assert!(calm.high() < 0.04, "{}", calm.high());
        let mut level = calm.clone();
        let mut block = Block::default();
        block.add(Counts::new(100, 500), 0.0);
        level.learn(5000, &block);
        assert!((0.15..0.2).contains(&level.high()), "{}", level.high());
    }
}
